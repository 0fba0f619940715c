--- config.json: linux. Pure.
local T = require "luactr.oci.types"
local check = require "luactr.check"

-- ---- namespaces

local KINDS <const> = {
  mount = true, pid = true, network = true, uts = true, ipc = true, user = true, cgroup = true,
  time = true,
}

local function namespaces(list, b, path)
  local kinds = b.raw.namespaces
  for i, one in ipairs(list) do
    local at = string.format("%s[%d]", path, i)
    local join = one.path ~= "" and one.path or nil
    if not KINDS[one.type] then
      b:problem(at .. ".type", "unknown namespace type %s%s", check.show(one.type),
        require("luactr.nearest").hint(one.type, check.sorted_keys(KINDS)))
    elseif kinds[one.type] ~= "host" then
      b:problem(at .. ".type", "%q is there twice", one.type)
    elseif join and join:sub(1, 1) ~= "/" then
      b:problem(at .. ".path", "absolute path expected, got %s", check.show(join))
    else
      kinds[one.type] = join or "new"
      b:origin("namespaces." .. one.type, join and at .. ".path" or at)
    end
  end
end

--- Those of a user namespace that has users of its own already are what they are.
local function mappings(side)
  return function(list, b, path)
    local user = b.raw.namespaces.user
    if #list == 0 or user ~= "new" and user ~= "host" then
      return
    end
    b.raw.idmap = b.raw.idmap or {}
    b.raw.idmap[side] = list
    b:origin("idmap." .. side, path)
    b:origin("idmap", path)
  end
end

local function offsets(value, b, path)
  local clock = {}
  for _, name in ipairs { "monotonic", "boottime" } do
    local offset = value[name]
    if offset then
      local nanoseconds = offset.nanosecs or 0
      if nanoseconds > 999999999 then
        b:problem(path .. "." .. name .. ".nanosecs", "%d is more than a second", nanoseconds)
      end
      clock[name] = { seconds = offset.secs or 0, nanoseconds = nanoseconds }
    end
  end
  if next(clock) then
    b:set("clock", clock, path)
  end
end

-- ---- devices

local TYPES <const> = { c = "c", u = "c", b = "b", p = "p" }

local function device(one, b, path)
  local kind = TYPES[one.type]
  if not kind then
    b:problem(path .. ".type", "c, b, u or p expected, got %s", check.show(one.type))
  elseif kind ~= "p" and not (one.major and one.minor) then
    b:problem(path .. (one.major and ".minor" or ".major"), "is missing")
  elseif one.path:sub(1, 1) ~= "/" then
    b:problem(path .. ".path", "absolute path expected, got %s", check.show(one.path))
  end
  return {
    path = one.path, type = kind, major = kind ~= "p" and one.major or nil,
    minor = kind ~= "p" and one.minor or nil, uid = one.uid, gid = one.gid,
    mode = string.format("%04o", (one.fileMode or 438) & 4095), -- 0666
  }
end

-- Who lists all devices of the host (a privileged container's engine) has this one, too; here it
-- is that of the container's own devpts.
local PTMX <const> = "/dev/ptmx"

local function devices(list, b, path)
  local result = {}
  for i, one in ipairs(list) do
    local at = string.format("%s[%d]", path, i)
    if one.path ~= PTMX then
      result[#result + 1] = device(one, b, at)
      b:origin("devices[" .. #result .. "].mode", at .. ".fileMode")
    end
  end
  b:set("devices", result, path)
end

-- ---- what others check

local function cgroup(value, b, path)
  if b.context.no_cgroup then
    return
  elseif b.context.systemd then
    b.cgroups_path, b.cgroups_origin = value ~= "" and value or nil, path
  elseif value ~= "" and b:knows "cgroup" then
    b:set("cgroup", value, path)
  end
end

local function resources(value, b, path)
  if b.context.no_cgroup then
    return b:warn("%s: left out, since it is to have no cgroup", path)
  end
  local limits, origins = require("luactr.oci.resources").limits(value, b.context)
  for _, problem in ipairs(limits and {} or origins) do
    b:problem(problem.path, "%s", problem.message)
  end
  b:set("limits", limits, path)
  for from, to in pairs(limits and origins or {}) do
    b:origin(from, to)
  end
end

local function unwrap(argument, name)
  argument[name] = require("luactr.oci.json").wide(argument[name]) or argument[name]
end

local function seccomp(value, b, path)
  for _, call in ipairs(check.is_plain(value.syscalls) and value.syscalls or {}) do
    for _, argument in ipairs(check.is_plain(call) and check.is_plain(call.args) and call.args
      or {}) do
      if check.is_plain(argument) then
        unwrap(argument, "value")
        unwrap(argument, "valueTwo")
      end
    end
  end
  if value.listenerMetadata and not value.listenerPath then
    b:problem(path .. ".listenerMetadata", "is for a listener: listenerPath is missing")
  end
  b:set("seccomp", value, path)
end

local PROPAGATIONS <const> = {
  "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable",
}

local function propagation(value, b, path)
  for _, known in ipairs(PROPAGATIONS) do
    if value == known then
      return b:set("propagation", value, path)
    end
  end
  b:problem(path, "%s expected, got %s", table.concat(PROPAGATIONS, ", ", 1, 4), check.show(value))
end

local DOMAINS <const> = { LINUX = "linux", LINUX32 = "linux32" }

local function personality(value, b, path)
  if not DOMAINS[value.domain] then
    b:problem(path .. ".domain", "LINUX or LINUX32 expected, got %s", check.show(value.domain))
  elseif #(value.flags or {}) > 0 then
    b:problem(path .. ".flags", "there are no flags yet, got %s", check.show(value.flags[1]))
  else
    b:set("personality", DOMAINS[value.domain], path)
  end
end

local function memory_policy(value, b, path)
  b:set("memory_policy", { mode = value.mode, nodes = value.nodes ~= "" and value.nodes or nil,
    flags = value.flags }, path)
end

local function sysctl(value, b, path)
  b:set("sysctl", value, path)
end

local RDT <const> = { closID = "group", l3CacheSchema = "l3", memBwSchema = "bandwidth",
  schemata = "schemata", enableMonitoring = "monitoring" }

local function rdt(value, b, path)
  local resctrl = {}
  for theirs, ours in pairs(RDT) do
    resctrl[ours] = value[theirs] ~= "" and value[theirs] or nil
    b:origin("resctrl." .. ours, path .. "." .. theirs)
  end
  b:set("resctrl", resctrl, path)
end

local offset <const> = T.object {
  { name = "secs", type = T.int64, field = "clock.NAME" },
  { name = "nanosecs", type = T.uint32, field = "clock.NAME" },
}

return {
  -- before the mappings, which depend on it
  { name = "namespaces", field = "namespaces", to = namespaces, type = T.list(T.object {
    { name = "type", type = T.text, required = true, field = "namespaces.KIND" },
    { name = "path", type = T.text, default = "", field = "namespaces.KIND" },
  }) },
  { name = "uidMappings", type = T.mappings, field = "idmap.uid", to = mappings "uid" },
  { name = "gidMappings", type = T.mappings, field = "idmap.gid", to = mappings "gid" },
  { name = "timeOffsets", field = "clock", since = 1, to = offsets, type = T.object {
    { name = "monotonic", type = offset, field = "clock.monotonic" },
    { name = "boottime", type = offset, field = "clock.boottime" },
  } },
  { name = "devices", field = "devices", to = devices, type = T.list(T.object {
    { name = "type", type = T.text, required = true, field = "devices[].type" },
    { name = "path", type = T.text, required = true, field = "devices[].path" },
    { name = "major", type = T.int64, field = "devices[].major" },
    { name = "minor", type = T.int64, field = "devices[].minor" },
    { name = "fileMode", type = T.uint32, field = "devices[].mode" },
    { name = "uid", type = T.uint32, field = "devices[].uid" },
    { name = "gid", type = T.uint32, field = "devices[].gid" },
  }) },
  { name = "netDevices", field = "net_devices", since = 3,
    type = check.map(check.string { max = 255 }, T.object {
      { name = "name", type = T.text, field = "net_devices.NAME" },
    }) },
  { name = "cgroupsPath", type = T.text, field = "cgroup", to = cgroup },
  { name = "resources", type = T.object_as_is, field = "limits", to = resources },
  { name = "rootfsPropagation", type = T.text, field = "propagation", to = propagation },
  { name = "seccomp", type = T.object_as_is, field = "seccomp", to = seccomp },
  { name = "sysctl", type = T.map, field = "sysctl", to = sysctl },
  { name = "maskedPaths", type = T.texts, field = "masked_paths" },
  { name = "readonlyPaths", type = T.texts, field = "readonly_paths" },
  { name = "mountLabel", type = T.text, field = "mount_label" },
  { name = "intelRdt", field = "resctrl", to = rdt, type = T.object {
    { name = "closID", type = T.text, field = "resctrl.group" },
    { name = "l3CacheSchema", type = T.text, field = "resctrl.l3" },
    { name = "memBwSchema", type = T.text, field = "resctrl.bandwidth" },
    { name = "schemata", type = T.texts, field = "resctrl.schemata" },
    { name = "enableMonitoring", type = T.boolean, field = "resctrl.monitoring" },
  } },
  { name = "memoryPolicy", field = "memory_policy", since = 3, to = memory_policy, type = T.object {
    { name = "mode", type = T.text, required = true, field = "memory_policy.mode" },
    { name = "nodes", type = T.text, field = "memory_policy.nodes" },
    { name = "flags", type = T.texts, field = "memory_policy.flags" },
  } },
  { name = "personality", field = "personality", to = personality, type = T.object {
    { name = "domain", type = T.text, required = true, field = "personality" },
    { name = "flags", type = T.texts, refused = "there are none yet" },
  } },
}
