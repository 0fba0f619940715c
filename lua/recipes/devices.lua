#!/usr/bin/env luactr
--- Which devices may be opened: the cgroup decides, whoever asks.
--
--   luactr lua/recipes/devices.lua
--
-- A container may open null, zero, full, random, urandom and terminals; the list adds to that or
-- takes away from it. The container has a node for zero (character device 1:5) and its root user
-- may read it by its mode, but opening it fails with EPERM. Cgroup v1 has files for such a list, on
-- v2 it is a small BPF program: the recipe is the same.
local ctr = require "luactr"

return ctr.container {
  rootfs = ctr.rootfs.host { "bash", "ls" },
  limits = { devices = { "deny c 1:5 rw" } }, -- "b 8:0 r" would let it read the disk 8:0
  command = { "bash", "-c", [[exec 2>&1
    ls -l /dev/null /dev/zero
    : < /dev/null && echo "/dev/null: opened"
    : < /dev/zero || echo "/dev/zero: refused"]] },
}
