--- Why a process cannot be made or become what it should: rows for namespaces, limits, identities
--- and luactr's own descriptors; and under "*" those that fit every operation.

local NO_LIMIT <const> = -1

-- What /proc/sys/user calls each namespace, by its name in a spec.
local NAMESPACE_LIMITS <const> = {
  user = "max_user_namespaces", mount = "max_mnt_namespaces", pid = "max_pid_namespaces",
  uts = "max_uts_namespaces", ipc = "max_ipc_namespaces", network = "max_net_namespaces",
  cgroup = "max_cgroup_namespaces", time = "max_time_namespaces",
}

local NAMESPACE_FILES <const> = {
  user = "user", mount = "mnt", pid = "pid", uts = "uts", ipc = "ipc", network = "net",
  cgroup = "cgroup", time = "time",
}

-- ---- namespaces

local function user_namespaces_off(case)
  if case.plan.spec.namespaces.user ~= "new" then
    return nil
  end
  for _, lock in ipairs(require "luactr.cause.locks") do
    if case.eyes.sysctl(lock.name) == lock.off then
      local name = lock.name:gsub("/", ".")
      return { sysctl = name, value = lock.off, on = lock.on }
    end
  end
end

local function not_root(case)
  return not case.host.privileged and case.plan.spec.namespaces.user == "host" and {} or nil
end

-- seccomp(2): mode 2 in /proc/self/status
local function filtered(case)
  local status = case.eyes.read("/proc/self/status") or ""
  if status:match("\nSeccomp:%s*(%d)") ~= "2" then
    return nil
  end
  return { kinds = case.plan.spec.namespaces.user == "new" and "user namespaces" or "namespaces" }
end

local function namespace_limit(case)
  for kind, word in pairs(case.plan.spec.namespaces) do
    local file = NAMESPACE_LIMITS[kind]
    local limit = word == "new" and file and case.eyes.sysctl("user/" .. file)
    if limit and limit <= 1 then
      return { kind = kind, sysctl = "user." .. file, value = limit }
    end
  end
end

local function no_such_namespace(case)
  for kind, word in pairs(case.plan.spec.namespaces) do
    local file = NAMESPACE_FILES[kind]
    if word == "new" and file and not case.eyes.lstat("/proc/self/ns/" .. file) then
      return { kind = kind }
    end
  end
end

-- ---- processes and memory

local FEWEST_PIDS <const> = 2 -- PID 1 and the payload

local function pids_too_few(case)
  local pids = case.plan and case.plan.spec.limits.pids
  return pids and pids >= 0 and pids < FEWEST_PIDS and { pids = pids, fewest = FEWEST_PIDS } or nil
end

local function own_process_limit(case)
  local soft = case.eyes.rlimit("NPROC")
  return soft and soft ~= NO_LIMIT and case.host.uid ~= 0 and { limit = soft } or nil
end

-- What the init, its page tables and the kernel's own charges need before the payload is there.
local SMALLEST_MEMORY <const> = 1 << 20

local function memory_too_small(case)
  local memory = case.plan and case.plan.spec.limits.memory
  return memory and memory >= 0 and memory < SMALLEST_MEMORY and { memory = memory } or nil
end

local function memory_limited(case)
  local memory = case.plan and case.plan.spec.limits.memory
  return memory and memory >= 0 and { memory = memory } or nil
end

-- ---- limits of the process

local RLIMIT_NAMES -- number to name, from the core, when first asked for

local function rlimit_name(number)
  if not RLIMIT_NAMES then
    RLIMIT_NAMES = {}
    for name, value in pairs(require("luactr.core").sys.rlimits) do
      RLIMIT_NAMES[value] = name
    end
  end
  return RLIMIT_NAMES[number]
end

local function above_nr_open(case)
  local name, most = rlimit_name(case.step.resource), case.eyes.sysctl("fs/nr_open")
  local hard = case.step.hard
  if name ~= "NOFILE" or not most or (hard ~= NO_LIMIT and hard <= most) then
    return nil
  end
  return { hard = hard == NO_LIMIT and "unlimited" or hard, most = most }
end

local function above_hard_limit(case)
  local name = rlimit_name(case.step.resource)
  local _, hard = case.eyes.rlimit(name)
  local wanted = case.step.hard
  if not hard or hard == NO_LIMIT or (wanted ~= NO_LIMIT and wanted <= hard) then
    return nil
  end
  return { name = name:lower(), hard = hard,
    wanted = wanted == NO_LIMIT and "unlimited" or wanted }
end

-- ---- identities and capabilities

local function lacking_capability(case)
  local status = case.eyes.read("/proc/self/status") or ""
  local own = tonumber(status:match("\nCapPrm:%s*(%x+)"), 16)
  local wanted = case.step.permitted or case.step.keep
  local lacking = own and wanted and wanted & ~own
  if not lacking or lacking == 0 then
    return nil
  end
  return { names = table.concat(require("luactr.core").sys.cap_names(lacking), ", ") }
end

local function unmapped_id(case)
  local id = case.step.uid or case.step.gid
  return case.plan.id_maps and { id = id,
    other = id == 0 and "idmap = \"range\" of the container" or "user = 0" } or nil
end

-- ---- luactr's own descriptors

local function descriptor_limit(case)
  local soft, hard = case.eyes.rlimit("NOFILE")
  return { soft = soft, hard = hard }
end

local function file_max(case)
  return { max = case.eyes.sysctl("fs/file-max") }
end

local function missing_file(case)
  local path = case.err.path
  local above = path and path:match("^(.*)/[^/]*$")
  if above and above ~= "" and not case.eyes.stat(above) then
    return { path = above }
  end
  return path and not case.eyes.lstat(path) and { path = path } or nil
end

local function sealed_programs_off(case)
  return case.eyes.sysctl("vm/memfd_noexec") == 2 and {} or nil
end

-- ---- the rows

local M = {}

local CLONE <const> = {
  { code = { "EPERM", "ENOSPC", "EACCES" }, find = user_namespaces_off,
    cause = "luactr is not root, and this host lets only root make user namespaces: "
      .. "{sysctl} is {value}",
    remedy = "run luactr as root, or as root: sysctl -w {sysctl}={on}" },
  { code = "EPERM", find = not_root,
    cause = "luactr is not root, and the recipe wants no user namespace",
    remedy = "leave namespaces.user out, or run luactr as root" },
  { code = "EPERM", find = filtered, guess = true,
    cause = "the seccomp filter that luactr itself runs under refuses new {kinds}",
    remedy = "if that is luactr's, seccomp = \"unconfined\" in the outer recipe" },
  { code = "ENOSPC", find = namespace_limit,
    cause = "no more {kind} namespaces are allowed: {sysctl} is {value}",
    remedy = "raise it as root: sysctl -w {sysctl}=65536" },
  { code = "ENOSPC", guess = true,
    cause = "a limit in /proc/sys/user is reached, or namespaces are nested too deeply" },
  { code = "EINVAL", find = no_such_namespace,
    cause = "this kernel was built without {kind} namespaces",
    remedy = "namespaces = { {kind} = \"host\" }" },
  { code = { "EACCES", "EPERM" }, find = sealed_programs_off,
    cause = "vm.memfd_noexec is 2, which keeps luactr from running its init from memory",
    remedy = "install luactr (its init is then a file), or sysctl -w vm.memfd_noexec=1" },
}

M.clone, M.spawn, M.launch, M.unshare = CLONE, CLONE, CLONE, CLONE

M.init = {}

M.setrlimit = {
  { code = "EPERM", find = above_nr_open,
    cause = "rlimits.nofile is {hard}, and the kernel's most is {most} (fs.nr_open)",
    remedy = "a smaller limit, or raise fs.nr_open" },
  { code = "EPERM", find = above_hard_limit,
    cause = "rlimits.{name} is {wanted}, above luactr's own hard limit of {hard}",
    remedy = "a smaller limit, or run luactr as root or with a higher one (ulimit -H)" },
  { code = "EPERM", guess = true, cause = "it is above the hard limit that luactr has itself" },
}

M.seccomp = {
  { code = { "EINVAL", "ENOSYS" }, find = function(case)
    return not case.eyes.lstat("/proc/sys/kernel/seccomp") and {} or nil
  end,
    cause = "this kernel was built without seccomp filters",
    remedy = "seccomp = \"unconfined\", if the container may do without" },
  { code = "EBUSY", find = function(case)
    local profile = case.plan and case.plan.spec.seccomp
    return type(profile) == "table" and (profile.handlers or profile.listener) and {} or nil
  end,
    cause = "luactr itself runs under a filter that somebody answers for: the kernel allows one",
    remedy = "leave notify out here, or where luactr is started" },
  { code = "EACCES", guess = true,
    cause = "a filter needs no_new_privileges, or root", remedy = "no_new_privileges = true" },
  { code = "EINVAL", guess = true, cause = "the kernel refuses the filter" },
}

M.capset = {
  { code = "EPERM", find = lacking_capability,
    cause = "luactr itself does not have {names}",
    remedy = "leave them out of `capabilities`, or run luactr with them" },
}

M.capbset_drop = M.capset
M.cap_ambient = {
  { code = "EPERM", guess = true,
    cause = "an ambient capability must be permitted and inheritable too" },
}

M.setresuid = {
  { code = "EINVAL", find = unmapped_id,
    cause = "the user namespace has no user or group {id}",
    remedy = "run luactr as root, or {other}" },
}

M.setresgid, M.setgroups = M.setresuid, {
  { code = { "EINVAL", "EPERM" }, guess = true,
    cause = "a group is not mapped into the user namespace, or it may not set groups" },
}

M.sysctl = {
  { code = "ENOENT", find = function(case)
    local file = case.step.key:gsub("%.", "/")
    return not case.eyes.lstat("/proc/sys/" .. file) and { key = case.step.key } or nil
  end,
    cause = "this kernel has no parameter {key}", remedy = "correct the name in `sysctl`" },
  { code = "EINVAL", find = function(case) return case.step end,
    cause = "{key} does not take the value {value}" },
  { code = { "EACCES", "EPERM", "EROFS" }, guess = true,
    cause = "it can be read only, or belongs to no namespace of the container" },
}

M.oom_score_adj = {
  { code = "EACCES", guess = true,
    cause = "only root may make a process less likely to be killed than it is",
    remedy = "a larger value" },
}

M.id_map = {
  { code = "EPERM", guess = true,
    cause = "luactr may not map these ids in its own user namespace",
    remedy = "idmap = \"single\", or root with CAP_SETUID, CAP_SETGID and CAP_SETFCAP" },
}

M.sethostname = {
  { code = "EPERM", guess = true, cause = "luactr may not rename its uts namespace" },
}
M.setdomainname = M.sethostname

M.open = {
  { code = { "ENOENT", "ENOTDIR" }, find = missing_file, cause = "{path} does not exist" },
  { code = "EISDIR", find = function(case) return { path = case.err.path } end,
    cause = "{path} is a directory" },
}

M.pipe = {}

M["*"] = {
  { code = "EMFILE", find = descriptor_limit,
    cause = "luactr has used up its file descriptors: its limit is {soft} (hard limit {hard})",
    remedy = "close what the recipe does not need, or raise it: ulimit -n" },
  { code = "ENFILE", find = file_max,
    cause = "the host has used up its open files: fs.file-max is {max}" },
  { code = "EAGAIN", find = pids_too_few,
    cause = "limits.pids is {pids}, and PID 1 and the command are {fewest} processes",
    remedy = "limits = { pids = {fewest} } or more" },
  { code = "EAGAIN", find = own_process_limit,
    cause = "the user runs as many processes as its limit of {limit} allows (ulimit -u)",
    guess = true,
    remedy = "end some, or raise the limit" },
  { code = "EAGAIN", guess = true,
    cause = "a limit of processes is reached: pids.max of luactr's cgroup, or kernel.threads-max" },
  { code = "*", aux = "killed", find = memory_too_small,
    cause = "limits.memory is {memory} bytes, too little to start a process",
    remedy = "limits = { memory = \"4M\" } or more" },
  { code = "*", aux = "killed", find = memory_limited, guess = true,
    cause = "the kernel killed it for memory: limits.memory is {memory} bytes",
    remedy = "a higher limits.memory" },
  { code = "*", aux = "killed", guess = true, cause = "somebody killed it while it started" },
  -- exec(2) says E2BIG when it gets no page for the arguments, whatever their size
  { code = { "ENOMEM", "E2BIG" }, find = memory_too_small,
    cause = "limits.memory is {memory} bytes, too little to start a process",
    remedy = "limits = { memory = \"4M\" } or more" },
  { code = "ENOMEM", find = memory_limited, guess = true,
    cause = "limits.memory is {memory} bytes, too little to start",
    remedy = "a higher limits.memory" },
  { code = "ENOMEM", guess = true, cause = "the host is out of memory" },
  { code = "ENOSYS", guess = true, cause = "this kernel is too old for the call (luactr doctor)" },
}

return M
