#!/usr/bin/env luactr
--- A limit on the number of processes: a fork bomb ends in an error message.
--
--   luactr lua/recipes/pids.lua
--
-- The shell starts one sleep after the other. With `pids = 8` fork(2) fails with EAGAIN once eight
-- processes exist: luactr's init, the shell and six sleeps. dash gives up then (bash would try
-- again for a while).
local ctr = require "luactr"

local result = assert(ctr.run {
  rootfs = ctr.rootfs.host { "dash", "sleep" },
  limits = { pids = 8 },
  command = { "dash", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & echo started $i; done" },
  stdout = "capture", stderr = "capture",
})

local _, started = result.stdout:gsub("started", "")
print(string.format("%d of 10 were started; then: %s", started, result.stderr:gsub("\n$", "")))
print(string.format("at most %d processes existed, 8 were allowed", result.pids_peak))
