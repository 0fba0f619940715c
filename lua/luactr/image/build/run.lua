--- RUN: a command in a container of the layers so far, whose upper directory becomes the next
--- layer.
local json = require "luactr.image.json"
local view = require "luactr.image.build.view"

local sys <const> = require("luactr.core").sys

local M = {}

local STDERR <const> = 2

-- What a step decides itself.
local RESERVED <const> = { "rootfs", "command", "stdout", "stderr", "tty", "name", "restart", "log",
  "health", "on" }

-- Of the host, for a step that has its network.
local NAMES_OF_HOSTS <const> = { "/etc/resolv.conf", "/etc/hosts" }

---@class luactr.image.build.command
---@field words string[]
---@field fields table of a container, from the step
---@field env table<string, string>
---@field hidden table<string, string> variables that are not part of the key

--- What a step may not say; nil when it is fine.
---@param fields table
---@return string? mistake
function M.mistake(fields)
  for _, name in ipairs(RESERVED) do
    if fields[name] ~= nil then
      return name .. " is not for a step to say"
    end
  end
end

-- ---- the key

local function is_plain(value)
  local kind = type(value)
  if kind ~= "table" then
    return kind == "string" or kind == "number" or kind == "boolean"
  elseif getmetatable(value) then
    return false
  end
  for key, element in pairs(value) do
    if not (type(key) == "string" or math.type(key) == "integer") or not is_plain(element) then
      return false
    end
  end
  return true
end

--- Keys of JSON are texts, and a table of both kinds is none of its.
local function textual(value)
  if type(value) ~= "table" then
    return value
  end
  local result = {}
  for key, element in pairs(value) do
    result[tostring(key)] = textual(element)
  end
  return result
end

--- What the command depends on besides the layers; nil when that cannot be told.
---@param command luactr.image.build.command
---@return table?
function M.describe(command)
  if not is_plain(command.fields) then
    return nil
  end
  return { command = json.encode(command.words), env = command.env,
    fields = textual(command.fields) }
end

-- ---- the container

local function has_network(fields)
  return fields.network ~= nil and fields.network ~= "none"
end

local function mounts_of(fields)
  -- a directory that an image names need not be there
  local list = { fields.cwd and fields.cwd ~= "/" and { type = "dir", target = fields.cwd } or nil }
  for _, path in ipairs(has_network(fields) and NAMES_OF_HOSTS or {}) do
    list[#list + 1] = { type = "bind", source = path, target = path, optional = true,
      options = { "bind", "ro" } }
  end
  return table.move(fields.mounts or {}, 1, #(fields.mounts or {}), #list + 1, list)
end

local function streams_of(spec, quiet)
  spec.tty, spec.stdin = false, spec.stdin or "null"
  if quiet then
    spec.stdout, spec.stderr = "capture", "stdout"
  else
    spec.stdout, spec.stderr = STDERR, STDERR
  end
end

local function spec_of(command, directory, trees, quiet)
  local spec = {}
  for name, value in pairs(command.fields) do
    spec[name] = value
  end
  spec.env = { TERM = false }
  for _, variables in ipairs { command.hidden, command.env } do
    for name, value in pairs(variables) do
      spec.env[name] = value
    end
  end
  spec.rootfs = require("luactr.rootfs").overlay { lower = trees, upper = directory .. "/upper",
    work = directory .. "/work" }
  spec.command, spec.mounts = command.words, mounts_of(command.fields)
  spec.hostname = spec.hostname or "build"
  streams_of(spec, quiet)
  return spec
end

-- ---- what the start has left

local MOUNTING <const> = { bind = true, mount = true, fsmount = true, tmpcopyup = true }

local function remove_if_made(upper, below, target)
  local real = below:resolve(target, true)
  if not real or real == "" or below:find(real) then
    return
  end
  local path = upper .. "/" .. real
  local stat = sys.stat(path, sys.AT_SYMLINK_NOFOLLOW)
  if stat and stat.type == "directory" then
    sys.rmdir(path) -- only an empty one goes
  elseif stat and stat.type == "file" and stat.size == 0 then
    sys.unlink(path)
  end
end

--- Names that are there because something was mounted on them.
local function remove_targets(box, upper, trees)
  local below <close> = view.open(trees)
  for i = #box.plan.steps, 1, -1 do
    local step = box.plan.steps[i]
    if below and MOUNTING[step.op] and step.target and step.target ~= "/" then
      remove_if_made(upper, below, step.target)
    end
  end
end

-- ---- running

local function ending_of(result)
  if result.reason ~= "exit" and result.reason ~= "signal" then
    return "its command was ended: " .. result.reason
  elseif result.signal then
    return "its command was ended by signal " .. result.signal
  end
  return "its command ended with status " .. result.exit_code
end

local NO_PROGRAM <const> = "a program that the image has"
local NO_NETWORK <const> = "--network, or network = \"host\" in a recipe, if it needs a network"

local function remedy_of(result, fields)
  if result.reason ~= "exit" then
    return nil
  elseif result.exit_code == 127 then
    return NO_PROGRAM
  end
  return not has_network(fields) and NO_NETWORK or nil
end

local function failure(result, fields)
  return nil, require("luactr.error").new { code = "ESTEP", op = "run", message = ending_of(result),
    checked = true, output = result.stdout, result = result,
    remedy = remedy_of(result, fields) }
end

--- What the upper directory is above: an overlay has one lower directory at least.
local function lower_of(directory, trees)
  return #trees > 0 and trees or { directory .. "/empty" }
end

--- Run a command. Its files are below `upper` of the directory then.
---@param command luactr.image.build.command
---@param directory string that is made
---@param trees string[] the layers below, the topmost first
---@param quiet boolean
---@return boolean? done
---@return luactr.error?
function M.run(command, directory, trees, quiet)
  local made, err = require("luactr.image.build.step").make_directories(directory,
    { "work", "empty" })
  if not made then
    return nil, err
  end
  local lower = lower_of(directory, trees)
  local fine, box = pcall(require("luactr.container").new,
    spec_of(command, directory, lower, quiet))
  if not fine and not require("luactr.error").is(box) then
    error(box, 0)
  elseif not fine then
    return nil, box
  end
  local _ <close> = box
  local result
  result, err = box:run { forward_signals = true }
  if not result then
    return nil, err
  elseif result.exit_code ~= 0 then
    return failure(result, command.fields)
  end
  remove_targets(box, directory .. "/upper", lower)
  return true
end

return M
