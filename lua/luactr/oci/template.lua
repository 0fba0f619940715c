--- The config.json that `luactr oci spec` writes where there is none: a shell in a root that is
--- beside it, with what engines give their containers. Pure.
local core = require "luactr.core"

local M = {}

local CAPABILITIES <const> = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" }

local MASKED <const> = { "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore",
  "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
  "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware" }

local READONLY <const> = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
  "/proc/sysrq-trigger" }

local function mount(kind, source, target, ...)
  return { type = kind, source = source, destination = target, options = { ... } }
end

--- Without root: whose files these would be is mapped to nobody, and /sys is the host's.
local function mounts(rootless)
  local pts = { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" }
  if not rootless then
    pts[#pts + 1] = "gid=5"
  end
  local list = {
    { type = "proc", source = "proc", destination = "/proc" },
    mount("tmpfs", "tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
    mount("devpts", "devpts", "/dev/pts", table.unpack(pts)),
    mount("tmpfs", "shm", "/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
    mount("mqueue", "mqueue", "/dev/mqueue", "nosuid", "noexec", "nodev"),
  }
  if rootless then
    list[#list + 1] = mount("none", "/sys", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro")
  else
    list[#list + 1] = mount("sysfs", "sysfs", "/sys", "nosuid", "noexec", "nodev", "ro")
    list[#list + 1] = mount("cgroup", "cgroup", "/sys/fs/cgroup", "nosuid", "noexec", "nodev",
      "relatime", "ro")
  end
  return list
end

local function namespaces(rootless)
  local list = {}
  for i, kind in ipairs { "pid", "network", "ipc", "uts", "mount", "cgroup" } do
    list[i] = { type = kind }
  end
  if rootless then
    list[2] = { type = "user" } -- the network stays the host's, as there is nobody to connect one
  end
  return list
end

local function linux(rootless, uid, gid)
  local config = { namespaces = namespaces(rootless), maskedPaths = MASKED,
    readonlyPaths = READONLY }
  if rootless then
    config.uidMappings = { { containerID = 0, hostID = uid, size = 1 } }
    config.gidMappings = { { containerID = 0, hostID = gid, size = 1 } }
  else
    config.resources = { devices = { { allow = false, access = "rwm" } } }
  end
  return config
end

---@param version string of the specification
---@param rootless? boolean for who is not root
---@param uid integer
---@param gid integer
---@return table document
function M.document(version, rootless, uid, gid)
  return {
    ociVersion = version, hostname = "luactr",
    root = { path = "rootfs", readonly = true },
    process = {
      terminal = true, user = { uid = 0, gid = 0 }, args = { "sh" }, cwd = "/",
      env = { "PATH=" .. core.plan.default_path, "TERM=xterm" },
      capabilities = { bounding = CAPABILITIES, effective = CAPABILITIES,
        permitted = CAPABILITIES },
      rlimits = { { type = "RLIMIT_NOFILE", hard = 1024, soft = 1024 } },
      noNewPrivileges = true,
    },
    mounts = mounts(rootless), linux = linux(rootless, uid, gid),
  }
end

return M
