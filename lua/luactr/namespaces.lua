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

---@param namespaces table<string, string|table> settled
---@return integer flags for clone
function M.flags(namespaces)
  local flags, constants = 0, sys()
  for kind, name in pairs(CLONE) do
    if namespaces[kind] == "new" then
      flags = flags | constants[name]
    end
  end
  return flags
end

--- Namespaces of others: the user namespace before those that it owns.
function M.join(_, _, plan)
  return plan.joins and require("luactr.namespaces.join").steps(plan.joins) or {}
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
function M.time(spec)
  return spec.namespaces.time == "new" and require("luactr.namespaces.join").time(spec) or {}
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
    steps[1] = { op = "sethostname", name = spec.hostname, from = "hostname" }
    steps[2] = spec.domainname and
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
