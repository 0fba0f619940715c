--- Entries become files below a directory: what extracting and copying write to.
---
--- The directory may be hostile, and so may the entries. Each component is opened below the one
--- before it and never through a link, so that nothing leads outside, whoever changes what
--- meanwhile. A file is made beside its place under a name of its own and renamed: nobody sees half
--- of it, and what had the name before is replaced, not written to.
local below = require "luactr.files.below"
local inside = require "luactr.files.inside"
local layers = require "luactr.files.layers"
local make = require "luactr.files.make"
local marks = require "luactr.files.marks"

local sys <const> = require("luactr.core").sys
local failure <const> = below.failure

local M = {}

---@class luactr.files.target_options
---@field owner? { uid: integer, gid: integer } of all files, as the host has it
---@field ids? luactr.files.ids without `owner`: of the container that the entries' owners belong to
---@field keep? boolean directories that are there already become as the entries have them
---@field privileges? boolean set-id bits and file capabilities are kept
---@field top? boolean an entry for the directory itself counts
---@field devices? boolean device nodes are made; otherwise they are left out
---@field acls? boolean access control lists are kept
---@field replace? boolean a file takes the place of a directory, and the other way round
---@field unseen? boolean nobody looks before all is done, and a failure takes all away: what is new
---  is made in its place
---@field follow? boolean links on the way are followed, as in the root that the directory is
---@field limits? luactr.files.limits
---@field notice? fun(path: string, why: string) told of what is left out

---@class luactr.files.limits
---@field entries? integer
---@field bytes? integer of all files, holes included
---@field depth? integer of directories

-- Nobody has trees like that, and each directory on the way is an open descriptor.
local LIMITS <const> = { entries = 1 << 24, bytes = 1 << 46, depth = 256 }

local PRIVATE_DIRECTORY <const> = 448 -- 0700
local IMPLIED_DIRECTORY <const> = 493 -- 0755

---@class luactr.files.target
local Target = { __name = "luactr.files.target" }
Target.__index = Target

-- ---- directories

local function pop(self)
  local top = self.stack[#self.stack]
  if top then
    top.fd:close()
    self.stack[#self.stack] = nil
  end
end

--- A directory by its name in another; through a link if that is wanted, but not out of the top.
local function open_directory(self, parent, name, path)
  local fd, err = below.open(parent, name, path)
  local stat = not fd and self.follow and sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, parent)
  if stat and stat.type == "symlink" then
    local _, errno
    fd, _, errno = inside.open(self.fd, path, sys.O_RDONLY | sys.O_DIRECTORY)
    if not fd then
      return failure(path, errno, path .. " is a symbolic link that leads to no directory")
    end
  end
  return fd, err
end

--- The directory that has the last of these components; those on the way are made.
local function directory_of(self, parts)
  local depth = #parts - 1
  local same = 0
  while same < depth and self.stack[same + 1] and self.stack[same + 1].name == parts[same + 1] do
    same = same + 1
  end
  while #self.stack > same do
    pop(self)
  end
  local parent = same > 0 and self.stack[same].fd or self.fd
  for i = same + 1, depth do
    local path = table.concat(parts, "/", 1, i)
    if sys.mkdir(parts[i], PRIVATE_DIRECTORY, parent) or marks.revive(parent, parts[i]) then
      self.implied[path] = true
    end
    local fd, err = open_directory(self, parent, parts[i], path)
    if not fd then
      return nil, err
    elseif self.implied[path] then
      sys.chmod(fd, IMPLIED_DIRECTORY)
      self.implied[path] = nil
    end
    self.stack[i] = { name = parts[i], fd = fd }
    parent = fd
  end
  return parent
end

-- ---- directories get their times last: what is put into them changes those

--- Make a directory, if need be in the place of something else.
local function take_place(self, parent, name)
  local made, message, errno = sys.mkdir(name, PRIVATE_DIRECTORY, parent)
  local stat = errno == sys.errno.EEXIST and self.replace
    and sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, parent)
  if not stat or stat.type == "directory" then
    return made, message, errno
  elseif layers.is_whiteout(stat) then
    return marks.revive(parent, name), message, errno
  end
  sys.unlink(name, parent)
  return sys.mkdir(name, PRIVATE_DIRECTORY, parent)
end

local function remember(self, fd, entry)
  local stat = sys.stat(fd)
  self.later[#self.later + 1] = { path = entry.path, mtime = entry.mtime, dev = stat.dev,
    ino = stat.ino, acl = self.acls and entry.xattrs and entry.xattrs[make.DEFAULT_ACL] or nil }
end

local function make_directory(self, parent, entry, name)
  local made, _, errno = take_place(self, parent, name)
  if not made and errno ~= sys.errno.EEXIST then
    return failure(entry.path, errno)
  end
  local fd <close>, err = below.open(parent, name, entry.path)
  if not fd then
    return nil, err
  elseif not made and not self.keep then
    return true
  end
  local owner
  owner, err = make.owner(self, entry)
  local done = owner
  if owner then
    done, err = make.attributes(self, fd, entry, owner)
  end
  remember(self, fd, entry)
  return done and true or nil, err
end

--- A directory that does not show what those below have.
local function make_opaque(self, entry, parts)
  parts[#parts + 1] = "."
  local fd, err = directory_of(self, parts)
  return fd and marks.opaque(fd, entry.path), err
end

--- The top itself is there already.
local function put_top(self, entry)
  if entry.type ~= "directory" then
    return failure(entry.path, sys.errno.ENOTDIR,
      "an entry for the directory itself is a " .. entry.type)
  elseif not self.top then
    return true
  end
  local owner, err = make.owner(self, entry)
  if not owner then
    return nil, err
  end
  remember(self, self.fd, entry)
  return make.attributes(self, self.fd, entry, owner)
end

-- ---- use

local HOW <const> = { directory = make_directory, whiteout = marks.whiteout }

--- What exceeds the limits; nil when nothing does.
local function excess(self, entry, depth)
  local limits = self.limits
  self.entries, self.bytes = self.entries + 1, self.bytes + math.max(entry.size or 0, 0)
  if self.entries > limits.entries then
    return "more than " .. limits.entries .. " files"
  elseif self.bytes > limits.bytes or self.bytes < 0 then
    return "more than " .. limits.bytes .. " bytes of files"
  elseif depth > limits.depth then
    return "directories deeper than " .. limits.depth
  end
end

--- Make what an entry says.
---@param entry luactr.files.entry
---@param source luactr.files.source|luactr.files.reader that the entry is the current one of
---@return boolean? done
---@return luactr.error?
function Target:put(entry, source)
  local parts = inside.components(entry.path)
  if not parts then
    return failure(entry.path, sys.errno.EXDEV, "its name leads out of what is written to")
  end
  local too_much = excess(self, entry, #parts)
  if too_much then
    return failure(entry.path, sys.errno.E2BIG, "there are " .. too_much)
  elseif entry.type == "opaque" then
    return make_opaque(self, entry, parts)
  elseif #parts == 0 then
    return put_top(self, entry)
  elseif not make.knows(entry.type) and not HOW[entry.type] then
    return failure(entry.path, sys.errno.EINVAL, "it is of an unknown type")
  end
  local dir, err = directory_of(self, parts)
  if not dir then
    return nil, err
  end
  self.source = source
  return (HOW[entry.type] or make.file)(self, dir, entry, parts[#parts])
end

--- All entries of a source, then finish.
---@param source luactr.files.source|luactr.files.reader
---@return boolean? done
---@return luactr.error?
function Target:put_all(source)
  while true do
    local entry, err = source:next()
    local done = entry
    if entry then
      done, err = self:put(entry, source)
    end
    if err then
      return nil, err
    elseif not done then
      return self:finish()
    end
  end
end

--- A directory that was made, if that is still in its place.
local function open_again(self, known)
  local parts = inside.components(known.path)
  local parent = below.parent(self.fd, parts, known.path)
  local fd = parent and (#parts == 0 and sys.open(".", "directory", nil, { dir = self.fd })
    or below.open(parent, parts[#parts], known.path))
  if parent and parent ~= self.fd then
    parent:close()
  end
  return fd
end

--- Give directories their times.
---@return boolean done
function Target:finish()
  while #self.stack > 0 do
    pop(self)
  end
  for i = #self.later, 1, -1 do
    local known = self.later[i]
    local fd <close> = open_again(self, known)
    local stat = fd and sys.stat(fd)
    if stat and stat.dev == known.dev and stat.ino == known.ino then
      if known.acl then
        sys.setxattr(fd, make.DEFAULT_ACL, known.acl)
      end
      sys.utimens(fd, nil, known.mtime)
    end
  end
  self.later = {}
  return true
end

--- Idempotent.
function Target:close()
  while #self.stack > 0 do
    pop(self)
  end
end

Target.__close = Target.close

local function token()
  local file <close> = assert(sys.open("/dev/urandom", sys.O_RDONLY))
  return (file:read(6):gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

--- Write below a directory.
---@param fd luactr.fd open for reading; it stays the caller's
---@param options? luactr.files.target_options
---@return luactr.files.target
function M.open(fd, options)
  options = options or {}
  local limits = setmetatable({}, { __index = LIMITS })
  for name, limit in pairs(options.limits or {}) do
    limits[name] = limit
  end
  return setmetatable({
    fd = fd, stack = {}, later = {}, implied = {}, count = 0, entries = 0, bytes = 0,
    token = token(), limits = limits, owner = options.owner, ids = options.ids,
    keep = options.keep or false, privileges = options.privileges or false,
    devices = options.devices or false, top = options.top or false,
    acls = options.acls or false, replace = options.replace or false,
    follow = options.follow or false, unseen = options.unseen or false,
    notice = options.notice or function() end,
  }, Target)
end

return M
