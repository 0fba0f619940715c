--- What `luactr oci features` tells: the features structure of the OCI runtime specification, from
--- the tables that the code works with.
local core = require "luactr.core"

local M = {}

M.OLDEST, M.VERSION = "1.0.0", "1.3.0"

M.HOOKS = { "prestart", "createRuntime", "createContainer", "startContainer", "poststart",
  "poststop" }

local NAMESPACES <const> = { "cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts" }

local function with_prefix(prefix, names)
  local list = {}
  for i, name in ipairs(names) do
    list[i] = prefix .. name:upper()
  end
  return list
end

local function keys(set)
  return require("luactr.check").sorted_keys(set)
end

local function capabilities()
  local sys = core.sys
  return sys.cap_names((1 << (sys.last_cap() + 1)) - 1)
end

local function architectures()
  local names = {}
  for i, abi in ipairs(require("luactr.spec.seccomp.syscalls").abis()) do
    names[i] = abi.name
  end
  table.sort(names)
  return with_prefix("SCMP_ARCH_", names)
end

local function seccomp()
  local oci = require "luactr.spec.seccomp.oci"
  return {
    enabled = true, actions = keys(require("luactr.spec.seccomp.actions").OCI),
    operators = oci.operators, archs = architectures(), knownFlags = oci.flags,
    supportedFlags = oci.flags,
  }
end

local function memory_policy()
  local scheduling = require "luactr.spec.scheduling"
  return { modes = with_prefix("MPOL_", scheduling.memory_modes),
    flags = with_prefix("MPOL_F_", scheduling.memory_flags) }
end

local function on(more)
  more = more or {}
  more.enabled = true
  return more
end

---@return table
function M.document()
  return {
    ociVersionMin = M.OLDEST, ociVersionMax = M.VERSION, hooks = M.HOOKS,
    mountOptions = require("luactr.mount.options").names(),
    linux = {
      namespaces = NAMESPACES, capabilities = capabilities(),
      cgroup = { v1 = true, v2 = true, systemd = true, systemdUser = true, rdma = true },
      seccomp = seccomp(), apparmor = on(), selinux = on(), memoryPolicy = memory_policy(),
      intelRdt = on { schemata = true, monitoring = true }, mountExtensions = { idmap = on() },
      netDevices = on(),
    },
    annotations = { ["org.luactr.version"] = core.version },
    potentiallyUnsafeConfigAnnotations = { "org.systemd.property." },
  }
end

return M
