--- Directories below one that may be hostile: each component is opened below the one before it, and
--- never through a link.
local inside = require "luactr.files.inside"

local sys <const> = require("luactr.core").sys

local M = {}

--- nil, and the error of what cannot be written.
---@param path string
---@param errno integer
---@param cause? string
---@param remedy? string
function M.failure(path, errno, cause, remedy)
  return nil, require("luactr.error").new {
    op = "write", path = path, errno = errno, cause = cause, checked = cause ~= nil,
    remedy = remedy, message = "cannot write " .. path,
  }
end

local failure <const> = M.failure

local NOT_A_DIRECTORY <const> = {
  symlink = "%s is a symbolic link, and nothing is written through one",
  file = "%s is a file, and what is copied has a directory there",
}

--- Why a name cannot be entered.
local function no_way(parent, name, path, errno)
  local stat = sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, parent)
  local cause = stat and NOT_A_DIRECTORY[stat.type]
  return failure(path, errno, cause and cause:format(path))
end

--- A directory by its name in another.
---@param parent luactr.fd
---@param name string
---@param path string for errors
---@return luactr.fd?
---@return luactr.error?
function M.open(parent, name, path)
  local flags <const> = sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW
  local fd, _, errno = sys.open(name, flags, nil, { dir = parent })
  if not fd then
    return no_way(parent, name, path, errno)
  end
  local system = inside.kernels_own(fd)
  if system then
    fd:close()
    return failure(path, sys.errno.EPERM, path .. " is on " .. system
      .. ": what is written there is a command to the kernel")
  end
  return fd
end

--- The directory that has the last of some components.
---@param top luactr.fd
---@param parts string[]
---@param path string for errors
---@return luactr.fd? fd `top` itself when there is one component
---@return luactr.error?
function M.parent(top, parts, path)
  local parent = top
  for i = 1, #parts - 1 do
    local below, err = M.open(parent, parts[i], path)
    if parent ~= top then
      parent:close()
    end
    if not below then
      return nil, err
    end
    parent = below
  end
  return parent
end

return M
