--- What the verbs print: answers on stdout, everything else on stderr; colour on a terminal only.
local cli = require "luactr.cli"

local M = {}

-- ---- colour

local STYLES <const> = { failure = "\27[1;31m", warning = "\27[33m", good = "\27[32m" }
local PLAIN <const> = "\27[0m"

--- https://no-color.org: any value but the empty one.
local function is_set(name)
  local value = os.getenv(name)
  return value ~= nil and value ~= ""
end

local function wants_colour(fd)
  return not is_set("NO_COLOR") and os.getenv("TERM") ~= "dumb"
    and require("luactr.core").sys.isatty(fd)
end

local coloured <const> = {} -- by descriptor, asked once

--- The text in a style, if the descriptor is a terminal that shows it.
---@param fd integer 1 or 2
---@param style string
---@param text string
---@return string
function M.paint(fd, style, text)
  if coloured[fd] == nil then
    coloured[fd] = wants_colour(fd)
  end
  return coloured[fd] and STYLES[style] .. text .. PLAIN or text
end

-- ---- stderr

--- A problem is worth the search for its line in the recipe, now that a person reads it.
local function text_of(message)
  if require("luactr.error").is(message) and message.problems then
    require("luactr.source").annotate(message)
  end
  return (tostring(message):gsub("^luactr: ", ""))
end

--- One paragraph, "luactr: ..." or an error object. Nothing helps if stderr is gone.
---@param message any
function M.complain(message)
  local text = text_of(message)
  io.stderr:write(M.paint(2, "failure", "luactr:"), " ", text, "\n")
end

---@param message string
function M.warn(message)
  io.stderr:write(M.paint(2, "warning", "luactr: warning:"), " ", message, "\n")
end

--- A mistake on the command line; returns the exit status for it.
---@param message string
---@param verb? luactr.cli.verb whose help is mentioned
---@return integer status
function M.usage(message, verb)
  M.complain(message)
  io.stderr:write("Try: luactr help", verb and " " .. verb.name or "", "\n")
  return cli.USAGE
end

-- ---- stdout

--- Print an answer; returns the exit status: 0, or luactr's failure when nobody can read it.
---@param text string
---@param status? integer of a printed answer, 0
---@return integer status
function M.print(text, status)
  local fine, message = io.stdout:write(text)
  if fine then
    fine, message = io.stdout:flush()
  end
  if not fine then
    M.complain("cannot write to stdout: " .. message)
    return cli.FAILED
  end
  return status or 0
end

-- ---- JSON

--- Texts from a container may be any bytes; JSON is UTF-8.
local function printable(text)
  if utf8.len(text) then
    return text
  end
  return (text:gsub("[\x80-\xff]", "\u{fffd}"))
end

--- A copy that JSON can carry: error objects as their records, no functions.
local function plain(value)
  if type(value) == "string" then
    return printable(value)
  elseif type(value) ~= "table" then
    return value
  end
  local meta = getmetatable(value)
  if meta and meta.__json then
    return value
  end
  local copy = {}
  for key, element in pairs(require("luactr.error").is(value) and value:record() or value) do
    if type(element) ~= "function" then
      copy[key] = plain(element)
    end
  end
  return copy
end

---@param value any
---@return string one line
function M.json(value)
  return require("luactr.json").encode(plain(value)) .. "\n"
end

local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

--- cjson escapes the slash, which nobody wants to read.
local function scalar(value)
  if math.type(value) == "integer" then
    return tostring(value) -- of which cjson keeps 14 digits
  elseif type(value) == "table" then
    return getmetatable(value).__json(value)
  end
  return (require("luactr.json").encode(value):gsub("\\/", "/"))
end

--- Indented, with keys in order: for people who read JSON.
local function indented(value, margin)
  if type(value) ~= "table" or getmetatable(value) then
    return scalar(value)
  end
  local parts, inner = {}, margin .. "  "
  for _, element in ipairs(value) do
    parts[#parts + 1] = inner .. indented(element, inner)
  end
  local is_list = #parts > 0
  for _, key in ipairs(is_list and {} or sorted_keys(value)) do
    parts[#parts + 1] = string.format("%s%s: %s", inner, scalar(tostring(key)),
      indented(value[key], inner))
  end
  if #parts == 0 then
    return "{}"
  end
  return (is_list and "[\n" or "{\n") .. table.concat(parts, ",\n") .. "\n" .. margin
    .. (is_list and "]" or "}")
end

---@param value any
---@return string
function M.pretty(value)
  return indented(plain(value), "") .. "\n"
end

return M
