#!/usr/bin/env luactr
--- A shell's pipe, with a container for each program.
--
--   luactr lua/recipes/pipeline.lua
--
-- The pipes are the kernel's own: what one container writes is what the next one reads, and luactr
-- touches none of it. When the first ends, the second sees the end of the file; when a reader ends
-- early, as head does here, those before it get SIGPIPE. Each has a root of its own, no network and
-- its own limits, so that a parser of untrusted data can be kept from the rest.
local ctr = require "luactr"

local function stage(command, output)
  return ctr.container {
    rootfs = ctr.rootfs.host { command[1] }, command = command, stdout = output,
  }
end

local numbers = stage { "seq", "1", "1000000000" }
local sevens = stage { "grep", "7" }
local last = stage({ "head", "-n", "3" }, "capture")
assert(ctr.pipeline(numbers, sevens, last):wait())

print("the first with a 7: " .. last.result.stdout:gsub("%s+$", ""):gsub("\n", ", "))
print("seq was ended by signal " .. numbers.result.signal .. ", as in a shell")
