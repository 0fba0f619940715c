--- A running container as something to enter: its PID 1 by descriptor, which of its namespaces are
--- its own, its cgroups. All of it is looked up by the number of PID 1, which is that process's as
--- long as the descriptor says that it lives.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

---@class luactr.target
---@field pid integer the host's, of PID 1
---@field root string its root, as luactr reaches it
---@field flags integer its own namespaces, for setns(2)
---@field namespaces table<string, "new"|"host"> by a spec's names
---@field cgroup_beside? boolean its cgroup namespace is joined by itself
---@field pid_beside? boolean its PID 1 is not in the pid namespace that its command is in
---@field id_maps? { setgroups: string } in a user namespace
---@field attach string[] slots of its cgroup v1 directories
---@field unified? string the slot of its cgroup v2 directory
---@field fds table<string, luactr.fd|integer> by slot
local Target = {}
Target.__index = Target

-- What a spec calls a namespace, procfs, and setns(2).
local NAMESPACES <const> = {
  { "user", "user", "CLONE_NEWUSER" }, { "mount", "mnt", "CLONE_NEWNS" },
  { "network", "net", "CLONE_NEWNET" }, { "ipc", "ipc", "CLONE_NEWIPC" },
  { "uts", "uts", "CLONE_NEWUTS" }, { "cgroup", "cgroup", "CLONE_NEWCGROUP" },
  { "time", "time", "CLONE_NEWTIME" }, { "pid", "pid", "CLONE_NEWPID" },
}

local LONGEST <const> = 65536

local function read(path)
  local file <close> = sys.open(path, sys.O_RDONLY)
  return file and file:read(LONGEST)
end

function Target:own(fd, slot)
  self.owned[#self.owned + 1] = fd
  if slot then
    self.fds[slot] = fd
  end
  return fd
end

--- Idempotent.
function Target:close()
  for i = #self.owned, 1, -1 do
    self.owned[i]:close()
    self.owned[i] = nil
  end
end

--- What is still wanted once a process is in it: PID 1.
function Target:entered()
  for i = #self.owned, 2, -1 do
    self.owned[i]:close()
    self.owned[i] = nil
  end
end

--- Whether PID 1 has ended, waiting so long at most.
---@param timeout number seconds
---@return boolean
function Target:has_ended(timeout)
  return core.supervise.poll({ { fd = self.fds.container, events = "r" } }, timeout) > 0
end

-- ---- namespaces

local function namespace(pid, file)
  return sys.readlink("/proc/" .. pid .. "/ns/" .. file)
end

local function look_at_namespaces(self)
  for _, row in ipairs(NAMESPACES) do
    local kind, file, flag = table.unpack(row)
    local own, theirs, _, errno = namespace("self", file), namespace(self.pid, file)
    if not theirs and errno ~= sys.errno.ENOENT then -- which this kernel does not have
      return nil, errno
    end
    self.namespaces[kind] = theirs == own and "host" or "new"
    self.flags = theirs == own and self.flags or self.flags | sys[flag]
  end
  return true
end

--- PID 1 of a container that shares the pid namespace of another stays outside of that itself.
local function look_at_pids(self)
  local path = "/proc/" .. self.pid .. "/ns/pid_for_children"
  local theirs, _, errno = sys.readlink(path)
  if not theirs or theirs == namespace(self.pid, "pid") then
    return theirs ~= nil, errno
  end
  local fd
  fd, _, errno = sys.open(path, sys.O_RDONLY)
  if fd then
    self.pid_beside, self.namespaces.pid = true, "new"
    self:own(fd, "pid namespace")
  end
  return fd ~= nil, errno
end

local function look_at_users(self)
  if self.namespaces.user == "new" then
    local word = (read("/proc/" .. self.pid .. "/setgroups") or "deny"):match("%a+")
    self.id_maps = { setgroups = word }
  end
end

-- ---- cgroups

--- The directories of PID 1's cgroups by hierarchy: { hierarchy, directory, version }.
local function cgroups_of(pid, host)
  local list = {}
  for line in (read("/proc/" .. pid .. "/cgroup") or ""):gmatch("[^\n]+") do
    local controllers, path = line:match("^%d+:([^:]*):(.*)$")
    for _, hierarchy in ipairs(host.cgroup and host.cgroup.hierarchies or {}) do
      local fits = hierarchy.version == 2 and controllers == ""
        or hierarchy.version == 1 and controllers ~= ""
        and ("," .. hierarchy.options .. ","):find("," .. controllers .. ",", 1, true)
      if fits then
        list[#list + 1] = { hierarchy = hierarchy, path = path }
      end
    end
  end
  return list
end

--- Up to the container's own directory: what is below it the container has made.
local function top_of(path, cgroup)
  local wanted, absolute = "/" .. cgroup:gsub("^%.?/", "") .. "/", cgroup:sub(1, 1) == "/"
  local first, last = (path .. "/"):find(wanted, 1, true)
  return first and (first == 1 or not absolute) and path:sub(1, last - 1) or nil
end

local function is_frozen(directory, version)
  local text = read(directory .. (version == 2 and "/cgroup.freeze" or "/freezer.state"))
  return text ~= nil and (text:find("FROZEN", 1, true) or text:find("^1")) ~= nil
end

--- On v2 a directory with others below it may take no process: then PID 1's own.
local function directory_for_more(mount, top, path)
  local given = read(mount .. top .. "/cgroup.subtree_control")
  return mount .. (given and given:find("%S") and path or top)
end

--- Who is to be born in the cgroup cannot have joined its namespace yet.
local function put_off_namespace(self)
  if self.namespaces.cgroup == "host" then
    return true
  end
  local fd, message, errno = sys.open("/proc/" .. self.pid .. "/ns/cgroup", sys.O_RDONLY)
  if fd then
    self:own(fd, "cgroup namespace")
    self.cgroup_beside, self.flags = true, self.flags & ~sys.CLONE_NEWCGROUP
  end
  return fd ~= nil, message, errno
end

--- What leads there. To move a process takes a lock over all of the host: on v2 it is born there,
--- unless it is by then a user who may not enter; on v1 a single thread moves without that.
local function open_cgroup(self, hierarchy, top, path)
  local slot = "cgroup:" .. hierarchy.name
  local fd, message, errno
  if hierarchy.version == 1 then
    fd, message, errno = sys.open(hierarchy.mount .. top .. "/tasks", sys.O_WRONLY)
  else
    local directory = directory_for_more(hierarchy.mount, top, path)
    self.unified = self.namespaces.user == "host" and slot or nil
    if self.unified then
      fd, message, errno = put_off_namespace(self)
      if fd then
        fd, message, errno = sys.open(directory, { "rdonly", "directory" })
      end
    else
      fd, message, errno = sys.open(directory .. "/cgroup.procs", sys.O_WRONLY)
    end
  end
  self.attach[#self.attach + 1] = slot ~= self.unified and slot or nil
  return fd and self:own(fd, slot), errno, message
end

--- By luactr's name of it, or by that of cgroup v1.
---@param hierarchy table
---@param name string
---@return boolean
function M.has_controller(hierarchy, name)
  for _, known in ipairs(hierarchy.controllers) do
    if known == name then
      return true
    end
  end
  return hierarchy.version == 1
    and ("," .. hierarchy.options .. ","):find("," .. name .. ",", 1, true) ~= nil
end

--- Which directory below the container's is asked for in a hierarchy.
local function below_in(hierarchy, place)
  for name, path in pairs(place.below or {}) do
    if name == "" or M.has_controller(hierarchy, name) then
      return "/" .. path
    end
  end
end

--- True; or false, errno and what it was about, or "paused".
local function look_at_cgroups(self, place, host)
  local cgroup = place.cgroup
  for _, own in ipairs(cgroup and cgroups_of(self.pid, host) or {}) do
    local hierarchy, top = own.hierarchy, top_of(own.path, cgroup)
    local below = below_in(hierarchy, place)
    if top and not place.paused_too and is_frozen(hierarchy.mount .. top, hierarchy.version) then
      return false, sys.errno.EBUSY, "paused"
    end
    local opened, errno, what = not top, nil, nil
    if top then
      opened, errno, what = open_cgroup(self, hierarchy, top .. (below or ""),
        below and top .. below or own.path)
    end
    if not opened then
      return false, errno, what
    end
  end
  return true
end

-- ---- open

---@class luactr.target.place
---@field pid integer the host's, of PID 1
---@field pidfd luactr.fd a new one
---@field cgroup? string as `at` of luactr.cgroup.compiled
---@field below? table<string, string> a directory in it by controller, or by "" for all
---@field paused_too? boolean it is entered even if its processes stand still

local function look(self, place, base, host)
  local fine, errno, what = look_at_namespaces(self)
  if fine and base.chroot and self.namespaces.mount == "new" then
    return false, sys.errno.EOPNOTSUPP, "chroot"
  end
  if fine then
    fine, errno = look_at_pids(self)
  end
  if fine then
    look_at_users(self)
    fine, errno, what = look_at_cgroups(self, place, host)
  end
  return fine, errno, what
end

--- Fields of the error.
local function problem(self, errno, what, host)
  if what == "paused" then
    return { errno = errno, checked = true, cause = "it is paused", remedy = "resume it first" }
  elseif self:has_ended(0) then
    return { errno = sys.errno.ESRCH, checked = true, cause = "it has ended" }
  elseif errno == sys.errno.EACCES and not host.privileged then
    return { errno = errno, op = "open", action = "look at its namespaces", remedy = "as root",
      cause = "it has joined users of others, as a pod's members do, and only root sees into it" }
  elseif what == "chroot" then
    return { errno = sys.errno.EOPNOTSUPP, checked = true,
      cause = "on an initial ramfs a container's root is not that of its mount namespace" }
  end
  return { errno = errno, op = "open", action = what and what:match("^(.*): ")
    or "look at its namespaces" }
end

--- Look at a container that runs.
---@param place luactr.target.place
---@param base luactr.base
---@param host luactr.host
---@return luactr.target?
---@return table? fields of an error
function M.open(place, base, host)
  local self = setmetatable({ pid = place.pid, root = "/proc/" .. place.pid .. "/root", flags = 0,
    namespaces = {}, attach = {}, fds = {}, owned = {} }, Target)
  self:own(place.pidfd, "container")
  local fine, errno, what = look(self, place, base, host)
  if fine and not self:has_ended(0) then
    return self
  end
  local fields = problem(self, errno, what, host)
  self:close()
  return nil, fields
end

return M
