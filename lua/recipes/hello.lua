#!/usr/bin/env luactr
--- The smallest recipe: one program of the host, alone in a container.
--
--   luactr lua/recipes/hello.lua
--
-- A recipe is a Lua program. This one returns a container, so luactr runs it and ends with its exit
-- status. What it does not say is the default: its own processes, mounts, names, network (lo alone)
-- and cgroup, few capabilities, a system call filter. `luactr explain` shows each step of that.
local ctr = require "luactr"

return ctr.container {
  rootfs = ctr.rootfs.host { "echo" }, -- this program, the libraries it needs, nothing else
  command = { "echo", "Hello from a container whose only program is echo." },
}
