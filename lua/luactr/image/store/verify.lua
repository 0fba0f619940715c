--- Look whether images are whole: each blob has the bytes that its digest says, each layer is
--- unpacked.
local blob = require "luactr.image.blob"
local layers = require "luactr.image.store.layers"

local M = {}

---@class luactr.image.problem
---@field name string of the image
---@field digest? string of what is missing or damaged
---@field message string

---@class luactr.image.verified
---@field images integer how many were looked at
---@field blobs integer how many were read
---@field bytes integer that they have
---@field problems luactr.image.problem[]

local function check_blob(root, descriptor)
  local file <close>, err = blob.open(root, descriptor.digest)
  if not file then
    return err.message
  end
  local digest, size = blob.digest_of(file)
  if not digest then
    return size.message
  elseif size ~= descriptor.size then
    return string.format("it has %d bytes, not %d", size, descriptor.size)
  elseif digest ~= descriptor.digest then
    return "its digest is " .. digest
  end
end

local function check_image(store, image, report, seen)
  local function complain(digest, message)
    table.insert(report.problems, { name = image.name, digest = digest, message = message })
  end
  for i, descriptor in ipairs(image.layers) do
    if not seen[descriptor.digest] then
      seen[descriptor.digest] = { problem = check_blob(store.path, descriptor) }
      report.blobs, report.bytes = report.blobs + 1, report.bytes + descriptor.size
    end
    local problem = seen[descriptor.digest].problem
    if problem then
      complain(descriptor.digest, string.format("the blob of layer %d: %s", i, problem))
    end
    if not layers.tree(store.path, image.diff_ids[i]) then
      complain(image.diff_ids[i], string.format("layer %d is not unpacked", i))
    end
  end
end

--- The manifest and the config are read, and with it checked, when an image is.
---@param store luactr.image.store
---@param name? string
---@return luactr.image.verified?
---@return luactr.error?
function M.run(store, name)
  local images, err
  if name then
    local image
    image, err = store:find(name)
    images = image and { image }
  else
    images, err = store:list()
  end
  if not images then
    return nil, err
  end
  local report, seen = { images = #images, blobs = 0, bytes = 0, problems = {} }, {}
  for _, image in ipairs(images) do
    if image.error then
      table.insert(report.problems, { name = image.name, digest = image.digest,
        message = image.error.message .. (image.error.cause and ": " .. image.error.cause or "") })
    else
      check_image(store, image, report, seen)
    end
  end
  return report
end

return M
