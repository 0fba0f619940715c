--- The instructions of a Dockerfile: a row each. Pure.
local lines = require "luactr.image.dockerfile.lines"
local words = require "luactr.image.dockerfile.words"

local M = {}

---@class luactr.image.dockerfile.row
---@field parse? function (line, text, file): the step, or nil, what is wrong, what to try
---@field flags? table<string, string> `--name=value` that it takes, by the step's field
---@field message? string why it is not taken at all
---@field remedy? string

local ROWS = {}

-- ---- what several share

local function nothing()
  return nil
end

--- Whether variables in words are written as they should be. What they stand for is not known yet.
local function check_words(list, file)
  for _, word in ipairs(list) do
    local fine, mistake = words.expand(word, nothing, file.escape)
    if not fine and not mistake:find("has no value", 1, true) then
      return nil, mistake
    end
  end
  return list
end

local function words_of(text, file)
  local list, mistake = words.split(text, file.escape)
  if not list then
    return nil, mistake
  end
  return check_words(list, file)
end

--- A JSON list of strings; nil for what is none.
local function json_list(text)
  if text:sub(1, 1) ~= "[" then
    return nil
  end
  local fine, value = pcall(require("cjson").decode, text)
  if not fine or type(value) ~= "table" then
    return nil
  end
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  for _, word in ipairs(value) do
    if type(word) ~= "string" or word:find("\0", 1, true) then
      return nil
    end
  end
  return count == #value and value or nil
end

--- A command: a list that is executed, or text for the shell.
local function command_of(line, text, file)
  local list = json_list(text)
  if list then
    return list
  elseif text:find("^%[%s*['\"].*%]$") then
    table.insert(file.warnings, { line = line.line,
      message = line.word .. ": what looks like a list is no JSON, and goes to the shell" })
  end
  return text
end

--- A list in JSON or words between blanks. Words of JSON mean themselves but for variables.
local function paths_of(text, file)
  local list = json_list(text)
  if not list then
    return words_of(text, file)
  end
  local quoted = {}
  for i, word in ipairs(list) do
    quoted[i] = '"' .. word:gsub("[\"\\`]", function(letter)
      return (letter == '"' or letter == file.escape) and file.escape .. letter or letter
    end) .. '"'
  end
  return check_words(quoted, file)
end

local function one_word(line, text, file, what)
  if text == "" then
    return nil, line.word .. ": " .. what .. " expected"
  end
  return check_words({ text }, file)
end

local NAME <const> = "^[%a_][%w_.-]*$"

--- `NAME=value ...`; the words with their values' quotes.
local function pairs_of(line, list, bare)
  local result = {}
  for i, word in ipairs(list) do
    local name, value = word:match("^([^=]*)=(.*)$")
    name = name or bare and word
    if not name or name == "" then
      return nil, string.format("%s: NAME=value expected, got %s", line.word, word)
    end
    result[i] = { name = name, value = value }
  end
  return result
end

-- ---- FROM

ROWS.FROM = {
  flags = { platform = "platform" },
  parse = function(_, text, file)
    local list, mistake = words_of(text, file)
    if not list then
      return nil, mistake
    end
    local image, as, name = list[1], list[2], list[3]
    if not image or as and (as:upper() ~= "AS" or not name) or #list > 3 then
      return nil, "FROM IMAGE or FROM IMAGE AS NAME expected"
    end
    name = name and name:lower()
    if name and not name:find("^[a-z][a-z0-9_.-]*$") then
      return nil, name .. " is no name for a stage: letters, digits, dot, dash and underscore"
    end
    return { op = "from", image = image, name = name }
  end,
}

-- ---- commands

local RUN_FLAGS <const> = {
  mount = "copy what it needs, or write a recipe: b:run { ..., mounts = { ctr.bind(...) } }",
  network = "luactr image build --network gives all steps the host's network",
  security = "a recipe's b:run { ..., seccomp = \"unconfined\" } says it by name",
}

ROWS.RUN = {
  refused = RUN_FLAGS,
  parse = function(line, text, file)
    if text == "" then
      return nil, "RUN: a command expected"
    end
    local command = command_of(line, text, file)
    if type(command) == "table" and #command == 0 then
      return nil, "RUN: the list is empty"
    end
    return { op = "run", command = command, heredocs = line.heredocs }
  end,
}

local function command_row(op)
  return {
    parse = function(line, text, file)
      if text == "" then
        return nil, line.word .. ": a command expected"
      end
      return { op = op, command = command_of(line, text, file) }
    end,
  }
end

ROWS.CMD = command_row "cmd"
ROWS.ENTRYPOINT = command_row "entrypoint"

ROWS.SHELL = {
  parse = function(_, text)
    local list = json_list(text)
    if not list or #list == 0 then
      return nil, "SHELL: a list as [\"/bin/bash\", \"-c\"] expected"
    end
    return { op = "shell", command = list }
  end,
}

-- ---- files

local function files_of(line, list)
  local sources, taken = {}, 0
  for i = 1, #list - 1 do
    local heredoc
    if lines.begins_heredoc(list[i]) then
      taken = taken + 1
      heredoc = line.heredocs[taken]
    end
    sources[i] = heredoc or list[i]
  end
  return sources
end

local function copy_row(op, flags)
  return {
    flags = flags,
    parse = function(line, text, file)
      local list, mistake = paths_of(text, file)
      if not list then
        return nil, mistake
      elseif #list < 2 then
        return nil, line.word .. ": what to copy, and where to, expected"
      end
      local sources = files_of(line, list)
      return { op = op, sources = sources, target = list[#list] }
    end,
  }
end

ROWS.COPY = copy_row("copy", { from = "from", chown = "owner", chmod = "mode" })
ROWS.ADD = copy_row("add", { chown = "owner", chmod = "mode" })

-- ---- what an image says of itself

--- The old way of one variable: `ENV NAME the value`.
local function old_pair(text, file)
  local name, value = text:match("^(%S+)%s+(.+)$")
  if not name then
    return nil, "ENV: NAME=value expected, got " .. text
  end
  local fine, mistake = check_words({ value }, file)
  return fine and { { name = name, value = value } }, mistake
end

local function check_names(line, list)
  for _, pair in ipairs(list or {}) do
    if line.word ~= "LABEL" and not pair.name:find(NAME) then
      return nil, string.format("%s: %s is no name of a variable", line.word, pair.name)
    end
  end
  return list
end

local function pairs_row(op)
  return {
    parse = function(line, text, file)
      local list, mistake = words_of(text, file)
      if not list then
        return nil, mistake
      elseif #list == 0 then
        return nil, line.word .. ": NAME=value expected"
      end
      local found
      if not list[1]:find("=", 1, true) and op == "env" then
        found, mistake = old_pair(text, file)
      else
        found, mistake = pairs_of(line, list)
      end
      if found then
        found, mistake = check_names(line, found)
      end
      return found and { op = op, pairs = found }, mistake
    end,
  }
end

ROWS.ENV = pairs_row "env"
ROWS.LABEL = pairs_row "label"

ROWS.ARG = {
  parse = function(line, text, file)
    local list, mistake = words_of(text, file)
    if not list then
      return nil, mistake
    elseif #list == 0 then
      return nil, "ARG: NAME or NAME=default expected"
    end
    local found
    found, mistake = pairs_of(line, list, true)
    if found then
      found, mistake = check_names(line, found)
    end
    return found and { op = "arg", pairs = found }, mistake
  end,
}

local function word_row(op, what)
  return {
    parse = function(line, text, file)
      local list, mistake = one_word(line, text, file, what)
      return list and { op = op, word = list[1] }, mistake
    end,
  }
end

ROWS.WORKDIR = word_row("workdir", "a directory")
ROWS.USER = word_row("user", "a user")
ROWS.STOPSIGNAL = word_row("stop_signal", "a signal")

local function list_row(op, what)
  return {
    parse = function(line, text, file)
      local list, mistake = paths_of(text, file)
      if list and #list == 0 then
        return nil, line.word .. ": " .. what .. " expected"
      end
      return list and { op = op, words = list }, mistake
    end,
  }
end

ROWS.EXPOSE = list_row("expose", "a port")
ROWS.VOLUME = list_row("volume", "a directory")

-- ---- what luactr does not build

ROWS.MAINTAINER = {
  message = "MAINTAINER is not taken any more", remedy = "LABEL maintainer=\"...\"",
}
ROWS.HEALTHCHECK = {
  message = "HEALTHCHECK is not supported: images of the OCI have no room for it",
  remedy = "the field `health` of a container that uses the image",
}
ROWS.ONBUILD = {
  message = "ONBUILD is not supported: images of the OCI have no room for it",
  remedy = "a function of a recipe that several builds call",
}

-- ---- use

local function sorted_names(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function known_words()
  local names = {}
  for name, row in pairs(ROWS) do
    names[#names + 1] = row.parse and name or nil
  end
  table.sort(names)
  return names
end

--- The row of an instruction; of one that there is not, why.
---@param word string in capitals
---@return luactr.image.dockerfile.row
function M.find(word)
  if ROWS[word] then
    return ROWS[word]
  end
  local known = known_words()
  local hint = require("luactr.nearest").hint(word, known)
  return { message = string.format("unknown instruction %s%s", word, hint),
    remedy = hint == "" and table.concat(known, ", ") or nil }
end

--- `--name=value` before the other words.
local function flag_of(text)
  return text:match("^%-%-([%a][%w-]*)(=?)(%S*)%s*(.*)$")
end

local function unknown_flag(line, row, name)
  local known = sorted_names(row.flags or {})
  local hint = require("luactr.nearest").hint(name, known)
  local list = {}
  for i, other in ipairs(known) do
    list[i] = "--" .. other
  end
  local others = #list > 0 and "it takes " .. table.concat(list, ", ") or nil
  return nil, string.format("%s: --%s is not supported%s", line.word, name, hint),
    row.refused and row.refused[name] or others
end

local function take_flags(row, line, file)
  local text, found = line.text, {}
  while true do
    local name, sign, value, rest = flag_of(text)
    if not name then
      return found, text
    end
    local field = row.flags and row.flags[name]
    if not field then
      return unknown_flag(line, row, name)
    elseif sign == "" or value == "" then
      return nil, string.format("%s: --%s=VALUE expected", line.word, name)
    elseif found[field] then
      return nil, string.format("%s: --%s is there twice", line.word, name)
    end
    local fine, mistake = check_words({ value }, file)
    if not fine then
      return nil, mistake
    end
    found[field], text = value, rest
  end
end

--- The step that a line is.
---@param row luactr.image.dockerfile.row
---@param line luactr.image.dockerfile.line
---@param file luactr.image.dockerfile
---@return table? step
---@return string? mistake
---@return string? remedy
function M.parse(row, line, file)
  local flags, text, remedy = take_flags(row, line, file)
  if not flags then
    return nil, text, remedy
  end
  local step, mistake
  step, mistake, remedy = row.parse(line, text, file)
  for name, value in pairs(step and flags or {}) do
    step[name] = value
  end
  return step, mistake, remedy
end

return M
