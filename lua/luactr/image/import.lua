--- Take images into the store: from OCI layouts, archives of `docker save`, and tar archives of a
--- root file system. Nothing gets a name before all of it is there and has the right digests.
local bundle = require "luactr.image.bundle"
local document = require "luactr.image.document"
local layers = require "luactr.image.import.layers"
local limits = require "luactr.image.limits"
local resolve = require "luactr.image.store.resolve"

local M = {}

---@class luactr.image.import_options
---@field name? string of the image in the store; what the archive says, if not given
---@field image? string which image of an archive with several, by its name there
---@field platform? string which one of several, "linux/arm64"; the host's if not given
---@field config? luactr.image.run_config of an archive that has none, a root file system
---@field limits? luactr.image.limits of what is unpacked
---@field progress? luactr.image.progress
---@field notice? fun(path: string, why: string) told of what is left out of layers
---@field store? luactr.image.store open for writing; the default one if not given

local READERS <const> = {
  ["oci"] = "luactr.image.layout",
  ["docker-archive"] = "luactr.image.docker",
}

-- ---- names

local SUFFIXES <const> = { "%.%w+$", "%.tar$" }

--- What a file would be called as an image: "app.tar.gz" is "app".
local function base_name(path)
  local base = path:gsub("/+$", ""):match("[^/]*$"):lower()
  for _, suffix in ipairs(SUFFIXES) do
    base = base:gsub(suffix, "")
  end
  return base
end

local function is_full(name)
  return name:find("[/:]") ~= nil
end

--- The names that an image gets: the wanted one, or those of the archive; a tag alone goes with the
--- archive's own name.
local function keys_of(path, names, wanted)
  local base, keys = base_name(path), {}
  if wanted then
    names = { wanted }
  elseif #names == 0 then
    names = { base }
  end
  for i, name in ipairs(names) do
    local key, err = resolve.key((wanted or #names == 0 or is_full(name) or name == base) and name
      or base .. ":" .. name)
    if not key then
      err.remedy = "name = \"NAME:TAG\", or --name NAME:TAG"
      return nil, err
    end
    keys[i] = key
  end
  return keys
end

-- ---- documents

--- The manifest, as it came, or one for an archive without.
local function put_documents(store, found, descriptors)
  local config, err = store:put(found.config, found.config_type)
  if not config then
    return nil, err
  elseif found.manifest then
    return store:put(found.manifest, found.manifest_type)
  end
  return store:put(require("luactr.image.json").encode {
    schemaVersion = 2, mediaType = document.types.manifest, config = config, layers = descriptors,
  }, document.types.manifest)
end

local function set_names(store, keys, manifest)
  local image, err
  for i = #keys, 1, -1 do
    image, err = store:set(keys[i], manifest)
    if not image then
      return nil, err
    end
  end
  return image
end

--- Put an image into the store: its layers, its documents, its names.
---@param work luactr.image.work
---@param source luactr.image.bundle
---@param found luactr.image.source
---@param keys string[]
---@return luactr.image? image by the first of the names
---@return luactr.error?
function M.take(work, source, found, keys)
  local descriptors, err = layers.add_all(work, source, found)
  local manifest
  if descriptors then
    manifest, err = put_documents(work.store, found, descriptors)
  end
  if not manifest then
    return nil, err
  end
  return set_names(work.store, keys, manifest)
end

--- A root file system becomes an image of one layer.
local function take_tarball(work, source, key, options)
  local platform = options.platform and document.parse_platform(options.platform)
  local done, err = layers.add(work, { fd = source.fd }, {}, { number = 1, count = 1 })
  if not done then
    return nil, err
  end
  return work.store:make {
    name = key, layers = { { done.descriptor, done.diff_id } },
    config = { config = options.config, os = platform and platform.os,
      architecture = platform and platform.architecture, variant = platform and platform.variant },
    history = { { created_by = "luactr image import" } },
  }
end

-- ---- the whole

---@class luactr.image.work what an import works with
---@field store luactr.image.store
---@field stage luactr.image.stage
---@field progress luactr.image.progress
---@field notice fun(path: string, why: string)
---@field limits? luactr.image.limits

--- Call `act` with a store, a stage and what shows progress, and close them.
---@generic T
---@param options luactr.image.import_options|{ root?: string }
---@param act fun(work: luactr.image.work): T?, luactr.error?
---@return T?
---@return luactr.error?
function M.with_stage(options, act)
  local settled, mistake = limits.check(options.limits)
  if not settled then
    error(mistake, 3)
  end
  local store, err = options.store, nil
  if not store then
    store, err = require("luactr.image.store").open { root = options.root, write = true }
  end
  if not store then
    return nil, err
  end
  local own <close> = not options.store and store or nil -- luacheck: ignore own
  local stage <close>, problem = store:stage()
  if not stage then
    return nil, problem
  end
  local progress <close> = options.progress or require("luactr.image.progress").none
  return act { store = store, stage = stage, progress = progress, limits = settled,
    notice = options.notice or function() end }
end

local OPTIONS <const> = { "name", "image", "platform", "config", "limits", "progress", "notice",
  "store", "root" }

local function check(options)
  local unknown = require("luactr.image.known").problem(options, OPTIONS)
  if unknown then
    error(unknown, 3)
  end
  for _, name in ipairs { "name", "image", "platform" } do
    if options[name] ~= nil and type(options[name]) ~= "string" then
      error(name .. ": string expected, got " .. type(options[name]), 3)
    end
  end
  local problem = options.platform and select(2, document.parse_platform(options.platform))
  if problem then
    error(problem, 3)
  end
end

--- Read what an image is. An explicit wish counts where there was nothing to choose, too.
local function read(source, options)
  local found, err = require(READERS[source.kind]).read(source, options)
  if not found then
    return nil, err
  end
  local fits, problem = document.check_platform(found.parsed, options.platform)
  if not fits then
    return source:broken(problem)
  end
  return found
end

local function import(work, path, options)
  local source <close>, err = bundle.open(path, work.stage, { limits = work.limits })
  if not source then
    return nil, err
  end
  local found = { names = {} }
  if source.kind == "tarball" and options.image then
    return source:broken(string.format("it holds no image %q, but the root of a file system",
      options.image))
  elseif source.kind ~= "tarball" then
    found, err = read(source, options)
  end
  local keys
  if found then
    keys, err = keys_of(path == "-" and "" or path, found.names, options.name)
  end
  if not keys then
    return nil, err
  elseif source.kind == "tarball" then
    return take_tarball(work, source, keys[1], options)
  end
  return M.take(work, source, found, keys)
end

--- Take an image into the store. What is imported is a directory or an archive (plain, or
--- compressed by gzip, zstd, xz or bzip2) with OCI's layout, an archive of `docker save`, or one of
--- a root file system, which becomes an image of one layer.
---@param path string "-" is stdin
---@param options? luactr.image.import_options
---@return luactr.image?
---@return luactr.error? code "EBADMSG" for what is damaged or unknown, "ENOENT", "ENOSPC"
function M.run(path, options)
  options = options or {}
  if type(path) ~= "string" then
    error("path: string expected, got " .. type(path), 2)
  end
  check(options)
  local image, err = M.with_stage(options, function(work) return import(work, path, options) end)
  if not image and err.op ~= "import" then
    err:wrap("import " .. (path == "-" and "stdin" or path))
  end
  return image, err
end

return M
