#!/usr/bin/env luactr
--- A container that runs luactr, and so a container in the container. Works as root and without.
--
--   luactr lua/recipes/nested.lua
--
-- The outer one has to allow three things that it refuses by default, which is why this is a recipe
-- for programs that you trust as much as any container of yours:
--   - seccomp: the default filter refuses new user namespaces, and all that mounts;
--   - masked_paths and readonly_paths: the kernel lets a user namespace mount /proc and /sys only
--     where others show all of them;
--   - a writable /run (or XDG_RUNTIME_DIR), where the inner luactr keeps its state.
-- To keep a container from ever doing this, whatever its filter: nesting = false, idmap = "auto".
local ctr = require "luactr"

local INNER <const> = [[
local ctr = require "luactr"
return ctr.container {
  rootfs   = ctr.rootfs.host { "sh", "cat" },
  hostname = "inner",
  command  = { "sh", "-c", "read name < /proc/sys/kernel/hostname; echo $name: PID $$" },
}
]]

local luactr <const> = ctr.sys.readlink "/proc/self/exe"

return ctr.container {
  rootfs         = ctr.rootfs.host { "sh", "cat", luactr },
  hostname       = "outer",
  seccomp        = "unconfined",
  masked_paths   = {},
  readonly_paths = {},
  mounts         = { ctr.tmpfs("/run", "16M"), ctr.file("/inner.lua", INNER) },
  command        = { "sh", "-c", "read name < /proc/sys/kernel/hostname; echo $name: PID $$;"
    .. luactr .. " /inner.lua" },
}
