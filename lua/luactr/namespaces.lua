--- Contributor: the namespaces and what is set in them before a file system is touched. Pure.
local M = {}

local SIGKILL <const> = 9

-- The kernel's bit for each namespace that clone makes. The cgroup namespace is not among them: its
-- root is the caller's cgroup at that moment, which in clone is still the parent's.
local CLONE <const> = {
  mount = "CLONE_NEWNS", pid = "CLONE_NEWPID", uts = "CLONE_NEWUTS", ipc = "CLONE_NEWIPC",
  network = "CLONE_NEWNET", user = "CLONE_NEWUSER",
}

local function sys()
  return require("luactr.core").sys
end

--- What of it depends on the host: "auto" and "try".
---@param spec luactr.spec
---@param host luactr.host
---@return table<string, string|table> namespaces each "new", "host" or one to join
---@return string[] warnings
function M.settle(spec, host)
  local settled, tries = {}, false
  for kind, word in pairs(spec.namespaces) do
    settled[kind] = word
    tries = tries or word == "try"
  end
  if settled.user == "auto" then
    settled.user = host.privileged and not spec.idmap and "host" or "new"
  end
  return settled, tries and require("luactr.namespaces.join").try(settled, host) or {}
end

local function new_ones(namespaces)
  local flags, constants = 0, sys()
  for kind, name in pairs(CLONE) do
    if namespaces[kind] == "new" then
      flags = flags | constants[name]
    end
  end
  return flags
end

--- What the process is born with. The users of another container have to own what is new: those
--- namespaces are made once they are joined.
---@param namespaces table<string, string|table> settled
---@return integer flags for clone
function M.flags(namespaces)
  return type(namespaces.user) == "table" and 0 or new_ones(namespaces)
end

--- With users of others, the clocks' file is nobody's who could write to it: root sets them before.
local function has_early_clocks(spec, host)
  return type(spec.namespaces.user) == "table" and host.privileged
end

local function clocks(spec)
  return spec.namespaces.time == "new" and require("luactr.namespaces.join").time(spec) or {}
end

--- Namespaces of others: the user namespace before those that it owns.
function M.join(spec, host, plan)
  if not plan.joins then
    return {}
  end
  local steps = has_early_clocks(spec, host) and clocks(spec) or {}
  require("luactr.namespaces.join").add_steps(plan.joins, steps)
  local flags = type(spec.namespaces.user) == "table" and new_ones(spec.namespaces) or 0
  steps[#steps + 1] = flags ~= 0
    and { op = "unshare", flags = flags, from = "namespaces" } or nil
  return steps
end

--- Whether the process that luactr starts is outside of the container's pid namespace.
---@param namespaces table<string, string|table> settled
---@return boolean
function M.has_fork(namespaces)
  return type(namespaces.pid) == "table"
    or type(namespaces.user) == "table" and namespaces.pid == "new"
end

--- After all other namespaces, which the process outside shall have, too. It does not stay where
--- somebody else than luactr is to be the parent.
function M.fork(spec)
  return M.has_fork(spec.namespaces)
    and { { op = "fork", leave = spec.adopted and 1 or nil, from = "namespaces.pid" } } or {}
end

--- Whether the root of the container's users has no rights over one of its namespaces.
---@param namespaces table<string, string|table> settled
---@param kind string
---@return boolean
function M.is_foreign(namespaces, kind)
  if namespaces.user == "new" then
    return namespaces[kind] ~= "new"
  end
  return namespaces.user ~= "host" and namespaces[kind] == "host"
end

--- Those of a container that runs: by its PID 1 all at once, so that none is another's.
function M.enter(_, _, plan)
  return require("luactr.namespaces.join").enter(plan.target)
end

function M.enter_cgroup_namespace(_, _, plan)
  return require("luactr.namespaces.join").enter_cgroup_namespace(plan.target)
end

---@param namespaces table<string, string|table> settled
---@return boolean
function M.has_joins(namespaces)
  for _, word in pairs(namespaces) do
    if type(word) == "table" then
      return true
    end
  end
  return false
end

--- Its clocks can be set until somebody is in it: the init makes it and is the first.
function M.time(spec, host)
  return has_early_clocks(spec, host) and {} or clocks(spec)
end

function M.wait_for_id_maps(spec)
  if spec.namespaces.user ~= "new" then
    return {}
  end
  local numbers = require("luactr.core").plan.rendezvous
  return { { op = "rendezvous", number = numbers.id_maps, from = "namespaces" } }
end

function M.die_with_parent()
  return { { op = "parent_death_signal", signal = SIGKILL } }
end

--- After the process is in its cgroup, so that this is the root that it sees.
function M.unshare_cgroup(spec)
  if spec.namespaces.cgroup ~= "new" then
    return {}
  end
  return { { op = "unshare", flags = sys().CLONE_NEWCGROUP, from = "namespaces" } }
end

function M.identity(spec)
  local steps = {}
  if spec.namespaces.uts == "new" then
    steps[1] = spec.hostname and
      { op = "sethostname", name = spec.hostname, from = "hostname" } or nil
    steps[#steps + 1] = spec.domainname and
      { op = "setdomainname", name = spec.domainname, from = "domainname" } or nil
  end
  return steps
end

function M.loopback(spec)
  if spec.namespaces.network ~= "new" then
    return {}
  end
  return { { op = "loopback_up", from = "network" } }
end

local function is_slave(word)
  return word == "slave" or word == "rslave"
end

--- Why mounts of the host cannot reach the root, though that is asked for.
local function unreachable(spec, host)
  local path = spec.rootfs.path
  if not path then
    return "the root is a file system of its own"
  elseif host.is_shared(path) == false then
    return path .. " lies on a private mount of the host"
  end
end

--- Before the first mount, or it would appear on the host.
function M.propagation(spec, host, plan)
  local flag = sys().MS_PRIVATE
  if is_slave(spec.propagation) then
    flag = sys().MS_SLAVE
    local why = unreachable(spec, host)
    plan.warnings[#plan.warnings + 1] = why and "propagation: nothing propagates: " .. why or nil
  end
  return { { op = "propagation", flags = sys().MS_REC | flag, from = "propagation" } }
end

return M
