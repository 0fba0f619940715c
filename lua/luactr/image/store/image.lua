--- An image of the store: what its manifest and its config say, and where its layers are.
local blob = require "luactr.image.blob"
local disk = require "luactr.image.store.disk"
local document = require "luactr.image.document"
local layers = require "luactr.image.store.layers"

local M = {}

---@class luactr.image
---@field name string "NAME:TAG"
---@field digest string of the manifest
---@field manifest luactr.image.manifest
---@field config luactr.image.config
---@field layers luactr.image.descriptor[] the lowest first
---@field diff_ids string[] the lowest first
---@field size integer bytes of all its blobs, compressed as they are
---@field created? string "2026-01-31T23:59:59Z"
---@field time? number seconds since the epoch, when the name was given
---@field store luactr.image.store
local Image = { __name = "luactr.image" }
Image.__index = Image

--- The directories of its layers, the topmost first, as an overlay has them.
---@return string[]?
---@return luactr.error? code "ENOENT" when one is not unpacked
function Image:trees()
  local trees, count = {}, #self.diff_ids
  for i, diff_id in ipairs(self.diff_ids) do
    local tree = layers.tree(self.store.path, diff_id)
    if not tree then
      return disk.refused { code = "ENOENT", op = "open", path = self.name,
        message = string.format("layer %d of image %q is not unpacked", i, self.name),
        remedy = "import or pull the image again" }
    end
    trees[count - i + 1] = tree
  end
  return trees
end

--- Write it as an archive or a directory for others to read.
---@param to string|luactr.fd|integer path, or where an archive is written to
---@param options? luactr.image.export_options
---@return boolean? done
---@return luactr.error?
function Image:export(to, options)
  return require("luactr.image.export").run(self, to, options)
end

--- Give it to a registry.
---@param name string "docker://registry:5000/a/b:tag", also without "docker://"
---@param options? luactr.image.push_options
---@return { name: string, digest: string }? pushed
---@return luactr.error?
function Image:push(name, options)
  return require("luactr.image.registry").push(self, name, options)
end

local function damaged(what, digest, problem)
  return disk.refused { code = "EBADMSG", op = "read", path = digest, checked = true,
    message = string.format("the %s %s cannot be used", what, digest), cause = problem }
end

--- A document from a blob, decoded by a function of luactr.image.document.
local function read(root, what, of, in_full, ...)
  local text, err = blob[in_full and "read" or "peek"](root, of.digest, document.LARGEST, of.size)
  if not text then
    return nil, err
  end
  local value, problem = document[what](text, ...)
  if not value then
    return damaged(what, of.digest, problem)
  end
  return value
end

local function size_of(digest_size, manifest)
  local size = digest_size + manifest.config.size
  for _, layer in ipairs(manifest.layers) do
    size = size + layer.size
  end
  return size
end

--- Read what a name stands for.
---@param store luactr.image.store
---@param name string "NAME:TAG"
---@param entry luactr.image.name
---@param in_full? boolean the digests of manifest and config are checked, too
---@return luactr.image?
---@return luactr.error?
function M.read(store, name, entry, in_full)
  local manifest, config, err
  manifest, err = read(store.path, "manifest", entry, in_full)
  if manifest then
    config, err = read(store.path, "config", manifest.config, in_full, #manifest.layers)
  end
  if not config then
    return nil, err:wrap(string.format("image %q", name))
  end
  return setmetatable({
    name = name, digest = entry.digest, manifest = manifest, config = config,
    layers = manifest.layers, diff_ids = config.rootfs.diff_ids, created = config.created,
    size = size_of(entry.size, manifest), time = entry.time, store = store,
  }, Image)
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Image
end

return M
