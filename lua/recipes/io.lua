#!/usr/bin/env luactr
--- A limit on the speed of a disk.
--
--   luactr lua/recipes/io.lua
--
-- dd writes to a directory of the host, past the page cache (oflag=direct), since only what goes to
-- the disk is counted. The limit names the disk: the one that holds the directory, by its numbers.
local ctr = require "luactr"

local sys = ctr.sys
local RATE <const>, TOTAL <const> = 1 << 20, 3 << 20 -- bytes per second, bytes

-- The disk below a directory as "major:minor": of a partition the whole disk, which is what the
-- kernel throttles. Nothing for a file system without a disk (tmpfs, overlay).
local function disk_of(directory)
  local major, minor = sys.splitdev(assert(sys.stat(directory)).dev)
  local node = string.format("/sys/dev/block/%d:%d", major, minor)
  local file <close> = io.open(node .. "/../dev") or io.open(node .. "/dev")
  return file and file:read("l")
end

local directory = os.getenv("TMPDIR") or "/var/tmp"
local disk = disk_of(directory)
if not disk then
  print("skipped: " .. directory .. " is not on a disk (set TMPDIR to a directory that is)")
  return
end

local place = string.format("%s/luactr-io-%d", directory, sys.getpid())
assert(sys.mkdir(place, "0700"))
local result, err = ctr.run {
  rootfs = ctr.rootfs.host { "dd" },
  mounts = { ctr.bind(place, "/data") },
  limits = { io = { write_bps = { [disk] = RATE } } },
  command = { "dd", "if=/dev/zero", "of=/data/file", "bs=64k", "count=" .. TOTAL // 65536,
    "oflag=direct", "status=none" },
}
sys.unlink(place .. "/file")
sys.rmdir(place)
assert(result, err)
assert(result.exit_code == 0, "dd failed")
print(string.format("%d KiB in %.2f s: %.0f KiB/s on disk %s, %d KiB/s were allowed",
  TOTAL >> 10, result.wall_seconds, TOTAL / 1024 / result.wall_seconds, disk, RATE >> 10))
