--- A command in a container that runs beside the container's own: what box:command returns. It is
--- started, waited for and ended as a container is, and ends with the container at the latest.
local container = require "luactr.container"
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

---@class luactr.command
---@field id string the container's
---@field spec luactr.spec of luactr.spec.exec
---@field of luactr.container|luactr.found where it is to run
---@field base luactr.base
---@field result? luactr.result of the last life
---@field quiet? boolean no event tells of its start
local Command = { __name = "luactr.command" }
Command.__index = Command

for _, name in ipairs { "wait", "run", "kill", "stop", "close" } do
  Command[name] = container.methods[name]
end

--- The host's pid of the command; nil when it has just ended.
---@return integer?
function Command:pid()
  return require("luactr.processes").children(container.methods.pid(self))[1]
end

Command.__close, Command.__gc = Command.close, Command.close

--- Start it and return when it runs; see luactr.container.start.
---@param options? luactr.start_options
---@return true? started
---@return luactr.error?
function Command:start(options)
  if self.life then
    error(string.format("the command in %q is running already", self.id), 2)
  elseif options and options.detach then
    error("a command in a container has no monitor of its own to be left to", 2)
  end
  return container.start(self, options)
end

--- Start it and let go of it: it is a child of this process, and outlives it unless it is closed.
---@param options? luactr.start_options
---@return luactr.left?
---@return luactr.error?
function Command:leave(options)
  options = options or {}
  options.leave = true
  local run, err = require("luactr.launch").start(self, options.host or self.of.host, options)
  if not run then
    return nil, err
  end
  run:close()
  return run.left
end

--- Where it is to be started, as of now; nil and fields of an error when there is no such place.
---@return luactr.target.place?
---@return table?
function Command:place()
  return self.of:place()
end

local PATIENCE <const> = 0.2

--- Told of the result: that the container took it along is no signal that somebody sent. Its KILL
--- may come before PID 1, from which it came, is gone.
---@param run luactr.run
---@param result luactr.result
function Command:ended(run, result)
  if result.reason == "signal" and result.signal == sys.signals.KILL
    and run.target:has_ended(PATIENCE) then
    result.reason, result.proof = "container", { counter = "end of PID 1", value = run.target.pid }
  end
end

-- What the end of a container does to a process that is just entering it: its pid namespace has no
-- numbers left, or the kernel kills the process.
local BY_THE_END <const> = { ENOMEM = true, EOWNERDEAD = true }
local END_PATIENCE <const> = 2 -- PID 1 is the last to go

--- Told of a start that failed: whether that was the end of the container.
---@param run luactr.run
---@param err luactr.error
function Command:not_started(run, err)
  if BY_THE_END[err.code] and run.target and run.target:has_ended(END_PATIENCE) then
    err.code, err.errno = "ESRCH", sys.errno.ESRCH
    err.cause, err.checked = "the container has just ended", true
  end
end

--- The event of its start, for those that a monitor watches over.
---@param host luactr.host
function Command:started(host)
  if self.of.record and self.of.record.detached and not self.quiet then
    require("luactr.container.events").add(host, self.id, "exec",
      { command = self.spec.command })
  end
end

function Command:__tostring()
  return string.format("command in %q (%s)", self.id, self.life and "running" or "not running")
end

--- Raises an error object that lists all that is wrong with the fields.
---@param of luactr.container|luactr.found
---@param base luactr.base
---@param raw luactr.command_spec
---@return luactr.command
function M.new(of, base, raw)
  local spec, err = require("luactr.spec.exec").check(raw, base)
  if not spec then
    error(err, 0)
  end
  local root = "/proc/self/root" -- nothing is looked for before there is a target
  spec.rootfs = {
    bare = base.bare, path = root,
    find = function(rootfs, path) return { root = rootfs.path, path = path } end,
  }
  spec.stop_signal, spec.stop_timeout = sys.signals.TERM, require("luactr.spec")
    .field("stop_timeout").default
  return setmetatable({ id = of.id, of = of, spec = spec, base = base }, Command)
end

return M
