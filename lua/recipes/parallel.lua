#!/usr/bin/env luactr
--- Many containers, a few at a time: what a judge or a CI does.
--
--   luactr lua/recipes/parallel.lua
--
-- Each worker is a task: a function that goes on beside the others whenever one of them waits. The
-- methods are the same as anywhere: box:run() in a task waits for its container and for nothing
-- else. A timer says how far it is.
local ctr = require "luactr"

local WORKERS <const>, JOBS <const> = 4, 12

local programs = ctr.rootfs.host { "sh", "sleep" }
local next_job, done, results = 1, 0, {}
local running, busiest = 0, 0

local function work()
  while next_job <= JOBS do
    local job = next_job
    next_job = job + 1
    local box <close> = ctr.container {
      rootfs = programs, stdin = "null", stdout = "capture",
      limits = { wall_time = "20s", output = "64K" },
      command = { "sh", "-c", "sleep 0.1; echo $((" .. job .. " * " .. job .. "))" },
    }
    running = running + 1
    busiest = math.max(busiest, running)
    results[job] = assert(box:run())
    running, done = running - 1, done + 1
  end
end

ctr.every("100ms", function() print(done .. " of " .. JOBS .. " are done") end)

local workers = {}
for i = 1, WORKERS do
  workers[i] = work
end
assert(ctr.all(workers):wait())

for job, result in ipairs(results) do
  io.write(job == 1 and "squares: " or ", ", (result.stdout:gsub("\n", "")))
end
print(string.format("\n%d of them ran at the same time", busiest))
