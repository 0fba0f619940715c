-- One container with all namespaces, default mounts and security, three limits: start and end.
local ctr = require "luactr"

return ctr.container {
  name = "bench-start",
  rootfs = ctr.rootfs.dir(os.getenv("BENCH_ROOTFS")),
  command = { "/bin/payload" },
  limits = { cpu = 0.9, memory = "64M", pids = 64 },
}
