#!/usr/bin/env luactr
--- A limit on memory, and what happens above it.
--
--   luactr lua/recipes/memory.lua
--
-- tail keeps the last line, and /dev/zero is one line without end: tail takes all memory it can
-- get. At the limit the kernel kills it. That it was the limit, and not somebody's kill -9, is
-- known from the cgroup's counter of such kills, so the result's reason is "oom".
local ctr = require "luactr"

local result = assert(ctr.run {
  rootfs = ctr.rootfs.host { "tail" },
  limits = { memory = "32M" },
  command = { "tail", "/dev/zero" },
})

print(string.format("ended by signal %d, reason %s", result.signal, result.reason))
print(string.format("it had %.1f MiB of 32 MiB; the kernel counted %d kill for lack of memory",
  result.memory_peak / (1 << 20), result.oom_kills))
