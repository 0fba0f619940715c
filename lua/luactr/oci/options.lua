--- Options of `luactr oci`, from the rows of a verb (luactr.cli.option). Not argparse, which takes
--- longer to load than a container takes to start. Pure.
local M = {}

---@class luactr.oci.option: luactr.cli.option
---@field [1] string its names, "-b --bundle"; the last is its key
---@field argument? string it has a value, and this is that value's name
---@field many? boolean it may be given several times; then a list
---@field number? boolean its value is an integer
---@field words? string[] its value is one of them

-- What Go's flag package takes for a boolean, as engines may write it: --no-pivot=true.
local BOOLEANS <const> = { ["true"] = true, ["1"] = true, t = true, T = true, TRUE = true,
  True = true, ["false"] = false, ["0"] = false, f = false, F = false, FALSE = false,
  False = false }

local LONGEST_SHOWN <const> = 64

--- A word in a message.
---@param word string
---@return string
function M.show(word)
  local shown = #word > LONGEST_SHOWN and word:sub(1, LONGEST_SHOWN) .. "..." or word
  return '"' .. require("luactr.error").escape(shown) .. '"'
end

---@param row luactr.oci.option
---@return string
function M.key(row)
  return (row[1]:match("([%w?][%w-]*)$"):gsub("-", "_"))
end

--- The rows by each of their names.
local function by_name(rows)
  local known = {}
  for _, row in ipairs(rows) do
    for name in row[1]:gmatch("%S+") do
      known[name] = row
    end
  end
  return known
end

local function long_names(known)
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = name:match("^%-%-") and name or nil
  end
  table.sort(names)
  return names
end

-- ---- values

local function number_of(text)
  return text:find("^[+-]?%d+$") and math.tointeger(tonumber((text:gsub("^%+", ""))))
end

local function is_one_of(value, words)
  for _, word in ipairs(words) do
    if word == value then
      return true
    end
  end
  return false
end

--- The value of an option; nil and a problem.
local function value_of(row, name, text)
  if row.number then
    local number = number_of(text)
    return number, not number and string.format("%s: a whole number expected, got %s", name,
      M.show(text))
  elseif row.words and not is_one_of(text, row.words) then
    return nil, string.format("%s: %s expected, got %s", name, table.concat(row.words, " or "),
      M.show(text))
  end
  return text
end

--- An empty value is as good as none: engines hand on what they were not given.
local function put(options, row, value)
  local key = M.key(row)
  if row.many then
    options[key] = options[key] or {}
    table.insert(options[key], value)
  else
    options[key] = value ~= "" and value or nil
  end
end

-- ---- words

---@class luactr.oci.options.reader
---@field words string[]
---@field at integer
---@field known table<string, luactr.oci.option>
---@field options table<string, any>
local Reader = {}
Reader.__index = Reader

function Reader:set_flag(row, name, text)
  local value = true
  if text then
    value = BOOLEANS[text]
  end
  if value == nil then
    return name .. ": true or false expected, got " .. M.show(text)
  end
  self.options[M.key(row)] = value or nil
end

--- Take the option of a row; `text` is a value in the same word. A problem, or nil.
function Reader:take(row, name, text)
  if not row.argument then
    return self:set_flag(row, name, text)
  end
  if not text then
    self.at = self.at + 1
    text = self.words[self.at]
  end
  if not text then
    return string.format("%s needs a value: %s", name, row.argument)
  end
  local value, problem = value_of(row, name, text)
  if problem then
    return problem
  end
  put(self.options, row, value)
end

function Reader:unknown(name)
  return "unknown option " .. M.show(name)
    .. require("luactr.nearest").hint("--" .. name:gsub("^%-+", ""), long_names(self.known))
end

--- Letters behind one dash: flags, the last of which may have a value, -dp FILE or -pFILE.
function Reader:take_letters(word)
  for at = 2, #word do
    local name = "-" .. word:sub(at, at)
    local row, rest = self.known[name], word:sub(at + 1)
    if not row then
      return self:unknown(word)
    elseif row.argument then
      return self:take(row, name, rest ~= "" and rest:gsub("^=", "") or nil)
    end
    self:set_flag(row, name)
  end
end

--- One word that begins with a dash. A long name may have one dash, as Go's programs take it.
function Reader:take_word(word)
  local name, text = word:match("^([^=]*)=(.*)$")
  name = name or word
  local row = self.known[name]
  if not row and name:find("^%-[^-]") then
    row = #name > 2 and self.known["-" .. name]
    if not row then
      return self:take_letters(word)
    end
  end
  if not row then
    return self:unknown(name)
  end
  return self:take(row, name, text)
end

-- A negative number is an argument: a signal, a limit.
local function is_option(word)
  return #word > 1 and word:byte() == 45 and not word:find("^%-%d+$")
end

--- Read words from `first` on. "--" ends the options.
---@param rows luactr.oci.option[]
---@param words string[]
---@param first? integer 1
---@param ordered? boolean the first other word ends the options: what follows belongs to that
---@return table<string, any>? options
---@return string[]|string arguments or a problem
---@return integer? next the first word that is not an option, when `ordered`
function M.parse(rows, words, first, ordered)
  local reader = setmetatable({ words = words, at = first or 1, options = {},
    known = by_name(rows) }, Reader)
  local arguments, done = {}, false
  while reader.at <= #words do
    local word = words[reader.at]
    if not done and word == "--" then
      done = true
    elseif not done and is_option(word) then
      local problem = reader:take_word(word)
      if problem then
        return nil, problem
      end
    elseif ordered then
      break
    else
      arguments[#arguments + 1] = word
    end
    reader.at = reader.at + 1
  end
  table.move(words, reader.at, #words, #arguments + 1, arguments)
  return reader.options, arguments, reader.at
end

return M
