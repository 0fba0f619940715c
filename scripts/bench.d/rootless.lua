-- The container of start.lua as everybody may start it: without limits.
local ctr = require "luactr"

return ctr.container {
  rootfs = ctr.rootfs.dir(os.getenv("BENCH_ROOTFS")),
  command = { "/bin/payload" },
}
