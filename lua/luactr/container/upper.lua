--- The directory that has what a container wrote to layers below: one of the host, or one in memory
--- that only a descriptor leads to.
local roots = require "luactr.container.root"

local sys <const> = require("luactr.core").sys

local M = {}

local FLAGS <const> = sys.O_RDONLY | sys.O_DIRECTORY
local UPPER <const> = "upper" -- in the tmpfs of luactr.rootfs.memory

--- That descriptor among those of the process that holds it.
local function find_in(owner, wanted)
  local pidfd <close> = require("luactr.container.found").open_process(owner)
  local directory = string.format("/proc/%d/fd", owner.pid)
  for _, entry in ipairs(pidfd and sys.readdir(directory) or {}) do
    local fd = sys.open(directory .. "/" .. entry.name, sys.O_PATH | sys.O_DIRECTORY)
    local stat = fd and sys.stat(fd)
    if stat and stat.dev == wanted.dev and stat.ino == wanted.ino then
      return fd
    elseif fd then
      fd:close()
    end
  end
end

local function in_memory(subject, what)
  local kept = subject.kept
  local found <close> = not subject.memory and subject.process and subject.owner
    and find_in(subject.owner, kept.memory) or nil
  local top = subject.memory or found
  if top then
    local fd, _, errno = sys.open(UPPER, FLAGS, nil, { dir = top })
    return fd, fd == nil and select(2, roots.failure(subject, what, { errno = errno })) or nil
  end
  return roots.failure(subject, what, { code = "ENOENT",
    cause = "what it wrote was in memory, and is gone with it",
    remedy = "upper = DIRECTORY of ctr.image or ctr.rootfs.overlay keeps it" })
end

--- Open it for reading.
---@param subject luactr.container.subject
---@param what string "commit"
---@return luactr.fd?
---@return luactr.error?
function M.open(subject, what)
  local kept = subject.kept
  if kept.upper then
    local fd, _, errno = sys.open(kept.upper, FLAGS)
    if fd then
      return fd
    end
    return roots.failure(subject, what, { errno = errno, path = kept.upper,
      cause = "the upper directory of its root was " .. kept.upper })
  elseif kept.memory then
    return in_memory(subject, what)
  end
  return roots.failure(subject, what, { code = "ENOTSUP",
    cause = "its root has no upper directory that luactr could open",
    remedy = "a root of layers: ctr.image, or ctr.rootfs.overlay with upper" })
end

return M
