--- Layers on their way into the store: unpacked once, however many images and imports have them.
local compression = require "luactr.image.import.compression"

local sys <const> = require("luactr.core").sys

local M = {}

local CHUNK <const> = 1 << 24
local PRIVATE_FILE <const> = 384 -- 0600

--- The blob that an unpacked layer came from, when the archive does not name one.
local function blob_of(store, diff_id)
  local info = require("luactr.image.store.layers").info(store.path, diff_id)
  local digest, media_type = info and info.blob, info and info.media_type
  local file <close> = digest and media_type and store:open_blob(digest)
  local stat = file and sys.stat(file)
  return stat and { digest = digest, size = stat.size, mediaType = media_type } or nil
end

--- The descriptor of a layer that is in the store, with its blob.
local function known(store, layer)
  if not store:layer(layer.diff_id) then
    return nil
  end
  local descriptor = layer.descriptor or blob_of(store, layer.diff_id)
  return descriptor and store:has_blob(descriptor.digest, descriptor.size) and descriptor or nil
end

local function short(digest)
  return digest:sub(8, 19)
end

--- A layer as a file of its own in the stage: what lies in an archive is copied from there.
local function own_file(work, part, name)
  if part.path or not part.size then
    return part.fd, part.path
  end
  local file, message, errno =
    sys.open(work.stage.path .. "/" .. name, sys.O_RDWR | sys.O_CREAT | sys.O_EXCL, PRIVATE_FILE)
  local left = part.size
  while file and left > 0 do
    local count
    count, message, errno = sys.sendfile(file, part.fd, math.min(left, CHUNK))
    if not count or count == 0 then
      file:close()
      file = nil
    else
      left = left - count
    end
  end
  if not file then
    return require("luactr.image.store.disk").failed(message or "the archive is truncated",
      errno or sys.errno.EBADMSG, "copy", name)
  end
  sys.lseek(file, 0)
  return file, name
end

--- The same in a compression that others read.
local function prepared(work, part, layer, number)
  local fd, blob = own_file(work, part, "blob-" .. number)
  if not fd or layer.descriptor or not compression.is_rare(fd) then
    return fd, blob
  end
  local rare <close> = fd
  return compression.to_gzip(work, rare, "gzip-" .. number)
end

--- Unpack a layer into the stage; what is known of it, with the name of its blob there.
local function unpack(work, part, layer, number)
  local fd <close>, blob = prepared(work, part, layer, number)
  if not fd then
    return nil, blob
  end
  local done, err = require("luactr.image.layer").unpack(fd, work.stage, "tree-" .. number, {
    descriptor = layer.descriptor, diff_id = layer.diff_id, limits = work.limits,
    blob = not blob and "blob-" .. number or nil,
    progress = function(bytes) work.progress:add(bytes) end,
  })
  if not done then
    return nil, err
  end
  done.blob = blob or "blob-" .. number
  done.descriptor = layer.descriptor
    or { mediaType = done.media_type, digest = done.digest, size = done.size }
  return done
end

local function tell(work, notices)
  for _, notice in ipairs(notices) do
    local more = notice.count > 1 and string.format(" (and %d more)", notice.count - 1) or ""
    work.notice(notice.path, notice.why .. more)
  end
end

--- How many bytes there are to tell of; nil for a whole file that is compressed again first.
local function total_of(part)
  local stat = not part.size and not compression.is_rare(part.fd) and sys.stat(part.fd)
  return part.size or stat and stat.size or nil
end

--- Unpack a layer and take it and its blob into the store.
---@param work luactr.image.work
---@param part luactr.image.part or { fd = ... } for a whole file
---@param layer luactr.image.source.layer|{}
---@param what { number: integer, count: integer }
---@return luactr.image.unpacked? unpacked with its `descriptor`
---@return luactr.error?
function M.add(work, part, layer, what)
  work.progress:start(string.format("layer %d of %d", what.number, what.count), total_of(part))
  local done, err = unpack(work, part, layer, what.number)
  local adopted
  if done then
    adopted, err = work.store:adopt_blob(work.stage, done.blob, done.descriptor)
  end
  if adopted then
    adopted, err = work.store:adopt_layer(work.stage, "tree-" .. what.number, done.diff_id, {
      size = done.archive_size, files = done.files, bytes = done.bytes,
      blob = done.descriptor.digest, media_type = done.descriptor.mediaType,
    })
  end
  if not adopted then
    return nil, err
  end
  work.progress:done()
  tell(work, done.notices)
  return done
end

--- Take all layers of an image that the store has not got.
---@param work luactr.image.work
---@param source luactr.image.bundle
---@param found luactr.image.source
---@return luactr.image.descriptor[]?
---@return luactr.error?
function M.add_all(work, source, found)
  local descriptors = {}
  for i, layer in ipairs(found.layers) do
    local what = { number = i, count = #found.layers }
    descriptors[i] = known(work.store, layer)
    if descriptors[i] then
      work.progress:note(string.format("layer %d of %d: %s is there", i, what.count,
        short(layer.diff_id)))
    else
      local part <close>, err = source:open(layer.file)
      local done
      if part then
        done, err = M.add(work, part, layer, what)
      end
      if not done then
        return nil, err:wrap(string.format("layer %d of %d", i, what.count))
      end
      descriptors[i] = done.descriptor
    end
  end
  return descriptors
end

return M
