--- Open the namespaces that a plan joins: of a running container, at a path, behind a descriptor.
--- Each is looked at before anything starts.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local FILES <const> = {
  CLONE_NEWUSER = "user", CLONE_NEWNET = "net", CLONE_NEWIPC = "ipc", CLONE_NEWUTS = "uts",
  CLONE_NEWCGROUP = "cgroup", CLONE_NEWTIME = "time", CLONE_NEWPID = "pid", CLONE_NEWNS = "mnt",
}

--- What procfs calls a kind of namespace.
local function file_of(flag)
  for name, file in pairs(FILES) do
    if sys[name] == flag then
      return file
    end
  end
end

-- The process that luactr knows may be outside of the pid namespace, which its children are in.
local function path_of(pid, flag)
  local file = file_of(flag)
  return string.format("/proc/%d/ns/%s", pid, file == "pid" and "pid_for_children" or file)
end

-- A pid can be somebody else's by now: whether the container still runs tells.
local function of_container(run, join, host)
  local found, err = require("luactr.container.found").find(join.to.name, host)
  if not found then
    return nil, { errno = err.errno, checked = true, cause = err.message, remedy = err.remedy }
  end
  local pid = found:pid()
  local fd = pid and sys.open(path_of(pid, join.flag))
  if fd then
    run:pass(fd)
  end
  if not fd or not found:is_running() then
    return nil, { errno = sys.errno.ESRCH, checked = true, remedy = "start it first",
      cause = string.format("container %s does not run", found.id) }
  end
  return fd
end

local OPEN <const> = {
  container = of_container,
  path = function(run, join)
    local fd, _, errno = sys.open(join.to.path, { "rdonly", "nonblock", "noctty" })
    return fd and run:pass(fd), { errno = errno }
  end,
  fd = function(run, join) return run.held[join.slot] end,
  pod = function(run, join) return run.options.pod.namespaces[join.kind] end,
}

local function is_own(fd, flag)
  local one, own = sys.stat(fd), sys.stat("/proc/self/ns/" .. file_of(flag))
  return one and own and one.dev == own.dev and one.ino == own.ino
end

--- Why a descriptor is not the namespace that is wanted; nil when it is.
local function wrong(fd, join)
  local flag, _, errno = sys.ns_get_nstype(fd)
  if not flag then
    return { errno = errno, cause = "it is no namespace", checked = true,
      remedy = "a file of /proc/PID/ns, or one that such a file is bind-mounted on" }
  elseif flag ~= join.flag then
    return { errno = sys.errno.EINVAL, checked = true, cause = string.format(
      "it is a namespace of another kind: %s, not %s", file_of(flag) or "?", file_of(join.flag)) }
  elseif join.others and is_own(fd, flag) then
    return { errno = sys.errno.EINVAL, checked = true,
      cause = "it is luactr's own, and sysctl would change the host" }
  end
end

--- Descriptors by slot.
---@param joins luactr.namespaces.join[]
---@param run luactr.run
---@param host luactr.host
---@return table<string, any>? fds
---@return table? fields of the error
function M.open(joins, run, host)
  local fds = {}
  for _, join in ipairs(joins) do
    local fd, fields = OPEN[join.to.join](run, join, host)
    fields = not fd and fields or wrong(fd, join)
    if fields then
      fields.op, fields.path, fields.from = "setns", join.to.path, "namespaces." .. join.kind
      fields.action = "join the " .. join.slot
      return nil, fields
    end
    fds[join.slot] = fd
  end
  return fds
end

local function rows_of(pid, name)
  local file <close> = sys.open(string.format("/proc/%d/%s", pid, name))
  local rows = {}
  for inside, outside, count in (file and file:read(65536) or ""):gmatch("(%d+) +(%d+) +(%d+)") do
    rows[#rows + 1] = { inside = math.tointeger(inside), outside = math.tointeger(outside),
      count = math.tointeger(count) }
  end
  return rows
end

local function is_denied(pid)
  local file <close> = sys.open(string.format("/proc/%d/setgroups", pid))
  return file and (file:read(16) or ""):find("^deny") ~= nil
end

--- The ids of a user namespace, outside as luactr counts them: a process that has joined it shows
--- them. nil where it cannot be joined; the start says why.
---@param to table as luactr.spec.namespaces normalizes it
---@param run luactr.run
---@param host luactr.host
---@return luactr.idmap.maps?
function M.maps(to, run, host)
  if to.join == "pod" then -- its start has written them
    local maps = run.options.pod.id_maps
    return { uid = maps.uid, gid = maps.gid, setgroups = maps.setgroups }
  end
  local join = { kind = "user", flag = sys.CLONE_NEWUSER, to = to,
    slot = require("luactr.namespaces.join").slot("user", to) }
  local fds = M.open({ join }, run, host)
  if not fds then
    return nil
  end
  local process <close> = core.spawn { flags = 0, fds = { fds[join.slot] },
    plan = core.plan.encode({ { op = "setns", ns = join.slot, flags = join.flag },
      { op = "rendezvous", number = core.plan.rendezvous.id_maps } }, { join.slot }) }
  if not process or process:launch() ~= "rendezvous" then
    return nil
  end
  local pid = process:pid()
  return { uid = rows_of(pid, "uid_map"), gid = rows_of(pid, "gid_map"),
    setgroups = is_denied(pid) and "deny" or nil }
end

return M
