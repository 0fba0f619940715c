-- loop.lua ROUNDS MIB: run a container again and again in one process that holds MIB of Lua data.
-- Prints the nanoseconds of each round.
local ctr = require "luactr"
local now <const> = ctr.sys.clock_gettime

local rounds, mib = math.tointeger(arg[1]), math.tointeger(arg[2])

-- Small objects, as a program has them.
local heap = {}
while collectgarbage("count") < mib * 1024 do heap[#heap + 1] = { #heap } end
collectgarbage() -- what is measured is the launch, not a collection that the filling has begun

local box <close> = ctr.container {
  rootfs = ctr.rootfs.dir(os.getenv("BENCH_ROOTFS")),
  command = { "/bin/payload" },
  limits = { cpu = 0.9, memory = "64M", pids = 64 },
}
for _ = 1, rounds do
  local started = now()
  local result = assert(box:run())
  assert(result.exit_code == 0)
  print(math.floor((now() - started) * 1e9))
end
assert(#heap >= 0) -- it lives until here
