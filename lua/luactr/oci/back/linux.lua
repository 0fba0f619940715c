--- From a checked recipe back to config.json's linux: for each row of luactr.oci.rows.linux what
--- its value is. Pure.
local check = require "luactr.check"
local mounts = require "luactr.oci.back.mounts"

local M = {}

local function given(list)
  return #list > 0 and list or nil
end

local KINDS <const> = { "mount", "pid", "network", "uts", "ipc", "user", "cgroup", "time" }

function M.namespaces(spec, b)
  local list = {}
  for _, kind in ipairs(KINDS) do
    local word = spec.namespaces[kind]
    if type(word) == "table" and word.join == "path" then
      list[#list + 1] = { type = kind, path = word.path }
    elseif type(word) == "table" then
      b:lose("namespaces." .. kind, "known by its path only")
    elseif word == "new" or word == "try" or word == "auto" and spec.idmap then
      list[#list + 1] = { type = kind }
    end
  end
  return list
end

local function mappings(side)
  return function(spec, b)
    local map = spec.idmap
    if map and map.mode then
      return b:lose("idmap", "the ranges are chosen at the start: name them")
    end
    return map and mounts.mappings(map[side])
  end
end

M.uidMappings, M.gidMappings = mappings "uid", mappings "gid"

function M.timeOffsets(spec)
  local offsets = {}
  for name, offset in pairs(spec.clock or {}) do
    offsets[name] = { secs = offset.seconds, nanosecs = offset.nanoseconds }
  end
  return next(offsets) and offsets
end

function M.devices(spec)
  local list = {}
  for _, device in ipairs(spec.devices) do
    if device.type then
      local node = device.type ~= "p"
      list[#list + 1] = { path = device.path, type = device.type, fileMode = device.mode,
        major = node and device.major or nil, minor = node and device.minor or nil,
        uid = device.uid, gid = device.gid }
    end
  end
  return given(list)
end

function M.netDevices(spec)
  local devices = {}
  for name, inside in pairs(spec.net_devices or {}) do
    devices[name] = { name = inside }
  end
  return next(devices) and devices
end

function M.cgroupsPath(spec)
  return spec.cgroup
end

-- Of the supervisor, not of the cgroup.
local OF_LUACTR <const> = { "cpu_time", "wall_time", "output" }

function M.resources(spec, b)
  for _, name in ipairs(OF_LUACTR) do
    if spec.limits[name] then
      b:lose("limits." .. name, "luactr's own, which no engine watches")
    end
  end
  local resources = require("luactr.oci.resources").document(spec.limits)
  return next(resources) and resources
end

function M.rootfsPropagation(spec)
  local word = spec.propagation:match("^r?(%l+)$")
  return word ~= "private" and spec.propagation or nil
end

function M.seccomp(spec, b)
  return spec.seccomp ~= "unconfined" and require("luactr.oci.back.seccomp").of(spec, b) or nil
end

function M.sysctl(spec)
  return next(spec.sysctl) and spec.sysctl
end

function M.maskedPaths(spec)
  return given(spec.masked_paths)
end

function M.readonlyPaths(spec)
  return given(spec.readonly_paths)
end

function M.mountLabel(spec)
  return spec.mount_label
end

function M.intelRdt(spec)
  local group = spec.resctrl
  return group and { closID = group.group, l3CacheSchema = group.l3, memBwSchema = group.bandwidth,
    schemata = group.schemata, enableMonitoring = group.monitoring }
end

local MODES <const> = { [0] = "MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE",
  "MPOL_LOCAL", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE" }

local MODE_FLAGS <const> = { [1 << 15] = "MPOL_F_STATIC_NODES", [1 << 14] = "MPOL_F_RELATIVE_NODES",
  [1 << 13] = "MPOL_F_NUMA_BALANCING" }

function M.memoryPolicy(spec)
  local policy, flags = spec.memory_policy, {}
  if not policy then
    return nil
  end
  for _, bit in ipairs(check.sorted_keys(MODE_FLAGS)) do
    flags[#flags + 1] = policy.mode & bit ~= 0 and MODE_FLAGS[bit] or nil
  end
  return { mode = MODES[policy.mode & 0xff], flags = given(flags),
    nodes = #policy.nodes > 0 and table.concat(policy.nodes, ",") or nil }
end

local DOMAINS <const> = { [0] = "LINUX", [8] = "LINUX32" }

function M.personality(spec, b)
  local domain = DOMAINS[spec.personality]
  if spec.personality and not domain then
    return b:lose("personality", "only LINUX and LINUX32 are known there")
  end
  return domain and { domain = domain }
end

return M
