--- Media types of images, and descriptors: what a document says of a blob. Pure.
local reference = require "luactr.image.reference"

local M = {}

M.LARGEST = 4 << 20 -- bytes of a document

local LARGEST_BLOB <const> = 1 << 46

-- ---- media types

local OCI <const> = "application/vnd.oci.image."
local DOCKER <const> = "application/vnd.docker."

M.types = {
  manifest = OCI .. "manifest.v1+json", index = OCI .. "index.v1+json",
  config = OCI .. "config.v1+json", empty = "application/vnd.oci.empty.v1+json",
  layer = OCI .. "layer.v1.tar", docker_manifest = DOCKER .. "distribution.manifest.v2+json",
  docker_index = DOCKER .. "distribution.manifest.list.v2+json",
  docker_config = DOCKER .. "container.image.v1+json",
  docker_layer = DOCKER .. "image.rootfs.diff.tar",
}

---@alias luactr.image.kind "manifest"|"index"|"config"|"layer"

local KINDS <const> = {
  [M.types.manifest] = "manifest", [M.types.docker_manifest] = "manifest",
  [M.types.index] = "index", [M.types.docker_index] = "index",
  [M.types.config] = "config", [M.types.docker_config] = "config",
}

-- Layers by what comes before their compression.
local LAYER_TYPES <const> = {
  [M.types.layer] = "+", [OCI .. "layer.nondistributable.v1.tar"] = "+",
  [M.types.docker_layer] = ".", [DOCKER .. "image.rootfs.foreign.diff.tar"] = ".",
}

M.compressions = { "none", "gzip", "zstd", "xz", "bzip2" }

local COMPRESSIONS <const> = { none = true, gzip = true, zstd = true, xz = true, bzip2 = true }

--- The compression that the media type of a layer names.
---@param media_type string
---@return string? "none", "gzip", "zstd", "xz" or "bzip2"
---@return string? problem
function M.compression(media_type)
  for prefix, separator in pairs(LAYER_TYPES) do
    if media_type == prefix then
      return "none"
    elseif media_type:sub(1, #prefix + 1) == prefix .. separator then
      local name = media_type:sub(#prefix + 2)
      if COMPRESSIONS[name] and name ~= "none" then
        return name
      end
      return nil, string.format("the compression %q of a layer is unknown; known are %s", name,
        table.concat(M.compressions, ", "))
    end
  end
  return nil, string.format("the media type %q is none of a layer", media_type)
end

--- The media type of a layer with this compression.
---@param compression string
---@return string
function M.layer_type(compression)
  return compression == "none" and M.types.layer or M.types.layer .. "+" .. compression
end

--- What a media type stands for; nil for an unknown one.
---@param media_type any
---@return luactr.image.kind?
function M.kind(media_type)
  if type(media_type) == "string" then
    return KINDS[media_type] or M.compression(media_type) and "layer" or nil
  end
end

-- ---- descriptors

---@class luactr.image.descriptor
---@field mediaType string
---@field digest string "sha256:..."
---@field size integer bytes
---@field platform? luactr.image.platform
---@field annotations? table<string, string>
---@field urls? string[]

local function size_problem(size)
  if math.type(size) ~= "integer" then
    return "its size is no whole number of bytes"
  elseif size < 0 or size > LARGEST_BLOB then
    return "its size, " .. size .. ", is no size of a file"
  end
end

--- What is wrong with a descriptor; with a kind, also with its media type.
---@param value any
---@param kind? luactr.image.kind
---@return string? problem
function M.problem(value, kind)
  if type(value) ~= "table" then
    return "it is no descriptor"
  elseif type(value.mediaType) ~= "string" then
    return "it has no media type"
  end
  local problem = reference.digest_problem(value.digest) or size_problem(value.size)
  if problem or not kind then
    return problem
  elseif kind == "layer" then
    local _, unknown = M.compression(value.mediaType)
    return unknown
  elseif KINDS[value.mediaType] ~= kind then
    return string.format("its media type %q is not that of a%s %s", value.mediaType,
      kind == "index" and "n" or "", kind)
  elseif value.size > M.LARGEST then
    return string.format("its size, %d, is more than the %d bytes that a document may have",
      value.size, M.LARGEST)
  end
end

--- Whether a table is a list of at most so many.
---@param value any
---@param name string of the list, for the sentence
---@param most integer
---@return string? problem
function M.list_problem(value, name, most)
  if type(value) ~= "table" or #value == 0 and next(value) ~= nil then
    return "its " .. name .. " are no list"
  elseif #value > most then
    return string.format("it has %d %s, at most %d are taken", #value, name, most)
  end
  local count = 0
  for key in pairs(value) do
    count = count + 1
    if math.type(key) ~= "integer" or value[count] == nil then
      return "its " .. name .. " are no list"
    end
  end
end

return M
