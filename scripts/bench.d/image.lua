-- A start in a root: luactr image.lua image NAME | directory PATH.
local ctr = require "luactr"

local kind <const>, which <const> = arg[1], arg[2]

return ctr.container {
  rootfs = kind == "image" and ctr.image(which) or ctr.rootfs.dir(which),
  command = { "/bin/true" },
  limits = { cpu = 0.9, memory = "64M", pids = 64 },
}
