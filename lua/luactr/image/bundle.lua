--- What is imported, as files by name: a directory, or an archive.
local archive = require "luactr.image.bundle.archive"
local inside = require "luactr.files.inside"
local input = require "luactr.image.bundle.input"
local places = require "luactr.image.places"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

---@class luactr.image.part
---@field fd luactr.fd at the beginning of the data
---@field size integer
---@field path? string below the stage, if it is a file of its own there
---@field close fun(self: luactr.image.part)

---@class luactr.image.bundle
---@field kind "oci"|"docker-archive"|"tarball"
---@field shown string its name, for errors
---@field fd luactr.fd of the directory or the archive
local Bundle = { __name = "luactr.image.bundle" }
Bundle.__index = Bundle

local failure <const> = input.failure

--- An error of a bundle whose content is at fault.
---@param cause string
---@param remedy? string
function Bundle:broken(cause, remedy)
  return failure(self.shown, sys.errno.EBADMSG, cause, remedy)
end

-- ---- directories

local function directory(self)
  local layout <close> = inside.open(self.fd, "oci-layout", sys.O_PATH)
  if layout then
    self.kind = "oci"
    return self
  end
  local version <close> = inside.open(self.fd, "version", sys.O_PATH)
  if version then
    return self:broken("it is a directory of skopeo's dir: transport, and no OCI layout",
      "skopeo copy dir:" .. self.shown .. " oci:DIRECTORY")
  end
  return self:broken("it is a directory without oci-layout, so no image",
    "tar -C " .. self.shown .. " -c . | luactr image import - --name NAME, if it is the root of a "
      .. "file system")
end

local function part(fd, size, path)
  return setmetatable({ fd = fd, size = size, path = path },
    { __index = { close = function() fd:close() end }, __close = function() fd:close() end })
end

local function missing(self, name)
  return nil, require("luactr.error").new {
    op = "import", path = self.shown, errno = sys.errno.ENOENT, checked = true,
    cause = "it has no " .. name, message = "cannot import " .. self.shown,
  }
end

local function open_in_directory(self, name)
  local place <close>, _, errno = inside.open(self.fd, name, sys.O_PATH)
  local stat = place and sys.stat(place)
  if not stat then
    if errno == sys.errno.ENOENT then
      return missing(self, name)
    end
    return failure(self.shown .. "/" .. name, errno)
  elseif stat.type ~= "file" then
    return self:broken(name .. " is no file")
  end
  local fd
  fd, _, errno = inside.reopen(place, sys.O_RDONLY)
  if not fd then
    return failure(self.shown .. "/" .. name, errno)
  end
  return part(fd, stat.size, self.in_stage and self.in_stage .. "/" .. name or nil)
end

-- ---- use

--- Open one of its files.
---@param name string
---@return luactr.image.part?
---@return luactr.error?
function Bundle:open(name)
  if not self.files then
    return open_in_directory(self, name)
  end
  local fd, place = archive.open(self, name)
  if not fd then
    return nil, place or select(2, missing(self, name))
  end
  return part(fd, place.size, place.path)
end

--- All of a small file.
---@param name string
---@param limit integer bytes
---@return string? text
---@return luactr.error?
function Bundle:text(name, limit)
  local found <close>, err = self:open(name)
  if not found then
    return nil, err
  elseif found.size > limit then
    return self:broken(string.format("%s has %d bytes, at most %d are read", name, found.size,
      limit))
  end
  local text
  text, err = places.read(found.fd, sys.lseek(found.fd, 0, "cur"), found.size)
  if text and #text < found.size then
    return self:broken(name .. " is truncated")
  end
  return text, err
end

--- Idempotent. What was unpacked goes with the stage.
function Bundle:close()
  self.fd:close()
end

Bundle.__close = Bundle.close

--- Open what is to be imported.
---@param path string of a file or directory; "-" is stdin
---@param stage luactr.image.stage for what has to be unpacked
---@param options? { in_stage?: string, limits?: luactr.image.limits } the directory is this one of
---  the stage; what a compressed archive may come to
---@return luactr.image.bundle?
---@return luactr.error?
function M.open(path, stage, options)
  local shown = path == "-" and "stdin" or path
  local fd, err = input.open(path, stage, shown)
  if not fd then
    return nil, err
  end
  local self = setmetatable({
    fd = fd, shown = shown, stage = stage, stage_files = {},
    in_stage = options and options.in_stage, limits = options and options.limits or {},
    unpacked = 0,
  }, Bundle)
  local is_directory = sys.stat(fd).type == "directory"
  self.files = not is_directory and {} or nil
  local found
  found, err = (is_directory and directory or archive.look)(self)
  if not found then
    self:close()
  end
  return found, err
end

return M
