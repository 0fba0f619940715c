--- What rootfs.host asks the host's file system. Its callers take it as an argument, so that specs
--- can give them a file system made of tables.
local sys = require("luactr.core").sys

local M = {}

local MAX_READ <const> = 16 << 20 -- no table that a loader reads is near that

--- Facts of a path, of what a last symbolic link leads to; nil, message, errno.
M.stat = sys.stat
M.readlink = sys.readlink
M.getcwd = sys.getcwd

--- Facts of a path, of a last symbolic link itself.
function M.lstat(path)
  return sys.stat(path, sys.AT_SYMLINK_NOFOLLOW)
end

--- Names in a directory; an unreadable one has none.
function M.list(path)
  local names = {}
  for i, entry in ipairs(sys.readdir(path) or {}) do
    names[i] = entry.name
  end
  return names
end

--- The whole of a small file.
function M.read(path)
  local file <close>, message, errno = io.open(path, "rb")
  if not file then
    return nil, message, errno
  end
  return file:read(MAX_READ) or ""
end

--- Call `use(read)` with a function that reads bytes at an offset; its results are returned.
---@param path string a regular file: opening a fifo would wait for its writer
function M.with_reader(path, use)
  local file <close>, message, errno = io.open(path, "rb")
  if not file then
    return nil, message, errno
  end
  return use(function(offset, size)
    local inside = offset >= 0 and size > 0 and size <= MAX_READ and file:seek("set", offset)
    return inside and file:read(size) or nil
  end)
end

return M
