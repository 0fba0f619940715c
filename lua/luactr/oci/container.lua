--- A container of a bundle from its creation to its removal: what other processes than the one
--- that made it do to it.
local core = require "luactr.core"
local found_module = require "luactr.container.found"
local list = require "luactr.state.list"
local oci_state = require "luactr.oci.state"

local sys <const> = core.sys

local M = {}

---@class luactr.oci.container: luactr.found
---@field report? fun(message: string) told, in place of stderr, of errors that nobody waits for
local Container = setmetatable({}, { __index = found_module.methods })
Container.__index = Container
Container.__tostring = found_module.methods.__tostring

-- ---- errors: engines look for some of the words

local function refuse(id, code, what, cause)
  return nil, require("luactr.error").new {
    code = code, errno = sys.errno[code], op = what, checked = true, cause = cause,
    message = string.format("cannot %s container %q", what, id),
  }
end

local NOT_RUNNING <const> = "container not running"

--- nil, and the error of a container that there is not.
---@param id string
function M.unknown(id)
  return nil, require("luactr.error").new {
    code = "ENOENT", errno = sys.errno.ENOENT, op = "find",
    message = string.format("container %q does not exist", id),
  }
end

---@param host luactr.host
---@param record luactr.state.record
---@return luactr.oci.container
function M.of(record, host)
  return setmetatable({ id = record.id, host = host, record = record }, Container)
end

-- ---- looking

local function word_of(container)
  if container.record.creating then
    return "creating"
  end
  return list.state(container.host, container.record) or "stopped"
end

--- As the specification has it.
---@return luactr.oci.state
function Container:state()
  return oci_state.of(self.id, self.record.oci, word_of(self), self.record.pid)
end

local function open_process(container)
  return container.record.pid and found_module.open_process(container.record) or nil
end

---@return boolean
function Container:is_running()
  local word = word_of(self)
  return word == "running" or word == "paused"
end

--- By the freezer, which has no part in whether its program was started.
local function freeze(container, what, method)
  local cgroup <close>, err = require("luactr.oci.cgroup").open(container, what)
  if not cgroup then
    return nil, err
  end
  local done, message, errno = cgroup[method](cgroup)
  if done then
    return true
  elseif word_of(container) == "stopped" then -- it has ended meanwhile
    return refuse(container.id, "ESRCH", what, NOT_RUNNING)
  end
  return nil, require("luactr.error").from_sys(message, errno, what)
end

--- Stop all its processes where they are, also the one that waits until it is started.
---@return boolean? done
---@return luactr.error?
function Container:pause()
  if word_of(self) == "paused" then
    return refuse(self.id, "EALREADY", "pause", "it is paused already")
  end
  return freeze(self, "pause", "freeze")
end

---@return boolean? done
---@return luactr.error?
function Container:resume()
  local word = word_of(self)
  if word == "running" or word == "created" then
    return refuse(self.id, "EALREADY", "resume", "it is not paused")
  end
  return freeze(self, "resume", "thaw")
end

-- ---- recipes of the administrator

--- Tell those that listen. What goes wrong in them changes nothing any more.
---@param event "started"|"stopped"|"deleted"
function Container:tell(event)
  local paths = self.record.oci.recipes
  if not paths then
    return
  end
  local told, err = require("luactr.oci.recipes").tell(paths, event, self:state())
  if not told then
    local raised, who = require "luactr.raised", string.format("container %q", self.id)
    if self.report then
      self.report(raised.text(err, who))
    else
      raised.report(err, who)
    end
  end
end

-- ---- making it end

local PATIENCE <const> = 10
local PAUSE <const> = 0.005

--- End it, frozen or not, and wait until it has.
local function make_end(container)
  local pidfd <close> = open_process(container)
  if not pidfd then
    return true
  end
  sys.pidfd_send_signal(pidfd, sys.signals.KILL)
  local cgroup <close> = found_module.cgroup(container, "kill")
  if cgroup then
    cgroup:kill(sys.signals.KILL)
    cgroup:thaw()
  end
  return core.supervise.poll({ { fd = pidfd, events = "r" } }, PATIENCE) > 0
end

-- ---- hooks after its creation, by what was written then: the bundle may be another by now

local function hooks_of(container)
  return (list.read(container.host, container.id, "config.json") or { spec = {} }).spec.hooks
end

--- Whether there are any of that kind, without a look at what they are.
local function has_hooks(container, kind)
  local kinds = container.record.oci.hooks
  return kinds and kinds[kind] or false
end

local function warn(container, text)
  local tell = container.warn or require("luactr.oci.hooks").warn
  tell(text)
end

local function run_quietly(container, kind)
  if has_hooks(container, kind) then
    local context = { id = container.id, state = container:state() }
    require("luactr.oci.hooks").run_all(hooks_of(container), kind, context,
      function(text) warn(container, text) end)
  end
end

local function before_command(container)
  if not has_hooks(container, "start_container") then
    return true
  end
  local hooks = require "luactr.oci.hooks"
  return hooks.run(hooks_of(container), "start_container", {
    id = container.id, state = container:state(),
    command = hooks.command_in(container, container:command_base()),
  })
end

--- Where its process is, also while that waits to be started.
function Container:place()
  local pidfd = open_process(self)
  if not pidfd then
    return nil, { errno = sys.errno.ESRCH, checked = true, cause = NOT_RUNNING }
  end
  return { pid = self.record.pid, pidfd = pidfd, cgroup = self.record.cgroup }
end

-- ---- start

local function directory_of(container)
  return string.format("%s/containers/%s", container.host.state_dir, container.id)
end

local function open_directory(container)
  return sys.open(directory_of(container), { "rdonly", "directory", "nofollow" })
end

local STARTED <const> = {
  running = "cannot start an already running container",
  paused = "cannot start a container in the paused state",
  stopped = "cannot start a container that has stopped",
}

--- Let it become its program.
---@return boolean? done
---@return luactr.error?
function Container:start()
  local why = STARTED[word_of(self)]
  if why then
    return refuse(self.id, "EINVAL", "start", why)
  end
  local directory <close> = open_directory(self)
  if not directory then
    return M.unknown(self.id)
  end
  local connection <close>, _, errno = core.gate.knock(directory)
  if not connection then
    return refuse(self.id, sys.errname(errno), "start", STARTED[word_of(self)])
  end
  local done, err = before_command(self)
  if not done then
    make_end(self)
    return nil, err
  end
  sys.unlink(core.gate.SOCKET, directory)
  done, err = require("luactr.oci.start").open(self, connection)
  if not done then
    return nil, err
  end
  run_quietly(self, "poststart")
  self:tell "started"
  return true
end

-- ---- signals

--- Send a signal to its program, or to all of its processes. One that is not started is ended by
--- what would end a program without handlers.
---@param signal? string|integer default "TERM"
---@param options? { all?: boolean }
---@return boolean? done
---@return luactr.error? code "ESRCH" when it has stopped
function Container:kill(signal, options)
  local number = signal == 0 and 0
    or require("luactr.container").signal_number(signal or "TERM")
  local pidfd <close> = open_process(self)
  local living = word_of(self) ~= "stopped" and pidfd or nil
  local all = options and options.all
  local done, err = require("luactr.oci.kill").send(self, number, living, all)
  if done == false then
    return refuse(self.id, "ESRCH", "kill", NOT_RUNNING)
  end
  return done, err
end

-- ---- the end

--- What may be somebody else's to do just now; its hooks see a container without processes.
local function take_away(container)
  local function finish()
    run_quietly(container, "poststop")
  end
  local deadline = sys.clock_gettime() + PATIENCE
  repeat
    if require("luactr.state").remove(container.host, container.id, finish) then
      return true
    elseif not sys.stat(directory_of(container)) then
      return true
    end
    sys.nanosleep(PAUSE)
  until sys.clock_gettime() > deadline
  return refuse(container.id, "EBUSY", "delete", "another luactr holds it")
end

--- It has ended, and who was to wait for that was killed: what it would have done then.
function Container:take_leave()
  self:tell "stopped"
  run_quietly(self, "poststop")
  self:tell "deleted"
end

--- Remove it, with all that is left of it.
---@param options? { force?: boolean } end it first
---@return boolean? done
---@return luactr.error? code "EBUSY" when it has not stopped
function Container:delete(options)
  local word = word_of(self)
  if word ~= "stopped" then
    if not (options and options.force) then
      return refuse(self.id, "EBUSY", "delete",
        string.format("container is not stopped: %s", word))
    elseif not make_end(self) then
      return refuse(self.id, "EBUSY", "delete", "it does not end")
    end
  end
  self:tell "stopped"
  local done, err = take_away(self)
  if done then
    self:tell "deleted"
  end
  return done, err
end

return M
