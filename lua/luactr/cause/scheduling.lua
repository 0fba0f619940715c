--- Why the command cannot run when and where it should: rows for priorities, CPUs and nodes.
local M = {}

local function list(text)
  return text and text:match("^%s*(.-)%s*$")
end

local function own_cpus(case)
  local status = case.eyes.read("/proc/self/status") or ""
  local all = list(case.eyes.read("/sys/devices/system/cpu/online"))
  local cpus = case.plan and case.plan.spec.limits.cpus
  return { mine = cpus or status:match("\nCpus_allowed_list:%s*(%S+)") or "?", all = all or "?" }
end

local function nodes(case)
  local online = list(case.eyes.read("/sys/devices/system/node/online"))
  return online and { online = online } or nil
end

local function no_nodes(case)
  return not case.eyes.lstat("/sys/devices/system/node") and {} or nil
end

local function no_smt(case)
  local control = list(case.eyes.read("/sys/devices/system/cpu/smt/active"))
  return control == "0" and {} or nil
end

local function nice_limit(case)
  local soft = case.eyes.rlimit("NICE")
  return soft and { least = 20 - soft } or nil
end

local function realtime_group(case)
  local policy = case.step.policy
  if policy ~= 1 and policy ~= 2 then
    return nil
  end
  return case.eyes.sysctl("kernel/sched_rt_runtime_us") and case.host.privileged and {} or nil
end

local function restricted(case)
  local spec = case.plan.spec
  return case.step.policy == 6 and (spec.cpu_affinity or spec.limits.cpus) and {} or nil
end

M.sched_setaffinity = {
  { code = "EINVAL", find = own_cpus,
    cause = "some of these CPUs are not to be had: the host has {all}, the cgroup allows {mine}",
    remedy = "CPUs out of these" },
}

M.set_mempolicy = {
  { code = { "EINVAL", "ENOSYS" }, find = no_nodes,
    cause = "this kernel was built without NUMA",
    remedy = "leave memory_policy out" },
  { code = "EINVAL", find = nodes,
    cause = "the host has the memory nodes {online}, or this kernel lacks the mode or flag",
    guess = true, remedy = "nodes out of these, and a mode of set_mempolicy(2)" },
}

M.setpriority = {
  { code = { "EACCES", "EPERM" }, find = nice_limit,
    cause = "luactr lacks CAP_SYS_NICE, and without it nice goes down to {least} (RLIMIT_NICE)",
    remedy = "a larger value, or run luactr as root" },
}

M.sched_setattr = {
  { code = "EPERM", find = restricted,
    cause = "the deadline policy needs all CPUs of the host",
    remedy = "leave cpu_affinity and limits.cpus out" },
  { code = "EPERM", find = realtime_group, guess = true,
    cause = "the cgroup of the container has no time for real-time tasks (cpu.rt_runtime_us)",
    remedy = "give it some, or start luactr with the kernel's option rt_group_sched=0" },
  { code = "EPERM", guess = true,
    cause = "it takes CAP_SYS_NICE, or RLIMIT_RTPRIO or RLIMIT_NICE that are high enough",
    remedy = "run luactr as root, or raise the limit" },
  { code = "EBUSY", guess = true,
    cause = "the CPUs have not that much time left for deadlines" },
  { code = "EINVAL", guess = true, cause = "the kernel refuses these values: sched(7)" },
}

M.ioprio_set = {
  { code = "EPERM", guess = true,
    cause = "the real-time class takes CAP_SYS_NICE or CAP_SYS_ADMIN on the host",
    remedy = "class = \"best_effort\", or run luactr as root" },
}

M.core_scheduling = {
  { code = "ENODEV", find = no_smt,
    cause = "this machine runs one thread on a core, or has SMT switched off: there is no other "
      .. "to keep out",
    remedy = "core_scheduling = false" },
  { code = "ENODEV", guess = true, cause = "this machine has no SMT",
    remedy = "core_scheduling = false" },
  { code = "EINVAL", guess = true,
    cause = "this kernel was built without CONFIG_SCHED_CORE, or is older than 5.14",
    remedy = "core_scheduling = false, and SMT off if it matters" },
}

M.tsc = {
  { code = "EINVAL", guess = true, cause = "this machine cannot forbid it: x86 only",
    remedy = "leave tsc out" },
}

M.session_keyring = {
  { code = "ENOSYS", guess = true, cause = "this kernel was built without keys",
    remedy = "keyring = \"inherit\": there is none" },
  { code = "EDQUOT", guess = true,
    cause = "the user has used up its keys: kernel.keys.maxkeys, or root_maxkeys",
    remedy = "raise it, or keyring = \"inherit\"" },
  { code = "EPERM", guess = true, cause = "a filter round luactr refuses keyctl(2)",
    remedy = "keyring = \"inherit\": nothing inside can use keys either" },
}

M.securebits = {
  { code = "EPERM", guess = true,
    cause = "they take CAP_SETPCAP, and a bit that is locked cannot be changed",
    remedy = "run luactr with CAP_SETPCAP" },
}

return M
