--- Checkers of single values. Each returns the normalized value, or nil after adding a problem.
local units = require "luactr.units"
local words = require "luactr.check.words"

local M = {}

local MAX_STRING <const> = 1 << 20

function M.string(t, value, path, problems)
  if type(value) ~= "string" then
    return problems:expected(t, path, value)
  elseif not t.binary and value:find("\0", 1, true) then
    return problems:add(path, "contains a NUL byte, which no system call can pass on")
  elseif t.line and value:find("[\n\r]") then
    return problems:add(path, "contains a line break: %s", words.show(value))
  elseif value == "" and not t.empty then
    return problems:add(path, "is empty")
  elseif #value > (t.max or MAX_STRING) then
    return problems:add(path, t.too_long or "longer than %d bytes", t.max or MAX_STRING)
  elseif t.pattern and not value:find(t.pattern) then
    return problems:expected(t, path, value)
  end
  return value
end

local function range(t)
  if not t.max then
    return "at least " .. t.min
  end
  return t.min and t.min .. " to " .. t.max or "at most " .. t.max
end

local function in_range(t, value, path, problems)
  if (t.min and value < t.min) or (t.max and value > t.max) then
    return problems:add(path, "%s is out of range: %s", tostring(value), range(t))
  end
  return value
end

local UNLIMITED <const> = "unlimited" -- the kernel's -1, where the type takes that

function M.integer(t, value, path, problems)
  if t.unlimited and value == UNLIMITED then
    return -1
  end
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole then
    return problems:expected(t, path, value)
  end
  return in_range(t, whole, path, problems)
end

function M.number(t, value, path, problems)
  if type(value) ~= "number" or value ~= value or value == math.huge or value == -math.huge then
    return problems:expected(t, path, value)
  end
  return in_range(t, value, path, problems)
end

--- Sizes, times, modes and CPU counts: units.lua has a parser of the kind's name.
local function by_units(t, value, path, problems)
  if t.unlimited and value == UNLIMITED then
    return -1
  end
  local number, problem = units[t.kind](value)
  if not number then
    return problems:add(path, "%s", problem)
  end
  return in_range(t, number, path, problems)
end

M.size, M.time, M.mode, M.cpu = by_units, by_units, by_units, by_units

local function by_lua_type(t, value, path, problems)
  if type(value) ~= t.kind then
    return problems:expected(t, path, value)
  end
  return value
end

M.boolean, M["function"] = by_lua_type, by_lua_type

function M.enum(t, value, path, problems)
  for _, known in ipairs(t.values) do
    if rawequal(value, known) then
      return value
    end
  end
  local hint = type(value) == "string" and require("luactr.nearest").hint(value, t.values) or ""
  problems:add(path, "%s expected, got %s%s", words.describe(t), words.show(value), hint)
end

function M.opaque(t, value, path, problems)
  if words.class(value) ~= t.class then
    return problems:expected(t, path, value)
  end
  return value
end

--- A type whose shape no other kind can say: its own function does the whole work.
function M.custom(t, value, path, problems)
  return t.check(value, path, problems)
end

return M
