#!/usr/bin/env luactr
--- Which devices may be opened: the cgroup decides, whoever asks.
--
--   luactr lua/recipes/devices.lua
--
-- The container has the nodes /dev/null and /dev/zero, and its root user may read both by their
-- modes. The list names only null (character device 1:3), so opening zero fails with EPERM. A list
-- of files on cgroup v1, a small BPF program on v2: the recipe is the same.
local ctr = require "luactr"

return ctr.container {
  rootfs = ctr.rootfs.host { "bash", "ls" },
  limits = { devices = { "c 1:3 rwm" } },
  command = { "bash", "-c", [[
    ls -l /dev/null /dev/zero
    : < /dev/null && echo "/dev/null: opened"
    : < /dev/zero || echo "/dev/zero: refused"]] },
}
