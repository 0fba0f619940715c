--- Why the kernel refused a part of a container's cgroup, and what helps. Pure.
local M = {}

local NO_DISK <const> = "there is no disk with that number (a partition is none)"

-- Rows are tried in order: `file` is a pattern for the file's name, `code` the errno's name.
local ROWS <const> = {
  { file = "^cgroup%.subtree_control$", code = "EBUSY",
    cause = "processes live in that cgroup, and cgroup v2 does not let it give controllers to "
      .. "those below it",
    remedy = "start luactr in a cgroup of its own: systemd-run --user --scope -p Delegate=yes" },
  { file = "^cgroup%.subtree_control$", code = "ENOENT",
    cause = "the controller is not available in that cgroup: its parent does not give it, or it is "
      .. "in use on cgroup v1" },
  { file = "^cgroup%.subtree_control$", code = "EOPNOTSUPP",
    cause = "that cgroup is threaded, and the controller counts whole processes" },
  { file = "memsw", code = "ENOENT", cause = "the kernel does not account swap",
    remedy = "boot with swapaccount=1, or leave limits.swap out" },
  { file = "^memory%.swap", code = "ENOENT", cause = "the kernel does not account swap",
    remedy = "boot without swapaccount=0, or leave limits.swap out" },
  { file = "burst", code = "ENOENT", cause = "bursts came with Linux 5.14" },
  { file = "weight", code = "ENOENT",
    cause = "no disk of this host uses the BFQ scheduler, and the kernel has no io.cost",
    remedy = "echo bfq > /sys/block/<disk>/queue/scheduler" },
  { file = "weight", code = "EOPNOTSUPP",
    cause = "no disk of this host uses the BFQ scheduler, and io.cost is off" },
  { file = "^bpf:", code = "EPERM",
    cause = "loading a device program needs CAP_BPF or CAP_SYS_ADMIN on the host" },
  { file = "^bpf:", code = "EINVAL", cause = "the kernel lacks CONFIG_CGROUP_BPF" },
  { file = "^blkio%.throttle", code = "ENODEV", cause = NO_DISK },
  { file = "^io%.max$", code = "ENODEV", cause = NO_DISK },
  { file = "^cpuset%.", code = "EACCES", cause = "the cgroup above does not have all of them" },
  { file = "^cpuset%.", code = "EINVAL", cause = "not all of them are on line" },
  { file = "^memory%.limit_in_bytes$", code = "EINVAL",
    cause = "it is above the limit of memory and swap together, which stays as it is",
    remedy = "change limits.swap as well" },
  { file = "kmem", code = "EOPNOTSUPP",
    cause = "since Linux 5.16 the kernel's memory is a part of limits.memory",
    remedy = "leave limits.kernel_memory out" },
  { file = "^cpu%.rt_runtime", code = "EINVAL",
    cause = "the cgroup above has no time for realtime processes to give" },
  { file = "^cpu%.rt_", code = "ENOENT", cause = "the kernel lacks CONFIG_RT_GROUP_SCHED" },
  { file = "^cpu%.idle$", code = "ENOENT", cause = "idle groups came with Linux 5.15" },
  { file = "^blkio%.leaf_weight", code = "ENOENT", cause = "it went with CFQ in Linux 5.0" },
  { file = "^rdma%.max$", code = "EINVAL", cause = "there is no RDMA adapter of that name" },
  { file = "^memory%.limit_in_bytes$", code = "EBUSY",
    cause = "more memory is in use, and the kernel could not reclaim it" },
  { file = "^memory%.max$", code = "EBUSY", cause = "more memory is in use" },
  { file = "^devices%.", code = "EPERM",
    cause = "the cgroup above allows less than that, or luactr lacks CAP_SYS_ADMIN" },
  { file = "", code = "EACCES", cause = "the cgroup above is not delegated to this user",
    remedy = "systemd-run --user --scope -p Delegate=yes, or run as root" },
  { file = "", code = "EROFS", cause = "the cgroup file system is mounted read-only here" },
  { file = "", code = "ENOTEMPTY", cause = "there are processes in it",
    remedy = "choose another `cgroup`, or end them" },
  { file = "", code = "EEXIST", cause = "a container of that name runs" },
  { file = "", code = "ENOSPC",
    cause = "the cgroup above has a limit for descendants, or its cpuset has no CPUs" },
  { file = "", code = "ENOENT", cause = "this kernel has no such file" },
}

--- The cause and the remedy for a failure.
---@param path string of the file or directory
---@param code string name of the errno
---@return string? cause
---@return string? remedy
function M.find(path, code)
  local name = path:match("[^/]*$")
  for _, row in ipairs(ROWS) do
    if row.code == code and name:find(row.file) then
      return row.cause, row.remedy
    end
  end
end

return M
