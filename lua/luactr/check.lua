--- A small schema checker: types are data, every problem is collected, nothing raises.
--
-- A type is a table with a `kind`; the constructors below make them. Any type may have
--   what     words for messages and the reference ("absolute path")
--   convert  function(value) -> converted | nil, problem: runs on a value that has the right shape
-- The value comes from a stranger: it is read with raw access only, so that no metamethod runs.
local scalars = require "luactr.check.scalars"
local tables = require "luactr.check.tables"
local words = require "luactr.check.words"

local M = {
  show = words.show, class = words.class, is_plain = words.is_plain, join = words.join,
  describe = words.describe, sorted_keys = tables.sorted_keys,
}

local MAX_PROBLEMS <const> = 50 -- enough to read; a hostile table has millions

---@class luactr.type
---@field kind string
---@field what? string
---@field convert? fun(value: any): any, string?

---@class luactr.problem
---@field path string
---@field message string

-- ---- the list of problems, which carries the checkers along

---@class luactr.problems
---@field total integer how many there were, also of those that are not kept
local Problems = {}
Problems.__index = Problems

--- Returns nothing, so that a checker can end with it.
---@param path string
---@param message string a format
function Problems:add(path, message, ...)
  self.total = self.total + 1
  if #self < MAX_PROBLEMS then
    self[#self + 1] = { path = path, message = string.format(message, ...) }
  end
end

function Problems:expected(t, path, value)
  self:add(path, "%s expected, got %s", words.describe(t), words.show(value))
end

--- Check one value; the list grows by what is wrong with it.
---@param t luactr.type
---@param value any
---@param path string
---@return any normalized
function Problems:check(t, value, path)
  local checker, before = scalars[t.kind] or tables.kinds[t.kind], self.total
  local result = checker(t, value, path, self)
  if result == nil or not t.convert then
    return result
  elseif self.total > before then
    return nil -- converters rely on a complete value
  end
  local converted, problem = t.convert(result)
  if converted == nil then
    self:add(path, "%s", problem)
  end
  return converted
end

function Problems.new()
  return setmetatable({ total = 0 }, Problems)
end

M.problems = Problems.new

-- ---- constructors of types

--- `check.string { max = 64 }` and so on: the options of the kind, all optional.
---   string: max, pattern, empty, binary (NUL allowed), too_long; numbers: min, max;
---   unlimited: "unlimited" is a value, too, and becomes -1
local function constructor(kind)
  return function(options)
    options = options or {}
    options.kind = kind
    return options
  end
end

for _, kind in ipairs {
  "string", "integer", "number", "boolean", "size", "time", "mode", "cpu", "data", "function",
} do
  M[kind] = constructor(kind)
end

---@param values any[]
---@param options? table
function M.enum(values, options)
  options = constructor("enum")(options)
  options.values = values
  return options
end

---@param of luactr.type
---@param options? table min, max, hint
function M.list(of, options)
  options = constructor("list")(options)
  options.of = of
  return options
end

---@param key luactr.type
---@param of luactr.type
---@param options? table
function M.map(key, of, options)
  options = constructor("map")(options)
  options.key, options.of = key, of
  return options
end

---@param of luactr.type[]
---@param options? table
function M.union(of, options)
  options = constructor("union")(options)
  options.of = of
  return options
end

---@param fields table[] rows: name, type, required, default, unsupported
---@param options? table elsewhere: names that other tools use, and the field that is meant;
---  open: unknown fields are left out, not refused
function M.record(fields, options)
  options = constructor("record")(options)
  options.fields = fields
  return options
end

---@param what string
---@param check fun(value: any, path: string, problems: luactr.problems): any
function M.custom(what, check)
  return { kind = "custom", what = what, check = check }
end

--- A custom type that most recipes do not use: its file is loaded by the first value.
---@param what string
---@param module string
---@param name string the checking function in that module
function M.lazy(what, module, name)
  return M.custom(what, function(value, path, problems)
    return require(module)[name](value, path, problems)
  end)
end

---@param class string the metatable's __name
---@param what string
function M.opaque(class, what)
  return { kind = "opaque", class = class, what = what }
end

return M
