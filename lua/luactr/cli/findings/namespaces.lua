--- Doctor's section "Namespaces": which kinds the kernel has, and how many.

local KINDS <const> = {
  { "mnt", "mounts", required = true }, { "pid", "processes", required = true },
  { "uts", "host name" }, { "ipc", "System V IPC and message queues" }, { "net", "network" },
  { "cgroup", "cgroups" }, { "user", "users and groups" }, { "time", "boot and monotonic clock" },
}

local function kind(row)
  local name, what = row[1], row[2]
  return { name = name, required = row.required, check = function(_, eyes)
    if not eyes.lstat("/proc/self/ns/" .. name) then
      return false, what .. ": not in this kernel"
    end
    local limit = eyes.sysctl("user/max_" .. name .. "_namespaces")
    if limit == 0 then
      return false, string.format("%s: user.max_%s_namespaces is 0", what, name),
        string.format("sysctl -w user.max_%s_namespaces=65536", name)
    end
    return true, what
  end }
end

local rows = {}
for i, row in ipairs(KINDS) do
  rows[i] = kind(row)
end
return rows
