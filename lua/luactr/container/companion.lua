--- The process beside a monitor that has the recipe's functions: `on`, checks of `health`. It is
--- a fork of the luactr that starts the container, and what it does there is
--- luactr.container.serve's. Here is what others know of it. It may be killed at any time: the
--- container goes on without callbacks.
local core = require "luactr.core"
local list = require "luactr.state.list"
local poll = require "luactr.poll"

local sys <const> = core.sys

local M = {}

M.FILE = "callbacks.json" -- what has gone wrong in callbacks
M.LOG = "callbacks.log" -- what they print, and their errors
M.LOST = "its callbacks are not called any more: their process was killed"

local LONGEST_PID <const> = 32
local PAUSE <const> = 0.05 -- between looks at what checks have found

-- ---- begin

---@class luactr.companion of a container that is being started
---@field pid integer
---@field start integer when that was started
---@field news luactr.fd to it, for the monitor
local Companion = {}
Companion.__index = Companion

--- The monitor has its end, or there is none: without one that is open the process ends.
function Companion:close()
  self.news:close()
end

Companion.__close = Companion.close

---@param box luactr.container
---@return boolean
function M.is_wanted(box)
  return box.spec.on ~= nil or box.spec.health ~= nil
end

local function failure(box, message, errno)
  return nil, require("luactr.error").new {
    op = "fork", errno = errno, action = "start the process of its callbacks",
    message = string.format("cannot start %q", box.id), cause = message, where = box.spec.where,
  }
end

--- Fork. What the box is in this process it is not in that one: there it is what ctr.find returns.
---@param box luactr.container
---@param host luactr.host
---@return luactr.companion?
---@return luactr.error?
function M.begin(box, host)
  local heard <close>, news, errno = sys.pipe()
  if not heard then
    return failure(box, nil, errno)
  end
  local self = setmetatable({ news = news }, Companion)
  local told <close>, tell, tell_errno = sys.pipe()
  local done, message = told, nil
  if told then
    done, message, errno = require("luactr.container.apart").fork(function()
      require("luactr.container.serve").main(box, host, heard, tell)
      return 0
    end)
    tell:close()
  end
  self.pid = done and math.tointeger(tonumber(told:read(LONGEST_PID) or ""))
  if not self.pid then
    self:close()
    return failure(box, done and "it has ended at once" or message, errno or tell_errno)
  end
  self.start = require("luactr.state").start_time(self.pid)
  return self
end

-- ---- what it is to others

---@param found luactr.found
---@return boolean
function M.is_alive(found)
  return list.is_alive(found.record.callbacks)
end

--- Whether somebody calls the callbacks of one that runs: "served" or "lost"; nil for one without.
---@param found luactr.found
---@return "served"|"lost"|nil
function M.word(found)
  local record = found.record
  if not record.callbacks then
    return nil
  end
  return M.is_alive(found) and "served" or "lost"
end

--- For inspect.
---@param found luactr.found
---@param runs boolean
---@return { pid: integer, state: "served"|"lost"|"ended", errors?: table[] }?
function M.describe(found, runs)
  local word = M.word(found)
  if not word then
    return nil
  end
  local kept = list.read(found.host, found.id, M.FILE) or {}
  return { pid = found.record.callbacks.pid, errors = kept.errors,
    state = word == "lost" and not runs and "ended" or word }
end

--- What callbacks have printed, and their errors as they are told.
---@param found luactr.found
---@return string? text nil for one without
function M.printed(found)
  local path = string.format("%s/containers/%s/%s", found.host.state_dir, found.id, M.LOG)
  local file <close> = found.record.callbacks and io.open(path)
  return file and file:read("a")
end

--- What the checks of one that runs have found; nil for one without, or before the first.
---@param found luactr.found
---@return luactr.health?
function M.health(found)
  local health = list.read(found.host, found.id, "health.json")
  if health and M.word(found) == "lost" and found:is_running() then
    health.state = "unknown"
  end
  return health
end

--- See luactr.found's wait_healthy.
---@param found luactr.found
---@param timeout? number seconds
---@return boolean? healthy
---@return luactr.error?
function M.await_healthy(found, timeout)
  local refuse = require("luactr.container.found").failure
  local deadline = timeout and sys.clock_gettime() + timeout
  while true do
    local health = found:health() or {}
    if not found:is_running() then
      return refuse(found, "ESRCH", "wait for", "it has ended")
    elseif health.state == "healthy" then
      return true
    elseif health.state == "unknown" then
      return refuse(found, "ESRCH", "wait for", M.LOST)
    elseif deadline and sys.clock_gettime() >= deadline then
      return refuse(found, "ETIMEDOUT", "wait for", health.last and health.last.message
        or "no check has ended yet")
    end
    poll.sleep(PAUSE)
  end
end

--- Wait until it has called on.exit and has ended. A callback does not wait for itself.
---@param found luactr.found
---@param timeout? number seconds
---@return boolean ended
function M.await(found, timeout)
  local process = found.record.callbacks
  if not process or process.pid == sys.getpid() then
    return true
  end
  local pidfd <close> = require("luactr.container.found").open_process(process)
  return not pidfd or poll.wait({ { fd = pidfd, events = "r" } }, timeout) > 0
end

--- End it, the container having ended: on.exit had its time.
---@param found luactr.found
---@param patience number seconds
function M.finish(found, patience)
  if M.await(found, patience) then
    return
  end
  local pidfd <close> = require("luactr.container.found").open_process(found.record.callbacks)
  if pidfd then
    sys.pidfd_send_signal(pidfd, sys.signals.KILL)
    poll.wait({ { fd = pidfd, events = "r" } }, patience)
  end
end

return M
