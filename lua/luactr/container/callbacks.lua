--- The callbacks of a recipe, `on`: watch for what they are called for, and call them.
--
-- They run one after the other, in a task of their own: one that waits keeps neither the container
-- nor its limits waiting. An error in one is told and goes no further.
local core = require "luactr.core"

local cgroup <const> = core.cgroup
local now <const> = core.sys.clock_gettime

local M = {}

-- cgroup v1 tells before it kills: how often, and how long, the count is looked at then.
local OOM_LOOKS <const> = 20
local OOM_INTERVAL <const> = 0.01

---@class luactr.callbacks of one life
---@field box luactr.container
---@field group? luactr.cgroup
---@field sources table[] what to poll for: { fd =, events =, act =, ... }
---@field queue table[] calls to come: { name =, fn =, event = }
---@field thread? thread that makes them now
---@field task? luactr.task
---@field kills integer that on.oom knows of
---@field looks integer that are still to be taken
---@field errors { call: string, message: string }[]
---@field failed? fun(call: string, message: string) to be told of each error
local Callbacks = {}
Callbacks.__index = Callbacks

-- ---- calling

local function call_all(self)
  self.thread = coroutine.running()
  while self.queue[1] do
    local call = table.remove(self.queue, 1)
    local fine, err = xpcall(call.fn, require("luactr.raised").object, self.box, call.event)
    if not fine and err.code ~= "ECANCELED" then
      self.errors[#self.errors + 1] = { call = "on." .. call.name, message = err.message }
      require("luactr.raised").report(err, string.format("on.%s of %q", call.name, self.box.id))
      if self.failed then
        self.failed("on." .. call.name, err.message)
      end
    end
  end
  self.thread = nil
end

--- Call one, or have it called when those before it have returned.
---@param name string
---@param fn? function nothing if there is none
---@param event any
function Callbacks:call(name, fn, event)
  if not fn then
    return
  end
  self.queue[#self.queue + 1] = { name = name, fn = fn, event = event }
  if not self.thread then
    local task = require("luactr.loop.task").spawn(call_all, self)
    self.task = not task.done and task or nil
  end
end

--- Until all have returned; who is called by one of them does not wait for it.
function Callbacks:await()
  if self.thread and self.thread ~= coroutine.running() and self.task then
    self.task:wait()
  end
end

local function is_queued(self, event)
  for _, call in ipairs(self.queue) do
    if call.event and call.event.resource == event.resource then
      return true
    end
  end
  return false
end

-- ---- memory that ran out

local function look_for_oom(self)
  local kills = cgroup.oom_kills(self.group, self.oom.fd) or 0
  self.looks = kills > self.kills and 0 or math.max(self.looks - 1, 0)
  if kills > self.kills then
    self.kills = kills
    self:call("oom", self.box.spec.on.oom, { name = "oom", kills = kills })
  end
end

local function open_oom(self, run)
  local fd, events = nil, nil
  if self.group then
    fd, events = cgroup.oom_open(self.group)
  end
  if not fd then
    return run:warn { "on.oom is never called: this host does not count its memory" }
  end
  self.oom = { fd = fd, events = events, act = function()
    self.looks = OOM_LOOKS
    look_for_oom(self)
  end }
  self.sources[#self.sources + 1] = self.oom
  self.kills = cgroup.oom_kills(self.group, fd) or 0
end

-- ---- pressure

local function tell_pressure(self, trigger, level)
  local event = { name = "pressure", resource = trigger.resource, level = level }
  local figures = not level and self.group:pressure()
  for key, value in pairs(figures and figures[trigger.resource] or {}) do
    event[key] = value
  end
  if not is_queued(self, event) then
    self:call("pressure", self.box.spec.on.pressure.call, event)
  end
end

--- By the kernel's figures of stalls, which cgroup v2 has; v1 tells of memory alone.
local function open_trigger(self, trigger, wanted)
  local fd, events, errno = nil, "this container has no cgroup", core.sys.errno.ENODEV
  if self.group then
    fd, events, errno = cgroup.stall_open(self.group, trigger.resource,
      wanted.full and "full" or "some", trigger.stall, wanted.window)
  end
  if fd then
    return { fd = fd, events = events, act = function() tell_pressure(self, trigger) end }
  elseif trigger.resource == "memory" and errno == core.sys.errno.ENOENT then
    local level_fd, level_events, level_errno = cgroup.level_open(self.group, wanted.level)
    if level_fd then
      return { fd = level_fd, events = level_events, act = function()
        level_fd:read(8)
        tell_pressure(self, trigger, wanted.level)
      end }
    end
    errno = level_errno
  end
  return nil, errno
end

local function why_not(trigger, wanted, errno)
  if errno == core.sys.errno.EINVAL and wanted.window % 2 ~= 0 then
    return "without CAP_SYS_RESOURCE the kernel takes windows of multiples of 2s only",
      'window = "2s"'
  elseif errno == core.sys.errno.ENOENT or errno == core.sys.errno.ENODEV then
    return string.format("this host has no figures of pressure for %s: no cgroup v2 that luactr "
      .. "may use%s, or a kernel without PSI", trigger.resource,
      trigger.resource == "memory" and " and no memory controller of v1" or ""),
      "optional = true makes this a warning"
  end
end

local function open_pressure(self, run)
  local wanted = self.box.spec.on.pressure
  for _, trigger in ipairs(wanted.triggers) do
    local source, errno = open_trigger(self, trigger, wanted)
    if source then
      self.sources[#self.sources + 1] = source
    else
      local cause, remedy = why_not(trigger, wanted, errno)
      local err = require("luactr.error").new {
        op = "watch", errno = errno, cause = cause, remedy = remedy, checked = cause ~= nil,
        message = string.format("cannot start %q", self.box.id), from = "on.pressure",
        action = "watch the pressure on " .. trigger.resource,
      }
      if not wanted.optional then
        return nil, err
      end
      run:warn { string.format("on.pressure is not called for %s: %s", trigger.resource,
        cause or core.sys.strerror(errno)) }
    end
  end
  return true
end

-- ---- one life

local function new(box, group)
  return setmetatable({ box = box, group = group, sources = {}, queue = {}, errors = {},
    kills = 0, looks = 0 }, Callbacks)
end

--- Watch for what the recipe has callbacks for, before the container's process exists.
---@param box luactr.container
---@param run luactr.run
---@return luactr.callbacks?
---@return luactr.error?
function M.open(box, run)
  local self = new(box, run.cgroup)
  if box.spec.on.oom then
    open_oom(self, run)
  end
  if box.spec.on.pressure then
    local fine, err = open_pressure(self, run)
    if not fine then
      self:close()
      return nil, err
    end
  end
  return self
end

--- Of a detached container, whose monitor tells of all but pressure. That there is a way to watch
--- for that its start has found out.
---@param box luactr.found with the recipe's spec
---@param group? luactr.cgroup
---@param failed fun(call: string, message: string)
---@return luactr.callbacks
function M.serve(box, group, failed)
  local self = new(box, group)
  self.failed = failed
  if group and box.spec.on.pressure then
    local fine, err = open_pressure(self, { warn = function() end })
    if not fine then
      require("luactr.raised").report(err, "on.pressure")
    end
  end
  return self
end

--- For the supervisor's loop.
function Callbacks:add_sources(sources)
  table.move(self.sources, 1, #self.sources, #sources + 1, sources)
end

--- When to look again, if at all; looks that are due are taken.
---@param time number
---@return number?
function Callbacks:due(time)
  if self.looks > 0 and time >= (self.next_look or 0) then
    look_for_oom(self)
    self.next_look = now() + OOM_INTERVAL
  end
  return self.looks > 0 and self.next_look or nil
end

--- The container has ended, its cgroup is still there.
function Callbacks:look_once_more()
  if self.oom then
    look_for_oom(self)
  end
end

--- It is gone: nothing is watched any more. Calls that are to come still come.
function Callbacks:close()
  for _, source in ipairs(self.sources) do
    source.fd:close()
  end
  self.sources, self.oom, self.looks = {}, nil, 0
end

return M
