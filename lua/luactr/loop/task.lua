--- Tasks: coroutines in which what waits lets the others run; and timers, which are tasks.
local loop = require "luactr.loop"
local poll = require "luactr.poll"

local M = {}

---@class luactr.task
---@field thread thread
---@field ended luactr.loop.event
---@field accompanies? boolean the program does not wait for its end
---@field done? boolean
---@field values? table what its function returned, with n
---@field err? luactr.error what it raised
---@field cancelled? luactr.error
---@field closing? boolean its variables are being closed: it cannot yield
---@field awaited integer how many wait for it
local Task = { __name = "luactr.task" }
Task.__index = Task

M.failures = 0 -- tasks that ended by an error that nobody waited for

local function end_task(task, fine, first, ...)
  task.done = true
  if fine then
    task.values = table.pack(first, ...)
  else
    task.err = first
    if task.awaited == 0 and first.code ~= "ECANCELED" then
      M.failures = M.failures + 1
      require("luactr.raised").report(first, "a task ended")
    end
  end
  loop.remove(task)
  poll.tell(task.ended)
end

local function start(fn, fields, ...)
  local task = setmetatable(fields, Task)
  task.ended, task.awaited = poll.event(), task.awaited or 0
  task.thread = coroutine.create(function(...)
    end_task(task, xpcall(fn, require("luactr.raised").object, ...))
  end)
  loop.add(task)
  coroutine.resume(task.thread, ...)
  return task
end

local function check_function(call, fn)
  if type(fn) ~= "function" then
    error(string.format("%s: function expected, got %s", call, type(fn)), 3)
  end
end

--- Run a function as a task. It begins at once, and whenever it waits (for a container, a command,
--- a time) this program goes on. An error in it is told with its traceback, unless a task:wait()
--- gets it.
---@param fn function
---@param ... any its arguments
---@return luactr.task
function M.spawn(fn, ...)
  check_function("spawn", fn)
  return start(fn, {}, ...)
end

--- A task whose error somebody will ask for.
---@param fn function
---@return luactr.task
function M.watched(fn)
  return start(fn, { awaited = 1 })
end

--- The same, of one that the program does not wait for.
---@param fn function
---@return luactr.task
function M.companion(fn)
  return start(fn, { awaited = 1, accompanies = true })
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Task
end

local function outcome(task)
  if task.err then
    return nil, task.err
  end
  return table.unpack(task.values, 1, task.values.n)
end

local function timeout_error()
  local sys = require("luactr.core").sys
  return require("luactr.error").new { errno = sys.errno.ETIMEDOUT, op = "wait",
    message = "the task has not ended" }
end

--- What its function returned; nil and the error that ended it.
---@param timeout? number seconds
---@return any ...
function Task:wait(timeout)
  if loop.current() == self then
    error("a task cannot wait for itself", 2)
  end
  local deadline = timeout and require("luactr.core").sys.clock_gettime() + timeout
  local _ <close> = setmetatable({}, { __close = function() self.awaited = self.awaited - 1 end })
  self.awaited = self.awaited + 1
  while not self.done do
    local left = deadline and math.max(deadline - require("luactr.core").sys.clock_gettime(), 0)
    if loop.wait({ { event = self.ended } }, left) == 0 and deadline then
      return nil, timeout_error()
    end
  end
  return outcome(self)
end

local function cancellation()
  return require("luactr.error").new { code = "ECANCELED", op = "wait",
    errno = require("luactr.core").sys.errno.ECANCELED, message = "the task was cancelled" }
end

--- End it where it waits: its variables with <close> are closed, nothing of it runs any more. One
--- that is not waiting ends as soon as it does.
---@return boolean cancelled false when it had ended already
function Task:cancel()
  if self.done then
    return false
  end
  self.cancelled = self.cancelled or cancellation()
  if coroutine.status(self.thread) == "suspended" and not self.closing then
    self.closing = true
    local fine, problem = coroutine.close(self.thread)
    if not fine then
      require("luactr.raised").report(require("luactr.raised").object(problem), "closing a task")
    end
    end_task(self, false, self.cancelled)
  end
  return true
end

--- As cancel, for a variable with <close>; idempotent.
function Task:close()
  self:cancel()
end

Task.__close = Task.close

function Task:__tostring()
  return string.format("task (%s)", self.done and "ended" or "running")
end

-- ---- timers

local function seconds_of(call, value)
  local seconds, problem = require("luactr.units").time(value)
  return seconds or error(string.format("%s: %s", call, problem), 3)
end

--- A timer goes on after an error: a policy that failed once must not be gone.
local function tick(fn, task)
  local fine, err = xpcall(fn, require("luactr.raised").object, task)
  if not fine and err.code ~= "ECANCELED" then
    require("luactr.raised").report(err, "ctr.every")
  end
end

local function repeat_every(interval, fn, task)
  local now = require("luactr.core").sys.clock_gettime
  local due = now() + interval
  while true do
    poll.sleep(math.max(due - now(), 0))
    tick(fn, task)
    local late = math.ceil((now() - due) / interval)
    due = due + interval * math.max(1, late) -- those that are missed are left out
  end
end

--- Call a function again and again, for as long as the program does something else: it does not
--- keep it from ending. A call that takes longer than the interval is followed by the next in time.
---@param interval string|number "500ms" or seconds
---@param fn fun(timer: luactr.task)
---@return luactr.task timer timer:cancel() ends it
function M.every(interval, fn)
  check_function("every", fn)
  local seconds = seconds_of("every", interval)
  if seconds <= 0 then
    error("every: the interval has to be longer than 0", 2)
  end
  local task = { accompanies = true }
  return start(function() repeat_every(seconds, fn, task) end, task)
end

--- Call a function once, later.
---@param delay string|number "500ms" or seconds
---@param fn function
---@return luactr.task timer
function M.after(delay, fn)
  check_function("after", fn)
  local seconds = seconds_of("after", delay)
  return start(function()
    poll.sleep(seconds)
    return fn()
  end, {})
end

--- Wait without doing anything; in a task the others go on.
---@param time string|number "500ms" or seconds
function M.sleep(time)
  poll.sleep(seconds_of("sleep", time))
end

return M
