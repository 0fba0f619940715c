--- Removing files and directories with all that is below, by descriptor.
local sys <const> = require("luactr.core").sys

local M = {}

local PRIVATE_DIRECTORY <const> = 448 -- 0700
local DIRECTORY <const> = sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW

--- A directory that its owner may not look into is no hindrance to its owner.
local function open_directory(name, parent)
  local fd, message, errno = sys.open(name, DIRECTORY, 0, { dir = parent })
  if not fd and errno == sys.errno.EACCES then
    sys.chmod(name, PRIVATE_DIRECTORY, parent)
    fd, message, errno = sys.open(name, DIRECTORY, 0, { dir = parent })
  end
  return fd, message, errno
end

local empty

--- Remove what a name stands for, following no link.
---@param name string
---@param parent? luactr.fd of the directory that it is in
---@return boolean? done
---@return string? message
---@return integer? errno
function M.name(name, parent)
  if sys.unlink(name, parent) then
    return true
  end
  local fd <close> = open_directory(name, parent)
  if fd then
    empty(fd)
  end
  return sys.rmdir(name, parent)
end

function empty(directory)
  local may_write = false
  for _, found in ipairs(sys.readdir(directory) or {}) do
    if not M.name(found.name, directory) and not may_write then
      may_write = true
      sys.chmod(directory, PRIVATE_DIRECTORY)
      M.name(found.name, directory)
    end
  end
end

return M
