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

-- A pid can be somebody else's by now: whether the container still runs tells.
local function of_container(run, join, host)
  local found, err = require("luactr.container.found").find(join.to.name, host)
  if not found then
    return nil, { errno = err.errno, checked = true, cause = err.message, remedy = err.remedy }
  end
  local pid = found:pid()
  local fd = pid and sys.open(string.format("/proc/%d/ns/%s", pid, file_of(join.flag)))
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
}

--- Why a descriptor is not the namespace that is wanted; nil when it is.
local function wrong(fd, join)
  local flag, _, errno = sys.ns_get_nstype(fd)
  if not flag then
    return { errno = errno, cause = "it is no namespace", checked = true,
      remedy = "a file of /proc/PID/ns, or one that such a file is bind-mounted on" }
  elseif flag ~= join.flag then
    return { errno = sys.errno.EINVAL, checked = true, cause = string.format(
      "it is a namespace of another kind: %s, not %s", file_of(flag) or "?", file_of(join.flag)) }
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

return M
