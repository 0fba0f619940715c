--- Locks of the image store, which the kernel drops with their holder, however that ends.
--
-- `lock` is held shared by whoever has the store open for writing or looks into it, and exclusively
-- by who collects garbage: what nobody refers to yet is safe until its maker has closed the store.
-- `names.lock` is held for the moment in which names change, so that an import never waits for
-- another.
local disk = require "luactr.image.store.disk"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local PRIVATE_FILE <const> = 384 -- 0600
local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 0.001, 0.05

-- ---- waiting

--- Who else has the file locked, for the error.
local function holders(file)
  local locks <close>, stat = io.open("/proc/locks"), sys.stat(file)
  local pids = {}
  for line in locks and stat and locks:lines() or function() end do
    local pid, inode = line:match("FLOCK[^\n]* (%d+) %x+:%x+:(%d+) ")
    if pid and math.tointeger(tonumber(inode)) == stat.ino and tonumber(pid) ~= sys.getpid() then
      pids[#pids + 1] = pid
    end
  end
  return pids
end

local function busy(file, path)
  local pids = holders(file)
  return disk.refused {
    code = "EBUSY", op = "flock", path = path, message = "the image store is in use",
    cause = #pids > 0 and "process " .. table.concat(pids, ", ") .. " works with it"
      or "somebody else works with it", checked = #pids > 0,
    remedy = "try again when that has ended",
  }
end

--- Not a call that blocks: nothing would be left of a deadline, or of the tasks of a program.
local function acquire(file, path, kind, patience)
  local deadline = sys.clock_gettime() + patience
  local pause = FIRST_PAUSE
  while true do
    local done, message, errno = core.supervise.lock(file, kind)
    if done then
      return true
    elseif errno ~= sys.errno.EAGAIN then
      return disk.failed(message, errno, "flock", path)
    elseif sys.clock_gettime() >= deadline then
      return busy(file, path)
    end
    sys.nanosleep(pause)
    pause = math.min(pause * 1.5, LONGEST_PAUSE)
  end
end

-- ---- a lock

---@class luactr.image.lock
---@field path string
---@field file? luactr.fd nil where there is no file to lock, in a store that cannot be written to
local Lock = { __name = "luactr.image.lock" }
Lock.__index = Lock

--- Lock it, or change the kind of the lock. A lock that cannot be changed is lost.
---@param kind "shared"|"exclusive"
---@param patience number seconds
---@return boolean? done
---@return luactr.error? code "EBUSY"
function Lock:take(kind, patience)
  if not self.file then
    return true
  end
  return acquire(self.file, self.path, kind, patience)
end

function Lock:drop()
  if self.file then
    core.supervise.lock(self.file, "none")
  end
end

--- Idempotent.
function Lock:close()
  if self.file then
    self.file:close()
    self.file = nil
  end
end

Lock.__close = Lock.close
Lock.__gc = Lock.close

--- Open a lock's file.
---@param path string
---@param write boolean it is made where there is none
---@return luactr.image.lock?
---@return luactr.error?
function M.open(path, write)
  local flags = write and sys.O_RDWR | sys.O_CREAT or sys.O_RDONLY
  local file, message, errno = sys.open(path, flags | sys.O_NOFOLLOW, PRIVATE_FILE)
  if not file and (write or errno ~= sys.errno.ENOENT) then
    return disk.failed(message, errno, "open", path)
  end
  return setmetatable({ path = path, file = file }, Lock)
end

return M
