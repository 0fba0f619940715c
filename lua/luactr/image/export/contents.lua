--- What the files of an exported image are, by format. Pure: a blob is named by its descriptor.
local document = require "luactr.image.document"
local json = require "luactr.image.json"

local M = {}

---@class luactr.image.export.file
---@field path string
---@field text? string
---@field blob? luactr.image.descriptor in place of a text

---@class luactr.image.export.image what is exported
---@field name string "NAME:TAG"
---@field manifest luactr.image.descriptor
---@field config luactr.image.descriptor
---@field layers luactr.image.descriptor[] the lowest first

local function hex_of(descriptor)
  return descriptor.digest:match("^sha256:(%x+)$")
end

local function blob_path(descriptor)
  return "blobs/sha256/" .. hex_of(descriptor)
end

--- Each blob once: a layer may be in an image twice.
local function add_blobs(files, image, path_of)
  local seen = {}
  for _, descriptor in ipairs { image.manifest, image.config, table.unpack(image.layers) } do
    local path = path_of(descriptor)
    if path and not seen[path] then
      seen[path] = true
      files[#files + 1] = { path = path, blob = descriptor }
    end
  end
  return files
end

local function index_of(image)
  return json.encode {
    schemaVersion = 2, mediaType = document.types.index,
    manifests = { {
      mediaType = image.manifest.mediaType, digest = image.manifest.digest,
      size = image.manifest.size, annotations = {
        ["org.opencontainers.image.ref.name"] = image.name:match(":([^:/]*)$"),
        ["io.containerd.image.name"] = image.name,
      },
    } },
  }
end

--- manifest.json of `docker save`.
local function docker_list(image, path_of)
  local layers = {}
  for i, descriptor in ipairs(image.layers) do
    layers[i] = path_of(descriptor)
  end
  return "[" .. json.encode {
    Config = path_of(image.config), RepoTags = { image.name }, Layers = layers,
  } .. "]"
end

local function oci(image)
  return add_blobs({
    { path = "oci-layout", text = json.encode { imageLayoutVersion = "1.0.0" } },
    { path = "index.json", text = index_of(image) },
  }, image, blob_path)
end

local FORMATS <const> = {
  ["oci"] = oci,
  -- With Docker's list beside it, which every version of Docker reads.
  ["oci-archive"] = function(image)
    local files = oci(image)
    table.insert(files, 3, { path = "manifest.json", text = docker_list(image, blob_path) })
    return files
  end,
  ["docker-archive"] = function(image)
    local function path_of(descriptor)
      return hex_of(descriptor) .. (descriptor == image.config and ".json" or ".tar")
    end
    return add_blobs({ { path = "manifest.json", text = docker_list(image, path_of) } }, image,
      function(descriptor) return descriptor ~= image.manifest and path_of(descriptor) or nil end)
  end,
}

-- What skopeo calls dir: the manifest and the blobs, of whichever kind. Not for people.
FORMATS["dir"] = function(image)
  return add_blobs({ { path = "version", text = "Directory Transport Version: 1.1\n" } }, image,
    function(descriptor)
      return descriptor == image.manifest and "manifest.json" or hex_of(descriptor)
    end)
end

M.formats = { "oci-archive", "oci", "docker-archive" }

--- The files of an exported image, in the order in which an archive has them.
---@param image luactr.image.export.image
---@param format "oci"|"oci-archive"|"docker-archive"|"dir"
---@return luactr.image.export.file[]
function M.of(image, format)
  return FORMATS[format](image)
end

---@param format any
---@return boolean
function M.is_format(format)
  return format ~= "dir" and FORMATS[format] ~= nil
end

return M
