--- Mounts that luactr opens for a container with users of its own: detached copies, whose files
--- have the users that a map gives them.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

-- ---- a user namespace that is there for its maps alone

local function meet(process)
  local event, _, errno = process:launch()
  return event == "rendezvous", errno
end

--- A descriptor of a new user namespace with these maps.
---@param maps luactr.idmap.maps
---@return luactr.fd? fd
---@return table? failure fields of an error
local function user_namespace(maps)
  local wait <const> = { op = "rendezvous", number = core.plan.rendezvous.id_maps }
  local process <close>, message, errno =
    core.spawn { plan = core.plan.encode({ wait }, {}), flags = sys.CLONE_NEWUSER, fds = {} }
  if not process then
    return nil, { op = "clone", errno = errno, action = message:match("^(.*): ") }
  end
  local met
  met, errno = meet(process)
  if not met then
    return nil, { op = "clone", errno = errno or sys.errno.EPROTO, action = "prepare an id map" }
  end
  local done, failure = require("luactr.idmap.write").maps(process:pid(), maps)
  if not done then
    return nil, failure
  end
  local path = string.format("/proc/%d/ns/user", process:pid())
  local fd
  fd, message, errno = sys.open(path, sys.O_RDONLY)
  return fd, not fd and { op = "open", path = path, errno = errno,
    action = message:match("^(.*): ") } or nil
end

-- ---- mapping

-- The type of the file system at a path, as mountinfo has it.
local function type_of(path)
  local stat = sys.stat(path)
  local mounts <close> = stat and stat.mnt_id and io.open("/proc/self/mountinfo")
  for line in mounts and mounts:lines() or function() end do
    if math.tointeger(line:match("^%d+")) == stat.mnt_id then
      return line:match(" %- (%S+)")
    end
  end
  return "its file system"
end

local CAUSES <const> = {
  EINVAL = "%s takes no id maps in this kernel, or something that is mounted below does not",
  EPERM = "%s belongs to another user namespace, or is mounted with an id map already",
  ENOSYS = "the kernel is older than Linux 5.12, which %s would need",
}

local function why(tree, errno)
  local cause = CAUSES[sys.errname(errno)] or "%s refuses it"
  return cause:format(type_of(tree.source))
end

--- A directory whose files have the container's users already, since they were changed on disk.
local function is_shifted(fd, maps)
  local stat = sys.stat(fd)
  return stat ~= nil and stat.uid ~= 0 and stat.uid == maps.uid[1].outside
end

--- As much as the file system does: all of the tree, or its top alone.
local function set_map(tree, fd, namespace)
  local whole = tree.whole and tree.recursive
  local done, _, errno = sys.mount_setattr(fd, { userns = namespace, recursive = whole })
  if not done and whole and tree.lenient then
    done = sys.mount_setattr(fd, { userns = namespace })
  end
  return done, errno
end

---@return true|string|nil done true: its files have the container's users
local function apply_map(tree, fd, maps, run)
  if tree.lenient and is_shifted(fd, maps) then
    return "not needed"
  end
  local namespace <close>, failure = user_namespace(maps)
  if not namespace then
    return nil, failure
  end
  local done, errno = set_map(tree, fd, namespace)
  if done then
    return true
  elseif tree.lenient then
    run:warn { string.format("the files of %s belong to nobody in the container: %s", tree.source,
      why(tree, errno)) }
    return "not possible"
  end
  return nil, { op = "mount_setattr", path = tree.source, errno = errno, checked = true,
    action = "map the users of " .. tree.source, cause = why(tree, errno),
    remedy = "change the owners of a copy (chown), or leave idmap out" }
end

-- ---- opening

local UNOPENED <const> = {
  ENOENT = "there is no %s on this host",
  ENOTDIR = "a part of %s is no directory",
  ENOSYS = "the kernel is older than Linux 5.12, so luactr cannot open %s for another root",
}

local function clone(tree)
  local flags = { "clone" }
  flags[#flags + 1] = tree.recursive and "recursive" or nil
  flags[#flags + 1] = tree.nofollow and "symlink_nofollow" or nil
  flags[#flags + 1] = tree.fd and "empty_path" or nil
  local fd, message, errno = sys.open_tree(tree.fd and "" or tree.source, flags, tree.fd)
  if fd then -- or what is mounted on it in the container would appear on the host
    local done
    done, message, errno =
      sys.mount_setattr(fd, { propagation = "private", recursive = tree.recursive })
    if done then
      return fd
    end
    fd:close()
  end
  local cause = UNOPENED[sys.errname(errno)]
  return nil, { op = "open_tree", path = tree.source, errno = errno, checked = cause ~= nil,
    action = message:match("^(.*): "), cause = cause and cause:format(tree.source) }
end

--- Open the trees of a plan. They are given to the run, which closes them.
---@param trees luactr.idmap.tree[]
---@param run luactr.run
---@return table<string, luactr.fd>? fds by slot
---@return table? failure fields of an error
function M.open(trees, run)
  local opened = {}
  for _, tree in ipairs(trees) do
    local fd, failure = (tree.open or clone)(tree, run)
    if not fd then
      return nil, failure
    end
    opened[tree.slot] = run:pass(fd)
    local map = tree.map == true and run.id_maps or tree.map
    if map then
      local done
      done, failure = apply_map(tree, fd, map, run)
      if not done then
        return nil, failure
      end
      tree.mapped = done == true
    end
  end
  return opened
end

return M
