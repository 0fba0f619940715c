#!/usr/bin/env luactr
--- The other cgroup subsystems that the article names: freezer and net_cls.
--
--   luactr lua/recipes/subsystems.lua
--
-- freezer: box:pause() stops every process where it is, without a signal that it could see. A
-- frozen loop uses no CPU time; after box:resume() it goes on. net_cls (cgroup v1 only) marks the
-- container's packets with a class for tc(8) and netfilter. (`ns`, the article's last one, left the
-- kernel with Linux 3.0: namespaces are clone(2)'s.)
local ctr = require "luactr"

local rootfs = ctr.rootfs.host { "bash" }

-- CPU seconds that the box uses in a fifth of a second.
local function usage(box)
  local before = box:stats().cpu_seconds
  ctr.sys.nanosleep(0.2)
  return box:stats().cpu_seconds - before
end

do
  local box <close> = ctr.container {
    rootfs = rootfs, limits = { cpu = 1 },
    command = { "bash", "-c", "while :; do :; done" },
  }
  assert(box:start())
  local running = usage(box)
  assert(box:pause())
  local frozen = usage(box)
  assert(box:resume())
  print(string.format("freezer: %.2f s of CPU while running, %.2f s while frozen, %.2f s after",
    running, frozen, usage(box)))
end

local result, err = ctr.run {
  rootfs = rootfs, limits = { net_class = 0x10001 },
  command = { "bash", "-c", ":" },
}
if result then
  print("net_cls: its packets carry the class 0x10001")
else
  print("net_cls: skipped: " .. (err.problems and err.problems[1].message or tostring(err)))
end
