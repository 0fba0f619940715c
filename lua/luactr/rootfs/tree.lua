--- A set of host paths with all that leads to them: directories, and each symbolic link on the way.
---
--- A container that gets this set resolves a path through the same links to the same file, so
--- /bin -> usr/bin, libc.so.6 -> libc-2.36.so and /etc/alternatives come out right by themselves.
local M = {}

local MAX_LINKS <const> = 40 -- as path_resolution(7)
local ELOOP <const> = 40
local PLAIN_DIRECTORY <const> = 493 -- 0755, where the host has none to take the mode from

---@class luactr.rootfs.entry
---@field kind "dir"|"link"|"file"|"subtree" a subtree is a host directory with all that is in it
---@field mode integer? of a dir
---@field link string? text of a link
---@field source string? host path of a file or subtree

local function parent(path)
  local above = path:match("^(.*)/[^/]*$")
  return above ~= "" and above or "/"
end

local function child(directory, name)
  return directory == "/" and "/" .. name or directory .. "/" .. name
end

-- Put the components of a path on a stack, the first one on top.
local function push(stack, path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    parts[#parts + 1] = part
  end
  for i = #parts, 1, -1 do
    stack[#stack + 1] = parts[i]
  end
end

local methods = {}
local Tree <const> = { __index = methods }

-- What is at a path: an entry of this tree, or one made from the host's.
local function look(tree, path)
  local known = tree.entries[path]
  if known then
    return known
  end
  local stat, message, errno = tree.fs.lstat(path)
  if not stat then
    return nil, message, errno
  elseif stat.type == "symlink" then
    return { kind = "link", link = tree.fs.readlink(path) }
  elseif stat.type == "directory" then
    return { kind = "dir", mode = stat.mode & 4095 }
  end
  return { kind = "file", source = path }
end

-- One component further: the new place, and whether a link led there.
local function enter(tree, at, name, stack, make)
  if name == "." then
    return at, false
  elseif name == ".." then
    return parent(at), false
  end
  local here = child(at, name)
  local entry, message, errno = look(tree, here)
  if not entry and make then
    entry = { kind = "dir", mode = PLAIN_DIRECTORY }
  end
  if not entry then
    return nil, message, errno
  end
  tree.entries[here] = entry
  if entry.kind ~= "link" then
    return here, false
  end
  push(stack, entry.link)
  return entry.link:sub(1, 1) == "/" and "/" or at, true
end

-- Record all that is passed on the way to `path`. Returns the real path; nil, message, errno when
-- there is no way and `make` does not allow to make one.
local function walk(tree, path, make)
  local at, stack, links = "/", {}, 0
  push(stack, path)
  while #stack > 0 do
    local place, by_link, errno = enter(tree, at, table.remove(stack), stack, make)
    if not place then
      return nil, by_link, errno
    end
    links = links + (by_link and 1 or 0)
    if links > MAX_LINKS then
      return nil, path .. ": too many levels of symbolic links", ELOOP
    end
    at = place
  end
  return at
end

--- Add a file, or a directory with all that is in it.
---@param path string absolute, as seen on the host and in the container
---@return string? real_path nil, message, errno when the host has no such file
function methods:add(path)
  local real, message, errno = walk(self, path, false)
  if not real then
    return nil, message, errno
  end
  if self.entries[real].kind == "dir" then
    self.entries[real] = { kind = "subtree", source = real }
  end
  return real
end

--- Add a directory alone; it and its parents are made where the host lacks them.
function methods:add_directory(path)
  return walk(self, path, true)
end

--- Put a host file or directory at another path.
function methods:add_as(target, source)
  local stat, message, errno = self.fs.stat(source)
  if not stat then
    return nil, message, errno
  end
  local above
  above, message, errno = walk(self, parent(target), true)
  if not above then
    return nil, message, errno
  end
  local here = child(above, target:match("[^/]*$"))
  self.entries[here] = { kind = stat.type == "directory" and "subtree" or "file", source = source }
  return here
end

--- Is there a directory, or something below it, in the set?
function methods:has(path)
  return self.entries[path] ~= nil
end

-- A subtree brings what is below it, except what was put there from elsewhere.
local function brought_by_subtree(entries, path)
  local entry = entries[path]
  if entry.source and entry.source ~= path then
    return false
  end
  local above = path
  repeat
    above = parent(above)
    local subtree = entries[above]
    if subtree and subtree.kind == "subtree" and subtree.source == above then
      return true
    end
  until above == "/"
  return false
end

-- Directories of the usual mode come by themselves with the first thing in them.
local function mark_implied(list)
  for i, item in ipairs(list) do
    local next_item = list[i + 1]
    local has_children = next_item and next_item.path:sub(1, #item.path + 1) == item.path .. "/"
    local usual = item.entry.kind == "dir" and item.entry.mode == PLAIN_DIRECTORY
    item.implied = has_children and usual or nil
  end
end

--- The set as a list of path and entry, parents first.
---@return { path: string, entry: luactr.rootfs.entry, implied: true? }[]
function methods:list()
  local list = {}
  for path, entry in pairs(self.entries) do
    if path ~= "/" and not brought_by_subtree(self.entries, path) then
      -- "/" sorts before every other byte, so that a directory is followed by what is in it.
      list[#list + 1] = { path = path, entry = entry, key = (path:gsub("/", "\0")) }
    end
  end
  table.sort(list, function(a, b) return a.key < b.key end)
  mark_implied(list)
  return list
end

--- The host's file that is at a path of a list: itself, or in a directory that came with all in it.
---@param list { path: string, entry: luactr.rootfs.entry }[]
---@param path string
---@return { file?: string, root?: string, path?: string }?
function M.find(list, path)
  local found
  for _, item in ipairs(list) do
    local kind = item.entry.kind
    if item.path == path then
      return kind == "file" and { file = item.entry.source } or nil
    elseif kind == "subtree" and path:sub(1, #item.path + 1) == item.path .. "/" then
      found = { root = item.entry.source, path = path:sub(#item.path + 1) }
    end
  end
  return found
end

--- An empty set.
---@param fs table see luactr.rootfs.fs
function M.new(fs)
  return setmetatable({ fs = fs, entries = {} }, Tree)
end

return M
