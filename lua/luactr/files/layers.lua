--- Directories as layers that look like one, read as the kernel's overlay reads them: what is above
--- hides what is below, and marks in a layer hide all below it.
local inside = require "luactr.files.inside"

local sys <const> = require("luactr.core").sys

local M = {}

---@class luactr.files.layers
---@field fds luactr.fd[] the topmost first
local Layers = { __name = "luactr.files.layers" }
Layers.__index = Layers

-- ---- marks

local PREFIXES <const> = { "trusted.overlay.", "user.overlay." }

--- A mark on a directory of a layer, by the overlay's privileged name or the other.
---@param fd luactr.fd
---@param name string
---@return string?
function M.mark(fd, name)
  for _, prefix in ipairs(PREFIXES) do
    local value = sys.getxattr(fd, prefix .. name)
    if value then
      return value
    end
  end
end

--- Whether a directory hides those below it.
---@param fd luactr.fd
---@return boolean
function M.is_opaque(fd)
  return M.mark(fd, "opaque") == "y"
end

--- Make a directory hide those below it, for overlays that are mounted with privileges and for
--- those that are not.
---@param fd luactr.fd
---@return boolean? done
---@return string? message
---@return integer? errno
function M.make_opaque(fd)
  local done, message, errno
  for _, prefix in ipairs(PREFIXES) do
    local set
    set, message, errno = sys.setxattr(fd, prefix .. "opaque", "y")
    done = done or set
  end
  return done, message, errno
end

--- Make a file that stands for one that was deleted.
---@param name string
---@param parent luactr.fd
---@return boolean? done
---@return string? message
---@return integer? errno
function M.make_whiteout(name, parent)
  return sys.mknod(name, sys.S_IFCHR, sys.makedev(0, 0), parent)
end

--- Whether a file stands for one that was deleted.
---@param stat luactr.stat
---@return boolean
function M.is_whiteout(stat)
  return stat.type == "char" and stat.rdev == 0
end

-- ---- looking

local DIRECTORY <const> = sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW

local function close_all(fds)
  for _, fd in ipairs(fds) do
    fd:close()
  end
end

--- One component further: what is seen there, and the directories that make it up.
local function step(directories, name)
  local seen, below = nil, {}
  for _, directory in ipairs(directories) do
    local stat = sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, directory)
    if stat and (M.is_whiteout(stat) or seen and stat.type ~= "directory") then
      break
    end
    seen = seen or stat
    local fd = stat and stat.type == "directory" and sys.open(name, DIRECTORY, nil,
      { dir = directory })
    below[#below + 1] = fd or nil
    if stat and (not fd or M.is_opaque(fd)) then
      break
    end
  end
  return seen, below
end

local function walk(self, path)
  local directories, seen = self.fds, nil
  for _, name in ipairs(inside.components(path) or {}) do
    local below
    seen, below = step(directories, name)
    if directories ~= self.fds then
      close_all(directories)
    end
    directories = below
    if not seen then
      break
    end
  end
  return seen, directories
end

--- What is at a path; nil when nothing is.
---@param path string
---@return luactr.stat?
function Layers:find(path)
  local seen, directories = walk(self, path)
  if directories ~= self.fds then
    close_all(directories)
  end
  return seen
end

--- A directory of theirs as layers of its own. It does not see a directory that a layer gets there
--- later.
---@param path string
---@return luactr.files.layers
function Layers:sub(path)
  local _, directories = walk(self, path)
  if directories == self.fds then
    directories = {}
    for i, fd in ipairs(self.fds) do
      directories[i] = sys.open(".", DIRECTORY, nil, { dir = fd })
    end
  end
  return setmetatable({ fds = directories }, Layers)
end

--- Open what is at a path, without following a link that it is.
---@param path string
---@param flags integer of open(2)
---@return luactr.fd?
---@return string? message
---@return integer? errno
function Layers:open(path, flags)
  local parts = inside.components(path) or {}
  local name = table.remove(parts)
  local _, directories = walk(self, table.concat(parts, "/"))
  local fd, message, errno = nil, "open " .. path .. ": there is nothing", sys.errno.ENOENT
  for _, directory in ipairs(directories) do
    local stat = not name or sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, directory)
    if stat and (not name or not M.is_whiteout(stat)) then
      fd, message, errno = sys.open(name or ".", flags | sys.O_NOFOLLOW, nil, { dir = directory })
    end
    if stat then
      break
    end
  end
  if directories ~= self.fds then
    close_all(directories)
  end
  return fd, message, errno
end

--- The names in a directory.
---@param path string
---@return string[]
function Layers:names(path)
  local _, directories = walk(self, path)
  local seen, list = {}, {}
  for _, directory in ipairs(directories) do
    for _, entry in ipairs(sys.readdir(directory) or {}) do
      local stat = not seen[entry.name]
        and sys.stat(entry.name, sys.AT_SYMLINK_NOFOLLOW, directory)
      if stat and not M.is_whiteout(stat) then
        list[#list + 1] = entry.name
      end
      seen[entry.name] = true
    end
  end
  if directories ~= self.fds then
    close_all(directories)
  end
  table.sort(list)
  return list
end

--- Idempotent.
function Layers:close()
  close_all(self.fds)
end

Layers.__close = Layers.close
Layers.__gc = Layers.close

---@param directories string[] the topmost first
---@return luactr.files.layers?
---@return string? message
---@return integer? errno
function M.open(directories)
  local fds = {}
  for i, path in ipairs(directories) do
    local fd, message, errno = sys.open(path, sys.O_RDONLY | sys.O_DIRECTORY)
    if not fd then
      close_all(fds)
      return nil, message, errno
    end
    fds[i] = fd
  end
  return setmetatable({ fds = fds }, Layers)
end

return M
