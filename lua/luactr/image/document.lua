--- The JSON documents of images, OCI's and Docker's (schema 2): decoded and checked before anything
--- relies on them, since they come from strangers. Pure: each function takes a text and returns a
--- table, or nil and what is wrong.
local config = require "luactr.image.document.config"
local descriptor = require "luactr.image.document.descriptor"
local json = require "luactr.image.json"
local platform = require "luactr.image.document.platform"

local M = {}

M.LARGEST = descriptor.LARGEST -- bytes of a document
M.LAYERS = config.LAYERS
M.ENTRIES = config.ENTRIES -- of an index, or of a history
M.DEPTH = 3 -- of indexes in indexes

-- What is in the files of document/, under one roof.
M.types, M.kind, M.compression = descriptor.types, descriptor.kind, descriptor.compression
M.compressions, M.layer_type = descriptor.compressions, descriptor.layer_type
M.platform, M.platform_of, M.check_platform = platform.choose, platform.of, platform.check
M.parse_platform, M.platform_text = platform.parse, platform.text

-- ---- decoding

local function decode(text)
  if #text > M.LARGEST then
    return nil, string.format("it has %d bytes, a document has at most %d", #text, M.LARGEST)
  end
  local value, problem = json.decode(text)
  if value and value.schemaVersion == 1 then
    return nil, "it is of schema version 1, which Docker gave up; only version 2 is read"
  end
  return value, problem
end

local function descriptors_problem(list, name, kind)
  for i, entry in ipairs(list) do
    local problem = descriptor.problem(entry, kind)
    if problem then
      return string.format("%s %d: %s", name, i, problem)
    end
  end
end

local function type_problem(value, kind)
  local media_type = value.mediaType
  if media_type == nil then
    return value.schemaVersion ~= 2 and "it has neither a media type nor schemaVersion 2" or nil
  elseif descriptor.kind(media_type) ~= kind then
    return string.format("its media type %s is not that of a%s %s",
      type(media_type) == "string" and string.format("%q", media_type) or "",
      kind == "index" and "n" or "", kind)
  end
end

-- ---- manifests

---@class luactr.image.manifest
---@field schemaVersion integer
---@field mediaType string
---@field config luactr.image.descriptor
---@field layers luactr.image.descriptor[] the lowest first
---@field annotations? table<string, string>

--- An image's manifest.
---@param text string
---@return luactr.image.manifest?
---@return string? problem
function M.manifest(text)
  local value, problem = decode(text)
  if not value then
    return nil, problem
  end
  problem = type_problem(value, "manifest")
    or value.config == nil and (value.manifests and "it is an index, no manifest"
      or "it has no config")
    or descriptor.list_problem(value.layers, "layers", M.LAYERS)
    or descriptors_problem(value.layers, "layer", "layer")
  if problem then
    return nil, problem
  end
  problem = descriptor.problem(value.config, "config")
  if problem then
    return nil, "config: " .. problem
  end
  value.mediaType = value.mediaType or descriptor.types.manifest
  return value
end

-- ---- indexes

---@class luactr.image.platform
---@field os string
---@field architecture string
---@field variant? string

---@class luactr.image.index
---@field mediaType string
---@field manifests luactr.image.descriptor[]

--- A list of manifests, for several platforms.
---@param text string
---@param depth? integer how many indexes it is in, 0
---@return luactr.image.index?
---@return string? problem
function M.index(text, depth)
  if (depth or 0) >= M.DEPTH then
    return nil, string.format("indexes in indexes are deeper than %d", M.DEPTH)
  end
  local value, problem = decode(text)
  if not value then
    return nil, problem
  end
  problem = type_problem(value, "index")
    or descriptor.list_problem(value.manifests, "manifests", M.ENTRIES)
    or descriptors_problem(value.manifests, "manifest")
  if problem then
    return nil, problem
  end
  value.mediaType = value.mediaType or descriptor.types.index
  return value
end

-- ---- configs

--- An image's config.
---@param text string
---@param layers? integer how many the manifest has
---@return luactr.image.config?
---@return string? problem
function M.config(text, layers)
  local value, problem = decode(text)
  problem = problem or config.problem(value, layers)
  if problem then
    return nil, problem
  end
  return value
end

return M
