#!/usr/bin/env luactr
--- A policy as a function: more memory when it is short, up to a cap.
--
--   luactr lua/recipes/elastic.lua
--
-- The kernel tells when it has killed for want of memory (`oom`), and when processes wait too long
-- for it (`pressure`, where the host can tell). Both lead to the same few lines of Lua, which
-- double the limit of the container while it runs. It is a function, not a setting: it may as well
-- look at the clock, ask another container for some of its memory, or call somebody.
local ctr = require "luactr"

local MIB <const> = 1 << 20
local CAP <const> = 256

local limit = 16

local function raise(box, event)
  if limit < CAP then
    limit = math.min(2 * limit, CAP)
    assert(box:update { memory = limit * MIB })
    print(string.format("%s: %d MiB from now on", event.name, limit))
  end
end

-- tail keeps the last line, here 40 million bytes; it is killed until there is room for them. It
-- offers itself, so that the kernel never takes the shell round it.
local SCRIPT <const> = [[
until (echo 1000 >/proc/self/oom_score_adj; head -c 40000000 /dev/zero | tail >/dev/null); do
  sleep 0.1
done]]

local result = assert(ctr.run {
  rootfs = ctr.rootfs.host { "sh", "head", "tail", "sleep" },
  stdin = "null", stderr = "null",
  limits = { memory = limit * MIB },
  command = { "sh", "-c", SCRIPT },
  on = { oom = raise, pressure = { call = raise, optional = true } },
})

print(string.format("exit %d after %d kills, with %d MiB at the most", result.exit_code,
  result.oom_kills, result.memory_peak // MIB))
