--- Make an image of layers: the config and the manifest, the same bytes for the same parts.
local document = require "luactr.image.document"
local json = require "luactr.image.json"

local sys <const> = require("luactr.core").sys

local M = {}

local function config_of(parts)
  local config = {}
  for key, value in pairs(parts.config or {}) do
    config[key] = value
  end
  local host = document.platform_of(sys.uname().machine)
  config.os = config.os or host.os
  config.architecture = config.architecture or host.architecture
  if config.architecture == host.architecture then
    config.variant = config.variant or host.variant
  end
  config.created = config.created or os.date("!%Y-%m-%dT%H:%M:%SZ")
  local diff_ids = {}
  for i, layer in ipairs(parts.layers) do
    diff_ids[i] = layer[2]
  end
  config.rootfs = { type = "layers", diff_ids = diff_ids }
  config.history = parts.history or config.history
  return config
end

local LAYER_FIELDS <const> = { "mediaType", "digest", "size", "annotations", "urls" }

local function layers_of(parts)
  local list = {}
  for i, layer in ipairs(parts.layers) do
    list[i] = {}
    for _, field in ipairs(LAYER_FIELDS) do
      list[i][field] = layer[1][field]
    end
  end
  return list
end

---@param store luactr.image.store
---@param parts luactr.image.parts
---@return luactr.image?
---@return luactr.error?
function M.run(store, parts)
  local config, err = store:put(json.encode(config_of(parts)), document.types.config)
  local manifest
  if config then
    manifest, err = store:put(json.encode {
      schemaVersion = 2, mediaType = document.types.manifest, config = config,
      layers = layers_of(parts), annotations = parts.annotations,
    }, document.types.manifest)
  end
  if not manifest then
    return nil, err
  end
  return store:set(parts.name, manifest)
end

return M
