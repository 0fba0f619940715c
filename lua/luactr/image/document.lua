--- The JSON documents of images, OCI's and Docker's (schema 2): decoded and checked before anything
--- relies on them, since they come from strangers. Pure: each function takes a text and returns a
--- table, or nil and what is wrong.
local json = require "luactr.image.json"
local reference = require "luactr.image.reference"

local M = {}

M.LARGEST = 4 << 20 -- bytes of a document
M.LAYERS = 256
M.ENTRIES = 1000 -- of an index
M.DEPTH = 3 -- of indexes in indexes

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
---@param media_type string
---@return luactr.image.kind?
function M.kind(media_type)
  return KINDS[media_type] or M.compression(media_type) and "layer" or nil
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
function M.descriptor_problem(value, kind)
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

--- Whether a table is a list of at most so many.
local function list_problem(value, name, most)
  if type(value) ~= "table" or #value == 0 and next(value) ~= nil then
    return "its " .. name .. " are no list"
  elseif #value > most then
    return string.format("it has %d %s, at most %d are taken", #value, name, most)
  end
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > #value then
      return "its " .. name .. " are no list"
    end
  end
end

local function descriptors_problem(list, name, kind)
  for i, descriptor in ipairs(list) do
    local problem = M.descriptor_problem(descriptor, kind)
    if problem then
      return string.format("%s %d: %s", name, i, problem)
    end
  end
end

local function type_problem(value, kind)
  local media_type = value.mediaType
  if media_type == nil then
    return value.schemaVersion ~= 2 and "it has neither a media type nor schemaVersion 2" or nil
  elseif KINDS[media_type] ~= kind then
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
    or list_problem(value.layers, "layers", M.LAYERS)
    or descriptors_problem(value.layers, "layer", "layer")
  if problem then
    return nil, problem
  end
  problem = M.descriptor_problem(value.config, "config")
  if problem then
    return nil, "config: " .. problem
  end
  value.mediaType = value.mediaType or M.types.manifest
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
    or list_problem(value.manifests, "manifests", M.ENTRIES)
    or descriptors_problem(value.manifests, "manifest")
  if problem then
    return nil, problem
  end
  value.mediaType = value.mediaType or M.types.index
  return value
end

-- ---- platforms

-- What uname(2) says of a machine, as Go says it.
local MACHINES <const> = {
  x86_64 = { "amd64" }, aarch64 = { "arm64", "v8" }, i386 = { "386" }, i686 = { "386" },
  armv6l = { "arm", "v6" }, armv7l = { "arm", "v7" }, armv8l = { "arm", "v7" },
  ppc64le = { "ppc64le" }, riscv64 = { "riscv64" }, s390x = { "s390x" },
  loongarch64 = { "loong64" }, mips64 = { "mips64le" },
}

--- The platform of a machine; of an unknown one under its own name.
---@param machine string as uname(2) has it
---@return luactr.image.platform
function M.platform_of(machine)
  local row = MACHINES[machine] or { machine }
  return { os = "linux", architecture = row[1], variant = row[2] }
end

--- "linux/arm64/v8", or "arm64" alone.
---@param text string
---@return luactr.image.platform?
---@return string? problem
function M.parse_platform(text)
  local os, architecture, variant = text:match("^([^/]+)/([^/]+)/?([^/]*)$")
  if not os and text:find("^[^/]+$") then
    os, architecture, variant = "linux", text, ""
  end
  if not os then
    return nil, string.format("%q is no platform: OS/ARCHITECTURE[/VARIANT]", text)
  end
  return { os = os, architecture = architecture, variant = variant ~= "" and variant or nil }
end

---@param platform luactr.image.platform
---@return string
function M.platform_text(platform)
  return string.format("%s/%s%s", platform.os, platform.architecture,
    platform.variant and "/" .. platform.variant or "")
end

--- How well an offered platform fits: 0 not at all. One without a variant fits any; an older
--- variant of arm runs as well, the newest that does is the best.
local function fitness(offered, wanted)
  if type(offered) ~= "table" or offered.os ~= wanted.os
    or offered.architecture ~= wanted.architecture then
    return 0
  elseif offered.variant == wanted.variant then
    return 100
  elseif offered.variant == nil or wanted.variant == nil then
    return 99
  end
  local has = tonumber(tostring(offered.variant):match("^v(%d+)$"))
  local may = tonumber(wanted.variant:match("^v(%d+)$"))
  return has and may and has < may and math.min(has, 98) or 0
end

local function offers(index)
  local list = {}
  for _, descriptor in ipairs(index.manifests) do
    local platform = descriptor.platform
    local known = type(platform) == "table" and type(platform.os) == "string"
      and type(platform.architecture) == "string" and platform.architecture ~= "unknown"
    list[#list + 1] = known and M.platform_text(platform) or nil
  end
  return #list > 0 and table.concat(list, ", ") or "none"
end

--- The entry of an index for a platform. A single one that names no platform fits any.
---@param index luactr.image.index
---@param wanted luactr.image.platform
---@return luactr.image.descriptor?
---@return string? problem
function M.platform(index, wanted)
  local best, best_fit = nil, 0
  for _, descriptor in ipairs(index.manifests) do
    local fit = fitness(descriptor.platform, wanted)
    if fit > best_fit then
      best, best_fit = descriptor, fit
    end
  end
  local only = #index.manifests == 1 and index.manifests[1] or nil
  if best then
    return best
  elseif only and only.platform == nil then
    return only
  end
  return nil, string.format("it has no image for %s; it has some for: %s",
    M.platform_text(wanted), offers(index))
end

-- ---- configs

---@class luactr.image.config
---@field architecture string
---@field os string
---@field created? string "2026-01-31T23:59:59Z"
---@field author? string
---@field config? luactr.image.run_config
---@field rootfs { type: "layers", diff_ids: string[] } the lowest first
---@field history? luactr.image.history[]

---@class luactr.image.run_config
---@field User? string
---@field ExposedPorts? table<string, table>
---@field Env? string[] "NAME=VALUE"
---@field Entrypoint? string[]
---@field Cmd? string[]
---@field Volumes? table<string, table>
---@field WorkingDir? string
---@field Labels? table<string, string>
---@field StopSignal? string

---@class luactr.image.history
---@field created? string
---@field created_by? string
---@field author? string
---@field comment? string
---@field empty_layer? boolean

local function is_texts(value)
  for key, element in pairs(value) do
    if math.type(key) ~= "integer" or type(element) ~= "string" then
      return false
    end
  end
  return true
end

local function is_map(of)
  return function(value)
    for key, element in pairs(value) do
      if type(key) ~= "string" or type(element) ~= of then
        return false
      end
    end
    return true
  end
end

-- What a field of `config` is, and the test beyond its type.
local RUN_FIELDS <const> = {
  User = { "string" }, WorkingDir = { "string" }, StopSignal = { "string" },
  Env = { "table", is_texts, "a list of texts" }, Cmd = { "table", is_texts, "a list of texts" },
  Entrypoint = { "table", is_texts, "a list of texts" },
  Shell = { "table", is_texts, "a list of texts" },
  OnBuild = { "table", is_texts, "a list of texts" },
  Labels = { "table", is_map "string", "a table of texts" },
  Volumes = { "table", is_map "table", "a table of paths" },
  ExposedPorts = { "table", is_map "table", "a table of ports" },
}

local function run_problem(config)
  if config == nil then
    return nil
  elseif type(config) ~= "table" then
    return "its config is no object"
  end
  for name, row in pairs(RUN_FIELDS) do
    local value = config[name]
    if value ~= nil and (type(value) ~= row[1] or row[2] and not row[2](value)) then
      return string.format("config.%s is not %s", name, row[3] or "text")
    end
  end
end

local function history_problem(history)
  if history == nil then
    return nil
  end
  local problem = list_problem(history, "history's entries", M.ENTRIES)
  for i, entry in ipairs(problem and {} or history) do
    if type(entry) ~= "table" then
      return string.format("entry %d of its history is no object", i)
    end
  end
  return problem
end

local function diff_ids_problem(rootfs, layers)
  if type(rootfs) ~= "table" then
    return "it has no rootfs"
  end
  local problem = list_problem(rootfs.diff_ids, "diff ids", M.LAYERS)
  for i, digest in ipairs(problem and {} or rootfs.diff_ids) do
    problem = reference.digest_problem(digest)
    if problem then
      return string.format("diff id %d: %s", i, problem)
    end
  end
  if not problem and layers and #rootfs.diff_ids ~= layers then
    return string.format("it has %d diff ids, the manifest has %d layers", #rootfs.diff_ids, layers)
  end
  return problem
end

--- An image's config.
---@param text string
---@param layers? integer how many the manifest has
---@return luactr.image.config?
---@return string? problem
function M.config(text, layers)
  local value, problem = decode(text)
  if not value then
    return nil, problem
  end
  for _, name in ipairs { "architecture", "os" } do
    if type(value[name]) ~= "string" then
      return nil, "it names no " .. name
    end
  end
  if value.created ~= nil and type(value.created) ~= "string" then
    return nil, "its time of creation is no text"
  end
  problem = diff_ids_problem(value.rootfs, layers) or run_problem(value.config)
    or history_problem(value.history)
  if problem then
    return nil, problem
  end
  return value
end

return M
