--- Disk quotas of directories, by project quotas (ext4, xfs): all that is in a directory belongs to
--- a project of its own, and the kernel limits what a project uses.
---
--- Project and limits stay with the directory, as its files do; the next start finds them there.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

-- Projects of luactr; /etc/projid names low numbers.
local FIRST <const> = 0x6c750000
local COUNT <const> = 0x10000

-- ---- why not

local function action(path)
  return "limit the disk space of " .. path
end

--- The mount that an open file is on, from /proc.
local function mount_of(fd)
  local info <close> = io.open("/proc/self/fdinfo/" .. fd:fileno())
  local id = info and info:read("a"):match("mnt_id:%s*(%d+)")
  local mounts <close> = id and io.open("/proc/self/mountinfo")
  for line in mounts and mounts:lines() or function() end do
    local point, type, source = line:match("^" .. id .. " %d+ %S+ %S+ (%S+) .- %- (%S+) (%S+)")
    if point then
      return { point = point, type = type, source = source }
    end
  end
  return { point = "?", type = "its file system", source = "?" }
end

-- What turns project quotas on, for each file system that has them.
local REMEDIES <const> = {
  ext4 = "tune2fs -O project,quota -Q prjquota {source} while it is not mounted, then mount it "
    .. "with the option prjquota",
  xfs = "mount it with the option pquota",
  f2fs = "mount it with the option prjquota",
}

local function refusal(fd, path, errno)
  local mount = mount_of(fd)
  local remedy = REMEDIES[mount.type]
  local cause = remedy and "the %s at %s (%s) is mounted without project quotas"
    or "%s, which is at %s (%s), has no project quotas"
  return {
    op = "quota", path = path, errno = errno, checked = true, action = action(path),
    cause = cause:format(mount.type, mount.point, mount.source),
    remedy = remedy and remedy:gsub("{source}", mount.source) or "a directory on ext4 or xfs",
  }
end

local function failure(path, message, errno)
  local call = message:match("^([%w_]+)")
  return { op = "quota", path = path, errno = errno,
    action = string.format("%s (%s)", action(path), call) }
end

-- ---- the project of a directory

local function is_ours(id)
  return id >= FIRST and id < FIRST + COUNT
end

--- A project that no file belongs to. Whoever looks holds the lock, until the directory has it.
local function free_project(fd)
  for id = FIRST, FIRST + COUNT - 1 do
    local quota, message, errno = sys.project_quota(fd, id)
    if not quota and errno ~= sys.errno.ENOENT then
      return nil, message, errno
    elseif not quota or quota.used_inodes == 0 then
      return id
    end
  end
  return nil, "project_quota: no project is free", sys.errno.EDQUOT
end

local OPEN <const> = {
  directory = { "directory", "nofollow" }, file = { "nofollow", "nonblock", "noctty" },
}

--- Give all that is in a directory to a project, by descriptors: names inside may be links.
local function give(dir, id, device)
  local done, message, errno = sys.set_project(dir, id, true)
  if not done then
    return nil, message, errno
  end
  for _, entry in ipairs(sys.readdir(dir) or {}) do
    local how = OPEN[entry.type]
    local fd <close> = how and sys.open(entry.name, how, nil, { dir = dir })
    local stat = fd and sys.stat(fd)
    if stat and stat.dev == device and stat.type == entry.type then
      if stat.type == "directory" then
        done, message, errno = give(fd, id, device)
      else
        done, message, errno = sys.set_project(fd, id)
      end
      if not done then
        return nil, message, errno
      end
    end
  end
  return true
end

local function project_of(fd)
  local id, inherited = sys.project(fd)
  if id and is_ours(id) and inherited then
    return id
  end
  local message, errno
  id, message, errno = free_project(fd)
  if not id then
    return nil, message, errno
  end
  local done
  done, message, errno = give(fd, id, sys.stat(fd).dev)
  return done and id, message, errno
end

local function limit(fd, path, quota)
  if not sys.project(fd) then
    return refusal(fd, path, sys.errno.EOPNOTSUPP)
  end
  local known, _, errno = sys.project_quota(fd, FIRST)
  if not known and errno ~= sys.errno.ENOENT then
    return refusal(fd, path, sys.errno.EOPNOTSUPP)
  end
  local id, message
  id, message, errno = project_of(fd)
  if id then
    local done
    done, message, errno = sys.set_project_quota(fd, id, quota.size, quota.inodes)
    return not done and failure(path, message, errno) or nil
  end
  return failure(path, message, errno)
end

-- ---- all of a container

local PAUSE <const> = 0.005 -- seconds

--- One luactr at a time looks for a project.
local function lock(host)
  local path = host.state_dir .. "/projects"
  local file, message, errno = sys.open(path, { "creat", "rdwr", "nofollow" }, "0600")
  while file and not core.supervise.lock(file) do
    sys.nanosleep(PAUSE)
  end
  return file, message, errno
end

--- Set the quotas of a plan.
---@param quotas table[] of luactr.spec.quota
---@param host luactr.host
---@return true? done
---@return table? fields of an error
function M.set(quotas, host)
  local held <close>, message, errno = lock(host)
  if not held then
    return nil, failure(host.state_dir, message, errno)
  end
  for _, quota in ipairs(quotas) do
    local path = quota.path
    local fd <close>, why, number = sys.open(path, { "directory", "rdonly" })
    if not fd then
      return nil, failure(path, why, number)
    end
    local problem = limit(fd, path, quota)
    if problem then
      problem.from = quota.from
      return nil, problem
    end
  end
  return true
end

return M
