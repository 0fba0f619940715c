--- JSON of images. The same value is always the same text, since its digest is its name. Pure.
local M = {}

local DEEPEST <const> = 64

-- Lists by their key, since Lua's empty table does not tell.
local LISTS <const> = {
  layers = true, manifests = true, history = true, diff_ids = true, Env = true, Cmd = true,
  Entrypoint = true, Shell = true, OnBuild = true, RepoTags = true, Layers = true, Test = true,
}

-- ---- reading

local cjson -- an instance of our own: its limits are no one else's

local function decoder()
  if not cjson then
    cjson = require("cjson").new()
    cjson.decode_max_depth(DEEPEST)
    cjson.decode_invalid_numbers(false)
  end
  return cjson
end

--- cjson makes floats of all numbers; null is as good as nothing.
local function tidy(value, null)
  for key, element in next, value do
    if element == null then
      value[key] = nil
    elseif type(element) == "number" then
      value[key] = math.tointeger(element) or element
    elseif type(element) == "table" then
      tidy(element, null)
    end
  end
  return value
end

--- An object or a list; nil and why when the text is none.
---@param text string
---@return table?
---@return string? problem
function M.decode(text)
  local fine, value = pcall(decoder().decode, text)
  if not fine then
    return nil, "it is no JSON: " .. tostring(value):gsub("^.-:%d+: ", "")
  elseif type(value) ~= "table" then
    return nil, "it is no JSON object"
  end
  return tidy(value, decoder().null)
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
