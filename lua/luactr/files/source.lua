--- A tree of files as a stream of entries: what copies, archives and comparisons read.
---
--- The tree may be hostile and may change meanwhile. Each file is opened as a place first, looked
--- at by descriptor, and only then for its data: no link is followed, no device or FIFO opened.
local attributes = require "luactr.files.attributes"
local ids = require "luactr.files.ids"
local inside = require "luactr.files.inside"
local layers = require "luactr.files.layers"

local sys <const> = require("luactr.core").sys

local M = {}

---@class luactr.files.entry
---@field path string relative, "." for the top
---@field type "file"|"directory"|"symlink"|"link"|"char"|"block"|"fifo"
---@field link? string text of a symlink; the path of a hard link's first name
---@field mode integer permission bits, with set-id and sticky
---@field uid integer
---@field gid integer
---@field mtime integer nanoseconds since the epoch
---@field size? integer bytes of a file
---@field major? integer of a device
---@field minor? integer
---@field xattrs? table<string, string>
---@field parts? { offset: integer, size: integer }[] what of a sparse file is data; none: all
---@field fd? luactr.fd of a file that is read, until the next entry
---@field opaque? boolean of a layer's directory: it hides those below
---@field is_mount? boolean something is mounted here

---@class luactr.files.source_options
---@field layer? boolean it is one of an overlay: ACLs are kept, and marks on directories told of
---@field name? string of the top, "." if not given: its files have no prefix then
---@field one_filesystem? boolean what is mounted below is empty
---@field ids? luactr.files.ids of the container that the tree belongs to
---@field shallow? boolean the top alone, without what is in it
---@field links? table<string, string> of files with several names the first, if several sources
---  are parts of one tree
---@field notice? fun(path: string, why: string) told of what is left out

---@class luactr.files.source
local Source = { __name = "luactr.files.source" }
Source.__index = Source

local function failure(path, _, errno)
  return nil, require("luactr.error").new {
    op = "read", path = path, errno = errno, message = "cannot read " .. path,
  }
end

-- ---- one file

local SKIPPED <const> = { socket = "it is a socket", unknown = "it is of an unknown type" }

-- How what has data or entries is opened.
local OPENED <const> = {
  file = sys.O_RDONLY | sys.O_NONBLOCK | sys.O_NOCTTY,
  directory = sys.O_RDONLY | sys.O_DIRECTORY,
}

local function linked(self, entry, stat)
  local key = stat.type == "file" and stat.nlink > 1 and stat.dev .. ":" .. stat.ino
  local first = key and self.seen[key] or nil
  if first then
    entry.type, entry.link = "link", first
  elseif key then
    self.seen[key] = entry.path
  end
  return first ~= nil
end

--- An entry of what is at a place. nil alone: it is left out.
local function describe(self, place, path, stat)
  local entry = {
    path = path, type = stat.type, mode = stat.mode, mtime = stat.mtime_ns,
    uid = ids.inside(self.ids, "uid", stat.uid), gid = ids.inside(self.ids, "gid", stat.gid),
    is_mount = stat.mount_root or nil,
  }
  if linked(self, entry, stat) then
    return entry
  elseif stat.type == "symlink" then
    entry.link = sys.readlink("", place)
    return entry
  elseif stat.type == "char" or stat.type == "block" then
    entry.major, entry.minor = sys.splitdev(stat.rdev)
  end
  if not OPENED[stat.type] then
    return entry
  end
  local fd, message, errno = inside.reopen(place, OPENED[stat.type])
  if not fd then
    return failure(path, message, errno)
  end
  entry.size = stat.type == "file" and stat.size or nil
  entry.fd, entry.xattrs = fd, attributes.read(fd, self.layer)
  entry.opaque = self.layer and stat.type == "directory" and layers.is_opaque(fd) or nil
  return entry
end

-- ---- the walk

local function by_name(a, b)
  return a.name < b.name
end

--- Go into a directory with the next entries.
local function enter(self, entry)
  local prefix = entry.path == "." and "" or entry.path .. "/"
  local list, message, errno = sys.readdir(entry.fd)
  if not list then
    return failure(entry.path, message, errno)
  end
  table.sort(list, by_name)
  self.stack[#self.stack + 1] = { fd = entry.fd, list = list, at = 0, prefix = prefix }
  entry.fd = nil
  return true
end

--- A file system of the kernel's, or any other where one alone is wanted, is an empty directory.
local function is_foreign(self, entry)
  if not entry.is_mount or #self.stack == 0 then
    return false
  end
  local what = inside.kernels_own(entry.fd)
  if what and not self.one_filesystem then
    self.notice(entry.path, what .. " is mounted there")
  end
  return what ~= nil or self.one_filesystem
end

local function finish_entry(self, entry)
  local foreign = entry.fd and is_foreign(self, entry)
  if entry.type == "directory" and not foreign and not self.shallow then
    return enter(self, entry)
  elseif foreign then
    entry.size = entry.type == "file" and 0 or nil
    entry.mtime = 0 -- of the mount, which is as old as the container
    entry.fd:close()
    entry.fd = nil
  end
  return true
end

--- The entry at a place; nil, and whether that is an error.
local function visit(self, place, path)
  local stat, message, errno = sys.stat(place)
  if not stat then
    return failure(path, message, errno)
  elseif SKIPPED[stat.type] then
    self.notice(path, SKIPPED[stat.type])
    return nil
  end
  local entry, err = describe(self, place, path, stat)
  if not entry then
    return nil, err
  end
  local done
  self.current = entry -- which close() has to know of
  done, err = finish_entry(self, entry)
  return done and entry or nil, err
end

--- The next name on the stack: where it is, and its path.
local function step(self)
  while #self.stack > 0 do
    local top = self.stack[#self.stack]
    top.at = top.at + 1
    local found = top.list[top.at]
    if found then
      return top, found.name
    end
    top.fd:close()
    self.stack[#self.stack] = nil
  end
end

--- The next entry, parents before what is in them, in the order of names; nil at the end.
---@return luactr.files.entry?
---@return luactr.error?
function Source:next()
  if self.current and self.current.fd then
    self.current.fd:close()
  end
  self.current = nil
  if self.top then
    local place <close> = self.top
    self.top = nil
    local entry, err = visit(self, place, self.name)
    if entry or err then
      return entry, err
    end
  end
  while true do
    local directory, name = step(self)
    if not directory then
      return nil
    end
    local path = directory.prefix .. name
    local place <close>, message, errno =
      sys.open(name, sys.O_PATH | sys.O_NOFOLLOW, nil, { dir = directory.fd })
    if place then
      local entry, err = visit(self, place, path)
      if entry or err then
        return entry, err
      end
    elseif errno ~= sys.errno.ENOENT then -- else it has just been removed
      return failure(path, message, errno)
    end
  end
end

-- ---- data

local CHUNK <const> = 1 << 24 -- between two of these a signal can come

local function copy_range(from, to, start, stop)
  sys.lseek(from, start)
  sys.lseek(to, start)
  while start < stop do
    local count, message, errno = sys.sendfile(to, from, math.min(stop - start, CHUNK))
    if not count then
      return nil, message, errno
    elseif count == 0 then
      return true, true
    end
    start = start + count
  end
  return true, false
end

--- The data of the current entry into an empty file, holes as holes.
---@param to luactr.fd
---@return boolean? done
---@return string? message
---@return integer? errno
function Source:copy(to)
  local from, size = self.current.fd, self.current.size
  local at = from and size > 0 and 0 or size
  while at < size do
    local start, _, errno = sys.lseek(from, at, "data")
    if not start and errno == sys.errno.ENXIO then
      break
    end
    start = math.min(start or at, size)
    local stop = math.min(start < size and sys.lseek(from, start, "hole") or size, size)
    local done, message
    done, message, errno = copy_range(from, to, start, stop)
    if not done then
      return nil, message, errno
    elseif message then
      self.notice(self.current.path, "it became shorter while it was read")
      break
    end
    at = stop
  end
  return sys.ftruncate(to, size)
end

--- Idempotent.
function Source:close()
  if self.top then
    self.top:close()
  end
  if self.current and self.current.fd then
    self.current.fd:close()
  end
  for _, level in ipairs(self.stack) do
    level.fd:close()
  end
  self.top, self.current, self.stack = nil, nil, {}
end

Source.__close = Source.close
Source.__gc = Source.close

--- A file or directory with all that is in it.
---@param place luactr.fd of the top, given away; a place (O_PATH) is enough
---@param options? luactr.files.source_options
---@return luactr.files.source
function M.open(place, options)
  options = options or {}
  return setmetatable({
    top = place, name = options.name or ".", stack = {}, seen = options.links or {},
    ids = options.ids, one_filesystem = options.one_filesystem or false,
    shallow = options.shallow or false, layer = options.layer or false,
    notice = options.notice or function() end,
  }, Source)
end

return M
