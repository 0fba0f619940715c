--- Processes of luactr that stay when the command which has forked them ends: for functions of a
--- recipe that are called later.
local core = require "luactr.core"
local poll = require "luactr.poll"

local sys <const> = core.sys

local M = {}

-- In the fork, whose own fork is nobody's child.
local function leave(main)
  sys.setsid()
  local done, message = sys.clone({}, main)
  return done and 0 or nil, message
end

--- Have a function run in a process that is in a session of its own and nobody's child.
---@param main fun(): integer
---@return boolean? done
---@return string? message
---@return integer? errno
function M.fork(main)
  local child <close>, message, errno = sys.clone({}, leave, main)
  if not child then
    return nil, message, errno
  end
  child:wait()
  return true
end

--- In there: all descriptors but these mean /dev/null. What was a pipe or lock of others is so no
--- more, and the handles of the recipe and of luactr close nothing else by their numbers.
---@param ... luactr.fd
function M.let_go(...)
  local kept = {}
  for _, fd in ipairs { ... } do
    kept[fd:fileno()] = true
  end
  local null <close> = assert(sys.open("/dev/null", sys.O_RDWR))
  for _, entry in ipairs(assert(sys.readdir("/proc/self/fd"))) do
    local number = math.tointeger(tonumber(entry.name))
    if not kept[number] and number ~= null:fileno() then
      sys.dup2(null, number)
    end
  end
end

--- And what it inherits of the program that it was.
function M.settle_in()
  sys.process_name("luactr-calls")
  poll.guarded = false
  require("luactr.loop").forget()
  io.stdout:setvbuf("line")
end

return M
