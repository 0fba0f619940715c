--- JSON of images. The same value is always the same text, since its digest is its name. Pure.
local M = {}

local DEEPEST <const> = 64

---@class luactr.image.json.rules
---@field unique? boolean a name that is twice in an object is refused
---@field integer? fun(text: string): any what an integer becomes that Lua's do not hold

local rules -- of the text that is read

-- Lists by their key, since Lua's empty table does not tell.
local LISTS <const> = {
  layers = true, manifests = true, history = true, diff_ids = true, Env = true, Cmd = true,
  Entrypoint = true, Shell = true, OnBuild = true, RepoTags = true, Layers = true, Test = true,
}

-- ---- reading: a start reads three short documents, for which cjson takes longer to load than this
-- takes to read them

local UNESCAPED <const> = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f",
  n = "\n", r = "\r", t = "\t" }

local value_at

local function wrong(text, at)
  local found = text:sub(at, at)
  error({ problem = found == "" and "it ends too early"
    or string.format("unexpected %q at byte %d", found, at) }, 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

--- The character of \uXXXX; two of them may be one.
local function escaped(text, at)
  local digits = text:match("^u(%x%x%x%x)", at)
  if not digits then
    return wrong(text, at)
  end
  local code = tonumber(digits, 16)
  at = at + 5
  local low = code & 0xfc00 == 0xd800 and text:match("^\\u([dD][c-fC-F]%x%x)", at)
  if low then
    return utf8.char(0x10000 + ((code & 0x3ff) << 10 | tonumber(low, 16) & 0x3ff)), at + 6
  elseif code & 0xf800 == 0xd800 then
    return wrong(text, at)
  end
  return utf8.char(code), at
end

--- A string whose first quote is before `at`.
local function string_at(text, at)
  local stop = text:find('["\\%c]', at)
  if stop and text:byte(stop) == 34 then
    return text:sub(at, stop - 1), stop + 1
  end
  local parts = {}
  while stop and text:byte(stop) == 92 do
    parts[#parts + 1] = text:sub(at, stop - 1)
    local plain = UNESCAPED[text:sub(stop + 1, stop + 1)]
    if plain then
      parts[#parts + 1], at = plain, stop + 2
    else
      parts[#parts + 1], at = escaped(text, stop + 1)
    end
    stop = text:find('["\\%c]', at)
  end
  if not stop or text:byte(stop) ~= 34 then
    return wrong(text, stop or #text + 1)
  end
  parts[#parts + 1] = text:sub(at, stop - 1)
  return table.concat(parts), stop + 1
end

local function list_at(text, at, depth)
  local list, count = {}, 0
  at = skip(text, at)
  if text:sub(at, at) == "]" then
    return list, at + 1
  end
  while true do
    count = count + 1
    list[count], at = value_at(text, at, depth)
    at = skip(text, at)
    local mark = text:sub(at, at)
    if mark == "]" then
      return list, at + 1
    elseif mark ~= "," then
      return wrong(text, at)
    end
    at = skip(text, at + 1)
  end
end

local function object_at(text, at, depth)
  local object = {}
  at = skip(text, at)
  if text:sub(at, at) == "}" then
    return object, at + 1
  end
  while true do
    if text:sub(at, at) ~= '"' then
      return wrong(text, at)
    end
    local key
    key, at = string_at(text, at + 1)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then
      return wrong(text, at)
    end
    if rules.unique and object[key] ~= nil then
      error({ problem = string.format("%q is there twice", key:sub(1, 64)) }, 0)
    end
    object[key], at = value_at(text, skip(text, at + 1), depth)
    at = skip(text, at)
    local mark = text:sub(at, at)
    if mark == "}" then
      return object, at + 1
    elseif mark ~= "," then
      return wrong(text, at)
    end
    at = skip(text, at + 1)
  end
end

-- null is as good as nothing.
local WORDS <const> = { { "true", true }, { "false", false }, { "null", nil } }

local function word_at(text, at)
  for _, word in ipairs(WORDS) do
    if text:sub(at, at + #word[1] - 1) == word[1] then
      return word[2], at + #word[1]
    end
  end
  return wrong(text, at)
end

local function number_at(text, at)
  local whole = text:match("^-?%d+", at)
  if not whole or whole:find("^-?0%d") then
    return wrong(text, at)
  end
  at = at + #whole
  local rest = text:match("^%.%d+", at) or ""
  rest = rest .. (text:match("^[eE][+-]?%d+", at + #rest) or "")
  local number = tonumber(whole .. rest)
  if rest == "" and rules.integer and not math.tointeger(number) then
    return rules.integer(whole), at
  end
  return math.tointeger(number) or number, at + #rest
end

local function deeper(depth)
  return depth < DEEPEST and depth + 1 or error({ problem = "it is deeper than " .. DEEPEST }, 0)
end

local FIRST <const> = {
  ['"'] = function(text, at) return string_at(text, at + 1) end,
  ["{"] = function(text, at, depth) return object_at(text, at + 1, deeper(depth)) end,
  ["["] = function(text, at, depth) return list_at(text, at + 1, deeper(depth)) end,
  t = word_at, f = word_at, n = word_at,
}

function value_at(text, at, depth)
  return (FIRST[text:sub(at, at)] or number_at)(text, at, depth)
end

--- An object or a list; nil and why when the text is none.
---@param text string
---@param wanted? luactr.image.json.rules
---@return table?
---@return string? problem
function M.decode(text, wanted)
  rules = wanted or {}
  local fine, value, stop = pcall(value_at, text, skip(text, 1), 0)
  if fine and skip(text, stop) <= #text then
    fine, value = pcall(wrong, text, skip(text, stop))
  end
  if not fine then
    return nil, "it is no JSON: " .. (type(value) == "table" and value.problem or tostring(value))
  elseif type(value) ~= "table" then
    return nil, "it is no JSON object"
  end
  return value
end

-- ---- writing

local ESCAPES <const> = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t",
  ["\r"] = "\\r" }

local function text_of(text)
  return '"' .. text:gsub('[%c"\\\127]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end) .. '"'
end

local encode

local function list_of(value)
  local parts = {}
  for i, element in ipairs(value) do
    parts[i] = encode(element)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function object_of(value)
  local keys, parts = {}, {}
  for key in pairs(value) do
    keys[#keys + 1] = type(key) == "string" and key
      or error("a key of JSON is text, not " .. type(key))
  end
  table.sort(keys)
  for i, key in ipairs(keys) do
    parts[i] = text_of(key) .. ":" .. encode(value[key], key)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local ENCODE <const> = {
  string = text_of,
  boolean = tostring,
  integer = tostring,
  float = function(number) return string.format("%.14g", number) end,
  table = function(value, key)
    local is_list = #value > 0 or next(value) == nil and LISTS[key]
    return (is_list and list_of or object_of)(value)
  end,
}

function encode(value, key)
  local kind = math.type(value) or type(value)
  return (ENCODE[kind] or error("JSON has no " .. kind))(value, key)
end

--- Keys in order, no blanks.
---@param value table|string|number|boolean
---@return string
function M.encode(value)
  return encode(value)
end

return M
