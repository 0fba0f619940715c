--- The files of an archive: where they lie in it, or, when it is compressed and has no places,
--- where they were unpacked in the stage while it was looked at.
local format = require "luactr.image.bundle.format"
local inside = require "luactr.files.inside"
local input = require "luactr.image.bundle.input"
local limits = require "luactr.image.limits"
local places = require "luactr.image.places"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local MOST_LINKS <const> = 8
local FREE <const> = 64 << 20 -- as of a layer

local failure <const> = input.failure

local function add(self, place)
  if not format.is_image_name(place.name) then
    self.files = {}
    return false -- it is the root of a file system
  end
  self.files[place.name] = place
end

--- The files of an archive that is not compressed.
local function index(self)
  local done, err = places.each(self.fd, function(place) return add(self, place) end)
  if not done then
    err.op, err.path, err.message = "import", self.shown, "cannot import " .. self.shown
    return nil, err
  end
  return true
end

--- Whether what is unpacked stays in bounds, by the sizes that an archive tells and has to keep.
local function in_bounds(self, size)
  self.unpacked = self.unpacked + size
  local stat = sys.stat(self.fd)
  local most = math.min(self.limits.bytes or limits.defaults.bytes,
    FREE + (stat and stat.size or 0) * (self.limits.ratio or limits.defaults.ratio))
  if self.unpacked <= most then
    return true
  end
  return failure(self.shown, sys.errno.E2BIG, string.format("it becomes more than %d bytes", most),
    limits.remedy)
end

local function spooled(self, reader, entry, name)
  local fine, err = in_bounds(self, entry.size)
  if not fine then
    return nil, err
  end
  local path = string.format("part-%d", #self.stage_files + 1)
  local file <close>, _, errno =
    sys.open(self.stage.path .. "/" .. path, sys.O_RDWR | sys.O_CREAT | sys.O_EXCL)
  if not file then
    return failure(self.shown, errno)
  end
  table.insert(self.stage_files, path)
  local done, message, code = reader:copy(file)
  if not done then
    return failure(self.shown, code, code == sys.errno.EBADMSG and message or nil)
  end
  return { name = name, type = "file", path = path, offset = 0, size = entry.size }
end

--- The files of a compressed archive, as far as they are those of an image.
local function unpack(self)
  local reader <close>, err = require("luactr.files.archive").reader(self.fd)
  if not reader and err.code == "EBADMSG" then
    return self:broken(err.cause)
  elseif not reader then
    return nil, err
  end
  local entry
  while true do
    entry, err = reader:next()
    if not entry then
      return err == nil, err
    end
    local name = entry.path:gsub("^%./+", ""):gsub("/+$", "")
    local place = { name = name, type = entry.type, link = entry.link, offset = 0, size = 0 }
    if entry.type == "file" and format.is_image_name(name) then
      place, err = spooled(self, reader, entry, name)
      if not place then
        return nil, err
      end
    end
    if add(self, place) == false then
      return true
    end
  end
end

local COMPRESSED <const> = { "\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zXZ\0", "BZh" }

-- What others make of a root, and nobody reads as a layer.
local FOREIGN <const> = {
  ["\x04\x22\x4d\x18"] = "it is compressed by lz4", ["\x1f\x9d"] = "it is compressed by compress",
  ["LZIP"] = "it is compressed by lzip", ["7z\xbc\xaf"] = "it is an archive of 7z",
  ["PK\3\4"] = "it is an archive of zip", ["hsqs"] = "it is a squashfs",
}

local function foreign(self, block)
  for magic, cause in pairs(FOREIGN) do
    if block:sub(1, #magic) == magic then
      return self:broken(cause, magic == "hsqs" and "rootfs = ctr.rootfs.squashfs(PATH)"
        or "a tar archive, plain or compressed by gzip, zstd, xz or bzip2")
    end
  end
  return self:broken(block == "" and "it is empty" or "it is no tar archive, compressed or not")
end

--- Whether a file begins as one that is compressed; nil and an error when it is no archive at all.
local function is_compressed(self)
  local block, err = places.read(self.fd, 0, 512)
  if not block then
    return nil, err
  end
  for _, magic in ipairs(COMPRESSED) do
    if block:sub(1, #magic) == magic then
      return true
    end
  end
  local header = #block == 512 and require("luactr.image.places.header").parse(block)
  if header == nil or #block < 512 then
    return foreign(self, block)
  end
  return false
end

--- Find out what it is, and where its files are.
---@param self luactr.image.bundle
---@return luactr.image.bundle?
---@return luactr.error?
function M.look(self)
  local compressed, err = is_compressed(self)
  if compressed == nil then
    return nil, err
  end
  sys.lseek(self.fd, 0)
  local done
  done, err = (compressed and unpack or index)(self)
  if not done then
    return nil, err
  end
  sys.lseek(self.fd, 0)
  self.kind = format.kind(self.files)
  if not self.kind then
    return self:broken(format.problem(self.files))
  end
  return self
end

-- ---- use

--- Where a link of an archive leads, by its text.
local function follow(place)
  local parts = {}
  local base = place.type == "symlink" and place.name:match("^(.*)/[^/]*$") or ""
  for word in (base .. "/" .. place.link):gmatch("[^/]+") do
    if word == ".." then
      parts[#parts] = nil
    elseif word ~= "." then
      parts[#parts + 1] = word
    end
  end
  return table.concat(parts, "/")
end

local function place_of(self, name)
  for _ = 1, MOST_LINKS do
    local place = self.files[name]
    if not place or place.type == "file" then
      return place
    elseif not place.link then
      return nil
    end
    name = follow(place)
  end
end

--- A descriptor of a file's own at the beginning of its data; nil, nil when there is no such file.
---@param self luactr.image.bundle
---@param name string
---@return luactr.fd? fd
---@return luactr.error|luactr.image.place|nil
function M.open(self, name)
  local place = place_of(self, name)
  if not place then
    return nil
  end
  local fd, _, errno
  if place.path then
    fd, _, errno = sys.open(self.stage.path .. "/" .. place.path, sys.O_RDONLY)
  else
    fd, _, errno = inside.reopen(self.fd, sys.O_RDONLY)
  end
  if not fd then
    return failure(self.shown, errno)
  end
  sys.lseek(fd, place.offset)
  return fd, place
end

return M
