--- Images in OCI's layout, a directory or an archive: from index.json to the manifest of one of
--- them, every document checked against its digest.
local document = require "luactr.image.document"

local M = {}

local SMALL <const> = 4096
local REF_NAME <const> = "org.opencontainers.image.ref.name"
local FULL_NAME <const> = "io.containerd.image.name" -- where the other has the tag alone

---@class luactr.image.source what an archive says of one image
---@field names string[] as the archive has them; without "/" and ":" it is a tag
---@field manifest? string text, where there is one
---@field manifest_type? string its media type
---@field config string text
---@field config_type string
---@field parsed luactr.image.config
---@field layers luactr.image.source.layer[] the lowest first

---@class luactr.image.source.layer
---@field file string its name in the bundle
---@field descriptor? luactr.image.descriptor where it is known
---@field diff_id string

---@class luactr.image.wanted
---@field image? string a name in the archive, when there are several
---@field platform? string "linux/arm64", the host's if not given

local function platform_of(wanted)
  if wanted.platform then
    return document.parse_platform(wanted.platform)
  end
  return document.platform_of(require("luactr.core").sys.uname().machine)
end

-- ---- blobs

local function blob_name(digest)
  return "blobs/" .. digest:gsub(":", "/")
end

--- A document that a descriptor is of.
local function fetch(bundle, what, descriptor)
  local name = blob_name(descriptor.digest)
  local text, err = bundle:text(name, document.LARGEST)
  if not text then
    return nil, err
  elseif #text ~= descriptor.size then
    return bundle:broken(string.format("the %s %s has %d bytes, its descriptor says %d", what,
      name, #text, descriptor.size))
  end
  local digest = require("luactr.image.blob").digest(text)
  if digest ~= descriptor.digest then
    return bundle:broken(string.format("the digest of the %s %s is %s", what, name, digest))
  end
  return text
end

--- A document, decoded by the function of its kind.
local function decoded(bundle, what, text, ...)
  local value, problem = document[what](text, ...)
  if not value then
    return bundle:broken(string.format("the %s cannot be used: %s", what, problem))
  end
  return value
end

-- ---- which image

--- The name, and the tag alone. A full name with another tag was left by who made one image of
--- another.
local function name_of(descriptor)
  local annotations = type(descriptor.annotations) == "table" and descriptor.annotations or {}
  local full, ref = annotations[FULL_NAME], annotations[REF_NAME]
  full, ref = type(full) == "string" and full or nil, type(ref) == "string" and ref or nil
  if full and ref and full:sub(-#ref - 1) ~= ":" .. ref then
    full = nil
  end
  return full or ref, ref
end

--- The manifests and indexes of an index.json, each once, with all the names that it has.
local function candidates(index)
  local list, known = {}, {}
  for _, descriptor in ipairs(index.manifests) do
    local kind = document.kind(descriptor.mediaType)
    if kind == "manifest" or kind == "index" then
      local found = known[descriptor.digest]
      if not found then
        found = { descriptor = descriptor, kind = kind, names = {}, tags = {} }
        known[descriptor.digest] = found
        list[#list + 1] = found
      end
      local name, tag = name_of(descriptor)
      found.names[#found.names + 1], found.tags[#found.tags + 1] = name, tag
    end
  end
  return list
end

local function has_name(candidate, name)
  for _, list in ipairs { candidate.names, candidate.tags } do
    for _, known in ipairs(list) do
      if known == name then
        return true
      end
    end
  end
  return false
end

local function all_names(list)
  local names = {}
  for _, candidate in ipairs(list) do
    table.move(candidate.names, 1, #candidate.names, #names + 1, names)
  end
  return names
end

--- Those of the wanted name. All of them, when none is wanted.
local function named(list, name)
  local fitting = {}
  for _, candidate in ipairs(list) do
    fitting[#fitting + 1] = (not name or has_name(candidate, name)) and candidate or nil
  end
  return fitting
end

--- Several without different names are one image for several platforms.
local function is_one(list)
  local first = list[1].names[1]
  for _, candidate in ipairs(list) do
    if candidate.names[1] ~= first or #candidate.names > 1 and #list > 1 then
      return false
    end
  end
  return true
end

local function several(bundle, list)
  return bundle:broken("it holds several images: " .. table.concat(all_names(list), ", "),
    "one of these names: image = \"NAME\", or --image NAME")
end

local function none(bundle, list, name)
  if name then
    local names = all_names(list)
    return bundle:broken(string.format("it holds no image %q%s", name,
      require("luactr.nearest").hint(name, names)), #names > 0 and "one of these: "
      .. table.concat(names, ", ") or nil)
  end
  return bundle:broken("its index.json names no image")
end

local function choose(bundle, index, wanted)
  local all = candidates(index)
  local list = named(all, wanted.image)
  if #list == 0 then
    return none(bundle, all, wanted.image)
  elseif not is_one(list) then
    return several(bundle, list)
  end
  local descriptors = {}
  for i, candidate in ipairs(list) do
    descriptors[i] = candidate.descriptor
  end
  return { manifests = descriptors }, list[1].names
end

-- ---- the way down

--- The descriptor of the manifest for a platform, through indexes in indexes.
local function descend(bundle, index, platform, depth)
  local descriptor, problem = document.platform(index, platform)
  if not descriptor then
    return bundle:broken(problem)
  elseif document.kind(descriptor.mediaType) == "manifest" then
    return descriptor
  elseif document.kind(descriptor.mediaType) ~= "index" then
    return bundle:broken(string.format("the media type %q is none of an image",
      descriptor.mediaType))
  elseif depth >= document.DEPTH then
    return bundle:broken("it has more than " .. document.DEPTH .. " indexes in each other")
  end
  local text, err = fetch(bundle, "index", descriptor)
  local below
  if text then
    below, err = decoded(bundle, "index", text)
  end
  if not below then
    return nil, err
  end
  return descend(bundle, below, platform, depth + 1)
end

local function check_marker(bundle)
  local text, err = bundle:text("oci-layout", SMALL)
  if not text then
    return nil, err
  end
  local marker = require("luactr.image.json").decode(text)
  local version = marker and marker.imageLayoutVersion
  if type(version) ~= "string" or not version:find("^1%.") then
    return bundle:broken("its oci-layout has no imageLayoutVersion that is known: 1.0.0")
  end
  return true
end

local function layers_of(manifest, config)
  local layers = {}
  for i, descriptor in ipairs(manifest.layers) do
    layers[i] = { file = blob_name(descriptor.digest), descriptor = descriptor,
      diff_id = config.rootfs.diff_ids[i] }
  end
  return layers
end

--- The image that a manifest stands for.
---@param bundle luactr.image.bundle
---@param descriptor luactr.image.descriptor
---@param text string of the manifest
---@param config_text? string where it is known
---@return luactr.image.source?
---@return luactr.error?
function M.image(bundle, descriptor, text, config_text)
  local manifest, err = decoded(bundle, "manifest", text)
  if manifest and not config_text then
    config_text, err = fetch(bundle, "config", manifest.config)
  end
  local config
  if manifest and config_text then
    config, err = decoded(bundle, "config", config_text, #manifest.layers)
  end
  if not config then
    return nil, err
  end
  return {
    names = {}, manifest = text, manifest_type = descriptor.mediaType, config = config_text,
    config_type = manifest.config.mediaType, parsed = config, layers = layers_of(manifest, config),
  }
end

--- One of the images of a layout.
---@param bundle luactr.image.bundle
---@param wanted luactr.image.wanted
---@return luactr.image.source?
---@return luactr.error?
function M.read(bundle, wanted)
  local done, err = check_marker(bundle)
  local text, index, names
  if done then
    text, err = bundle:text("index.json", document.LARGEST)
  end
  if text then
    index, err = decoded(bundle, "index", text)
  end
  if index then
    index, names = choose(bundle, index, wanted)
    err = names
  end
  local descriptor
  if index then
    descriptor, err = descend(bundle, index, platform_of(wanted), 1)
  end
  if descriptor then
    text, err = fetch(bundle, "manifest", descriptor)
  end
  local found
  if descriptor and text then
    found, err = M.image(bundle, descriptor, text)
  end
  if found then
    found.names = names
  end
  return found, err
end

return M
