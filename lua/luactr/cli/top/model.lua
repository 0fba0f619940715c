--- What `luactr top` knows: samples become rows with rates and histories; which are shown, and in
--- what order. Pure.
local M = {}

M.HISTORY = 60 -- samples of a graph that are kept

---@class luactr.top.row
---@field id string
---@field state string
---@field is_pod boolean what its members, which have rows of their own, use together
---@field cpu? number CPUs in use
---@field memory? integer
---@field pids? integer
---@field read? number bytes a second
---@field written? number
---@field throttled? number share of the time
---@field pressure? table
---@field cpu_history number[]
---@field memory_history number[]

---@class luactr.top.model
---@field rows luactr.top.row[] that are shown
---@field shown integer containers among them
---@field total integer containers that there are
---@field sort string
---@field filter string
---@field selected? string id
---@field frozen boolean
---@field message? string
---@field asked? string id of the one to be killed
---@field typing boolean the filter is being typed
---@field known table<string, luactr.top.row>
---@field before table<string, table> samples

--- How rows are compared, by the word for it: the first of two that differ.
local SORTS <const> = {
  { "cpu", field = "cpu" },
  { "memory", field = "memory" },
  { "pids", field = "pids" },
  { "io", value = function(row) return (row.read or 0) + (row.written or 0) end },
  { "throttled", field = "throttled" },
  { "name" },
}

M.sorts = {}
for i, sort in ipairs(SORTS) do
  M.sorts[i], SORTS[sort[1]] = sort[1], sort
end

---@param options { sort?: string, filter?: string }
---@return luactr.top.model
function M.new(options)
  return {
    rows = {}, shown = 0, total = 0, sort = options.sort or "cpu", filter = options.filter or "",
    frozen = false, typing = false, known = {}, before = {},
  }
end

-- ---- samples

local function rate(now, before, field)
  if not (now[field] and before and before[field]) or now.at <= before.at then
    return nil
  end
  return math.max(0, (now[field] - before[field]) / (now.at - before.at))
end

local function remember(history, value)
  history[#history + 1] = value or 0
  if #history > M.HISTORY then
    table.remove(history, 1)
  end
  return history
end

local function row_of(sample, before, known)
  local cpu = rate(sample, before, "cpu_seconds")
  return {
    id = sample.id, state = sample.state, is_pod = sample.is_pod or false,
    cpu = cpu, memory = sample.memory, pids = sample.pids,
    read = rate(sample, before, "io_read_bytes"), written = rate(sample, before, "io_write_bytes"),
    throttled = rate(sample, before, "throttled_seconds"), pressure = sample.pressure,
    cpu_history = remember(known and known.cpu_history or {}, cpu),
    memory_history = remember(known and known.memory_history or {}, sample.memory),
  }
end

--- One look at all containers.
---@param model luactr.top.model
---@param samples table[] meters with id, state and at
function M.add(model, samples)
  local known, before = {}, {}
  for _, sample in ipairs(samples) do
    known[sample.id] = row_of(sample, model.before[sample.id], model.known[sample.id])
    before[sample.id] = sample
  end
  model.known, model.before = known, before
  M.arrange(model)
end

-- ---- which rows, and where

local function comparison(sort)
  local value = sort.value or function(row) return row[sort.field] or -1 end
  return function(a, b)
    if sort[1] ~= "name" and value(a) ~= value(b) then
      return value(a) > value(b)
    end
    return a.id < b.id
  end
end

local function index_of(model, id)
  for i, row in ipairs(model.rows) do
    if row.id == id then
      return i
    end
  end
end

--- Sort and filter again; whoever was selected stays so, or its neighbour is.
function M.arrange(model)
  local place = index_of(model, model.selected) or 1
  model.rows, model.shown, model.total = {}, 0, 0
  for id, row in pairs(model.known) do
    local count = row.is_pod and 0 or 1
    model.total = model.total + count
    if id:find(model.filter, 1, true) then
      model.rows[#model.rows + 1] = row
      model.shown = model.shown + count
    end
  end
  table.sort(model.rows, comparison(SORTS[model.sort]))
  if not index_of(model, model.selected) then
    local row = model.rows[math.min(place, #model.rows)]
    model.selected = row and row.id
  end
end

---@param step integer rows down
function M.select(model, step)
  local place = math.max(1, math.min(#model.rows, (index_of(model, model.selected) or 1) + step))
  model.selected = model.rows[place] and model.rows[place].id
end

--- The place of the selected row.
---@return integer?
function M.place(model)
  return index_of(model, model.selected)
end

function M.next_sort(model)
  for i, name in ipairs(M.sorts) do
    if name == model.sort then
      model.sort = M.sorts[i % #M.sorts + 1]
      break
    end
  end
  M.arrange(model)
end

return M
