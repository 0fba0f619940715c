--- Ask systemd for scopes, by D-Bus: the system's, or a user's own.
--
-- A scope is never without a process: one of luactr's waits in it until the container's own is
-- there, which is born in a directory in the scope. When the last one is gone, so is the scope.
local core = require "luactr.core"
local scope_module = require "luactr.cgroup.scope"

local sys <const> = core.sys

local M = {}

local PATH <const> = "/org/freedesktop/systemd1"
local MANAGER <const> = "org.freedesktop.systemd1.Manager"
local PROPERTIES <const> = "org.freedesktop.DBus.Properties"
local UNIT_EXISTS <const> = "org.freedesktop.systemd1.UnitExists"
local SECONDS <const> = 60 -- to answer; a machine that boots has much to do

-- ---- errors

local NOT_THERE <const> = {
  [false] = "neither /run/systemd/private nor the system's bus answers: is systemd the init here?",
  [true] = "the user has no systemd of his own here: XDG_RUNTIME_DIR has no bus",
}

local REMEDY <const> = {
  [false] = "cgroups without systemd: no `scope`, no --systemd-cgroup",
  [true] = "log in by a session that logind knows, or loginctl enable-linger",
}

local function failure(message, errno, user, connecting)
  local code = sys.errname(errno)
  local cause, remedy
  if code == "ELIBACC" then
    cause, remedy = "libsystemd.so.0 is not installed", "install libsystemd0"
  elseif connecting then
    cause, remedy = NOT_THERE[user], REMEDY[user]
  end
  return nil, require("luactr.error").new {
    code = code, errno = errno, op = "systemd", message = message, cause = cause,
    checked = code == "ELIBACC", remedy = remedy,
    context = { "cannot ask systemd" },
  }
end

-- ---- a connection

---@class luactr.systemd
---@field bus any of luactr.core.systemd
---@field user boolean
local Systemd = {}
Systemd.__index = Systemd

function Systemd:close()
  self.bus:close()
end

Systemd.__close = Systemd.close

-- systemd's own socket answers without a daemon between; only root's, or the user's own.
local function addresses(user)
  local directory = user and os.getenv("XDG_RUNTIME_DIR") or "/run"
  return { "unix:path=" .. directory .. "/systemd/private", user and "user" or "system" }
end

function Systemd:call(member, types, ...)
  return self.bus:call(PATH, MANAGER, member, SECONDS, types, { ... })
end

function Systemd:manager(name)
  return self.bus:call(PATH, PROPERTIES, "Get", SECONDS, "ss", { MANAGER, name })
end

---@param user boolean
---@param list? string[] addresses to try
---@return luactr.systemd?
---@return luactr.error? err
function M.open(user, list)
  local message, errno
  for _, address in ipairs(list or addresses(user)) do
    local bus
    bus, message, errno = core.systemd.open(address)
    if bus then
      local self = setmetatable({ bus = bus, user = user }, Systemd)
      local answer
      answer, message, errno = self:call("Subscribe", "") -- is told of the ends of jobs
      if answer then
        return self
      end
      self:close()
    end
  end
  return failure(message, errno, user, true)
end

-- Where systemd counts the processes of a scope, on cgroup v1 and on v2; a hybrid host has both.
local function own_hierarchies()
  local named, unified
  local mounts <close> = io.open("/proc/self/mounts")
  for line in mounts and mounts:lines() or function() end do
    local target, kind, options = line:match("^%S+ (%S+) (cgroup2?) (%S+)")
    if kind == "cgroup2" then
      unified = unified or target
    elseif kind and ("," .. options .. ","):find(",name=systemd,", 1, true) then
      named = named or target
    end
  end
  return named, unified
end

-- The controllers of cgroup v2 that a user's systemd has got; nothing where it has none.
local function controllers_of(unified, group)
  local file <close> = unified and io.open(unified .. group .. "/cgroup.controllers")
  return file and file:read("a")
end

---@class luactr.systemd.facts
---@field control_group string what its slices are in; "" for the top
---@field version integer
---@field named? string where its own hierarchy of cgroup v1 is mounted
---@field delegated? string controllers of cgroup v2 that a user's may hand on

---@return luactr.systemd.facts?
---@return luactr.error?
function Systemd:facts()
  local group, message, errno = self:manager("ControlGroup")
  local version
  if group then
    version, message, errno = self:manager("Version")
  end
  if not version then
    return failure(message, errno, self.user)
  end
  group = group == "/" and "" or group
  local named, unified = own_hierarchies()
  return { control_group = group, version = math.tointeger(tonumber(version:match("%d+"))) or 0,
    named = named, delegated = self.user and controllers_of(unified, group) or nil }
end

--- Make a call that starts a job, and wait for its end.
function Systemd:job(member, types, ...)
  local job, message, errno, name = self:call(member, types, ...)
  if not job then
    return nil, message, errno, name
  end
  local result
  result, message, errno = self.bus:await(job, SECONDS)
  if result and result ~= "done" then
    return nil, string.format("%s: its job ended as %q", member, result), sys.errno.EIO
  end
  return result, message, errno
end

-- ---- a scope

local function properties_of(unit, limits, facts, pid)
  local list = {
    { "Description", { "s", "luactr container " .. unit.name:gsub("%.scope$", "") } },
    { "Slice", { "s", unit.slice } }, { "PIDs", { "au", { pid } } },
    { "Delegate", { "b", true } }, { "DefaultDependencies", { "b", false } },
    { "CPUAccounting", { "b", true } }, { "MemoryAccounting", { "b", true } },
    { "IOAccounting", { "b", true } }, { "TasksAccounting", { "b", true } },
    { "TasksMax", { "t", -1 } }, -- systemd has a limit of its own for who says nothing
  }
  if facts.version >= 236 then -- a scope that failed would keep its name
    list[#list + 1] = { "CollectMode", { "s", "inactive-or-failed" } }
  end
  local said = scope_module.properties(limits, facts.version)
  table.move(said, 1, #said, #list + 1, list)
  return table.move(unit.properties, 1, #unit.properties, #list + 1, list)
end

--- A process that waits until luactr closes its end of a pipe.
local function placeholder()
  local reader <close>, writer, errno = sys.pipe()
  if not reader then
    return nil, "pipe", errno
  end
  local child, message, clone_errno = sys.clone({}, function()
    writer:close()
    reader:read(1)
    return 0
  end)
  if not child then
    writer:close()
    return nil, message, clone_errno
  end
  return { child = child, writer = writer, pid = sys.getpid() }
end

---@class luactr.scope.handle a scope in which a process of luactr waits
---@field unit luactr.scope.unit
local Scope = {}
Scope.__index = Scope

-- Where the one who waits is on cgroup v2: a directory with controllers for others has no process.
local LEAF <const> = "luactr"

--- The container is in it, or never will be: who has waited in it ends. A fork has copies of all.
function Scope:close()
  local waiting = self.waiting
  if not waiting or waiting.pid ~= sys.getpid() then
    return
  end
  self.waiting = nil
  waiting.writer:close()
  waiting.child:wait()
  waiting.child:close()
  if self.leaf then
    sys.rmdir(self.leaf) -- systemd may have removed it with the scope
  end
end

Scope.__close = Scope.close
Scope.__gc = Scope.close

local function enter(directory, pid)
  local file <close>, message, errno = sys.open(directory .. "/cgroup.procs", sys.O_WRONLY)
  if not file then
    return nil, message, errno
  end
  return file:write(tostring(pid))
end

--- Make room at the top of the scope.
local function step_aside(self)
  local _, unified = own_hierarchies()
  if not unified then
    return true
  end
  self.leaf = string.format("%s%s/%s", unified, self.unit.path, LEAF)
  local done, message, errno = sys.mkdir(self.leaf, "0755")
  if done then
    done, message, errno = enter(self.leaf, self.waiting.child:pid())
  end
  return done, message, errno
end

-- What says that a directory is not there any more.
local GONE <const> = { [sys.errno.ENOENT] = true, [sys.errno.ENODEV] = true }

--- systemd removes what is empty below a scope, in hierarchies of cgroup v1 that it has no use for:
--- so the one who waits goes there, before anything else is done. Of the limit for processes he
--- takes no part.
---@param cgroup luactr.cgroup
---@return boolean held false: a directory is gone, and he is where he was
function Scope:hold(cgroup)
  local held, pid = {}, self.waiting.child:pid()
  for _, place in ipairs(cgroup:paths()) do
    if place.version == 1 and not place.name:find("pids", 1, true) then
      local done, _, errno = enter(place.path, pid)
      if not done and GONE[errno] then
        for _, path in ipairs(held) do
          enter(path:match("^(.*)/"), pid)
        end
        return false
      end
      held[#held + 1] = place.path
    end
  end
  return true
end

--- The fd by which a process that writes "0" is counted among the scope's on cgroup v1, where that
--- is a hierarchy of systemd's own.
---@return luactr.fd?
---@return string? message
---@return integer? errno
function Scope:attach_fd()
  return sys.open(self.unit.named .. self.unit.path .. "/tasks", sys.O_WRONLY)
end

local function start(systemd, unit, limits, waiting)
  local facts, err = systemd:facts()
  if not facts then
    return nil, err
  end
  local properties = properties_of(unit, limits, facts, waiting.child:pid())
  local done, message, errno, name
  for _ = 1, 2 do
    done, message, errno, name = systemd:job("StartTransientUnit", "ssa(sv)a(sa(sv))", unit.name,
      "replace", properties, {})
    if done or name ~= UNIT_EXISTS then
      break
    end
    systemd:call("ResetFailedUnit", "s", unit.name) -- one that failed has the name, no more
  end
  if not done then
    return failure(message, name == UNIT_EXISTS and sys.errno.EEXIST or errno, systemd.user)
  end
  return true
end

--- Have a scope made, and wait until it is there.
---@param unit luactr.scope.unit
---@param limits table checked
---@param list? string[] addresses to try
---@return luactr.scope.handle?
---@return luactr.error? err code EEXIST when a unit of the name is there
function M.start(unit, limits, list)
  local systemd <close>, err = M.open(unit.user, list)
  if not systemd then
    return nil, err
  end
  local waiting, message, errno = placeholder()
  if not waiting then
    return failure(message, errno, unit.user)
  end
  local scope <const> = setmetatable({ unit = unit, waiting = waiting }, Scope)
  local done
  done, err = start(systemd, unit, limits, waiting)
  if done then
    done, message, errno = step_aside(scope)
    err = not done and select(2, failure(message, errno, unit.user)) or nil
  end
  if not done then
    scope:close()
    return nil, err
  end
  return scope
end

-- ---- later

--- Tell of limits that have changed.
---@param unit luactr.scope.unit
---@param limits table all
---@return boolean? done
---@return luactr.error? err
function M.update(unit, limits)
  local systemd <close>, err = M.open(unit.user)
  local facts
  if systemd then
    facts, err = systemd:facts()
  end
  if not facts then
    return nil, err
  end
  local properties = scope_module.properties(limits, facts.version)
  if #properties == 0 then
    return true
  end
  local done, message, errno =
    systemd:call("SetUnitProperties", "sba(sv)", unit.name, true, properties)
  if not done then
    return failure(message, errno, unit.user)
  end
  return true
end

--- For luactr.host.
---@param user boolean
---@return luactr.systemd.facts?
---@return luactr.error?
function M.facts(user)
  local systemd <close>, err = M.open(user)
  if not systemd then
    return nil, err
  end
  return systemd:facts()
end

return M
