--- A directory of the image store in which something is made, before it is renamed into its place.
local disk = require "luactr.image.store.disk"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

---@class luactr.image.stage
---@field path string
---@field fd luactr.fd of the directory, locked as long as it is in use
local Stage = { __name = "luactr.image.stage" }
Stage.__index = Stage

--- Remove it with all that is in it. Idempotent; a fork of the owner leaves it to the owner.
function Stage:close()
  local fd = self.fd
  if fd and self.pid == sys.getpid() then
    self.fd = nil
    disk.remove(self.path)
    fd:close()
  end
end

Stage.__close = Stage.close
Stage.__gc = Stage.close

--- Names tell people whose they are; a lock tells luactr, since pids come again.
---@param root string
---@return luactr.image.stage?
---@return luactr.error?
function M.new(root)
  local start = core.supervise.start_time("self")
  local path = string.format("%s/tmp/%d-%d-%s", root, sys.getpid(), start, disk.token())
  local made, message, errno = sys.mkdir(path, disk.PRIVATE_DIRECTORY)
  if not made then
    return disk.failed(message, errno, "mkdir", path)
  end
  local fd
  fd, message, errno = sys.open(path, sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW)
  if not fd then
    sys.rmdir(path)
    return disk.failed(message, errno, "open", path)
  end
  core.supervise.lock(fd)
  return setmetatable({ path = path, fd = fd, pid = sys.getpid() }, Stage)
end

--- Stages whose makers are gone. For who holds the store's lock exclusively: a new one is not
--- locked yet.
---@param root string
---@return string[] paths
function M.dead(root)
  local found = {}
  for _, entry in ipairs(sys.readdir(root .. "/tmp") or {}) do
    local path = root .. "/tmp/" .. entry.name
    local fd <close> = sys.open(path, sys.O_RDONLY | sys.O_NOFOLLOW)
    if fd and core.supervise.lock(fd) then
      found[#found + 1] = path
    end
  end
  return found
end

return M
