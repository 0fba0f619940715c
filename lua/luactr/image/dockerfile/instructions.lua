--- The instructions of a Dockerfile: a row each. Pure.
local flags_of = require "luactr.image.dockerfile.flags"
local lines = require "luactr.image.dockerfile.lines"
local values = require "luactr.image.dockerfile.values"

local M = {}

---@class luactr.image.dockerfile.row
---@field parse? function (line, text, file): the step, or nil, what is wrong, what to try
---@field flags? table<string, string> `--name=value` that it takes, by the step's field
---@field refused? table<string, string> what to try in place of flags that it does not take
---@field message? string why it is not taken at all
---@field remedy? string

local ROWS = {}

local NAME <const> = "^[%a_][%w_.-]*$"

-- ---- FROM

ROWS.FROM = {
  flags = { platform = "platform" },
  parse = function(_, text, file)
    local list, mistake = values.words_of(text, file)
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
    local command = values.command_of(line, text, file)
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
      return { op = op, command = values.command_of(line, text, file) }
    end,
  }
end

ROWS.CMD = command_row "cmd"
ROWS.ENTRYPOINT = command_row "entrypoint"

ROWS.SHELL = {
  parse = function(_, text)
    local list = values.json_list(text)
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
      local list, mistake = values.paths_of(text, file)
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
  local fine, mistake = values.check_words({ value }, file)
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
      local list, mistake = values.words_of(text, file)
      if not list then
        return nil, mistake
      elseif #list == 0 then
        return nil, line.word .. ": NAME=value expected"
      end
      local found
      if not list[1]:find("=", 1, true) and op == "env" then
        found, mistake = old_pair(text, file)
      else
        found, mistake = values.pairs_of(line, list)
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
    local list, mistake = values.words_of(text, file)
    if not list then
      return nil, mistake
    elseif #list == 0 then
      return nil, "ARG: NAME or NAME=default expected"
    end
    local found
    found, mistake = values.pairs_of(line, list, true)
    if found then
      found, mistake = check_names(line, found)
    end
    return found and { op = "arg", pairs = found }, mistake
  end,
}

local function word_row(op, what)
  return {
    parse = function(line, text, file)
      local list, mistake = values.one_word(line, text, file, what)
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
      local list, mistake = values.paths_of(text, file)
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

--- The step that a line is.
---@param row luactr.image.dockerfile.row
---@param line luactr.image.dockerfile.line
---@param file luactr.image.dockerfile
---@return table? step
---@return string? mistake
---@return string? remedy
function M.parse(row, line, file)
  local flags, text, remedy = flags_of.take(row, line, file)
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
