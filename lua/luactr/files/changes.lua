--- What has become of a tree: which files were added, changed and deleted. Of an overlay the upper
--- directory tells; otherwise the tree is compared with what it was.
local inside = require "luactr.files.inside"
local layers = require "luactr.files.layers"

local sys <const> = require("luactr.core").sys

local M = {}

---@class luactr.change
---@field path string absolute, as in the container
---@field kind "added"|"changed"|"deleted" a deleted directory stands for all that was in it

--- In the order of a walk: a directory, then what is in it.
local function sorted(changes)
  for _, change in ipairs(changes) do
    change.key = change.path:gsub("/", "\0")
  end
  table.sort(changes, function(a, b) return a.key < b.key end)
  for _, change in ipairs(changes) do
    change.key = nil
  end
  return changes
end

local function failure(path, errno)
  return nil, require("luactr.error").new {
    op = "read", path = path, errno = errno, message = "cannot read " .. path,
  }
end

-- ---- by the upper directory of an overlay

local scan

--- Names of a directory that is not that of the layers below, but lies in its place.
local function add_hidden(self, path, names)
  local known = {}
  for _, entry in ipairs(names) do
    known[entry.name] = true
  end
  for _, name in ipairs(self.base:names(path)) do
    if not known[name] then
      self:add(path .. "/" .. name, "deleted")
    end
  end
end

local function scan_directory(self, place, path, base)
  local fd <close>, _, errno = inside.reopen(place, sys.O_RDONLY | sys.O_DIRECTORY)
  local names
  if fd then
    names, _, errno = sys.readdir(fd)
  end
  if not names then
    return failure(path, errno)
  end
  self.moved = self.moved or layers.mark(fd, "redirect") ~= nil
  local is_base = base ~= nil and base.type == "directory"
  if is_base and layers.is_opaque(fd) then
    add_hidden(self, path, names)
  end
  return scan(self, fd, path .. "/", names, is_base)
end

local function scan_one(self, place, path, has_base)
  local stat = assert(sys.stat(place))
  local base = has_base and self.base:find(path) or nil
  if layers.is_whiteout(stat) then
    if base then
      self:add(path, "deleted")
    end
    return true
  end
  self:add(path, base and "changed" or "added", stat)
  return stat.type ~= "directory" or scan_directory(self, place, path, base)
end

function scan(self, directory, prefix, names, has_base)
  for _, entry in ipairs(names) do
    local path = prefix .. entry.name
    local place <close>, _, errno = sys.open(entry.name, sys.O_PATH | sys.O_NOFOLLOW, nil,
      { dir = directory })
    local done, err = true, nil
    if place then
      done, err = scan_one(self, place, path, has_base)
    elseif errno ~= sys.errno.ENOENT then -- else it has just been removed
      return failure(path, errno)
    end
    if not done then
      return nil, err
    end
  end
  return true
end

---@class luactr.files.changes_options
---@field ignored? table<string, boolean> paths that are no change when something new is there

local Collector = {}
Collector.__index = Collector

--- Places for mounts that the start has made are no change.
function Collector:add(path, kind, stat)
  local by_luactr = kind == "added" and self.ignored[path]
    and (stat.type == "directory" or stat.size == 0)
  if not by_luactr then
    self.list[#self.list + 1] = { path = path, kind = kind }
  end
end

local function collector(base, options)
  return setmetatable({ base = base, list = {}, ignored = options and options.ignored or {} },
    Collector)
end

--- What an overlay's upper directory says. nil alone: directories have been moved, so that it does
--- not say all.
---@param upper luactr.fd open for reading
---@param base luactr.files.layers what is below it
---@param options? luactr.files.changes_options
---@return luactr.change[]?
---@return luactr.error?
function M.of_upper(upper, base, options)
  local self = collector(base, options)
  local names, _, errno = sys.readdir(upper)
  if not names then
    return failure("/", errno)
  end
  local done, err = scan(self, upper, "/", names, true)
  if done and self.moved then
    return nil
  end
  return done and sorted(self.list), err
end

-- ---- by comparison

local function signature(entry)
  local words = { entry.type, entry.mode, entry.uid, entry.gid, entry.size or "-", entry.mtime,
    entry.link or "", entry.major or "", entry.minor or "" }
  local names = {}
  for name in pairs(entry.xattrs or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    words[#words + 1] = string.format("%s=%q", name, entry.xattrs[name])
  end
  return table.concat(words, " ")
end

--- All files of a source, to be compared with later.
---@param source luactr.files.source
---@return table<string, string>? snapshot
---@return luactr.error?
function M.snapshot(source)
  local known = {}
  while true do
    local entry, err = source:next()
    if err then
      return nil, err
    elseif not entry then
      return known
    elseif entry.path ~= "." then
      known["/" .. entry.path] = signature(entry)
    end
  end
end

local function is_whiteout(entry)
  return entry.type == "char" and entry.major == 0 and entry.minor == 0
end

--- What is there no more below a path.
local function forget(known, path)
  for other in pairs(known) do
    if other:sub(1, #path + 1) == path .. "/" then
      known[other] = nil
    end
  end
end

--- What a layer adds to those below it, and hides of them.
local function add_layer(known, source)
  while true do
    local entry, err = source:next()
    if not entry then
      return err == nil, err
    elseif entry.path ~= "." then
      local path = "/" .. entry.path
      if known[path] and (entry.type ~= "directory" or entry.opaque) then
        forget(known, path)
      end
      known[path] = not is_whiteout(entry) and signature(entry) or nil
    end
  end
end

--- All files of layers that look like one, to be compared with later.
---@param sources luactr.files.source[] read as layers, the topmost first
---@return table<string, string>? snapshot
---@return luactr.error?
function M.snapshot_of_layers(sources)
  local known = {}
  for i = #sources, 1, -1 do
    local done, err = add_layer(known, sources[i])
    if not done then
      return nil, err
    end
  end
  return known
end

--- The directory that something is in; nil for what is at the top.
local function above(path)
  local parent = path:match("^(.+)/[^/]*$")
  return parent ~= "" and parent or nil
end

--- Of what is gone: a directory alone, and nothing where something is mounted by now.
local function add_deleted(self, before, seen, covered)
  for path in pairs(before) do
    local parent = above(path)
    local is_top = not parent or seen[parent]
    if not seen[path] and is_top and not covered[parent or "/"] then
      self:add(path, "deleted")
    end
  end
end

--- What differs from a snapshot.
---@param before table<string, string>
---@param source luactr.files.source of one file system
---@param options? luactr.files.changes_options
---@return luactr.change[]?
---@return luactr.error?
function M.since(before, source, options)
  local self, seen, covered = collector(nil, options), {}, {}
  while true do
    local entry, err = source:next()
    if err then
      return nil, err
    elseif not entry then
      break
    end
    local path = "/" .. entry.path
    seen[path] = true
    if entry.is_mount then
      covered[path] = true
    elseif entry.path ~= "." and before[path] ~= signature(entry) then
      self:add(path, before[path] and "changed" or "added",
        { type = entry.type, size = entry.size })
    end
  end
  add_deleted(self, before, seen, covered)
  return sorted(self.list)
end

return M
