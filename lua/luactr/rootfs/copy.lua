--- Copies a tree of files into a directory that a container may have written in before.
---
--- Such a directory is hostile: each component is opened below the one before it and never through
--- a symbolic link, so that a link left behind cannot lead the copy out of it.
local sys = require("luactr.core").sys

local M = {}

local CHUNK <const> = 1 << 20
local NEW <const> = ".luactr-new"
local TRIES <const> = 2 -- a leftover of a copy that was killed is removed once

local function failure(path, message, errno)
  return nil, { op = "rootfs.host", path = path, errno = errno, cause = message,
    message = "cannot copy the host's programs" }
end

local function lstat(name, dir)
  return sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, dir)
end

local function open_directory(name, dir)
  return sys.open(name, { "directory", "nofollow" }, nil, { dir = dir })
end

local function make_directory(name, mode, dir)
  sys.mkdir(name, mode, dir)
  local fd, message, errno = open_directory(name, dir)
  if not fd then
    return nil, message, errno
  end
  sys.chmod(fd, mode) -- mkdir's was cut by the umask
  return fd
end

local function make_link(name, text, dir)
  if sys.readlink(name, dir) == text then
    return true
  end
  sys.unlink(name, dir)
  return sys.symlink(text, name, dir)
end

-- As make does: a copy that is as long and not older is up to date.
local function is_current(name, dir, source)
  local copy = lstat(name, dir)
  return copy ~= nil and copy.type == "file" and copy.size == source.size
    and copy.mode == source.mode and copy.mtime >= source.mtime
end

local function transfer(from, to)
  while true do
    local bytes, message, errno = sys.read(from, CHUNK)
    if not bytes then
      return nil, message, errno
    elseif bytes == "" then
      return true
    end
    local position = 1
    while position <= #bytes do
      local written
      written, message, errno = sys.write(to, position == 1 and bytes or bytes:sub(position))
      if not written then
        return nil, message, errno
      end
      position = position + written
    end
  end
end

local function create_new(name, dir)
  local fd, message, errno
  for _ = 1, TRIES do
    fd, message, errno = sys.open(name .. NEW, { "wronly", "creat", "excl" }, 384, { dir = dir })
    if fd then
      return fd
    end
    sys.unlink(name .. NEW, dir)
  end
  return nil, message, errno
end

-- Written beside and renamed: nobody ever sees half a program.
local function copy_file(name, dir, path)
  local from <close>, message, errno = sys.open(path, { "rdonly", "nofollow" })
  if not from then
    return nil, message, errno
  end
  local source = sys.stat(from)
  if is_current(name, dir, source) then
    return true
  end
  local to <close>, to_message, to_errno = create_new(name, dir)
  if not to then
    return nil, to_message, to_errno
  end
  local ok
  ok, message, errno = transfer(from, to)
  if ok then
    sys.chown(to, source.uid, source.gid) -- only root may; others keep their own
    ok, message, errno = sys.chmod(to, source.mode)
  end
  if ok then
    ok, message, errno = sys.rename(name .. NEW, name, dir)
  end
  if not ok then
    sys.unlink(name .. NEW, dir)
  end
  return ok, message, errno
end

local copy_any

local function copy_directory(name, dir, path, mode)
  local fd <close>, message, errno = make_directory(name, mode, dir)
  if not fd then
    return nil, message, errno
  end
  local entries
  entries, message, errno = sys.readdir(path)
  if not entries then
    return nil, message, errno
  end
  for _, entry in ipairs(entries) do
    local ok
    ok, message, errno = copy_any(entry.name, fd, path .. "/" .. entry.name)
    if not ok then
      return nil, message, errno
    end
  end
  return true
end

-- Files of any kind that a program's data may have. Sockets, fifos and devices are not data.
function copy_any(name, dir, path)
  local stat, message, errno = lstat(path)
  if not stat then
    return nil, message, errno
  elseif stat.type == "directory" then
    return copy_directory(name, dir, path, stat.mode)
  elseif stat.type == "symlink" then
    return make_link(name, sys.readlink(path), dir)
  elseif stat.type == "file" then
    return copy_file(name, dir, path)
  end
  return true
end

local COPY <const> = {
  link = function(name, entry, dir)
    return make_link(name, entry.link, dir)
  end,
  file = function(name, entry, dir)
    return copy_file(name, dir, entry.source)
  end,
  subtree = function(name, entry, dir)
    return copy_any(name, dir, entry.source)
  end,
}

local function split(path)
  return path:match("^(.*)/([^/]*)$")
end

-- Make one entry below the directories that are open already, and keep it open if it is one.
local function place(item, open)
  local above, name = split(item.path)
  local entry, dir = item.entry, open[above]
  if entry.kind ~= "dir" then
    return COPY[entry.kind](name, entry, dir)
  end
  local fd, message, errno = make_directory(name, entry.mode, dir)
  open[item.path] = fd
  return fd, message, errno
end

local function make_parents(path)
  for position in path:gmatch("()/") do
    if position > 1 then
      sys.mkdir(path:sub(1, position - 1), 493)
    end
  end
  sys.mkdir(path, 493)
end

--- Copy a tree's list into a directory, which is made if it is missing.
---@param directory string
---@param list { path: string, entry: luactr.rootfs.entry }[] parents first
---@return true? ok nil, fields of an error object
function M.into(directory, list)
  make_parents(directory)
  local base, message, errno = open_directory(directory)
  if not base then
    return failure(directory, message, errno)
  end
  local open <close> = setmetatable({ [""] = base }, {
    __close = function(self)
      for _, fd in pairs(self) do
        fd:close()
      end
    end,
  })
  for _, item in ipairs(list) do
    local ok
    ok, message, errno = place(item, open)
    if not ok then
      return failure(directory .. item.path, message, errno)
    end
  end
  return true
end

return M
