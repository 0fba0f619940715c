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
  if not kept then
    return roots.failure(subject, what, { code = "ENOTSUP",
      cause = "it runs in the foreground of another luactr" })
  elseif kept.upper then
    local fd, _, errno = sys.open(kept.upper, FLAGS)
    if fd then
      return fd
    end
    return roots.failure(subject, what, { errno = errno, path = kept.upper,
      cause = "the upper directory of its root was " .. kept.upper })
  elseif kept.memory then
    return in_memory(subject, what)
  end
  local is_image = kept.image ~= nil -- one that is started again, or of who may mount nothing
  return roots.failure(subject, what, { code = "ENOTSUP",
    cause = is_image and "what it writes is in memory that nobody else can reach"
      or "its root has no upper directory that luactr could open",
    remedy = is_image and "upper = DIRECTORY of ctr.image"
      or "a root of layers: ctr.image, or ctr.rootfs.overlay with upper" })
end

--- Places for mounts that the start has made, which are none of its files, as a set of paths.
---@param subject luactr.container.subject
---@return table<string, boolean>
function M.made_by_start(subject)
  local kept, made = subject.kept, {}
  local base <close> = kept.lower and require("luactr.files.layers").open(kept.lower)
  for _, path in ipairs(base and kept.targets or {}) do
    made[path] = not base:find(path) or nil
  end
  return made
end

--- Of its users, where they are not the host's.
---@param subject luactr.container.subject
---@return luactr.files.ids?
function M.ids(subject)
  local root <close> = subject.process and roots.open(subject, "look into")
  return root and root.ids or subject.ids
end

return M
