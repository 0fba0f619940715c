-- A container of an image that a file is copied into, and committed: luactr commit.lua ROUNDS IMAGE
-- FILE COMMAND... Prints the nanoseconds of each commit.
local ctr = require "luactr"

local box <close> = ctr.container { rootfs = ctr.image(arg[2]), stdin = "null",
  command = table.move(arg, 4, #arg, 1, {}) }
assert(box:start())
assert(box:copy_in(arg[3], "/change"))
for _ = 1, math.tointeger(arg[1]) do
  local began = ctr.sys.clock_gettime()
  assert(box:commit("bench:committed", { compression = "none" }))
  print(math.floor((ctr.sys.clock_gettime() - began) * 1e9))
end
