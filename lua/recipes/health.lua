#!/usr/bin/env luactr
--- A service that falls ill, is found out and started again.
--
--   luactr lua/recipes/health.lua
--
-- `health` runs a command in the container again and again. What an ill container means is for the
-- recipe to say: here it is stopped, and its end starts it anew, twice. A function is as good as a
-- command: check = function(box) ... end.
local ctr = require "luactr"

local lives = 1

local box = ctr.container {
  rootfs = ctr.rootfs.host { "sh", "sleep", "touch", "rm", "ls" },
  stdin = "null",
  mounts = { ctr.tmpfs "/run" },
  -- it falls ill by a signal, and goes on without doing anything
  command = { "sh", "-c", "trap 'rm -f /run/ready' USR1; touch /run/ready; "
    .. "while :; do sleep 0.05; done" },
  health = { command = { "ls", "/run/ready" }, interval = "50ms", retries = 2,
    start_period = "60s" },
  on = {
    health = function(box, event)
      print(string.format("life %d: %s (%s)", lives, event.state, event.message))
      box:kill(event.state == "healthy" and "USR1" or "KILL")
    end,
    exit = function(box)
      if lives < 3 then
        lives = lives + 1
        assert(box:start())
      end
    end,
  },
}

local result = assert(box:run())
print(string.format("given up after %d lives (%s)", lives, result.reason))
