--- The text of a config.json as a table. Pure.
--
-- lua-cjson reads it, for which every number is a double, and which keeps the last of two members
-- of one name. What that could change is read again by a reader that is slower and exact.
local M = {}

M.DEEPEST = 64

---@class luactr.oci.wide an integer above the largest of Lua, up to 2^64 - 1
---@field value integer the same 64 bits
local Wide <const> = { __name = "number above 2^63" }

--- As JSON has it.
function Wide.__json(number)
  local tens = (number.value >> 1) // 5
  return string.format("%d%d", tens, number.value - tens * 10)
end

--- The number that an integer is without its sign.
---@param value integer
---@return integer|luactr.oci.wide
function M.unsigned(value)
  return value < 0 and setmetatable({ value = value }, Wide) or value
end

--- The bits of a wide number; nil for any other value.
---@return integer?
function M.wide(value)
  return getmetatable(value) == Wide and value.value or nil
end

-- Up to 2^64 - 1 by its halves; anything larger is the float that it nearly is.
local function integer(text)
  local digits = text:match("^0*(%d+)$")
  if not digits or #digits > 20 or #digits == 20 and digits > "18446744073709551615" then
    return tonumber(text) + 0.0
  end
  local high, low = math.tointeger(digits:sub(1, -10)), math.tointeger(digits:sub(-9))
  return setmetatable({ value = high * 1000000000 + low }, Wide)
end

-- ---- whether the fast reader lost something

local find <const> = string.find
local DOUBLE <const> = 1 << 53 -- from there on it has no odd numbers

local function colons(text)
  return select(2, text:gsub(":", ""))
end

--- The colons that an object or list has as text, if none of its strings is escaped; nil when there
--- is a number that may be another. Nulls leave.
local function count(value, null)
  local total = 0
  for key, element in next, value do
    if type(key) == "string" then
      total = total + 1 + (find(key, ":", 1, true) and colons(key) or 0)
    end
    local kind, more = type(element), 0
    if kind == "string" then
      more = find(element, ":", 1, true) and colons(element) or 0
    elseif kind == "table" then
      more = count(element, null)
    elseif kind == "number" and (element >= DOUBLE or element <= -DOUBLE) then
      return nil
    elseif element == null and type(key) == "string" then
      value[key] = nil
    end
    if not more then
      return nil
    end
    total = total + more
  end
  return total
end

local function read_fast(text)
  local cjson = require("luactr.json").new()
  cjson.decode_max_depth(M.DEEPEST)
  cjson.decode_invalid_numbers(false)
  local fine, value = pcall(cjson.decode, text)
  if not fine or type(value) ~= "table" then
    return nil
  end
  return count(value, cjson.null) == colons(text) and value or nil
end

local ESCAPED_COLON <const> = "\\u003" -- or one of fifteen others

--- The object, with null as good as nothing; or nil and what is wrong with the text.
---@param text string
---@return table?
---@return string? problem
function M.decode(text)
  local _, bad = utf8.len(text)
  if bad then
    return nil, string.format("it is no UTF-8 at byte %d", bad)
  end
  local value = not text:find(ESCAPED_COLON, 1, true) and read_fast(text)
  if value then
    return value
  end
  return require("luactr.image.json").decode(text, { unique = true, integer = integer })
end

return M
