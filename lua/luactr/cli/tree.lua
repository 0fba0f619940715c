--- `luactr tree`: the processes of containers, with their pids on both sides.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "tree",
  summary = "show the processes of containers, inside and outside",
  usage = "[NAME...]",
  mixed = true,
  pods = "members",
  help = [[
Show the processes of the named containers, or of all that run, as trees: each with its pid on the
host beside its pid inside, and one more in each pid namespace below, as containers in the container
have them.]],
  options = { { "--json", help = "a list of records" } },
}

-- ---- text

local BRANCH <const>, LAST <const> = "├─ ", "└─ "
local BAR <const>, SPACE <const> = "│  ", "   "

local function add(rows, process, first, rest)
  local row = {}
  for i, pid in ipairs(process.pids) do
    row[i] = tostring(pid)
  end
  row.tree = first .. require("luactr.error").escape(process.command)
  rows[#rows + 1] = row
  local children = process.children or {}
  for i, child in ipairs(children) do
    local last = i == #children
    add(rows, child, rest .. (last and LAST or BRANCH), rest .. (last and SPACE or BAR))
  end
end

--- A column for each level of namespaces, the tree behind them.
local function table_of(container)
  local rows, levels = {}, 1
  for _, root in ipairs(container.processes) do
    add(rows, root, "", "")
  end
  for _, row in ipairs(rows) do
    levels = math.max(levels, #row)
  end
  local heads = { "HOST", levels > 1 and "INSIDE" or nil }
  for level = 3, levels do
    heads[level] = "INSIDE " .. level - 1
  end
  heads[levels + 1] = container.id
  for _, row in ipairs(rows) do
    for level = #row + 1, levels do
      row[level] = ""
    end
    row[levels + 1] = row.tree
  end
  return containers.columns(heads, rows)
end

-- ---- which

--- The containers that are named, or all that run; nil, status.
local function chosen(request)
  local list = {}
  if #request.arguments == 0 then
    local all, err = require("luactr.container.found").all()
    if err then
      output.complain(err)
      return nil, require("luactr.cli").FAILED
    end
    for _, found in ipairs(all) do
      list[#list + 1] = found:is_running() and found or nil
    end
    return list, 0
  end
  local status = containers.each(request, M, function(found)
    list[#list + 1] = found
    return true
  end)
  return list, status
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local list, status = chosen(request)
  if not list then
    return status
  end
  local seen, trees, texts = require("luactr.container.tree").look(), {}, {}
  for _, found in ipairs(list) do
    local roots, err = found:tree(seen)
    if roots and #roots > 0 then
      trees[#trees + 1] = { id = found.id, pid = found.record.pid, processes = roots }
      texts[#texts + 1] = table_of(trees[#trees])
    elseif #request.arguments > 0 then -- of all, one may end meanwhile
      output.complain(err or string.format("%q has just ended", found.id))
      status = require("luactr.cli").FAILED
    end
  end
  if request.options.json then
    return output.print(#trees == 0 and "[]\n" or output.json(trees), status)
  end
  return output.print(table.concat(texts, "\n"), status)
end

return M
