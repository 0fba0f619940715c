--- A command in a container that nobody of luactr's waits for: once its init has left it is this
--- process's own child, and then that of whoever adopts the children of this process.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

---@class luactr.left
---@field pid integer the host's
---@field pidfd luactr.fd
local Left = {}
Left.__index = Left

--- End and reap it, unless it was released. Idempotent.
function Left:close()
  if self.pidfd and not self.released then
    sys.pidfd_send_signal(self.pidfd, sys.signals.KILL)
    sys.waitid(self.pidfd)
  end
  if self.pidfd then
    self.pidfd:close()
    self.pidfd = nil
  end
end

Left.__close = Left.close

--- From now on it outlives this process.
function Left:release()
  self.released = true
  return self
end

--- The pid that a pidfd means, in procfs's view.
local function pid_of(pidfd)
  local file <close> = io.open("/proc/self/fdinfo/" .. pidfd:fileno())
  return file and math.tointeger(tonumber(file:read("a"):match("Pid:%s*(%d+)")))
end

---@param pidfd luactr.fd becomes its own
---@return luactr.left
function M.new(pidfd)
  return setmetatable({ pidfd = pidfd, pid = pid_of(pidfd) }, Left)
end

return M
