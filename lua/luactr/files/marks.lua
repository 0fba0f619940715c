--- What stands for something that is not there, made in a layer that an overlay will show: names
--- that hide those below, and directories that do.
local below = require "luactr.files.below"
local layers = require "luactr.files.layers"

local sys <const> = require("luactr.core").sys
local failure <const> = below.failure

local M = {}

local PRIVATE_DIRECTORY <const> = 448 -- 0700

--- Put a directory where one below was deleted: it does not show what that had.
---@param parent luactr.fd
---@param name string
---@return boolean done
function M.revive(parent, name)
  local stat = sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, parent)
  if not stat or not layers.is_whiteout(stat) or not sys.unlink(name, parent)
    or not sys.mkdir(name, PRIVATE_DIRECTORY, parent) then
    return false
  end
  local fd <close> = below.open(parent, name, name)
  return fd ~= nil and layers.make_opaque(fd) or false
end

local REMEDIES <const> = {
  [sys.errno.EOPNOTSUPP] = "an image store on a file system with extended attributes",
}

--- A directory that does not show what those below have.
---@param fd luactr.fd
---@param path string for errors
---@return boolean? done
---@return luactr.error?
function M.opaque(fd, path)
  local done, _, errno = layers.make_opaque(fd)
  if not done then
    local remedy = REMEDIES[errno]
    return failure(path, errno,
      remedy and "the file system keeps no mark on a directory that hides those below", remedy)
  end
  return true
end

--- A name that is not to be seen in what is below. What this layer has by that name stays.
---@param parent luactr.fd
---@param entry luactr.files.entry
---@param name string
---@return boolean? done
---@return luactr.error?
function M.whiteout(_, parent, entry, name)
  local stat = sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, parent)
  if stat and stat.type == "directory" then
    local fd <close>, err = below.open(parent, name, entry.path)
    return fd and M.opaque(fd, entry.path), err
  elseif stat then
    return true
  end
  local done, _, errno = layers.make_whiteout(name, parent)
  if not done then
    return failure(entry.path, errno)
  end
  return true
end

return M
