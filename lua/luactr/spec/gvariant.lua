--- Values as GVariant writes them in text ("uint64 5000000", "['a', 'b']"), in which annotations
--- give properties of systemd's units. Pure.
local M = {}

local MAX_DEPTH <const> = 8

-- The words before a number or a string, and D-Bus's types.
local WORDS <const> = {
  byte = "y", int16 = "n", uint16 = "q", int32 = "i", uint32 = "u", int64 = "x", uint64 = "t",
  double = "d", objectpath = "o", signature = "g", boolean = "b",
}

local RANGES <const> = {
  y = { 0, 255 }, n = { -32768, 32767 }, q = { 0, 65535 }, i = { -1 << 31, (1 << 31) - 1 },
  u = { 0, (1 << 32) - 1 }, x = { math.mininteger, math.maxinteger },
}

local ESCAPES <const> = { n = "\n", t = "\t", r = "\r", b = "\b", f = "\f", v = "\v", a = "\a" }

local Reader = {}
Reader.__index = Reader

--- What is read ends by an error; `parse` catches it.
function Reader:fail(message, ...)
  error({ problem = string.format(message, ...) .. string.format(" at character %d", self.at) }, 0)
end

function Reader:take(pattern)
  local first, last, found = self.text:find("^%s*" .. pattern, self.at)
  if first then
    self.at = last + 1
    return found or true
  end
end

-- ---- what has no parts

local function integer(self, text, kind)
  local value = math.tointeger(tonumber(text))
  local range = RANGES[kind]
  if kind == "t" and text:find("^%d+$") and (#text < 20 or #text == 20
    and text <= "18446744073709551615") then
    local number = 0 -- wraps as D-Bus's unsigned ones do
    for digit in text:gmatch("%d") do
      number = number * 10 + tonumber(digit)
    end
    return number
  elseif kind == "t" and value and text:find("^0x") then
    return value
  elseif not value or not range or value < range[1] or value > range[2]
    or not text:find("^[+-]?%d") then
    self:fail("%s is no value of this type", text)
  end
  return value
end

local function number(self, kind)
  local text = self:take("([+-]?[%d.][%w.]*)")
  if not text then
    return nil
  end
  kind = kind or text:find("^[^x]*[.eE]") and "d" or "i"
  if kind == "d" then
    return { kind, tonumber(text) or self:fail("no number: %s", text) }
  end
  return { kind, integer(self, text, kind) }
end

local function string(self, kind)
  local quote = self:take("(['\"])")
  if not quote then
    return nil
  end
  local parts = {}
  while true do
    local plain, stop = self.text:match("^([^\\'\"]*)(.?)", self.at)
    self.at = self.at + #plain + #stop
    parts[#parts + 1] = plain
    if stop == quote then
      break
    elseif stop == "" then
      self:fail("a string without its end")
    elseif stop == "\\" then
      local escaped = self.text:sub(self.at, self.at)
      if escaped == "" then
        self:fail("a string without its end")
      end
      self.at = self.at + 1
      parts[#parts + 1] = ESCAPES[escaped] or escaped
    else
      parts[#parts + 1] = stop
    end
  end
  return { kind and kind:find("^[sog]$") and kind or "s", table.concat(parts) }
end

local function boolean(self)
  local word = self:take("(%l+)%f[^%w]")
  if word == "true" or word == "false" then
    return { "b", word == "true" }
  end
end

-- ---- what has

local value

--- The values up to a bracket.
local function values(self, close, depth, kind)
  local list = {}
  while not self:take("%" .. close) do
    if #list > 0 and not self:take(",") then
      self:fail("',' or '%s' expected", close)
    elseif #list > 0 and self:take("%" .. close) then
      break
    end
    list[#list + 1] = value(self, depth + 1, kind)
  end
  return list
end

local function array(self, depth, kind)
  if not self:take("%[") then
    return nil
  end
  local of = kind and kind:match("^a(.+)$")
  local list = values(self, "]", depth, of)
  of = of or (list[1] or self:fail("an empty array needs its type before it"))[1]
  local result = {}
  for i, entry in ipairs(list) do
    if entry[1] ~= of then
      self:fail("an array of %s has a %s", of, entry[1])
    end
    result[i] = entry[2]
  end
  return { "a" .. of, result }
end

local function tuple(self, depth)
  if not self:take("%(") then
    return nil
  end
  local types, result = {}, {}
  for i, entry in ipairs(values(self, ")", depth)) do
    types[i], result[i] = entry[1], entry[2]
  end
  return { "(" .. table.concat(types) .. ")", result }
end

local function variant(self, depth)
  if not self:take("<") then
    return nil
  end
  local inner = value(self, depth + 1)
  return self:take(">") and { "v", inner } or self:fail("'>' expected")
end

--- The type that is said before a value.
local function said(self)
  local kind = self:take("@([%l%(%){}]+)")
  local start = self.at
  local word = not kind and self:take("(%l%w*)%f[^%w]")
  if word and not WORDS[word] then
    self.at = start -- true, false
  end
  return kind or WORDS[word]
end

function value(self, depth, kind)
  if depth > MAX_DEPTH then
    self:fail("too deep")
  end
  kind = said(self) or kind
  local result = array(self, depth, kind) or tuple(self, depth) or variant(self, depth)
    or string(self, kind) or number(self, kind) or boolean(self)
  if not result then
    self:fail("a value expected")
  elseif kind and result[1] ~= kind then
    self:fail("a %s where %s was said", result[1], kind)
  end
  return result
end

--- The type of D-Bus and the value that core.systemd takes for it.
---@param text string
---@return { [1]: string, [2]: any }? variant
---@return string? problem
function M.parse(text)
  local reader = setmetatable({ text = text, at = 1 }, Reader)
  local fine, result = pcall(function()
    local found = value(reader, 1)
    return reader:take("$") and found or reader:fail("nothing more expected")
  end)
  if fine then
    return result
  elseif type(result) == "table" and result.problem then
    return nil, result.problem
  end
  error(result, 0)
end

return M
