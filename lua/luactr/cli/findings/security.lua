--- Doctor's section "Security": filters, Landlock, security modules, and settings that keep a
--- payload from the host.

-- ---- seccomp

local ACTIONS <const> = "/proc/sys/kernel/seccomp/actions_avail"

local function filters(_, eyes, probes)
  local has, code = probes.call "seccomp_filter"
  if has then
    return true, "filters system calls (" .. (eyes.read(ACTIONS) or "actions unknown") .. ")"
  end
  return false, "no filters (" .. tostring(code) .. "): not in this kernel",
    "seccomp = \"unconfined\" in each recipe, or a kernel with CONFIG_SECCOMP_FILTER"
end

local FLAGS <const> = { "tsync", "log", "spec_allow", "new_listener", "wait_killable_recv" }

local function flags(_, _, probes)
  local has, lacking = {}, {}
  for _, flag in ipairs(FLAGS) do
    local list = probes.call("seccomp_" .. flag) and has or lacking
    list[#list + 1] = flag
  end
  if #lacking == 0 then
    return true, table.concat(has, ", ")
  end
  return false, "without " .. table.concat(lacking, ", "),
    "a kernel from 5.19 on has them all; leave them out of the recipe's flags"
end

local function notification(_, eyes, probes)
  local known = (" " .. (eyes.read(ACTIONS) or "") .. " "):find(" user_notif ", 1, true)
  if known and probes.call "seccomp_new_listener" then
    return true, "calls can be answered by a function of the recipe"
  end
  return false, "calls cannot be answered by a function of the recipe",
    "a kernel from 5.0 on, without a filter round luactr that hides seccomp(2)"
end

-- ---- Landlock

local LSM_HINT <const> = "boot with lsm=landlock,... (what is on now: "

local function landlock(host, eyes)
  local rules = require "luactr.security.landlock"
  local absence = rules.absence(host.landlock)
  if absence then
    local now = eyes.read "/sys/kernel/security/lsm" or "unknown"
    return false, absence, host.landlock.code == "EOPNOTSUPP" and LSM_HINT .. now .. ")"
      or "a kernel from 5.13 on with CONFIG_SECURITY_LANDLOCK"
  end
  local text = "ABI " .. host.landlock.abi
  local next_version = rules.after(host.landlock.abi)
  if not next_version then
    return true, text
  end
  return true, string.format("%s of %d; the next, %d, comes with Linux %s", text, rules.newest,
    next_version.abi, next_version.linux)
end

-- ---- security modules

local function apparmor(_, eyes)
  local enabled = eyes.read "/sys/module/apparmor/parameters/enabled"
  if enabled == "Y" then
    local own = eyes.read "/proc/self/attr/current" or "unknown"
    return true, "luactr itself runs as " .. own:gsub("%z", "")
  elseif enabled then
    return false, "switched off at boot", "boot with apparmor=1 lsm=...,apparmor"
  end
  return false, "not in this kernel: apparmor = \"...\" is refused",
    "a kernel with CONFIG_SECURITY_APPARMOR, booted with lsm=...,apparmor"
end

local MODES <const> = { ["0"] = "permissive: it only records", ["1"] = "enforcing" }

local function selinux(_, eyes)
  local mode = eyes.read "/sys/fs/selinux/enforce"
  if mode then
    return true, MODES[mode] or "mode " .. mode
  elseif (eyes.read "/sys/kernel/security/lsm" or ""):find "selinux" then
    return false, "in the kernel, but without a policy", "mount -t selinuxfs none /sys/fs/selinux, "
      .. "and load a policy"
  end
  return false, "not in this kernel, or switched off: selinux = \"...\" is refused",
    "a kernel with CONFIG_SECURITY_SELINUX, booted with selinux=1 lsm=...,selinux, and a policy"
end

-- ---- settings

local function executable_memory(_, eyes)
  local mode = eyes.sysctl("vm/memfd_noexec") or 0
  if mode < 2 then
    return true, "the init runs from sealed memory"
  end
  return false, "vm.memfd_noexec is 2: the init must be installed as a file",
    "cmake --install build, or sysctl -w vm.memfd_noexec=1"
end

--- Input that a program pushes into the terminal that it shares with a shell.
local function terminal_input(host, eyes)
  local allowed = eyes.sysctl "dev/tty/legacy_tiocsti"
  if allowed == 0 then
    return true, "no program can type into a shared terminal (TIOCSTI)"
  elseif allowed then
    return false, "dev.tty.legacy_tiocsti is 1: only luactr's session, pty and filter protect a "
      .. "shared terminal", "sysctl -w dev.tty.legacy_tiocsti=0"
  end
  local version = host.kernel[1] .. "." .. host.kernel[2]
  return false, "Linux " .. version .. " cannot switch TIOCSTI off: only luactr's session, pty and "
    .. "filter protect a shared terminal", "a kernel from 6.2 on"
end

return {
  { name = "seccomp", required = true, check = filters },
  { name = "seccomp flags", check = flags },
  { name = "seccomp notify", check = notification },
  { name = "landlock", check = landlock },
  { name = "apparmor", check = apparmor },
  { name = "selinux", check = selinux },
  { name = "executable memory", check = executable_memory },
  { name = "terminal input", check = terminal_input },
}
