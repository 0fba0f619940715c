--- Steps that change what an image says of itself.
local configs = require "luactr.image.build.config"
local steps = require "luactr.image.build.step"

local sys <const> = require("luactr.core").sys

local M = {}

local SHELL <const> = { "/bin/sh", "-c" }

---@class luactr.image.builder
local Builder = {}
M.methods = Builder

--- A text for the shell, as a command.
---@param self luactr.image.builder
---@param text string
---@return string[]
function M.shell_words(self, text)
  local shell = self.config.Shell or SHELL
  local words = table.move(shell, 1, #shell, 1, {})
  words[#words + 1] = text
  return words
end

local shell_words <const> = M.shell_words

--- Keys of a table that has to be of names and texts.
---@param map table
---@param call string
---@return string[]
local function sorted(map, call)
  local names = {}
  for name, value in pairs(type(map) == "table" and map or error("b:" .. call
    .. ": a table of NAME = value expected", 3)) do
    if type(name) ~= "string" or type(value) ~= "string" and type(value) ~= "number" then
      error("b:" .. call .. ": a table of NAME = value expected", 3)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- Set variables of what runs in the image, and of the steps from here on.
---@param variables table<string, string|number>
---@return luactr.image.builder
function Builder:env(variables)
  local names = sorted(variables, "env")
  local words = {}
  for i, name in ipairs(names) do
    words[i] = string.format("%s=%s", name, tostring(variables[name]))
  end
  return steps.config(self, self.text or "ENV " .. table.concat(words, " "), function(config)
    for _, name in ipairs(names) do
      if name == "" or name:find("[=%z]") or tostring(variables[name]):find("\0", 1, true) then
        return nil, "no variable of an environment: " .. name
      end
      configs.set_env(config, name, tostring(variables[name]))
    end
  end)
end

--- Names of our own for whoever lists images.
---@param labels table<string, string>
---@return luactr.image.builder
function Builder:label(labels)
  local names = sorted(labels, "label")
  local words = {}
  for i, name in ipairs(names) do
    words[i] = string.format("%s=%s", name, tostring(labels[name]))
  end
  return steps.config(self, self.text or "LABEL " .. table.concat(words, " "), function(config)
    for _, name in ipairs(names) do
      configs.label(config, name, tostring(labels[name]))
    end
  end)
end

local function text_expected(call, value)
  if type(value) ~= "string" and math.type(value) ~= "integer" or value == "" then
    error(string.format("b:%s: a text expected", call), 3)
  end
  return tostring(value)
end

--- Who runs the command, and the steps from here on: "name", "name:group", or numbers.
---@param user string|integer
---@return luactr.image.builder
function Builder:user(user)
  local name = text_expected("user", user)
  return steps.config(self, self.text or "USER " .. name, function(config)
    config.User = name
  end)
end

--- A command: a list, or a text for the shell.
local function command_words(self, call, command)
  if type(command) == "string" then
    return shell_words(self, command)
  end
  for _, word in ipairs(type(command) == "table" and command or error("b:" .. call
    .. ": a list of strings or a text for the shell expected", 3)) do
    if type(word) ~= "string" then
      error("b:" .. call .. ": a list of strings or a text for the shell expected", 3)
    end
  end
  return table.move(command, 1, #command, 1, {})
end

local function shown(call, command)
  return call .. " " .. (type(command) == "table" and table.concat(command, " ") or command)
end

--- What always runs; what `cmd` says, or who runs the image, follows it.
---@param command string[]|string
---@return luactr.image.builder
function Builder:entrypoint(command)
  local words = command_words(self, "entrypoint", command)
  return steps.config(self, self.text or shown("ENTRYPOINT", command), function(config)
    config.Entrypoint = words
    config.Cmd = self.own_cmd and config.Cmd or nil -- one of the image below is for its entry point
  end)
end

--- What runs when who runs the image says nothing else.
---@param command string[]|string
---@return luactr.image.builder
function Builder:cmd(command)
  local words = command_words(self, "cmd", command)
  return steps.config(self, self.text or shown("CMD", command), function(config)
    config.Cmd, self.own_cmd = words, true
  end)
end

--- The shell for commands that are texts, from here on.
---@param command string[]
---@return luactr.image.builder
function Builder:shell(command)
  local words = command_words(self, "shell", type(command) == "table" and command or nil)
  return steps.config(self, self.text or shown("SHELL", words), function(config)
    config.Shell = words
  end)
end

--- Ports that are listened at: 80, "53/udp", "8000-8002".
---@param ... string|integer
---@return luactr.image.builder
function Builder:expose(...)
  local list = { ... }
  for i, port in ipairs(list) do
    list[i] = text_expected("expose", port)
  end
  return steps.config(self, self.text or "EXPOSE " .. table.concat(list, " "), function(config)
    for _, text in ipairs(list) do
      local ports, mistake = configs.ports(text)
      if not ports then
        return nil, mistake
      end
      for _, port in ipairs(ports) do
        configs.add(config, "ExposedPorts", port)
      end
    end
  end)
end

--- Directories for data that is not the image's.
---@param ... string
---@return luactr.image.builder
function Builder:volume(...)
  local list = { ... }
  for i, path in ipairs(list) do
    list[i] = text_expected("volume", path)
  end
  return steps.config(self, self.text or "VOLUME " .. table.concat(list, " "), function(config)
    for _, path in ipairs(list) do
      configs.add(config, "Volumes", configs.absolute(config, path))
    end
  end)
end

--- The signal that asks the command to end: "TERM", "SIGTERM" or its number.
---@param signal string|integer
---@return luactr.image.builder
function Builder:stop_signal(signal)
  local name = text_expected("stop_signal", signal)
  return steps.config(self, self.text or "STOPSIGNAL " .. name, function(config)
    local number = math.tointeger(tonumber(name)) or sys.signals[name:upper():gsub("^SIG", "")]
    if not number or number < 1 or number > 64 then
      return nil, "unknown signal " .. name
    end
    config.StopSignal = tonumber(name) and name or "SIG" .. name:upper():gsub("^SIG", "")
  end)
end

return M
