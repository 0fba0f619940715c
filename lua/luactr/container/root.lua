--- The root of a container as a descriptor, seen from outside: while it runs, by its PID 1, with
--- all that is mounted in it; and of one that has ended, as far as its root outlives it.
---
--- Nothing of luactr enters the container for that: paths are resolved by luactr.files.inside, from
--- this descriptor on.
local core = require "luactr.core"
local ids = require "luactr.files.ids"

local sys <const> = core.sys

local M = {}

---@class luactr.container.root
---@field fd luactr.fd a place (O_PATH)
---@field ids? luactr.files.ids of its users, where they are not the host's
---@field upper? string of an overlay, where the container's own files are
---@field close fun(self)

---@class luactr.container.subject what is known of a container
---@field id string
---@field host luactr.host
---@field process? { pid: integer, start: integer } its PID 1 while it runs
---@field kept? luactr.rootfs.kept what its root is
---@field ids? luactr.files.ids when it has ended
---@field copied? table<string, string> what was in a root of copies at the start
---@field memory? luactr.fd of the tmpfs that it writes to
---@field owner? { pid: integer, start: integer } the process that holds such a one

local Root = { __index = { close = function(self) self.fd:close() end } }
Root.__close = Root.__index.close

--- nil, and the error of what cannot be done with a container's files.
---@param subject luactr.container.subject
function M.failure(subject, what, fields)
  fields.op, fields.checked = what, fields.checked ~= false
  fields.errno = fields.errno or sys.errno[fields.code]
  fields.action = fields.path and "at " .. fields.path
  fields.message = string.format("cannot %s %q", what, subject.id)
  return nil, require("luactr.error").new(fields)
end

-- ---- while it runs

local function read_map(pid, name)
  local file <close> = sys.open(string.format("/proc/%d/%s", pid, name), sys.O_RDONLY)
  return file and ids.parse(file:read(1 << 16) or "")
end

--- Of the container's users, as we have them.
local function live_ids(pid)
  local uid, gid = read_map(pid, "uid_map"), read_map(pid, "gid_map")
  local all <const> = { { inside = 0, outside = 0, count = 1 << 32 } }
  return (uid or gid) and { uid = uid or all, gid = gid or all } or nil
end

local function is_ours(fd)
  local theirs, own = sys.stat(fd), sys.stat("/")
  return theirs.ino == own.ino and theirs.dev == own.dev and theirs.mnt_id == own.mnt_id
end

local function open_live(subject, what)
  local process = subject.process
  local pidfd <close> = require("luactr.container.found").open_process(process)
  local fd, _, errno = sys.open(string.format("/proc/%d/root", process.pid),
    sys.O_PATH | sys.O_DIRECTORY)
  local mapped = fd and live_ids(process.pid)
  -- The number can be another process's by now; then what was opened is not the container's.
  local alive = pidfd and require("luactr.state").start_time(process.pid) == process.start
  if not alive or errno == sys.errno.ENOENT then
    if fd then
      fd:close()
    end
    return M.failure(subject, what, { code = "ESRCH", cause = "it has just ended" })
  elseif not fd then
    return M.failure(subject, what, { errno = errno, path = "its root", checked = false,
      cause = "luactr may not look into the process" })
  elseif not sys.stat(fd) then -- of a program that serves a user namespace
    fd:close()
    return M.failure(subject, what, { code = "EACCES",
      cause = "fuse-overlayfs serves its root to its own users only",
      remedy = "from inside, by `luactr exec`" })
  elseif is_ours(fd) then
    fd:close()
    return M.failure(subject, what, { code = "ENOTSUP",
      cause = "it has no root of its own: its files are the host's" })
  end
  return setmetatable({ fd = fd, ids = mapped }, Root)
end

-- ---- when it has ended

local KEPT = {}

function KEPT.directory(subject, kept)
  local path = kept.inside
    and string.format("%s/containers/%s/%s", subject.host.state_dir, subject.id, kept.inside)
    or kept.path
  local fd, _, errno = sys.open(path, sys.O_PATH | sys.O_DIRECTORY)
  return fd, { errno = errno, path = path, cause = "its root was " .. path }
end

local function configure(context, layers)
  local done, message, errno = true, nil, nil
  local function set(key, value)
    if done then
      done, message, errno = sys.fsconfig(context, "set_string", key, value)
    end
  end
  local lower = {}
  for i, path in ipairs(layers.lower) do
    lower[i] = path:gsub("[\\:]", "\\%0")
  end
  set("lowerdir", table.concat(lower, ":"))
  if layers.upper then
    set("upperdir", layers.upper)
    set("workdir", layers.work)
  end
  if done and layers.userxattr then
    done, message, errno = sys.fsconfig(context, "set_flag", "userxattr")
  end
  if done then
    done, message, errno = sys.fsconfig(context, "cmd_create")
  end
  return done, message, errno
end

--- The layers once more as one tree, mounted nowhere.
---@param layers { lower: string[], upper?: string, work?: string, userxattr?: boolean }
---@return luactr.fd? fd
---@return string? message
---@return integer? errno
function M.mount_layers(layers)
  local context <close>, message, errno = sys.fsopen("overlay")
  local done = context
  if done then
    done, message, errno = configure(context, layers)
  end
  if not done then
    return nil, message, errno
  end
  return sys.fsmount(context, { "nodev", "nosuid" })
end

function KEPT.overlay(_, kept)
  local fd, _, errno = M.mount_layers(kept)
  return fd, { errno = errno, path = kept.upper, checked = false,
    cause = errno == sys.errno.EPERM and "luactr may not mount its layers again on this host"
      or "its layers cannot be mounted again" }
end

local GONE <const> = {
  memory = "its root was in memory, and is gone with it",
  none = "it has no root of its own: its files are the host's",
}

local function open_kept(subject, what)
  local kept = subject.kept
  if not kept then
    return M.failure(subject, what, { code = "ESRCH", cause = "it is not running" })
  elseif GONE[kept.kind] then
    return M.failure(subject, what, { code = kept.kind == "none" and "ENOTSUP" or "ENOENT",
      cause = GONE[kept.kind] })
  end
  local fd, fields = KEPT[kept.kind](subject, kept)
  if not fd then
    return M.failure(subject, what, fields)
  end
  return setmetatable({ fd = fd, ids = subject.ids }, Root)
end

---@param subject luactr.container.subject
---@param what string "export"
---@return luactr.container.root?
---@return luactr.error?
function M.open(subject, what)
  return (subject.process and open_live or open_kept)(subject, what)
end

-- ---- writing as its root

local function restore(caps, uid, gid)
  sys.setfsgid(gid)
  sys.setfsuid(uid)
  sys.capset(caps)
end

--- Call with new files being those of the container's root: in a user namespace of its own the
--- host's root has no id that its file systems could store.
---@param root luactr.container.root
---@param act fun(): any, any
function M.as_its_root(root, act)
  if not root.ids or sys.geteuid() ~= 0 then
    return act()
  end
  local caps = sys.capget()
  local uid = ids.outside(root.ids, "uid", 0) or root.ids.uid[1].outside
  local gid = ids.outside(root.ids, "gid", 0) or root.ids.gid[1].outside
  local old_gid, old_uid = sys.setfsgid(gid), sys.setfsuid(uid)
  local _ <close> = setmetatable({}, { __close = function()
    restore(caps, old_uid or 0, old_gid or 0)
  end })
  sys.capset(caps) -- those over files left with root's id
  return act()
end

return M
