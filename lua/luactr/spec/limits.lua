--- The rows of `limits`: what a cgroup enforces, and at the end what the supervisor does. Pure.
local check = require "luactr.check"

local size <const> = check.size { min = 1, unlimited = true }
local size_or_zero <const> = check.size { unlimited = true }
local whole_size <const> = check.size { min = 1 }
local count_or_none <const> = check.integer { min = 1, unlimited = true }
local weight <const> = check.integer { min = 1, max = 10000 }
local time <const> = check.time()
local boolean <const> = check.boolean()
local cpu_list <const> =
  check.string { what = "list as \"0-3,5\"", pattern = "^%d[%d,-]*$", max = 4096 }
local device <const> = check.string { what = "device as \"8:0\" or \"/dev/sda\"", max = 4095 }
local bytes_per_second <const> = check.map(device, size, { what = "table of device = size" })
local per_second <const> = check.map(device, count_or_none, { what = "table of device = integer" })
local weights <const> = check.map(device, weight, { what = "table of device = integer" })
local interface <const> = check.string { what = "interface", max = 15 }
local file <const> = check.string { what = "cgroup file", pattern = "^[%w_.-]+$", max = 128 }
local adapter <const> =
  check.string { what = "name of a device", pattern = "^[%w_.-]+$", max = 63 }
local of_adapter <const> = check.record {
  { name = "handles", type = count_or_none, help = "hca handles" },
  { name = "objects", type = count_or_none, help = "hca objects" },
}

-- By the names of the kernel, so that they are the same in JSON.
local hugepages <const> = check.map(check.size(), size_or_zero, { convert = function(sizes)
  local names = {}
  for bytes, limit in pairs(sizes) do
    names[require("luactr.units").page_size(bytes)] = limit
  end
  return names
end })

return check.record {
  { name = "cpu", type = check.cpu { unlimited = true }, oci = "cpu.quota, cpu.period",
    help = "CPUs it may use: 0.4 is 40 % of one" },
  { name = "cpu_period", type = time, oci = "cpu.period",
    help = "how often that share is given anew; 0.1 s is the kernel's default" },
  { name = "cpu_weight", type = weight, oci = "cpu.shares",
    help = "share when CPUs are short; 100 is normal" },
  { name = "cpu_shares", type = check.integer { min = 2, max = 262144 }, oci = "cpu.shares",
    help = "the same in shares of cgroup v1; 1024 is normal" },
  { name = "cpu_burst", type = time, oci = "cpu.burst",
    help = "unused CPU time that may be saved up" },
  { name = "cpu_idle", type = boolean, oci = "cpu.idle", help = "only what nobody else wants" },
  { name = "cpu_realtime", type = time, oci = "cpu.realtimeRuntime",
    help = "for realtime processes in each period (v1)" },
  { name = "cpu_realtime_period", type = time, oci = "cpu.realtimePeriod",
    help = "the period of that (v1)" },
  { name = "cpus", type = cpu_list, oci = "cpu.cpus", help = "CPUs it may run on" },
  { name = "mems", type = cpu_list, oci = "cpu.mems", help = "memory nodes it may use" },
  { name = "memory", type = size, oci = "memory.limit",
    help = "above it the kernel kills (reason oom)" },
  { name = "memory_high", type = size, oci = "unified",
    help = "above it the kernel reclaims and slows down (v2)" },
  { name = "memory_low", type = size_or_zero, oci = "memory.reservation",
    help = "below it the kernel does not reclaim" },
  { name = "swap", type = size_or_zero, oci = "memory.swap",
    help = "swap beside memory, not their sum" },
  { name = "swappiness", type = check.integer { min = 0, max = 200 }, oci = "memory.swappiness",
    help = "swap out rather than drop caches: 60 is normal (v1)" },
  { name = "oom_kill", type = boolean, oci = "memory.disableOOMKiller",
    help = "false: who needs more memory waits (v1)" },
  { name = "memory_check", type = boolean, oci = "memory.checkBeforeUpdate",
    help = "an update below what is in use is refused" },
  { name = "kernel_memory", type = size, oci = "memory.kernel",
    help = "the kernel's own; since Linux 5.16 a part of memory (v1)" },
  { name = "kernel_memory_tcp", type = size, oci = "memory.kernelTCP",
    help = "buffers of TCP (v1)" },
  { name = "pids", type = check.integer { min = 0, unlimited = true },
    oci = "pids.limit", help = "processes and threads" },
  { name = "io", oci = "blockIO", help = "disk shares and rates", type = check.record {
    { name = "weight", type = weight, help = "share when a disk is busy; 100 is normal" },
    { name = "weight_device", type = weights, help = "the same for one disk" },
    { name = "leaf_weight", type = weight, help = "against groups inside (v1, before 5.0)" },
    { name = "leaf_weight_device", type = weights, help = "the same for one disk" },
    { name = "read_bps", type = bytes_per_second, help = "bytes read per second" },
    { name = "write_bps", type = bytes_per_second, help = "bytes written per second" },
    { name = "read_iops", type = per_second, help = "reads per second" },
    { name = "write_iops", type = per_second, help = "writes per second" },
  } },
  { name = "hugepages", type = hugepages, oci = "hugepageLimits",
    help = "page size = bytes" },
  { name = "devices", type = check.list(check.string { max = 64 }), oci = "devices",
    help = "device nodes that may be opened, as \"c 1:3 rwm\"" },
  { name = "net_class", type = check.integer { min = 0, max = 0xffffffff },
    oci = "network.classID", help = "class of its packets (v1)" },
  { name = "net_priority", type = check.map(interface, check.integer { min = 0 }),
    oci = "network.priorities", help = "interface = priority (v1)" },
  { name = "rdma", type = check.map(adapter, of_adapter), oci = "rdma",
    help = "adapter = { handles =, objects = }" },
  { name = "unified", type = check.map(file, check.string { max = 4096 }), oci = "unified",
    help = "cgroup file = text, as it is (v2)" },
  { name = "cpu_time", type = time, help = "CPU time of all its processes, then KILL" },
  { name = "wall_time", type = time, help = "time since start, then KILL" },
  { name = "output", type = whole_size, help = "bytes of captured stdout and stderr together" },
  { name = "optional", type = boolean, default = false,
    help = "what the host cannot enforce is a warning, not an error" },
}
