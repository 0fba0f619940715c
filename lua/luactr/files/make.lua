--- Files of each type, made of entries: beside their place, with all attributes, then renamed.
local below = require "luactr.files.below"
local ids = require "luactr.files.ids"
local inside = require "luactr.files.inside"
local remove = require "luactr.files.remove"

local sys <const> = require("luactr.core").sys
local failure <const> = below.failure

local M = {}

local SETID <const> = tonumber("6000", 8)
local PRIVATE <const> = 384 -- 0600

-- ---- attributes

--- Owner as the host has it.
---@param self luactr.files.target
---@param entry luactr.files.entry
---@return { uid: integer, gid: integer }?
---@return luactr.error?
function M.owner(self, entry)
  if self.owner then
    return self.owner
  end
  local uid, gid = ids.outside(self.ids, "uid", entry.uid), ids.outside(self.ids, "gid", entry.gid)
  if uid and gid then
    return { uid = uid, gid = gid }
  end
  return failure(entry.path, sys.errno.EINVAL,
    string.format("%d:%d is no user and group of the container", entry.uid, entry.gid),
    "copy without -a: the files are root's then")
end

local function mode_of(self, entry)
  return self.privileges and entry.mode or entry.mode & ~SETID
end

M.DEFAULT_ACL = "system.posix_acl_default"
local ACCESS_ACL <const> = "system.posix_acl_access"

local function is_wanted(self, name)
  return name:sub(1, 5) == "user." and name:sub(1, 13) ~= "user.overlay."
    or name == "security.capability" and self.privileges
    or name == ACCESS_ACL and self.acls
end

--- Extended attributes that the file system does not take are told of. The ACL for new files in a
--- directory is given to it when they are there.
local function set_attributes(self, fd, entry)
  for name, value in pairs(entry.xattrs or {}) do
    if is_wanted(self, name) then
      local done, _, errno = sys.setxattr(fd, name, value)
      if not done then
        self.notice(entry.path, string.format("without the attribute %s: %s", name,
          sys.strerror(errno)))
      end
    end
  end
end

local function cannot_give(entry, errno)
  local is_user = errno == sys.errno.EPERM
  return failure(entry.path, errno,
    is_user and string.format("only the host's root gives files to %d:%d", entry.uid, entry.gid),
    is_user and "copy without -a" or nil)
end

--- Owner first: it takes set-id bits and capabilities away.
---@param self luactr.files.target
---@param fd luactr.fd
---@param entry luactr.files.entry
---@param owner { uid: integer, gid: integer }
---@return boolean? done
---@return luactr.error?
function M.attributes(self, fd, entry, owner)
  local done, _, errno = sys.chown(fd, owner.uid, owner.gid)
  if not done and not (self.owner and errno == sys.errno.EPERM) then
    return cannot_give(entry, errno)
  end
  set_attributes(self, fd, entry)
  done, _, errno = sys.chmod(fd, mode_of(self, entry))
  if done then
    done, _, errno = sys.utimens(fd, nil, entry.mtime)
  end
  if not done then
    return failure(entry.path, errno)
  end
  return true
end

--- Of what cannot be opened: a link, a FIFO, a device.
local function finish_name(self, dir, name, entry, owner)
  local done, _, errno = sys.chown(name, owner.uid, owner.gid, sys.AT_SYMLINK_NOFOLLOW, dir)
  if not done and not (self.owner and errno == sys.errno.EPERM) then
    return cannot_give(entry, errno)
  end
  sys.utimens(name, nil, entry.mtime, sys.AT_SYMLINK_NOFOLLOW, dir)
  return true
end

-- ---- files, by type: each is made under a temporary name

local MAKE = {}

function MAKE.file(self, dir, temporary, entry, owner)
  local flags <const> = sys.O_WRONLY | sys.O_CREAT | sys.O_EXCL | sys.O_NOFOLLOW
  local fd <close>, message, errno = sys.open(temporary, flags, PRIVATE, { dir = dir })
  if not fd then
    return failure(entry.path, errno)
  end
  local done = true
  if (entry.size or 0) > 0 then
    done, message, errno = self.source:copy(fd)
  end
  if not done then
    return failure(entry.path, errno, message:find("archive", 1, true) and message or nil)
  end
  return M.attributes(self, fd, entry, owner)
end

function MAKE.symlink(self, dir, temporary, entry, owner)
  local done, _, errno = sys.symlink(entry.link, temporary, dir)
  if not done then
    return failure(entry.path, errno)
  end
  return finish_name(self, dir, temporary, entry, owner)
end

local NODES <const> = { fifo = sys.S_IFIFO, char = sys.S_IFCHR, block = sys.S_IFBLK }

local function make_node(self, dir, temporary, entry, owner)
  if entry.type ~= "fifo" and not self.devices then
    self.notice(entry.path, "it is a device")
    return nil
  end
  local before <const> = sys.umask(0) -- no later chmod, which would follow a link
  local done, _, errno = sys.mknod(temporary, NODES[entry.type] | mode_of(self, entry),
    sys.makedev(entry.major or 0, entry.minor or 0), dir)
  sys.umask(before)
  if not done then
    return failure(entry.path, errno)
  end
  return finish_name(self, dir, temporary, entry, owner)
end

MAKE.fifo, MAKE.char, MAKE.block = make_node, make_node, make_node

--- The directory that has the last of some components, which are there.
function M.parent(self, parts, path)
  local fd, err = below.parent(self.fd, parts, path)
  if fd or not self.follow then
    return fd, err
  end
  fd = inside.open(self.fd, table.concat(parts, "/", 1, #parts - 1),
    sys.O_RDONLY | sys.O_DIRECTORY)
  return fd, not fd and err or nil
end

function MAKE.link(self, dir, temporary, entry)
  local parts = inside.components(entry.link)
  if not parts or #parts == 0 then
    return failure(entry.path, sys.errno.EXDEV,
      string.format("it is a hard link to %s, which is not among what is copied", entry.link))
  end
  local parent, err = M.parent(self, parts, entry.link)
  if not parent then
    return nil, err
  end
  local done, _, errno = sys.link(parts[#parts], temporary, parent, dir)
  if parent ~= self.fd then
    parent:close()
  end
  if not done then
    return failure(entry.path, errno, errno == sys.errno.ENOENT
      and string.format("it is a hard link to %s, which is not among what is copied", entry.link)
      or nil)
  end
  return true
end

local IN_THE_WAY <const> = {
  EISDIR = "there is a directory, and what is copied has a file",
  EBUSY = "something is mounted there",
}

local function put_in_place(self, dir, temporary, entry, name)
  local done, _, errno = sys.rename(temporary, name, dir)
  if not done and self.replace and errno == sys.errno.EISDIR then
    remove.name(name, dir)
    done, _, errno = sys.rename(temporary, name, dir)
  end
  sys.unlink(temporary, dir) -- two names of one file: then rename(2) leaves both
  if done then
    return true
  end
  return failure(entry.path, errno, IN_THE_WAY[sys.errname(errno)])
end

--- Make a file and put it where its name is.
---@param self luactr.files.target
---@param dir luactr.fd
---@param entry luactr.files.entry
---@param name string
---@return boolean? done
---@return luactr.error?
function M.file(self, dir, entry, name)
  local owner, err = M.owner(self, entry)
  if not owner then
    return nil, err
  end
  local done
  if self.unseen then
    done, err = MAKE[entry.type](self, dir, name, entry, owner)
    if done or not err or err.code ~= "EEXIST" then
      return done or not err or nil, err
    end
  end
  self.count = self.count + 1
  local temporary = string.format(".luactr-%s-%d", self.token, self.count)
  done, err = MAKE[entry.type](self, dir, temporary, entry, owner)
  if done then
    return put_in_place(self, dir, temporary, entry, name)
  end
  sys.unlink(temporary, dir)
  return not err or nil, err
end

--- Whether there is a way to make an entry.
---@param type string
---@return boolean
function M.knows(type)
  return MAKE[type] ~= nil
end

return M
