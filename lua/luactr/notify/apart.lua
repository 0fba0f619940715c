--- Handlers of a container that nobody watches over: a process of their own calls them, until no
--- process has the filter any more. It owns nothing else: killed, the calls fail with ENOSYS.
local apart = require "luactr.container.apart"
local core = require "luactr.core"
local notify_module = require "luactr.notify"

local sys <const> = core.sys

local M = {}

local PRIVATE <const> = 384 -- 0600

--- What handlers print, and what is wrong with them, is for who looks for it.
local function open_log(path)
  local flags <const> = sys.O_WRONLY | sys.O_CREAT | sys.O_APPEND | sys.O_NOFOLLOW
  return sys.open(path, flags, PRIVATE)
end

local function complain(errors)
  for i, err in ipairs(errors) do
    io.stderr:write(err.call, ": ", err.message, "\n")
    errors[i] = nil
  end
end

local function serve(fd, handlers, log)
  apart.let_go(fd, log)
  apart.settle_in()
  for number = 1, 2 do
    sys.dup2(log, number)
  end
  local notify <close> = notify_module.new(fd, handlers)
  while notify.fd do
    core.supervise.poll { { fd = notify.fd, events = "r" } }
    notify:serve()
    complain(notify.errors)
  end
  return 0
end

--- Begin to answer.
---@param fd luactr.fd the listener; becomes that process's
---@param handlers table<string, function>
---@param path string of a file for what they print
---@return boolean? done
---@return string? message
---@return integer? errno
function M.begin(fd, handlers, path)
  local listener <close> = fd
  local log <close>, message, errno = open_log(path)
  if not log then
    return nil, message, errno
  end
  return apart.fork(function() return serve(listener, handlers, log) end)
end

return M
