--- Words for values and types, as messages and the reference use them. Pure.
--
-- Values come from strangers: nothing here runs a metamethod of theirs.
local M = {}

--- The `__name` of a value's metatable, however the value tries to hide or forge it.
---@param value any
---@return string? name
function M.class(value)
  local meta = type(value) ~= "string" and getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and name or nil
end

--- A table without a metatable.
function M.is_plain(value)
  return type(value) == "table" and getmetatable(value) == nil
end

local function escape(character)
  return character == '"' and '\\"' or string.format("\\x%02x", character:byte())
end

--- A value in a message: short and on one line.
---@param value any
---@return string
function M.show(value)
  local kind = type(value)
  if kind == "string" then
    local text = #value > 40 and value:sub(1, 40) .. "..." or value
    return '"' .. text:gsub('[%c"\\]', escape) .. '"'
  elseif kind == "number" or kind == "boolean" then
    return tostring(value)
  elseif kind == "table" and not M.is_plain(value) then
    return M.class(value) or "table with a metatable"
  end
  return kind
end

--- The path of a field or element: "limits.memory", "mounts[2]", `env["A B"]`.
---@param path string "" is the top
---@param key any
---@return string
function M.join(path, key)
  if type(key) == "string" and #key <= 64 and key:find("^[%w_.-]+$") then
    return path == "" and key or path .. "." .. key
  end
  return path .. "[" .. M.show(key) .. "]"
end

local describers = {}

local function list_of(values, word, separator)
  local words = {}
  for i, value in ipairs(values) do
    words[i] = word(value)
  end
  return table.concat(words, separator)
end

function describers.enum(t) return list_of(t.values, M.show, ", ") end
function describers.union(t) return list_of(t.of, M.describe, " or ") end
function describers.list(t) return "list of " .. M.describe(t.of) end
function describers.map(t) return "table of " .. M.describe(t.of) end
function describers.record() return "table" end
function describers.data() return "table" end
function describers.opaque(t) return t.class end

--- A type in words: "list of string", "size".
---@param t luactr.type
---@return string
function M.describe(t)
  local words = describers[t.kind]
  return t.what or (words and words(t)) or t.kind
end

return M
