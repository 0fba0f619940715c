--- What the verbs for containers of other processes share: names become containers, rows become
--- tables, times become words.
local output = require "luactr.cli.output"

local M = {}

local FAILED <const> = 125

local function find(name)
  return require("luactr.container.found").find(name)
end

--- What killed luactrs have left is nobody's container.
local function heal()
  require("luactr.state").sweep(require("luactr.host").facts())
end

-- ---- pods: a verb says by `pods` what it does with one: it takes it "whole", its "members", or
-- the whole and those members that are "running"

local function members(pod)
  return pod.members
end

local PODS <const> = {
  whole = function(pod) return { pod } end,
  members = members,
  running = function(pod)
    local list = { pod }
    for _, found in ipairs(pod.members) do
      list[#list + 1] = found:is_running() and found or nil
    end
    return list
  end,
}

--- The error of a verb that takes no pod.
---@param pod luactr.pod.found
---@param verb luactr.cli.verb
---@return luactr.error
function M.refusal(pod, verb)
  local names = {}
  for i, found in ipairs(pod.members) do
    names[i] = found.id
  end
  return require("luactr.error").new {
    code = "ENOTSUP", errno = require("luactr.core").sys.errno.ENOTSUP, op = verb.name,
    message = string.format("luactr %s takes no pod, and %q is one", verb.name, pod.id),
    remedy = "one of its members: " .. table.concat(names, ", "),
  }
end

--- What a name on the command line means for a verb.
---@param verb luactr.cli.verb
---@param name string
---@return (luactr.found|luactr.pod.found)[]?
---@return luactr.error?
function M.named(verb, name)
  local found, err = find(name)
  if not found then
    return nil, err
  elseif not found.members then
    return { found }
  end
  local choose = PODS[verb.pods]
  if choose then
    return choose(found)
  end
  return nil, M.refusal(found, verb)
end

-- ---- names

--- Call act(found) for each container that is named; a failure is told and the next one follows.
---@param request luactr.cli.request
---@param verb luactr.cli.verb
---@param act fun(found: luactr.found): any, luactr.error?
---@return integer status
function M.each(request, verb, act)
  if #request.arguments == 0 then
    return output.usage("which container?", verb)
  end
  heal()
  local status = 0
  for _, name in ipairs(request.arguments) do
    local list, err = M.named(verb, name)
    for _, found in ipairs(list or {}) do
      local done, problem = act(found)
      err = err or not done and problem or nil
    end
    if err then
      output.complain(err)
      status = FAILED
    end
  end
  return status
end

--- The one container that is named.
---@param request luactr.cli.request
---@param verb luactr.cli.verb
---@return luactr.found?
---@return integer? status
function M.one(request, verb)
  if #request.arguments ~= 1 then
    return nil, output.usage(#request.arguments == 0 and "which container?"
      or "one container at a time", verb)
  end
  heal()
  local list, err = M.named(verb, request.arguments[1])
  if list then
    return list[1]
  end
  output.complain(err)
  return nil, FAILED
end

-- ---- tables

--- Text in columns; what is in a cell cannot command the terminal.
---@param heads string[]
---@param rows string[][]
---@return string
function M.columns(heads, rows)
  local escape, widths = require("luactr.error").escape, {}
  local lines = { heads, table.unpack(rows) }
  for i, row in ipairs(lines) do
    local cells = {}
    for column, text in ipairs(row) do
      cells[column] = escape(text)
      widths[column] = math.max(widths[column] or 0, utf8.len(cells[column]) or #cells[column])
    end
    lines[i] = cells
  end
  for i, row in ipairs(lines) do
    for column, text in ipairs(row) do
      local missing = widths[column] - (utf8.len(text) or #text)
      row[column] = column < #row and text .. (" "):rep(missing) or text
    end
    lines[i] = table.concat(row, "  ")
  end
  return table.concat(lines, "\n") .. "\n"
end

local UNITS <const> = { { 86400, "d" }, { 3600, "h" }, { 60, "m" }, { 1, "s" } }

--- A span of time in its largest whole unit.
---@param seconds number
---@return string
function M.span(seconds)
  for _, unit in ipairs(UNITS) do
    if seconds >= unit[1] then
      return string.format("%d%s", seconds // unit[1], unit[2])
    end
  end
  return "0s"
end

local SIZES <const> = { { 1 << 40, "T" }, { 1 << 30, "G" }, { 1 << 20, "M" }, { 1 << 10, "K" } }

--- Bytes for people: three digits and a unit.
---@param bytes? integer
---@return string
function M.bytes(bytes)
  for _, unit in ipairs(bytes and SIZES or {}) do
    if bytes >= unit[1] then
      local value = bytes / unit[1]
      return string.format(value < 10 and "%.1f%s" or "%.0f%s", value, unit[2])
    end
  end
  return bytes and tostring(bytes) or "-"
end

--- A moment that a person wrote: how long ago, or a time as records have it; nil, why.
---@param text string
---@return number|string|nil
---@return string? problem
function M.since(text)
  if text:find("^%d%d%d%d%-%d%d%-%d%d") then
    return text
  end
  local ago, problem = require("luactr.units").time(text)
  return ago and require("luactr.core").sys.clock_gettime("realtime") - ago, problem
end

--- A span that a person wrote, "90s" or 90; nil, why.
---@param text string
---@return number? seconds
---@return string? problem
function M.seconds(text)
  return require("luactr.units").time(tonumber(text) or text)
end

return M
