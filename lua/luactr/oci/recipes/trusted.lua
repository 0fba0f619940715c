--- Files of the administrator's: none but root can have written them, or put them where they are.
--- Each is opened first and looked at then, so that what was looked at is what is read.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local OTHERS_WRITE <const> = 18 -- 0022
local STICKY <const> = 512 -- 01000
local LONGEST <const> = 1 << 20
local NONBLOCK <const> = 2048 -- a FIFO is not waited for

local function failure(path, errno, cause, remedy)
  return nil, require("luactr.error").new {
    code = not errno and "EPERM" or nil, errno = errno or sys.errno.EPERM, op = "open", path = path,
    message = "cannot use " .. path, cause = cause, checked = cause ~= nil, remedy = remedy,
  }
end

-- In a user namespace that root of the host is no part of, its files seem to be those of nobody.
local function owners()
  local map <close> = io.open("/proc/self/uid_map")
  local nobody <close> = io.open("/proc/sys/kernel/overflowuid")
  local whole = not map or map:read("a"):match("^%s*0%s+0%s+4294967295%s*$") ~= nil
  return { [0] = true, [not whole and nobody and nobody:read("n") or 0] = true }
end

--- Why somebody else could have written it; nothing if nobody could.
local function complaint(stat, allowed)
  if not allowed[stat.uid] then
    return string.format("it belongs to user %d, not to root", stat.uid)
  elseif stat.mode & OTHERS_WRITE ~= 0 and not (stat.type == "directory"
    and stat.mode & STICKY ~= 0) then
    return string.format("others than root may write to it (mode %04o)", stat.mode)
  end
end

local REMEDY <const> = "chown root:root and chmod go-w, after a look at who has written what"

--- A directory in which somebody may rename things is as good as one that he may write to.
local function check_above(directory, path, allowed)
  local child, above = sys.stat(directory), sys.open("..", "path", 0, { dir = directory })
  while above do
    local here <close> = above
    local stat = sys.stat(here)
    if stat.ino == child.ino and stat.dev == child.dev then
      return true
    end
    local cause = complaint(stat, allowed)
    if cause then
      return failure(path, nil, "of a directory above it: " .. cause, REMEDY)
    end
    child, above = stat, sys.open("..", "path", 0, { dir = here })
  end
  return true
end

---@class luactr.oci.trusted a directory that is open
---@field path string
---@field fd luactr.fd
---@field owners table<integer, boolean>
local Directory = {}
Directory.__index = Directory

function Directory:close()
  self.fd:close()
end

Directory.__close = Directory.close

--- Open a directory of root's.
---@param path string
---@return luactr.oci.trusted? directory nil, and no error, where there is none
---@return luactr.error? err
function M.open(path)
  local fd, _, errno = sys.open(path, { "rdonly", "directory" })
  if not fd then
    if errno == sys.errno.ENOENT then
      return nil
    end
    return failure(path, errno)
  end
  local self <const> = setmetatable({ path = path, fd = fd, owners = owners() }, Directory)
  local stat = sys.stat(fd)
  local cause = stat.mode & STICKY ~= 0 and stat.mode & OTHERS_WRITE ~= 0
    and "others than root may put files there" or complaint(stat, self.owners)
  local fine, err
  if cause then
    fine, err = failure(path, nil, cause, REMEDY)
  else
    fine, err = check_above(fd, path, self.owners)
  end
  if not fine then
    self:close()
    return nil, err
  end
  return self
end

--- The names in it that end as Lua files do, in their order. Hidden ones are an editor's.
---@return string[]
function Directory:names()
  local names = {}
  for _, entry in ipairs(sys.readdir(self.fd) or {}) do
    if entry.name:find("^[^.].*%.lua$") then
      names[#names + 1] = entry.name
    end
  end
  table.sort(names)
  return names
end

--- Read one of them, whole.
---@param name string
---@return string? text
---@return luactr.error? err code ENOENT if there is none
function Directory:read(name)
  local path = self.path .. "/" .. name
  local file <close>, _, errno = sys.open(name,
    sys.O_RDONLY | sys.O_NOFOLLOW | NONBLOCK, 0, { dir = self.fd })
  if not file then
    local is_link = errno == sys.errno.ELOOP or nil
    return failure(path, errno, is_link and "it is a symbolic link, and where that leads others "
      .. "may decide", is_link and "a copy of the file")
  end
  local stat = sys.stat(file)
  local cause = stat.type ~= "file" and "it is no file but a " .. stat.type
    or complaint(stat, self.owners)
  if cause then
    return failure(path, nil, cause, stat.type == "file" and REMEDY or nil)
  elseif stat.size > LONGEST then
    return failure(path, sys.errno.EFBIG)
  end
  local text = ""
  repeat
    local part, _, problem = file:read(LONGEST)
    if not part then
      return failure(path, problem)
    end
    text = text .. part
  until part == ""
  return text
end

return M
