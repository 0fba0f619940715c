--- Namespaces, their id maps, and the names in the UTS namespace.

local core <const> = require("luactr.core").sys

---@alias luactr.process_id integer|luactr.child

---@class luactr.sys
local M = {}

--- Leave namespaces for new ones: CLONE_NEW* as "newns", "newuts", "newipc", "newpid" and
--- "newtime" (for children to come), "newnet", "newuser", "newcgroup". unshare(2)
---@type fun(flags: luactr.flags): true?, string?, integer?
M.unshare = core.unshare

--- Join the namespace of a descriptor of /proc/PID/ns/*, or those of a pidfd that the flags name.
--- setns(2)
---@type fun(fd: luactr.anyfd|luactr.child, flags?: luactr.flags): true?, string?, integer?
M.setns = core.setns

--- The user namespace that owns a namespace. EPERM: it is out of sight. ioctl_ns(2)
---@type fun(ns: luactr.anyfd): luactr.fd?, string?, integer?
M.ns_get_userns = core.ns_get_userns

--- The parent of a pid or user namespace. EINVAL for other types. ioctl_ns(2)
---@type fun(ns: luactr.anyfd): luactr.fd?, string?, integer?
M.ns_get_parent = core.ns_get_parent

--- The type of a namespace, as a CLONE_NEW* number. ENOTTY for other files. ioctl_ns(2)
---@type fun(ns: luactr.anyfd): integer?, string?, integer?
M.ns_get_nstype = core.ns_get_nstype

--- The user id that made a user namespace. EINVAL for other types. ioctl_ns(2)
---@type fun(ns: luactr.anyfd): integer?, string?, integer?
M.ns_get_owner_uid = core.ns_get_owner_uid

--- Set the host name of this UTS namespace. EINVAL: longer than 64 bytes. sethostname(2)
---@type fun(name: string): true?, string?, integer?
M.sethostname = core.sethostname

--- The host name. gethostname(2)
---@type fun(): string?, string?, integer?
M.gethostname = core.gethostname

--- Set the NIS domain name of this UTS namespace. setdomainname(2)
---@type fun(name: string): true?, string?, integer?
M.setdomainname = core.setdomainname

--- The NIS domain name. getdomainname(2)
---@type fun(): string?, string?, integer?
M.getdomainname = core.getdomainname

---@param process luactr.process_id?
---@param file string
local function proc_path(process, file)
  local pid = process or "self"
  if type(pid) == "userdata" then
    pid = pid:pid()
  end
  return ("/proc/%s/%s"):format(pid, file)
end

--- What tells a namespace from others: the inode of /proc/PID/ns/TYPE, where the type is "mnt",
--- "uts", "ipc", "pid", "net", "user", "cgroup" or "time". namespaces(7)
---@param type string
---@param process? luactr.process_id
---@return integer? inode
---@return string? message
---@return integer? errno
function M.ns_id(type, process)
  local stat, message, errno = core.stat(proc_path(process, "ns/" .. type))
  if not stat then
    return nil, message, errno
  end
  return stat.ino
end

local function write_proc(process, file, text)
  local fd <close>, message, errno = core.open(proc_path(process, file), "wronly")
  if not fd then
    return nil, message, errno
  end
  local written
  written, message, errno = fd:write(text)
  if not written then
    return nil, message, errno
  end
  return true
end

local function write_map(process, file, map)
  local lines = {}
  for i, range in ipairs(map) do
    lines[i] = ("%d %d %d\n"):format(range[1], range[2], range[3])
  end
  return write_proc(process, file, table.concat(lines))
end

--- Map user ids of the user namespace of `process`, once: `map` is a list of ranges { first
--- inside, first outside, count }. EPERM: needs CAP_SETUID outside, unless the one range maps the
--- caller's own id. user_namespaces(7)
---@param process luactr.process_id?
---@param map integer[][]
---@return true? done
---@return string? message
---@return integer? errno
function M.uid_map(process, map)
  return write_map(process, "uid_map", map)
end

--- The same for group ids. Without CAP_SETGID outside, `setgroups_policy(process, "deny")` comes
--- first. user_namespaces(7)
---@param process luactr.process_id?
---@param map integer[][]
---@return true? done
---@return string? message
---@return integer? errno
function M.gid_map(process, map)
  return write_map(process, "gid_map", map)
end

--- Whether processes of the user namespace of `process` may call setgroups. user_namespaces(7)
---@param process luactr.process_id?
---@param policy "allow"|"deny"
---@return true? done
---@return string? message
---@return integer? errno
function M.setgroups_policy(process, policy)
  return write_proc(process, "setgroups", policy)
end

return M
