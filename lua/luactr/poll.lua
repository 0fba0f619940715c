--- Wait for descriptors. Alone, a program sleeps in poll(2); one that has several things to do
--- (luactr.loop) does the others meanwhile, and a task of it lets them.
local core = require "luactr.core"

local M = {}

---@class luactr.poll.entry
---@field fd? any handle or number
---@field events? string of "r", "w" and "p" (urgent); default "r"
---@field event? luactr.loop.event in place of a descriptor
---@field ready? boolean set by wait()

--- The loop, once something has loaded it.
---@type table?
M.loop = nil

--- Whether the loop is to take signals that would end the program, from its beginning on.
M.guarded = false

--- Whether anything else is to go on while somebody waits.
---@return boolean
function M.is_shared()
  return M.loop ~= nil and M.loop.is_busy()
end

--- Whether the caller is a task of the loop: one of several, which has no terminal of its own.
---@return boolean
function M.in_task()
  return M.loop ~= nil and M.loop.current() ~= nil
end

--- As core.supervise.poll: how many entries are ready, 0 after the time or a signal.
---@param entries luactr.poll.entry[]
---@param seconds? number
---@return integer? count
---@return string? message
---@return integer? errno
function M.wait(entries, seconds)
  if M.is_shared() then
    return M.loop.wait(entries, seconds)
  end
  return core.supervise.poll(entries, seconds)
end

---@param seconds number
function M.sleep(seconds)
  if M.is_shared() then
    M.loop.wait({}, seconds)
  else
    core.sys.nanosleep(seconds)
  end
end

--- Something has changed that others may wait for: wake them.
---@param event? luactr.loop.event
function M.tell(event)
  if event then
    event.fired = event.fired + 1
  end
end

--- What can be told: an entry { event = ... } is ready once it was told after the wait began.
---@class luactr.loop.event
---@return luactr.loop.event
function M.event()
  return { fired = 0 }
end

return M
