--- A tree of one or several layers as a container with that root would see it: links and ".." lead
--- nowhere outside. What copies come from and go to, without a mount.
local layers = require "luactr.files.layers"
local pattern = require "luactr.image.pattern"
local source = require "luactr.files.source"

local sys <const> = require("luactr.core").sys

local M = {}

local MOST_LINKS <const> = 40 -- as path_resolution(7)
local LARGEST <const> = 1 << 22 -- bytes of a file that is read as a text
local PLACE <const> = sys.O_PATH

---@class luactr.image.build.view
---@field layers luactr.files.layers
local View = { __name = "luactr.image.build.view" }
View.__index = View

local function failure(path, errno, cause)
  return nil, require("luactr.error").new { op = "open", path = path, errno = errno,
    message = "cannot open " .. path, cause = cause, checked = cause ~= nil }
end

-- ---- paths

local function push_parts(pending, path)
  local parts = pattern.split(path)
  for i = #parts, 1, -1 do
    pending[#pending + 1] = parts[i]
  end
end

--- What a link says.
local function text_of(self, path)
  local place <close> = self.layers:open(path, PLACE)
  return place and sys.readlink("", place)
end

--- One component further on the way.
local function step(self, walk, part)
  local real = walk.real
  if part == ".." then
    real[#real] = nil
    return true
  end
  real[#real + 1] = part
  local path = table.concat(real, "/")
  local stat = self.layers:find(path)
  local is_last = #walk.pending == 0
  if stat and stat.type == "symlink" and (walk.follow or not is_last) then
    local text = text_of(self, path)
    walk.links = walk.links + 1
    if walk.links > MOST_LINKS or not text then
      return nil, sys.errno.ELOOP, "there are too many symbolic links"
    end
    walk.real = text:sub(1, 1) == "/" and {} or table.move(real, 1, #real - 1, 1, {})
    push_parts(walk.pending, text)
  elseif stat and stat.type ~= "directory" and not is_last then
    return nil, sys.errno.ENOTDIR, "/" .. path .. " is no directory"
  end
  return true
end

--- Where a path leads. Components that are not there mean themselves.
---@param path string
---@param follow? boolean a link that is last
---@return string? real without "/" at its beginning; "" for the root
---@return luactr.error?
function View:resolve(path, follow)
  local walk = { real = {}, pending = {}, links = 0, follow = follow }
  push_parts(walk.pending, path)
  while #walk.pending > 0 do
    local fine, errno, cause = step(self, walk, table.remove(walk.pending))
    if not fine then
      return failure(path, errno, cause)
    end
  end
  return table.concat(walk.real, "/")
end

local ROOT <const> = { type = "directory", mode = 493, uid = 0, gid = 0 } -- 0755

--- What is at a real path.
---@param real string
---@return luactr.stat?
function View:find(real)
  return real == "" and ROOT or self.layers:find(real)
end

--- The names in a directory.
---@param real string
---@return string[]
function View:names(real)
  return self.layers:names(real)
end

--- The text of a file of modest size; nil when there is none.
---@param path string
---@return string?
function View:read(path)
  local real = self:resolve(path, true)
  local stat = real and self.layers:find(real)
  if not stat or stat.type ~= "file" or stat.size > LARGEST then
    return nil
  end
  local file <close> = self.layers:open(real, sys.O_RDONLY)
  local parts, part = {}, file and file:read(1 << 16)
  while part and part ~= "" do
    parts[#parts + 1], part = part, file:read(1 << 16)
  end
  return part and table.concat(parts)
end

-- ---- entries

---@class luactr.image.build.tree a source of luactr.files
local Tree = { __name = "luactr.image.build.tree" }
Tree.__index = Tree

local function close_current(self)
  if self.current then
    self.current:close()
    self.current = nil
  end
end

local function close_directory(self)
  if self.directory then
    self.directory:close()
    self.directory = nil
  end
end

--- The directory that has a name, open as long as names are in the same one.
local function directory_of(self, real)
  local parent, name = real:match("^(.*)/([^/]+)$")
  parent, name = parent or "", name or real
  if not self.directory or self.directory_path ~= parent then
    close_directory(self)
    self.directory, self.directory_path = self.view.layers:sub(parent), parent
  end
  return self.directory, name
end

local function push_children(self, item)
  local names = self.view:names(item.real)
  local real = item.real ~= "" and item.real .. "/" or ""
  local path = item.path ~= "." and item.path .. "/" or ""
  for i = #names, 1, -1 do
    table.insert(self.pending, { real = real .. names[i], path = path .. names[i] })
  end
end

--- The entry of one name; nil alone when it is left out.
local function open_item(self, item)
  local directory, name = directory_of(self, item.real)
  local place, _, errno = directory:open(name, PLACE)
  if not place then
    return failure(item.real, errno)
  end
  self.current = source.open(place, { name = item.path, shallow = true, links = self.links,
    notice = self.notice })
  local entry, err = self.current:next()
  if entry and entry.type == "directory" then
    push_children(self, item)
  end
  if entry and self.skip and self.skip(item.real) then
    return nil
  elseif entry and self.owner then
    entry.uid, entry.gid = self.owner.uid, self.owner.gid
  end
  return entry, err
end

--- The next entry, parents before what is in them, in the order of names; nil at the end.
---@return luactr.files.entry?
---@return luactr.error?
function Tree:next()
  close_current(self)
  while #self.pending > 0 do
    local item = table.remove(self.pending)
    if not (self.prune and self.prune(item.real)) then
      local entry, err = open_item(self, item)
      if entry or err then
        return entry, err
      end
      close_current(self)
    end
  end
end

---@param to luactr.fd
function Tree:copy(to)
  return self.current:copy(to)
end

--- Idempotent.
function Tree:close()
  close_current(self)
  close_directory(self)
  self.pending = {}
end

Tree.__close = Tree.close

---@class luactr.image.build.tree_options
---@field prune? fun(real: string): boolean what is passed by with all that is in it
---@field skip? fun(real: string): boolean what is passed by
---@field owner? { uid: integer, gid: integer } of all of it
---@field notice? fun(path: string, why: string)

--- What is at a real path, with all that is in it.
---@param real string
---@param name string of the top; "." for what is in it without a name before
---@param options? luactr.image.build.tree_options
---@return luactr.image.build.tree
function View:tree(real, name, options)
  options = options or {}
  return setmetatable({ view = self, pending = { { real = real, path = name } }, links = {},
    prune = options.prune, skip = options.skip, owner = options.owner, notice = options.notice },
    Tree)
end

-- ---- use

--- Idempotent.
function View:close()
  self.layers:close()
end

View.__close = View.close

--- Look at directories as at one.
---@param trees string[] the topmost first
---@return luactr.image.build.view?
---@return luactr.error?
function M.open(trees)
  local found, message, errno = layers.open(trees)
  if not found then
    return nil, require("luactr.error").from_sys(message, errno, "open", trees[1])
  end
  return setmetatable({ layers = found }, View)
end

return M
