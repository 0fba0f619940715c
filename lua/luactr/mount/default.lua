--- The mounts that a container has when its recipe says nothing: /proc, a private /dev, /sys. Pure.
local M = {}

local function sys()
  return require("luactr.core").sys
end

local function is_foreign(spec, kind)
  return require("luactr.namespaces").is_foreign(spec.namespaces, kind)
end

-- A new device node needs root of the host; elsewhere the host's nodes are bound.
local function may_mknod(spec, host)
  return host.privileged and spec.namespaces.user == "host"
end

local function restricted(...)
  local flags = sys().MS_NOSUID
  for _, name in ipairs { ... } do
    flags = flags | sys()[name]
  end
  return flags
end

local function mount(type, target, flags, data)
  return { op = "mount", source = type, target = target, type = type, flags = flags, data = data }
end

local function bind_host(path, set)
  return { op = "bind", source = path, target = path, recursive = 1, set = set, clear = 0 }
end

local function proc(spec)
  if is_foreign(spec, "pid") then
    return { bind_host("/proc", 0) } -- a user namespace may show its own processes only
  end
  return { mount("proc", "/proc", restricted("MS_NODEV", "MS_NOEXEC")) }
end

local NODES <const> = {
  { "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 }, { "urandom", 1, 9 },
  { "tty", 5, 0 },
}

local LINKS <const> = {
  { "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
  { "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
}

local TYPES <const> = { c = "S_IFCHR", b = "S_IFBLK", p = "S_IFIFO" }

local function make_node(path, type, mode, major, minor)
  local device = sys().makedev(major, minor)
  return { op = "mknod", path = path, mode = sys()[TYPES[type]] | mode, device = device }
end

--- The host's node: this device, or any if none is named.
local function bind_node(path, type, major, minor)
  local step = { op = "bind_node", source = path, path = path }
  if type then
    step.kind, step.device = sys()[TYPES[type]], sys().makedev(major, minor)
  end
  return step
end

local function nodes_and_links(spec, host, steps)
  for _, node in ipairs(NODES) do
    local path = "/dev/" .. node[1]
    steps[#steps + 1] = may_mknod(spec, host) and make_node(path, "c", 438, node[2], node[3])
      or bind_node(path, "c", node[2], node[3])
  end
  for _, link in ipairs(LINKS) do
    steps[#steps + 1] = { op = "symlink", link = link[2], path = "/dev/" .. link[1] }
  end
  return steps
end

local function dev(spec, host)
  return nodes_and_links(spec, host, {
    mount("tmpfs", "/dev", restricted("MS_NOEXEC", "MS_STRICTATIME"), "mode=0755,size=65536"),
  })
end

local function is_of_the_host(own)
  for _, one in ipairs(own) do
    if one.target == "/dev" and one.bind then
      return true
    end
  end
  return false
end

--- What has to be in a /dev that is none of the default mounts, and the recipe's devices. In one of
--- the host, which has its own, nothing is made or given another owner.
---@param spec luactr.spec settled
---@param host luactr.host
---@param own { target: string, bind?: boolean }[] the recipe's mounts
---@param devices table[] steps of M.devices
---@return table[] steps
function M.device_directory(spec, host, own, devices)
  local of_the_host = is_of_the_host(own)
  local steps = of_the_host and {} or nodes_and_links(spec, host, {})
  for _, step in ipairs(devices) do
    if not of_the_host or not step.path:find("^/+dev/") then
      steps[#steps + 1] = step
    end
  end
  return steps
end

local function pts(spec)
  -- gid 5 is tty on every distribution; a user namespace that does not map it cannot name it.
  local group = spec.namespaces.user == "host" and ",gid=5" or ""
  return { mount("devpts", "/dev/pts", restricted("MS_NOEXEC"),
    "newinstance,ptmxmode=0666,mode=0620" .. group) }
end

local function shm()
  return { mount("tmpfs", "/dev/shm", restricted("MS_NODEV", "MS_NOEXEC"),
    "mode=1777,size=67108864") }
end

local function mqueue(spec)
  if is_foreign(spec, "ipc") then
    return {} -- only the owner of an ipc namespace may mount its queues
  end
  return { mount("mqueue", "/dev/mqueue", restricted("MS_NODEV", "MS_NOEXEC")) }
end

local function sysfs(spec)
  if is_foreign(spec, "network") then
    -- sysfs belongs to the network namespace, and only its owner may mount it.
    local s = sys()
    return { bind_host("/sys", s.MOUNT_ATTR_RDONLY | s.MOUNT_ATTR_NOSUID | s.MOUNT_ATTR_NODEV
      | s.MOUNT_ATTR_NOEXEC) }
  end
  return { mount("sysfs", "/sys", restricted("MS_RDONLY", "MS_NODEV", "MS_NOEXEC")) }
end

--- Parents before children. A mount of the recipe on one of them replaces it and those below.
M.list = {
  { target = "/proc", steps = proc },
  { target = "/dev", steps = dev },
  { target = "/dev/pts", steps = pts },
  { target = "/dev/shm", steps = shm },
  { target = "/dev/mqueue", steps = mqueue },
  { target = "/sys", steps = sysfs },
}

local function device_problem(device, spec)
  if device.type and device.type ~= "p" and not device.path:find("^/dev/")
    and not spec.rootfs.devices
  then
    return "a node below /dev only: the rest of the root is mounted without devices"
  end
end

--- A FIFO anybody may make. Where a device's node may not be made, that of the host is bound, with
--- the host's owner and mode.
local function device_step(device, made)
  if not device.type or not made and device.type ~= "p" then
    return bind_node(device.path, device.type, device.major, device.minor)
  end
  local step = make_node(device.path, device.type, device.mode, device.major, device.minor)
  if (device.uid or 0) ~= 0 or (device.gid or 0) ~= 0 then
    step.owner, step.uid, step.gid = 1, device.uid, device.gid
  end
  return step
end

--- The nodes of the spec's `devices`.
---@param problem fun(index: integer, message: string)
function M.devices(spec, host, problem)
  local steps, made = {}, may_mknod(spec, host)
  for i, device in ipairs(spec.devices) do
    local message = device_problem(device, spec)
    if message then
      problem(i, message)
    end
    steps[i] = device_step(device, made)
    steps[i].from = "devices[" .. i .. "]"
  end
  return steps
end

return M
