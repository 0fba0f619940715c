#!/usr/bin/env luactr
--- A share of a CPU (section 3 of the article).
--
--   luactr lua/recipes/cpu-quota.lua [SECONDS]
--
-- An endless loop takes all of a CPU that it can get. `cpu = 0.3` lets it run 30 ms in every 100 ms
-- (cpu.cfs_quota_us on cgroup v1, cpu.max on v2): the kernel stops it for the rest of each period.
-- `wall_time` ends the experiment; the result tells what was used.
local ctr = require "luactr"

local seconds = tonumber(arg and arg[1]) or 5
local rootfs = ctr.rootfs.host { "bash" }

local function run(cpu, time)
  local result = assert(ctr.run {
    rootfs = rootfs,
    limits = { cpu = cpu, wall_time = time },
    command = { "bash", "-c", "while :; do :; done" },
  })
  local share = result.cpu_seconds / result.wall_seconds
  print(string.format("%-12s used %.2f s of CPU in %.2f s: %.1f %%",
    cpu and "cpu = " .. cpu or "no limit", result.cpu_seconds, result.wall_seconds, 100 * share))
  return result
end

run(nil, 1)
local limited = run(0.3, seconds)
print(string.format("The kernel held it back for %.2f s.", limited.throttled_seconds))
