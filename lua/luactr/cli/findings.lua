--- What doctor looks at: rows of checks. A check returns whether it is there, a text, and where it
--- is not, what to do.
local M = {}

---@class luactr.finding
---@field section string
---@field name string
---@field status "ok"|"lacking"|"failed" failed: no container can do without it
---@field text string
---@field remedy? string

---@class luactr.doctor.row
---@field name string
---@field required? boolean|fun(host: luactr.host): boolean
---@field check fun(host: luactr.host, eyes: luactr.eyes): boolean, string, string?

local function sys()
  return require("luactr.core").sys
end

-- ---- the kernel

local function is_since(host, major, minor)
  local kernel = host.kernel
  return kernel[1] > major or (kernel[1] == major and kernel[2] >= minor)
end

--- A call that has been in the kernel since a version.
local function since(name, major, minor, what, required)
  return { name = name, required = required, check = function(host)
    if is_since(host, major, minor) then
      return true, what
    end
    return false, string.format("%s; needs Linux %d.%d", what, major, minor)
  end }
end

local KERNEL <const> = {
  since("openat2", 5, 6, "resolve paths inside the root", true),
  since("close_range", 5, 11, "pass no descriptor by accident", true),
  since("mount_setattr", 5, 12, "read-only binds that nobody can undo", true),
  since("clone3", 5, 7, "start in a cgroup v2; without it processes are moved there"),
  since("cgroup.kill", 5, 14, "kill a cgroup v2 at once"),
}

-- ---- privileges

local function lacking_capabilities(host)
  local default = require("luactr.spec.values").default_capabilities
  return sys().cap_names(sys().cap_mask(default) & ~host.capabilities)
end

-- What keeps a user from making user namespaces is named by the sysctl that does.
local function user_namespace(host, eyes)
  local child, message, errno = sys().clone({ "newuser" }, function() return 0 end)
  if child then
    child:wait()
    return true, "can be made by this user"
  end
  local err = require("luactr.error").from_sys(message, errno, "clone")
  local plan = { steps = {}, spec = { namespaces = { user = "new" }, limits = {} } }
  require("luactr.cause").explain(err, plan, host, eyes)
  return false, err.cause or message, err.remedy
end

local PRIVILEGES <const> = {
  { name = "root", check = function(host)
    if host.privileged then
      return true, "with CAP_SYS_ADMIN"
    end
    return false, "user " .. host.uid .. ": containers get a user namespace"
  end },
  { name = "user namespaces", check = user_namespace,
    required = function(host) return not host.privileged end },
  { name = "capabilities", check = function(host)
    local lacking = host.privileged and lacking_capabilities(host) or {}
    if #lacking == 0 then
      return true, "all of the default list"
    end
    return false, "luactr has no " .. table.concat(lacking, ", ") .. ", nor will its containers"
  end },
}

local NAMESPACES <const> = {
  mnt = "mounts", pid = "processes", uts = "host name", ipc = "System V IPC and message queues",
  net = "network", cgroup = "cgroups",
}

local function namespace_rows()
  local rows = {}
  for _, name in ipairs { "mnt", "pid", "uts", "ipc", "net", "cgroup" } do
    rows[#rows + 1] = { name = name, required = name == "mnt" or name == "pid",
      check = function(_, eyes)
        if eyes.lstat("/proc/self/ns/" .. name) then
          return true, NAMESPACES[name]
        end
        return false, NAMESPACES[name] .. ": not in this kernel"
      end }
  end
  return rows
end

-- ---- cgroups

local CONTROLLERS <const> = {
  cpu = "limits.cpu", cpuset = "limits.cpus", memory = "limits.memory", pids = "limits.pids",
  io = "limits.io", devices = "limits.devices", freezer = "pause()", hugetlb = "limits.hugepages",
}

-- How a user who is not root comes to write to a hierarchy.
local DELEGATION <const> = {
  [1] = "run luactr as root; cgroup v1 is not for other users",
  [2] = "start luactr in a delegated cgroup: systemd-run --user --scope -p Delegate=yes",
}

--- Where a controller lives, and whether luactr may use it there: see luactr.cgroup.compile.
local function check_controller(name, host)
  local home = host.cgroup.controllers[name]
  if not home then
    return false, "not in this kernel, or not mounted"
  elseif not home.parent then
    return false, string.format("v%d at %s, where this user may not write", home.version,
      home.mount), DELEGATION[home.version]
  elseif home.version == 2 and not home.granted[name] then
    return false, string.format("v2 at %s, but not delegated to %s", home.mount, home.parent),
      "systemctl edit user@.service: Delegate=yes"
  end
  return true, string.format("v%d at %s%s", home.version, home.mount, home.parent)
end

local function controller_rows()
  local rows = { { name = "layout", check = function(host)
    return host.cgroup.kind ~= nil, host.cgroup.kind or "no cgroup file system is mounted"
  end } }
  for _, name in ipairs { "cpu", "cpuset", "memory", "pids", "io", "devices", "freezer",
    "hugetlb" } do
    rows[#rows + 1] = { name = name, check = function(host)
      local fine, text, remedy = check_controller(name, host)
      return fine, fine and text or CONTROLLERS[name] .. " refused: " .. text, remedy
    end }
  end
  rows[#rows + 1] = { name = "pressure", check = function(_, eyes)
    local has = eyes.lstat("/proc/pressure") ~= nil
    return has, has and "stall times are metered" or "no stall times", not has and
      "boot with psi=1" or nil
  end }
  return rows
end

-- ---- security

local function executable_memory(_, eyes)
  local mode = eyes.sysctl("vm/memfd_noexec") or 0
  if mode < 2 then
    return true, "the init runs from sealed memory"
  end
  return false, "vm.memfd_noexec is 2: the init must be installed as a file",
    "cmake --install build, or sysctl -w vm.memfd_noexec=1"
end

local SECURITY <const> = {
  { name = "seccomp", required = true, check = function(_, eyes)
    local actions = eyes.read("/proc/sys/kernel/seccomp/actions_avail")
    if actions then
      return true, "filters system calls (" .. actions .. ")"
    end
    return false, "not in this kernel", "seccomp = \"unconfined\" in each recipe"
  end },
  { name = "landlock", check = function()
    local abi = sys().landlock_abi()
    return abi ~= nil, abi and "ABI " .. abi or "not in this kernel, or not in its lsm= list"
  end },
  { name = "executable memory", check = executable_memory },
}

-- ---- files and limits

local function file_system(name, what)
  return { name = name, check = function(_, eyes)
    local known = (eyes.read("/proc/filesystems") or "") .. "\n"
    local has = known:find("\t" .. name .. "\n", 1, true) ~= nil
    return has, what, not has and "modprobe " .. name or nil
  end }
end

--- It is made when it is needed, so the nearest directory above counts.
local function state_directory(host, eyes)
  local path = host.state_dir
  while path ~= "" and not eyes.stat(path) do
    path = path:match("^(.*)/")
  end
  path = path == "" and "/" or path
  local access = require "luactr.cause.access"
  local who = { uid = host.uid, gids = { [host.gid] = true }, override = host.uid == 0 }
  if access.allowed(eyes.stat(path), who, access.WRITE) then
    return true, host.state_dir
  end
  return false, string.format("%s: this user may not write to %s", host.state_dir, path),
    "set XDG_RUNTIME_DIR to a directory of your own"
end

local FILES <const> = {
  file_system("tmpfs", "roots and mounts in memory"),
  file_system("overlay", "layers on top of each other"),
  { name = "state", required = true, check = state_directory },
}

local FEW_DESCRIPTORS <const> = 256

local LIMITS <const> = {
  { name = "open files", check = function(_, eyes)
    local soft, hard = eyes.rlimit("NOFILE")
    local enough = soft == -1 or soft >= FEW_DESCRIPTORS
    return enough, string.format("%d (hard %d)", soft, hard),
      not enough and "ulimit -n " .. FEW_DESCRIPTORS or nil
  end },
  { name = "pids", check = function(_, eyes)
    return true, string.format("kernel.pid_max %d", eyes.sysctl("kernel/pid_max") or 0)
  end },
  { name = "network namespaces", check = function(_, eyes)
    local most = eyes.sysctl("user/max_net_namespaces") or 0
    return most > 0, string.format("user.max_net_namespaces %d", most)
  end },
}

-- ---- all of it

local function sections()
  return {
    { "Kernel", KERNEL }, { "Privileges", PRIVILEGES }, { "Namespaces", namespace_rows() },
    { "cgroups", controller_rows() }, { "Security", SECURITY }, { "File systems", FILES },
    { "Limits", LIMITS },
  }
end

local function finding(section, row, host, eyes)
  local fine, text, remedy = row.check(host, eyes)
  local required = row.required
  if type(required) == "function" then
    required = required(host)
  end
  local status = fine and "ok" or required and "failed" or "lacking"
  return { section = section, name = row.name, status = status, text = text, remedy = remedy }
end

---@class luactr.doctor.report
---@field ok boolean
---@field title string
---@field findings luactr.finding[]

--- Look at everything.
---@param host? luactr.host for specs
---@param eyes? luactr.eyes for specs
---@return luactr.doctor.report
function M.look(host, eyes)
  host, eyes = host or require("luactr.host").facts(), eyes or require "luactr.cause.eyes"
  local title = require("luactr.cli.version").text():gsub("\n", "")
  local report = { ok = true, title = title, findings = {} }
  for _, section in ipairs(sections()) do
    for _, row in ipairs(section[2]) do
      local found = finding(section[1], row, host, eyes)
      report.findings[#report.findings + 1] = found
      report.ok = report.ok and found.status ~= "failed"
    end
  end
  return report
end

return M
