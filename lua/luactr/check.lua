--- A small schema checker: types are data, every problem is collected, nothing raises.
--
-- A type is a table with a `kind`; the constructors below make the usual ones. Any type may have
--   what     words for messages and the reference ("absolute path")
--   convert  function(value) -> converted | nil, problem: runs on a value that has the right shape
-- The value comes from a stranger: it is read with raw access only, so that no metamethod runs.
local M = {}

local units = require "luactr.units"

local MAX_PROBLEMS <const> = 50 -- enough to read; a hostile table has millions
local MAX_ELEMENTS <const> = 65536
local MAX_STRING <const> = 1 << 20

---@class luactr.type
---@field kind string
---@field what? string
---@field convert? fun(value: any): any, string?

---@class luactr.problem
---@field path string
---@field message string

-- ---- problems

local function add(problems, path, message, ...)
  if #problems < MAX_PROBLEMS then
    problems[#problems + 1] = { path = path, message = string.format(message, ...) }
  end
end

--- A value in a message: short, one line, without calling its metamethods.
---@param value any
---@return string
function M.show(value)
  local kind = type(value)
  if kind == "string" then
    local text = #value > 40 and value:sub(1, 40) .. "..." or value
    return '"' .. text:gsub("[%c\"\\]", function(c)
      return string.format(c == '"' and '\\"' or "\\x%02x", c:byte())
    end) .. '"'
  elseif kind == "number" or kind == "boolean" then
    return tostring(value)
  elseif kind == "table" and getmetatable(value) ~= nil then
    return M.class(value) or "table with a metatable"
  end
  return kind
end

--- The `__name` of a value's metatable, however the value tries to hide or forge it.
---@param value any
---@return string? name
function M.class(value)
  local meta = getmetatable(value)
  local name = type(meta) == "table" and type(value) ~= "string" and rawget(meta, "__name")
  return type(name) == "string" and name or nil
end

local function join(path, name)
  return path == "" and name or path .. "." .. name
end

local function is_plain(value)
  return type(value) == "table" and getmetatable(value) == nil
end

local function expected(problems, t, path, value)
  add(problems, path, "%s expected, got %s", M.describe(t), M.show(value))
end

-- ---- one checker per kind: returns the normalized value, or nil after adding a problem

local check_value

local kinds = {}

function kinds.string(t, value, path, problems)
  if type(value) ~= "string" then
    return expected(problems, t, path, value)
  elseif not t.binary and value:find("\0", 1, true) then
    return add(problems, path, "contains a NUL byte, which no system call can pass on")
  elseif value == "" and not t.empty then
    return add(problems, path, "is empty")
  elseif #value > (t.max or MAX_STRING) then
    return add(problems, path, t.too_long or "longer than %d bytes", t.max or MAX_STRING)
  elseif t.pattern and not value:find(t.pattern) then
    return expected(problems, t, path, value)
  end
  return value
end

local function in_range(t, value, path, problems)
  local lowest, highest = t.min, t.max
  if (lowest and value < lowest) or (highest and value > highest) then
    local range = not highest and "at least " .. lowest or not lowest and "at most " .. highest
      or lowest .. " to " .. highest
    return add(problems, path, "%s is out of range: %s", tostring(value), range)
  end
  return value
end

function kinds.integer(t, value, path, problems)
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole then
    return expected(problems, t, path, value)
  end
  return in_range(t, whole, path, problems)
end

function kinds.number(t, value, path, problems)
  if type(value) ~= "number" or value ~= value or value == math.huge or value == -math.huge then
    return expected(problems, t, path, value)
  end
  return in_range(t, value, path, problems)
end

function kinds.boolean(t, value, path, problems)
  if type(value) ~= "boolean" then
    return expected(problems, t, path, value)
  end
  return value
end

kinds["function"] = function(t, value, path, problems)
  if type(value) ~= "function" then
    return expected(problems, t, path, value)
  end
  return value
end

--- Sizes, times, modes and CPU counts: units.lua has a parser of the kind's name.
local function by_units(t, value, path, problems)
  local number, problem = units[t.kind](value)
  if not number then
    return add(problems, path, "%s", problem)
  end
  return in_range(t, number, path, problems)
end

kinds.size, kinds.time, kinds.mode, kinds.cpu = by_units, by_units, by_units, by_units

function kinds.enum(t, value, path, problems)
  for _, known in ipairs(t.values) do
    if rawequal(value, known) then
      return value
    end
  end
  local hint = type(value) == "string" and require("luactr.nearest").hint(value, t.values) or ""
  add(problems, path, "%s expected, got %s%s", M.describe(t), M.show(value), hint)
end

function kinds.opaque(t, value, path, problems)
  if M.class(value) ~= t.class then
    return expected(problems, t, path, value)
  end
  return value
end

--- The keys of a table, in an order that does not depend on hashing.
local function sorted_keys(value)
  local keys = {}
  for key in next, value do
    keys[#keys + 1] = key
    if #keys > MAX_ELEMENTS then
      return nil
    end
  end
  table.sort(keys, function(a, b)
    local ta, tb = type(a), type(b)
    if ta ~= tb then
      return ta < tb
    end
    return (ta == "string" or ta == "number") and a < b
  end)
  return keys
end

--- The length of a list, or nil after adding a problem: a list has the keys 1 to n and no other.
local function list_length(value, path, problems)
  local count = 0
  for key in next, value do
    if math.type(key) ~= "integer" or key < 1 then
      return add(problems, path, "list expected, but it has the key %s", M.show(key))
    end
    count = count + 1
    if count > MAX_ELEMENTS then
      return add(problems, path, "more than %d elements", MAX_ELEMENTS)
    end
  end
  for i = 1, count do
    if rawget(value, i) == nil then
      return add(problems, path, "list with a hole: element %d is nil", i)
    end
  end
  return count
end

function kinds.list(t, value, path, problems)
  if not is_plain(value) then
    local hint = t.hint and type(value) == "string" and "; write " .. t.hint or ""
    return add(problems, path, "%s expected, got %s%s", M.describe(t), M.show(value), hint)
  end
  local length = list_length(value, path, problems)
  if not length then
    return nil
  elseif length < (t.min or 0) or length > (t.max or MAX_ELEMENTS) then
    return add(problems, path, "%d to %d elements expected, got %d",
      t.min or 0, t.max or MAX_ELEMENTS, length)
  end
  local result, complete = {}, true
  for i = 1, length do
    local element = check_value(t.of, rawget(value, i), path .. "[" .. i .. "]", problems)
    complete = complete and element ~= nil
    result[i] = element
  end
  return complete and result or nil
end

function kinds.map(t, value, path, problems)
  if not is_plain(value) then
    return expected(problems, t, path, value)
  end
  local keys = sorted_keys(value)
  if not keys then
    return add(problems, path, "more than %d elements", MAX_ELEMENTS)
  end
  local result = {}
  for _, key in ipairs(keys) do
    local at = type(key) == "string" and join(path, key:sub(1, 64)) or path .. "[" .. M.show(key) .. "]"
    local name = check_value(t.key, key, at, problems)
    local element = check_value(t.of, rawget(value, key), at, problems)
    if name ~= nil and element ~= nil then
      result[name] = element
    end
  end
  return result
end

--- Names that may be meant by an unknown key: the record's own and, as "limits.memory", those of
--- the records in it.
local function known_names(t)
  local names = {}
  for _, row in ipairs(t.fields) do
    names[#names + 1] = row.name
  end
  return names
end

local function nested_name(t, key)
  for _, row in ipairs(t.fields) do
    for _, inner in ipairs(row.type.fields or {}) do
      if inner.name == key then
        return row.name .. "." .. key
      end
    end
  end
end

local function unknown_key(t, key, path, problems)
  if type(key) ~= "string" then
    return add(problems, path .. "[" .. M.show(key) .. "]", "a field has a name")
  end
  local nested = nested_name(t, key) or (t.elsewhere and t.elsewhere[key])
  local hint = nested and ", did you mean " .. nested .. "?"
    or require("luactr.nearest").hint(key, known_names(t))
  add(problems, join(path, M.show(key):sub(2, -2)), "unknown field%s", hint)
end

local function row_index(t)
  local index = {}
  for _, row in ipairs(t.fields) do
    index[row.name] = row
  end
  t.index = index
  return index
end

local function check_row(row, value, path, problems)
  if value == nil then
    if row.required then
      add(problems, path, "is missing: %s expected", M.describe(row.type))
    end
    return row.default
  elseif row.unsupported then
    return add(problems, path, "%s", row.unsupported)
  end
  return check_value(row.type, value, path, problems)
end

function kinds.record(t, value, path, problems)
  if not is_plain(value) then
    return expected(problems, t, path, value)
  end
  local result, index, known = {}, t.index or row_index(t), 0
  for _, row in ipairs(t.fields) do
    local name = row.name
    local field = rawget(value, name)
    known = known + (field ~= nil and 1 or 0)
    result[name] = check_row(row, field, join(path, name), problems)
  end
  local count = 0
  for key in next, value do
    count = count + 1
    if count > known then
      break
    end
  end
  if count > known then
    for _, key in ipairs(sorted_keys(value) or {}) do
      if not index[key] then
        unknown_key(t, key, path, problems)
      end
    end
  end
  return result
end

--- The first alternative without a problem wins. Otherwise the only one of the value's Lua type
--- speaks, since it knows best; if none or several match, the sentence names them all.
function kinds.union(t, value, path, problems)
  local lua_type, speaker, matches = type(value), nil, 0
  for _, alternative in ipairs(t.of) do
    local found = {}
    local result = check_value(alternative, value, path, found)
    if #found == 0 then
      return result
    end
    if M.lua_type(alternative, lua_type) then
      speaker, matches = found, matches + 1
    end
  end
  if matches ~= 1 then
    return expected(problems, t, path, value)
  end
  for _, problem in ipairs(speaker) do
    add(problems, problem.path, "%s", problem.message)
  end
end

--- Plain data for a checker that comes later: strings, numbers, booleans and tables of them.
function kinds.data(t, value, path, problems)
  local budget = MAX_ELEMENTS
  local function copy(node, depth)
    local kind = type(node)
    if kind == "string" or kind == "number" or kind == "boolean" then
      return node
    elseif not is_plain(node) or depth > 16 then
      return nil
    end
    local result = {}
    for key, element in next, node do
      budget = budget - 1
      local copied = budget > 0 and copy(element, depth + 1)
      if copied == nil or budget <= 0 then
        return nil
      end
      result[key] = copied
    end
    return result
  end
  local result = copy(value, 0)
  if result == nil or (t.tables and type(value) ~= "table") then
    return expected(problems, t, path, value)
  end
  return result
end

--- A type whose shape no other kind can say: its own function does the whole work.
function kinds.custom(t, value, path, problems)
  return t.check(value, path, problems)
end

--- Check one value; `problems` grows by what is wrong with it.
---@param t luactr.type
---@param value any
---@param path string
---@param problems luactr.problem[]
---@return any normalized
function check_value(t, value, path, problems)
  local result = kinds[t.kind](t, value, path, problems)
  if result ~= nil and t.convert then
    local converted, problem = t.convert(result)
    if converted == nil then
      add(problems, path, "%s", problem)
    end
    return converted
  end
  return result
end

M.value = check_value
M.add = add
M.is_plain = is_plain

-- ---- words

local LUA_TYPES <const> = {
  string = "string", integer = "number", number = "number", boolean = "boolean",
  ["function"] = "function", list = "table", map = "table", record = "table", data = "table",
}

--- Whether values of a Lua type can be of type t at all.
---@param t luactr.type
---@param lua_type string
---@return boolean
function M.lua_type(t, lua_type)
  if t.kind == "enum" then
    return type(t.values[1]) == lua_type
  elseif t.kind == "opaque" then
    return lua_type == "table" or lua_type == "userdata"
  elseif t.kind == "union" then
    for _, alternative in ipairs(t.of) do
      if M.lua_type(alternative, lua_type) then
        return true
      end
    end
    return false
  elseif LUA_TYPES[t.kind] then
    return LUA_TYPES[t.kind] == lua_type
  end
  return lua_type == "string" or lua_type == "number"
end

local function describe_all(types)
  local words = {}
  for i, t in ipairs(types) do
    words[i] = M.describe(t)
  end
  return table.concat(words, " or ")
end

local describers = {
  enum = function(t)
    local words = {}
    for i, value in ipairs(t.values) do
      words[i] = M.show(value)
    end
    return table.concat(words, ", ")
  end,
  list = function(t) return "list of " .. M.describe(t.of) end,
  map = function(t) return "table of " .. M.describe(t.of) end,
  record = function() return "table" end,
  union = function(t) return describe_all(t.of) end,
  data = function() return "table" end,
  opaque = function(t) return t.class end,
}

--- A type in words: "list of string", "size".
---@param t luactr.type
---@return string
function M.describe(t)
  local words = describers[t.kind]
  return t.what or (words and words(t)) or t.kind
end

-- ---- constructors

local function constructor(kind)
  return function(options)
    options = options or {}
    options.kind = kind
    return options
  end
end

for _, kind in ipairs {
  "string", "integer", "number", "boolean", "size", "time", "mode", "cpu", "map", "data", "function",
} do
  M[kind] = constructor(kind)
end

---@param values any[]
function M.enum(values)
  return { kind = "enum", values = values }
end

---@param of luactr.type
---@param options? table
function M.list(of, options)
  options = options or {}
  options.kind, options.of = "list", of
  return options
end

---@param of luactr.type[]
---@param options? table
function M.union(of, options)
  options = options or {}
  options.kind, options.of = "union", of
  return options
end

---@param fields table[] rows: name, type, required, default, unsupported
---@param options? table
function M.record(fields, options)
  options = options or {}
  options.kind, options.fields = "record", fields
  return options
end

---@param what string
---@param check fun(value: any, path: string, problems: luactr.problem[]): any
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
