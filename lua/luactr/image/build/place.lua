--- Files put into a new layer, where a container of the layers below would have them: links on the
--- way lead where they lead inside, and directories of the layers below come along as they are.
local target = require "luactr.files.target"
local view = require "luactr.image.build.view"

local sys <const> = require("luactr.core").sys

local M = {}

local DIRECTORY_MODE <const> = 493 -- 0755

---@class luactr.image.build.place
---@field view luactr.image.build.view of the new layer above those below
local Place = { __name = "luactr.image.build.place" }
Place.__index = Place

local function failure(path, errno, cause, remedy)
  return nil, require("luactr.error").new { op = "write", path = path, errno = errno,
    message = "cannot write " .. path, cause = cause, checked = cause ~= nil, remedy = remedy }
end

-- ---- directories

--- Bring a directory of the layers below along.
local function bring(self, real)
  local tree <close> = self.below:tree(real, real)
  local entry, err = tree:next()
  if not entry then
    return nil, err
  end
  return self.kept:put(entry, tree)
end

local function new_directory(self, real)
  return self.copied:put({ path = real, type = "directory", mode = DIRECTORY_MODE,
    uid = self.uid, gid = self.gid, mtime = self.mtime }, nil)
end

--- A directory by its real path is in the new layer.
local function ensure(self, real)
  if real == "" or self.there[real] then
    return true
  end
  local done, err = ensure(self, real:match("^(.*)/[^/]*$") or "")
  if not done then
    return nil, err
  end
  local below = self.below:find(real)
  if self.upper:find(real) then
    done = true
  elseif below and below.type == "directory" then
    done, err = bring(self, real)
  else
    done, err = new_directory(self, real)
  end
  self.there[real] = done
  return done, err
end

--- Have a directory; those that are missing are made.
---@param path string
---@return string? real
---@return luactr.error?
function Place:directory(path)
  local real, err = self.view:resolve(path, true)
  if not real then
    return nil, err
  end
  local stat = self.view:find(real)
  if stat and stat.type ~= "directory" then
    return failure("/" .. real, sys.errno.ENOTDIR, "there is a " .. stat.type)
  end
  local done
  done, err = ensure(self, real)
  return done and real or nil, err
end

-- ---- entries

local function close_directory(self)
  if self.into then
    self.into:close()
    self.into = nil
  end
end

--- Where an entry's name is, without a look at what is there; the directory is kept open.
local function locate(self, path)
  local parent, name = path:match("^(.*)/([^/]+)$")
  parent, name = parent or "", name or path
  if self.last_parent ~= parent then
    local real, err = self:directory(parent)
    if not real then
      return nil, err
    end
    close_directory(self)
    self.last_parent, self.last_real = parent, real
    self.into = self.view.layers:sub(real)
  end
  return self.last_real == "" and name or self.last_real .. "/" .. name, name
end

local function put_directory(self, entry, real, there)
  if there and (there.type == "directory" or there.type == "symlink") then
    return self:directory(real)
  elseif there then
    return failure("/" .. real, sys.errno.ENOTDIR,
      "there is a " .. there.type .. ", and what is copied has a directory")
  end
  entry.path = real
  return self.copied:put(entry)
end

local function put_file(self, entry, real, there, source)
  if there and there.type == "directory" then
    return failure("/" .. real, sys.errno.EISDIR,
      "there is a directory, and what is copied has a " .. entry.type)
  end
  self.real[entry.path] = real
  entry.path = real
  if entry.type == "link" then
    entry.link = self.real[entry.link] or entry.link
  end
  return self.copied:put(entry, source)
end

--- Make what an entry says. A directory that is there already stays as it is.
---@param entry luactr.files.entry
---@param source table that it is the current entry of
---@return boolean? done
---@return luactr.error?
function Place:put(entry, source)
  if not require("luactr.files.inside").components(entry.path) then
    return failure(entry.path, sys.errno.EXDEV, "its name leads out of what is copied")
  end
  local path = table.concat(require("luactr.image.pattern").split(entry.path), "/")
  if path == "" then
    return true -- the root
  end
  local real, name = locate(self, path)
  if not real then
    return nil, name
  end
  local there = self.into:find(name)
  entry.mode = self.mode or entry.mode
  local done, err
  if entry.type == "directory" then
    done, err = put_directory(self, entry, real, there)
  else
    done, err = put_file(self, entry, real, there, source)
  end
  return done and true or nil, err
end

--- All that a source has.
---@param source table
---@return boolean? done
---@return luactr.error?
function Place:put_all(source)
  while true do
    local entry, err = source:next()
    if not entry then
      return not err or nil, err
    end
    local done
    done, err = self:put(entry, source)
    if not done then
      return nil, err
    end
  end
end

--- Give directories their times.
---@return boolean
function Place:finish()
  self.copied:finish()
  return self.kept:finish()
end

--- Idempotent.
function Place:close()
  close_directory(self)
  self.copied:close()
  self.kept:close()
  self.view:close()
  self.below:close()
  self.upper:close()
  self.fd:close()
end

Place.__close = Place.close

---@class luactr.image.build.place_options
---@field owner? { uid: integer, gid: integer } of what is put
---@field mode? integer
---@field mtime integer nanoseconds, of directories that are made
---@field notice? fun(path: string, why: string)

-- Without root all files of the store are the user's own.
local function own_owner()
  local uid = sys.geteuid()
  return uid ~= 0 and { uid = uid, gid = sys.getegid() } or nil
end

local function views(upper, trees)
  local all, err = view.open(table.move(trees, 1, #trees, 2, { upper }))
  local below, top
  if all then
    below, err = view.open(trees)
  end
  if below then
    top, err = view.open { upper }
  end
  return top and { view = all, below = below, upper = top }, err
end

--- Put files into a layer.
---@param upper string its directory
---@param trees string[] the layers below, the topmost first
---@param options luactr.image.build.place_options
---@return luactr.image.build.place?
---@return luactr.error?
function M.open(upper, trees, options)
  local self, err = views(upper, trees)
  if not self then
    return nil, err
  end
  local message, errno
  self.fd, message, errno = sys.open(upper, sys.O_RDONLY | sys.O_DIRECTORY)
  if not self.fd then
    return nil, require("luactr.error").from_sys(message, errno, "open", upper)
  end
  local own = own_owner()
  self.copied = target.open(self.fd, { owner = own or options.owner, privileges = true,
    notice = options.notice })
  self.kept = target.open(self.fd, { owner = own, privileges = true })
  self.there, self.real, self.mode, self.mtime = {}, {}, options.mode, options.mtime
  self.uid, self.gid = options.owner and options.owner.uid or 0, options.owner
    and options.owner.gid or 0
  return setmetatable(self, Place)
end

return M
