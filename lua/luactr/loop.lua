--- The loop of a program that has several things to do: who waits for what, and whose turn it is.
--
-- The engine is poll(2) over what all wait for, not libuv's, for three reasons. A file or /dev/null
-- as a stream cannot be in an epoll set, a descriptor that is closed under libuv ends the process,
-- and two tasks may wait for one descriptor. lua-luv is a guest: once a recipe has loaded it, its
-- loop is one more descriptor here, so that its sockets, timers and processes go on beside
-- containers.
local core = require "luactr.core"
local poll = require "luactr.poll"

local M = {}

local now <const> = core.sys.clock_gettime

-- ---- tasks: see luactr.loop.task

local tasks <const> = setmetatable({}, { __mode = "k" }) -- by coroutine
local live = {} -- the tasks that have not ended, oldest first

---@param task luactr.task
function M.add(task)
  tasks[task.thread] = task
  live[#live + 1] = task
end

---@param task luactr.task
function M.remove(task)
  tasks[task.thread] = nil
  for i, other in ipairs(live) do
    if other == task then
      table.remove(live, i)
      return
    end
  end
end

--- The task that calls this; nil in the main program, and in a coroutine of the recipe's own.
---@return luactr.task?
function M.current()
  return tasks[coroutine.running()]
end

---@return boolean
function M.is_busy()
  return #live > 0 or M.guest() ~= nil
end

local function unfinished()
  for _, task in ipairs(live) do
    if not task.accompanies then
      return true
    end
  end
  return M.guest() ~= nil
end

-- ---- lua-luv as a guest

local inside_guest = false -- libuv's loop calls none of itself

--- The recipe's lua-luv, if it has something to do.
function M.guest()
  local luv = not inside_guest and package.loaded.luv
  return luv and luv.loop_alive() and luv or nil
end

local function serve_guest(luv)
  local _ <close> = setmetatable({}, { __close = function() inside_guest = false end })
  inside_guest = true
  luv.run("nowait")
end

-- ---- signals: those that would end the program close its containers first

local ENDING <const> = { "HUP", "INT", "QUIT", "TERM" }

local guard -- { signals =, fd =, act = function(number)? }
local interruption -- the error object, once there was a signal that nobody takes

--- From now on until unguard() a signal that would end the program raises an error where the main
--- program waits; `act` may take it instead.
---@param act? fun(number: integer): boolean? taken
function M.guard(act)
  if guard then
    guard.act = act
    return
  end
  local numbers = {}
  for i, name in ipairs(ENDING) do
    numbers[i] = core.sys.signals[name]
  end
  local signals = core.supervise.signals(numbers)
  guard = signals and { signals = signals, fd = signals:fileno(), events = "r", act = act }
end

function M.unguard()
  if guard then
    guard.signals:close()
    guard = nil
  end
end

local function take_signal()
  local number = guard.signals:read()
  if number and not (guard.act and guard.act(number)) then
    interruption = require("luactr.error").new {
      code = "EINTR", op = "wait", signal = number,
      message = "ended by SIG" .. core.sys.signame(number),
    }
  end
end

-- ---- who waits

---@class luactr.loop.waiter
---@field entries luactr.poll.entry[]
---@field deadline? number
---@field task? luactr.task nil: a wait that cannot yield
---@field woken? boolean
---@field count? integer entries that are ready
---@field place? integer among those that wait
local Waiter = {}
Waiter.__index = Waiter

local waiters = {} -- in the order in which they began

--- However the wait ends.
function Waiter:__close()
  for i, waiter in ipairs(waiters) do
    if waiter == self then
      table.remove(waiters, i)
      return
    end
  end
end

local function new_waiter(entries, seconds, task)
  for _, entry in ipairs(entries) do
    entry.ready = false
    if entry.event then
      entry.seen = entry.event.fired
    end
  end
  local waiter = setmetatable({ entries = entries, deadline = seconds and now() + seconds,
    task = task }, Waiter)
  waiters[#waiters + 1] = waiter
  return waiter
end

--- Who was told of something is not asked for its descriptors any more: they may be closed.
local function was_told(waiter)
  local told = false
  for _, entry in ipairs(waiter.entries) do
    if entry.event then
      entry.ready = entry.event.fired ~= entry.seen
      told = told or entry.ready
    end
  end
  return told
end

--- What to poll for, and the time of the first deadline.
local function collect()
  local entries, due = { guard }, nil
  for _, waiter in ipairs(waiters) do
    if was_told(waiter) or waiter.task and waiter.task.cancelled then
      due = 0
    else
      for _, entry in ipairs(waiter.entries) do
        entries[#entries + 1] = entry.fd and entry or nil
      end
      local deadline = waiter.deadline
      due = deadline and math.min(due or deadline, deadline) or due
    end
  end
  return entries, due
end

local function deadlock()
  return require("luactr.error").new {
    code = "EDEADLK", errno = core.sys.errno.EDEADLK, op = "wait",
    message = "all tasks wait for each other, and nothing can wake one",
  }
end

local function sleep_until_ready()
  local entries, due = collect()
  local guest = M.guest()
  if guest then
    guest.update_time()
    local milliseconds = guest.backend_timeout()
    local deadline = milliseconds >= 0 and now() + milliseconds / 1000
    due = deadline and math.min(due or deadline, deadline) or due
    entries[#entries + 1] = { fd = guest.backend_fd() }
  elseif not due and #entries == (guard and 1 or 0) then
    error(deadlock(), 0)
  end
  local count, message, errno = core.supervise.poll(entries, due and math.max(due - now(), 0))
  if not count then
    error(require("luactr.error").from_sys(message, errno, "poll"), 0)
  end
  if guard and guard.ready then
    take_signal()
  end
  if guest then
    serve_guest(guest)
  end
end

local function count_ready(waiter)
  local count = 0
  for _, entry in ipairs(waiter.entries) do
    count = count + (entry.ready and 1 or 0)
  end
  return count
end

--- Whose wait is over: for something, as they began, then for a time, by the time.
local function wake()
  local woken, late, time = {}, {}, now()
  for i, waiter in ipairs(waiters) do
    waiter.count, waiter.place = count_ready(waiter), i
    if waiter.count > 0 or waiter.task and waiter.task.cancelled then
      woken[#woken + 1] = waiter
    elseif waiter.deadline and time >= waiter.deadline then
      late[#late + 1] = waiter
    end
  end
  table.sort(late, function(a, b)
    return a.deadline < b.deadline or a.deadline == b.deadline and a.place < b.place
  end)
  table.move(late, 1, #late, #woken + 1, woken)
  for _, waiter in ipairs(woken) do
    waiter.woken = true
  end
  return woken
end

--- Let time pass until somebody can go on, and let them.
local function turn()
  if not interruption then
    sleep_until_ready()
  end
  if interruption then
    local err = interruption
    interruption = M.current() and err or nil -- not done with it before the main program knows
    error(err, 0)
  end
  for _, waiter in ipairs(wake()) do
    local task = waiter.task
    if task and coroutine.status(task.thread) == "suspended" then
      coroutine.resume(task.thread)
    end
  end
end

-- ---- waiting

--- As luactr.poll.wait. A task yields; who cannot (the main program, a coroutine of the recipe's
--- own, a function that C calls) lets the others run from here.
---@param entries luactr.poll.entry[]
---@param seconds? number
---@return integer count
function M.wait(entries, seconds)
  local task = M.current()
  local yields = task and not task.closing and coroutine.isyieldable()
  local waiter <close> = new_waiter(entries, seconds, yields and task or nil)
  while not waiter.woken do
    if yields then
      coroutine.yield()
    else
      turn()
    end
  end
  if yields and task.cancelled then
    error(task.cancelled, 0)
  end
  return waiter.count
end

--- Until every task has ended but those that accompany others (ctr.every), and lua-luv is done.
function M.run()
  while unfinished() do
    turn()
  end
end

--- Cancel every task, the newest first.
function M.close()
  for i = #live, 1, -1 do
    if live[i] then
      live[i]:cancel()
    end
  end
end

--- In a fork: the tasks, their timers and lua-luv's descriptors are those of the other process.
function M.forget()
  for thread in pairs(tasks) do
    tasks[thread] = nil
  end
  live, waiters, interruption = {}, {}, nil
  inside_guest = package.loaded.luv ~= nil -- libuv ends a process whose descriptors are others
  M.unguard()
end

poll.loop = M
if poll.guarded then
  M.guard()
end

return M
