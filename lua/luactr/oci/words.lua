--- What who calls says besides the bundle: the id, descriptors to hand on, where the terminal goes.
local check = require "luactr.check"
local sys <const> = require("luactr.core").sys
local values = require "luactr.spec.values"

local M = {}

local CLOEXEC <const> = 524288 -- O_CLOEXEC: set on all that luactr opens, and on nothing after exec

local function mistake(message)
  return nil, require("luactr.error").new { code = "EUSAGE", op = "oci", message = message }
end

--- An id that is none is no mistake of the bundle's.
---@param id string
---@return boolean? fine
---@return luactr.error? code "ESPEC"
function M.check_id(id)
  local problems = check.problems()
  problems:check(values.name, id, "the container's id")
  if #problems == 0 then
    return true
  end
  return nil, require("luactr.error").new { code = "ESPEC", message = "the id is wrong",
    problems = table.move(problems, 1, #problems, 1, {}) }
end

local function closes_on_exec(number)
  local file <close> = sys.open("/proc/self/fdinfo/" .. number)
  local flags = (file and file:read(256) or ""):match("flags:%s*([0-7]+)")
  return flags ~= nil and tonumber(flags, 8) & CLOEXEC ~= 0
end

--- Whether luactr was started with so many descriptors from 3 on. What was closed then has by now
--- the number of something of luactr's own: its log, a directory of the host.
---@param count integer?
---@param message string of an error
---@return boolean? fine
---@return luactr.error? code "EUSAGE", or "EBADF" when one of them is closed
function M.check_preserved(count, message)
  count = count or 0
  if count < 0 then
    return mistake(string.format("--preserve-fds: a number from 0 on expected, got %d", count))
  end
  for number = 3, 2 + count do
    if not sys.stat(number) or closes_on_exec(number) then
      return nil, require("luactr.error").new {
        code = "EBADF", errno = sys.errno.EBADF, op = "open", path = "fd " .. number,
        message = message, action = string.format("take the fd %d (--preserve-fds %d)", number,
          count), cause = "it is closed", checked = true,
      }
    end
  end
  return true
end

--- Who is not waited for needs somebody who has its terminal: it would hang up at once.
---@param box luactr.container
---@param request luactr.oci.creation
---@return boolean? fine
---@return luactr.error? code "EUSAGE"
function M.check_console(box, request)
  if box.spec.tty == true and not (request.foreground or request.console_socket or request.raw) then
    return mistake "process.terminal needs --console-socket: who is to have the terminal?"
  end
  return true
end

return M
