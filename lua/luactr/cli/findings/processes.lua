--- Doctor's section "Processes": how they can be scheduled, and how many there can be.

local FEW_DESCRIPTORS <const> = 256

local NO_CORE_SCHEDULING <const> = {
  EINVAL = { "not in this kernel", "a kernel from 5.14 on with CONFIG_SCHED_CORE" },
  ENODEV = { "each core of this machine runs one thread, so that nothing is to be kept apart" },
}

local function core_scheduling(_, _, probes)
  local has, code = probes.call "core_scheduling"
  if has then
    return true, "a container can have its cores to itself"
  end
  local known = NO_CORE_SCHEDULING[code] or { "refused: " .. tostring(code) }
  return false, known[1], known[2]
end

local function numa(_, eyes, probes)
  if not probes.call "set_mempolicy" then
    return false, "no memory policy: not in this kernel", "a kernel with CONFIG_NUMA"
  end
  local online = eyes.read "/sys/devices/system/node/online" or "0"
  return true, "memory nodes " .. online
end

local function keyring(_, eyes, probes)
  local has, code = probes.call "keyctl"
  if not has then
    return false, code == "ENOSYS" and "not in this kernel, or hidden by a filter round luactr"
      or tostring(code), "a kernel with CONFIG_KEYS; containers then share no keys with anybody"
  end
  local keys = eyes.sysctl "kernel/keys/maxkeys"
  return true, "a session keyring for each container" ..
    (keys and string.format(" (a user may have %d keys)", keys) or "")
end

return {
  { name = "core scheduling", check = core_scheduling },
  { name = "NUMA", check = numa },
  { name = "keyring", check = keyring },
  { name = "open files", check = function(_, eyes)
    local soft, hard = eyes.rlimit("NOFILE")
    local enough = soft == -1 or soft >= FEW_DESCRIPTORS
    return enough, string.format("%d (hard %d)", soft, hard),
      not enough and "ulimit -n " .. FEW_DESCRIPTORS or nil
  end },
  { name = "process numbers", check = function(_, eyes)
    return true, string.format("kernel.pid_max %d", eyes.sysctl("kernel/pid_max") or 0)
  end },
}
