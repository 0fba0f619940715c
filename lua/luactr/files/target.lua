--- Entries become files below a directory: what extracting and copying write to.
---
--- The directory may be hostile, and so may the entries. Each component is opened below the one
--- before it and never through a link, so that nothing leads outside, whoever changes what
--- meanwhile. A file is made beside its place under a name of its own and renamed: nobody sees half
--- of it, and what had the name before is replaced, not written to.
local below = require "luactr.files.below"
local inside = require "luactr.files.inside"
local make = require "luactr.files.make"

local sys <const> = require("luactr.core").sys
local failure <const> = below.failure

local M = {}

---@class luactr.files.target_options
---@field owner? { uid: integer, gid: integer } of all files, as the host has it
---@field ids? luactr.files.ids without `owner`: of the container that the entries' owners belong to
---@field keep? boolean directories that are there already become as the entries have them
---@field privileges? boolean set-id bits and file capabilities are kept
---@field top? boolean an entry for the directory itself counts
---@field devices? boolean device nodes are made; otherwise they are left out
---@field limits? luactr.files.limits
---@field notice? fun(path: string, why: string) told of what is left out

---@class luactr.files.limits
---@field entries? integer
---@field bytes? integer of all files, holes included
---@field depth? integer of directories

-- Nobody has trees like that, and each directory on the way is an open descriptor.
local LIMITS <const> = { entries = 1 << 24, bytes = 1 << 46, depth = 256 }

local PRIVATE_DIRECTORY <const> = 448 -- 0700
local IMPLIED_DIRECTORY <const> = 493 -- 0755

---@class luactr.files.target
local Target = { __name = "luactr.files.target" }
Target.__index = Target

-- ---- directories

local function pop(self)
  local top = self.stack[#self.stack]
  if top then
    top.fd:close()
    self.stack[#self.stack] = nil
  end
end

--- The directory that has the last of these components; those on the way are made.
local function directory_of(self, parts)
  local depth = #parts - 1
  local same = 0
  while same < depth and self.stack[same + 1] and self.stack[same + 1].name == parts[same + 1] do
    same = same + 1
  end
  while #self.stack > same do
    pop(self)
  end
  local parent = same > 0 and self.stack[same].fd or self.fd
  for i = same + 1, depth do
    local path = table.concat(parts, "/", 1, i)
    if sys.mkdir(parts[i], PRIVATE_DIRECTORY, parent) then
      self.implied[path] = true
    end
    local fd, err = below.open(parent, parts[i], path)
    if not fd then
      return nil, err
    elseif self.implied[path] then
      sys.chmod(fd, IMPLIED_DIRECTORY)
      self.implied[path] = nil
    end
    self.stack[i] = { name = parts[i], fd = fd }
    parent = fd
  end
  return parent
end

-- ---- directories get their times last: what is put into them changes those

local function make_directory(self, parent, entry, name)
  local made, _, errno = sys.mkdir(name, PRIVATE_DIRECTORY, parent)
  if not made and errno ~= sys.errno.EEXIST then
    return failure(entry.path, errno)
  end
  local fd <close>, err = below.open(parent, name, entry.path)
  if not fd then
    return nil, err
  elseif not made and not self.keep then
    return true
  end
  local owner
  owner, err = make.owner(self, entry)
  local done = owner
  if owner then
    done, err = make.attributes(self, fd, entry, owner)
  end
  local stat = sys.stat(fd)
  self.later[#self.later + 1] = { path = entry.path, mtime = entry.mtime, dev = stat.dev,
    ino = stat.ino }
  return done and true or nil, err
end

--- The top itself is there already.
local function put_top(self, entry)
  if entry.type ~= "directory" then
    return failure(entry.path, sys.errno.ENOTDIR,
      "an entry for the directory itself is a " .. entry.type)
  elseif not self.top then
    return true
  end
  local owner, err = make.owner(self, entry)
  if not owner then
    return nil, err
  end
  return make.attributes(self, self.fd, entry, owner)
end

-- ---- use

--- What exceeds the limits; nil when nothing does.
local function excess(self, entry, depth)
  local limits = self.limits
  self.entries, self.bytes = self.entries + 1, self.bytes + math.max(entry.size or 0, 0)
  if self.entries > limits.entries then
    return "more than " .. limits.entries .. " files"
  elseif self.bytes > limits.bytes or self.bytes < 0 then
    return "more than " .. limits.bytes .. " bytes of files"
  elseif depth > limits.depth then
    return "directories deeper than " .. limits.depth
  end
end

--- Make what an entry says.
---@param entry luactr.files.entry
---@param source luactr.files.source|luactr.files.reader that the entry is the current one of
---@return boolean? done
---@return luactr.error?
function Target:put(entry, source)
  local parts = inside.components(entry.path)
  if not parts then
    return failure(entry.path, sys.errno.EXDEV, "its name leads out of what is written to")
  end
  local too_much = excess(self, entry, #parts)
  if too_much then
    return failure(entry.path, sys.errno.E2BIG, "there are " .. too_much)
  elseif #parts == 0 then
    return put_top(self, entry)
  elseif not make.knows(entry.type) and entry.type ~= "directory" then
    return failure(entry.path, sys.errno.EINVAL, "it is of an unknown type")
  end
  local dir, err = directory_of(self, parts)
  if not dir then
    return nil, err
  end
  self.source = source
  local how = entry.type == "directory" and make_directory or make.file
  return how(self, dir, entry, parts[#parts])
end

--- All entries of a source, then finish.
---@param source luactr.files.source|luactr.files.reader
---@return boolean? done
---@return luactr.error?
function Target:put_all(source)
  while true do
    local entry, err = source:next()
    local done = entry
    if entry then
      done, err = self:put(entry, source)
    end
    if err then
      return nil, err
    elseif not done then
      return self:finish()
    end
  end
end

--- Give directories their times.
---@return boolean done
function Target:finish()
  while #self.stack > 0 do
    pop(self)
  end
  for i = #self.later, 1, -1 do
    local known = self.later[i]
    local parts = inside.components(known.path)
    local parent = below.parent(self.fd, parts, known.path)
    local fd <close> = parent and below.open(parent, parts[#parts], known.path)
    local stat = fd and sys.stat(fd)
    if stat and stat.dev == known.dev and stat.ino == known.ino then
      sys.utimens(fd, nil, known.mtime)
    end
    if parent and parent ~= self.fd then
      parent:close()
    end
  end
  self.later = {}
  return true
end

--- Idempotent.
function Target:close()
  while #self.stack > 0 do
    pop(self)
  end
end

Target.__close = Target.close

local function token()
  local file <close> = assert(sys.open("/dev/urandom", sys.O_RDONLY))
  return (file:read(6):gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

--- Write below a directory.
---@param fd luactr.fd open for reading; it stays the caller's
---@param options? luactr.files.target_options
---@return luactr.files.target
function M.open(fd, options)
  options = options or {}
  local limits = setmetatable({}, { __index = LIMITS })
  for name, limit in pairs(options.limits or {}) do
    limits[name] = limit
  end
  return setmetatable({
    fd = fd, stack = {}, later = {}, implied = {}, count = 0, entries = 0, bytes = 0,
    token = token(), limits = limits, owner = options.owner, ids = options.ids,
    keep = options.keep or false, privileges = options.privileges or false,
    devices = options.devices or false, top = options.top or false,
    notice = options.notice or function() end,
  }, Target)
end

return M
