--- A directory of a build's stage becomes a layer of the store.
local disk = require "luactr.image.store.disk"
local document = require "luactr.image.document"
local packer = require "luactr.image.layer"

local sys <const> = require("luactr.core").sys

local M = {}

local PRIVATE_FILE <const> = 384 -- 0600

--- Without root all files of the store are the user's own, and root's in the image.
local function own_ids()
  local uid, gid = sys.geteuid(), sys.getegid()
  return uid ~= 0 and { uid = { { inside = 0, outside = uid, count = 1 } },
    gid = { { inside = 0, outside = gid, count = 1 } } } or nil
end

--- Write the layer's blob into the stage.
local function pack(stage, upper, name, options)
  local path = stage.path .. "/" .. name
  local file <close>, message, errno =
    sys.open(path, sys.O_RDWR | sys.O_CREAT | sys.O_TRUNC | sys.O_NOFOLLOW, PRIVATE_FILE)
  if not file then
    return disk.failed(message, errno, "open", path)
  end
  options.progress:start("packing the layer")
  local packed, err = packer.pack(upper, file, { compression = options.compression,
    epoch = options.epoch, ids = own_ids(), notice = options.notice,
    progress = function(bytes) options.progress:add(bytes) end })
  if packed then
    options.progress:done()
  end
  return packed, err
end

--- The layer as it is used: unpacked of the blob, so that it is the same however it came here.
local function unpack(store, stage, name, packed)
  if store:layer(packed.diff_id) then
    return true
  end
  local blob <close>, err = store:open_blob(packed.digest)
  local info
  if blob then
    info, err = packer.unpack(blob, stage, name, { diff_id = packed.diff_id })
  end
  if not info then
    return nil, err
  end
  return store:adopt_layer(stage, name, packed.diff_id,
    { size = info.size, files = info.files, bytes = info.bytes, blob = packed.digest })
end

--- Put a layer into the store.
---@param store luactr.image.store
---@param stage luactr.image.stage
---@param upper string the directory with its files, as an overlay's
---@param name string that nothing in the stage has yet
---@param options { compression: string, epoch?: integer, progress: luactr.image.progress,
---  notice?: fun(path: string, why: string) }
---@return { descriptor: luactr.image.descriptor, diff_id: string }?
---@return luactr.error?
function M.make(store, stage, upper, name, options)
  local packed, err = pack(stage, upper, name .. ".blob", options)
  if not packed then
    return nil, err
  end
  local descriptor = { mediaType = packed.media_type or document.layer_type(options.compression),
    digest = packed.digest, size = packed.size }
  local done
  done, err = store:adopt_blob(stage, name .. ".blob", descriptor)
  if done then
    done, err = unpack(store, stage, name .. ".tree", packed)
  end
  return done and { descriptor = descriptor, diff_id = packed.diff_id } or nil, err
end

return M
