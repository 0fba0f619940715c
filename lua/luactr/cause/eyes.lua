--- What causes are looked for with: the host's files. Specs give probes other eyes, for hosts that
--- lack something this one has.
local sys = require("luactr.core").sys

---@class luactr.eyes
local M = {}

--- Facts of a path; of a last link itself.
function M.lstat(path)
  return sys.stat(path, sys.AT_SYMLINK_NOFOLLOW)
end

M.stat = sys.stat
M.statfs = sys.statfs
M.readlink = sys.readlink

--- A small file's text without the last newline, or nil.
function M.read(path)
  local file <close> = io.open(path, "rb")
  local text = file and file:read(1 << 16)
  return text and (text:gsub("\n$", ""))
end

--- A sysctl's value by its path below /proc/sys; nil where the kernel has none.
function M.sysctl(name)
  return tonumber(M.read("/proc/sys/" .. name))
end

--- The soft and hard limit, -1 for none.
function M.rlimit(name)
  return sys.getrlimit(name)
end

--- What kind of program a file is; see luactr.rootfs.inspect.
function M.program(path)
  return require("luactr.rootfs.inspect").file(require "luactr.rootfs.fs", path)
end

return M
