--- Checkers of tables and unions. Each returns the normalized value, or nil after adding a problem.
--
-- Tables are read with rawget and next only, and never further than MAX_ELEMENTS.
local words = require "luactr.check.words"

local M = {}

local MAX_ELEMENTS <const> = 65536
local MAX_DEPTH <const> = 16

-- ---- keys

local RANK <const> = { number = 1, string = 2 }

local function before(a, b)
  local ra, rb = RANK[type(a)] or 3, RANK[type(b)] or 3
  return ra < rb or (ra == rb and ra < 3 and a < b)
end

--- The keys of a plain table in an order that does not depend on hashing.
---@param value table
---@param path? string for a table from a stranger: where it stands
---@param problems? luactr.problems with path: gets the problem of a table that is too large
---@return (string|integer)[]? #nil after a problem
local function sorted_keys(value, path, problems)
  local keys = {}
  for key in next, value do
    if problems and #keys == MAX_ELEMENTS then
      return problems:add(path, "more than %d elements", MAX_ELEMENTS)
    end
    keys[#keys + 1] = key
  end
  table.sort(keys, before)
  return keys
end

M.sorted_keys = sorted_keys

--- The length of a list, or nil after a problem: a list has the keys 1 to n and no other.
local function list_length(value, path, problems)
  local count = 0
  for key in next, value do
    if math.type(key) ~= "integer" or key < 1 then
      return problems:add(path, "list expected, but it has the key %s", words.show(key))
    elseif count == MAX_ELEMENTS then
      return problems:add(path, "more than %d elements", MAX_ELEMENTS)
    end
    count = count + 1
  end
  for i = 1, count do
    if rawget(value, i) == nil then
      return problems:add(path, "list with a hole: element %d is nil", i)
    end
  end
  return count
end

local kinds = {}

function kinds.list(t, value, path, problems)
  if not words.is_plain(value) then
    local hint = t.hint and type(value) == "string" and ": write " .. t.hint or ""
    return problems:add(path, "%s expected, got %s%s", words.describe(t), words.show(value), hint)
  end
  local length = list_length(value, path, problems)
  local least, most = t.min or 0, t.max or MAX_ELEMENTS
  if not length then
    return nil
  elseif length < least or length > most then
    return problems:add(path, "%d to %d elements expected, got %d", least, most, length)
  end
  local result, total = {}, problems.total
  for i = 1, length do
    result[i] = problems:check(t.of, rawget(value, i), path .. "[" .. i .. "]")
  end
  return problems.total == total and result or nil
end

function kinds.map(t, value, path, problems)
  if not words.is_plain(value) then
    return problems:expected(t, path, value)
  end
  local result = {}
  for _, key in ipairs(sorted_keys(value, path, problems) or {}) do
    local at = words.join(path, key)
    local name = problems:check(t.key, key, at)
    local element = problems:check(t.of, rawget(value, key), at)
    if name ~= nil and element ~= nil then
      result[name] = element
    end
  end
  return result
end

-- ---- records

local function index_of(t)
  local index, names = {}, {}
  for i, row in ipairs(t.fields) do
    index[row.name], names[i] = row, row.name
  end
  t.index, t.names = index, names
  return index
end

--- Where a field of that name lives in a record inside this one: "limits.memory".
local function nested_name(t, key)
  for _, row in ipairs(t.fields) do
    for _, inner in ipairs(row.type.fields or {}) do
      if inner.name == key then
        return row.name .. "." .. key
      end
    end
  end
end

local function unknown_field(t, key, path, problems)
  if type(key) ~= "string" then
    return problems:add(words.join(path, key), "a field has a name")
  end
  local known = nested_name(t, key) or (t.elsewhere and t.elsewhere[key])
  local hint = known and ", did you mean " .. known .. "?"
    or require("luactr.nearest").hint(key, t.names)
  problems:add(words.join(path, key), "unknown field%s", hint)
end

local function check_row(row, value, path, problems)
  if value == nil then
    problems:add(path, "is missing: %s expected", words.describe(row.type))
    return row.default
  elseif row.unsupported then
    return problems:add(path, "%s", row.unsupported)
  end
  return problems:check(row.type, value, path)
end

--- Whether the table has more keys than the rows took; a hostile one is not counted to its end.
local function has_more(value, known)
  for _ in next, value do
    known = known - 1
    if known < 0 then
      return true
    end
  end
  return false
end

function kinds.record(t, value, path, problems)
  if not words.is_plain(value) then
    return problems:expected(t, path, value)
  end
  local result, index, known = {}, t.index or index_of(t), 0
  for _, row in ipairs(t.fields) do
    local name = row.name
    local field = rawget(value, name)
    if field == nil and not row.required then -- as most of them are
      result[name] = row.default
    else
      known = field ~= nil and known + 1 or known
      result[name] = check_row(row, field, path == "" and name or path .. "." .. name, problems)
    end
  end
  if not t.open and has_more(value, known) then
    for _, key in ipairs(sorted_keys(value, path, problems) or {}) do
      if not index[key] then
        unknown_field(t, key, path, problems)
      end
    end
  end
  return result
end

-- ---- unions

local LUA_TYPES <const> = {
  string = "string", boolean = "boolean", ["function"] = "function",
  integer = "number", number = "number",
  list = "table", map = "table", record = "table", data = "table", opaque = "table",
}

--- Whether values of a Lua type can be of type t at all.
local function may_be(t, lua_type)
  if t.kind == "enum" then
    return type(t.values[1]) == lua_type
  elseif t.kind == "union" then
    for _, alternative in ipairs(t.of) do
      if may_be(alternative, lua_type) then
        return true
      end
    end
    return false
  end
  local known = LUA_TYPES[t.kind]
  return known == lua_type or (not known and (lua_type == "string" or lua_type == "number"))
end

--- The first alternative without a problem wins. Otherwise the only one of the value's Lua type
--- speaks, since it knows best; if none or several match, the sentence names them all.
function kinds.union(t, value, path, problems)
  local speaker, matches = nil, 0
  for _, alternative in ipairs(t.of) do
    local found = problems:new()
    local result = found:check(alternative, value, path)
    if #found == 0 then
      return result
    elseif may_be(alternative, type(value)) then
      speaker, matches = found, matches + 1
    end
  end
  if matches ~= 1 then
    return problems:expected(t, path, value)
  end
  for _, problem in ipairs(speaker) do
    problems:add(problem.path, "%s", problem.message)
  end
end

-- ---- plain data

local function copy(node, depth, budget)
  local kind = type(node)
  if kind == "string" or kind == "number" or kind == "boolean" then
    return node
  elseif not words.is_plain(node) or depth > MAX_DEPTH then
    return nil
  end
  local result = {}
  for key, element in next, node do
    budget.left = budget.left - 1
    local copied = nil
    if budget.left > 0 and (type(key) == "string" or type(key) == "number") then
      copied = copy(element, depth + 1, budget)
    end
    if copied == nil then
      return nil
    end
    result[key] = copied
  end
  return result
end

--- Strings, numbers, booleans and tables of them, copied for a checker that comes later.
function kinds.data(t, value, path, problems)
  local result = type(value) == "table" and copy(value, 0, { left = MAX_ELEMENTS }) or nil
  if not result then
    return problems:expected(t, path, value)
  end
  return result
end

M.kinds = kinds

return M
