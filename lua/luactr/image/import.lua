--- Take images into the store: from OCI layouts, archives of `docker save`, and tar archives of a
--- root file system. Nothing gets a name before all of it is there and has the right digests.
local bundle = require "luactr.image.bundle"
local document = require "luactr.image.document"
local resolve = require "luactr.image.store.resolve"

local sys <const> = require("luactr.core").sys

local M = {}

local CHUNK <const> = 1 << 24
local PRIVATE_FILE <const> = 384 -- 0600

---@class luactr.image.import_options
---@field name? string of the image in the store; what the archive says, if not given
---@field image? string which image of an archive with several, by its name there
---@field platform? string which one of several, "linux/arm64"; the host's if not given
---@field config? luactr.image.run_config of an archive that has none, a root file system
---@field limits? luactr.image.limits of what is unpacked
---@field progress? luactr.image.progress
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

-- ---- layers

--- The blob that an unpacked layer came from, when the archive does not name one.
local function blob_of(store, diff_id)
  local info = require("luactr.image.store.layers").info(store.path, diff_id)
  local digest, media_type = info and info.blob, info and info.media_type
  local file <close> = digest and media_type and store:open_blob(digest)
  local stat = file and sys.stat(file)
  return stat and { digest = digest, size = stat.size, mediaType = media_type } or nil
end

--- The descriptor of a layer that is in the store, with its blob.
local function known(store, layer)
  if not store:layer(layer.diff_id) then
    return nil
  end
  local descriptor = layer.descriptor or blob_of(store, layer.diff_id)
  return descriptor and store:has_blob(descriptor.digest, descriptor.size) and descriptor or nil
end

local function short(digest)
  return digest:sub(8, 19)
end

--- A layer as a file of its own in the stage: what lies in an archive is copied from there.
local function own_file(work, part, name)
  if part.path or not part.size then
    return part.fd, part.path
  end
  local file, message, errno =
    sys.open(work.stage.path .. "/" .. name, sys.O_RDWR | sys.O_CREAT | sys.O_EXCL, PRIVATE_FILE)
  local left = part.size
  while file and left > 0 do
    local count
    count, message, errno = sys.sendfile(file, part.fd, math.min(left, CHUNK))
    if not count or count == 0 then
      file:close()
      file = nil
    else
      left = left - count
    end
  end
  if not file then
    return require("luactr.image.store.disk").failed(message or "the archive is truncated",
      errno or sys.errno.EBADMSG, "copy", name)
  end
  sys.lseek(file, 0)
  return file, name
end

--- Unpack a layer into the stage; what is known of it, with the name of its blob there.
local function unpack(work, part, layer, number)
  local fd <close>, blob = own_file(work, part, "blob-" .. number)
  if not fd then
    return nil, blob
  end
  local done, err = require("luactr.image.layer").unpack(fd, work.stage, "tree-" .. number, {
    descriptor = layer.descriptor, diff_id = layer.diff_id, limits = work.limits,
    blob = not blob and "blob-" .. number or nil,
    progress = function(bytes) work.progress:add(bytes) end,
  })
  if not done then
    return nil, err
  end
  done.blob = blob or "blob-" .. number
  done.descriptor = layer.descriptor
    or { mediaType = done.media_type, digest = done.digest, size = done.size }
  return done
end

--- Unpack a layer and take it and its blob into the store.
local function add(work, part, layer, what)
  work.progress:start(string.format("layer %d of %d", what.number, what.count), part.size)
  local done, err = unpack(work, part, layer, what.number)
  local adopted
  if done then
    adopted, err = work.store:adopt_blob(work.stage, done.blob, done.descriptor)
  end
  if adopted then
    adopted, err = work.store:adopt_layer(work.stage, "tree-" .. what.number, done.diff_id, {
      size = done.archive_size, files = done.files, bytes = done.bytes,
      blob = done.descriptor.digest, media_type = done.descriptor.mediaType,
    })
  end
  if not adopted then
    return nil, err
  end
  work.progress:done()
  return done
end

local function add_layers(work, source, found)
  local descriptors = {}
  for i, layer in ipairs(found.layers) do
    local what = { number = i, count = #found.layers }
    descriptors[i] = known(work.store, layer)
    if descriptors[i] then
      work.progress:note(string.format("layer %d of %d: %s is there", i, what.count,
        short(layer.diff_id)))
    else
      local part <close>, err = source:open(layer.file)
      local done
      if part then
        done, err = add(work, part, layer, what)
      end
      if not done then
        return nil, err:wrap(string.format("layer %d of %d", i, what.count))
      end
      descriptors[i] = done.descriptor
    end
  end
  return descriptors
end

-- ---- documents

--- The manifest, as it came, or one for an archive without.
local function put_documents(store, found, layers)
  local config, err = store:put(found.config, found.config_type)
  if not config then
    return nil, err
  elseif found.manifest then
    return store:put(found.manifest, found.manifest_type)
  end
  return store:put(require("luactr.image.json").encode {
    schemaVersion = 2, mediaType = document.types.manifest, config = config, layers = layers,
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
  local layers, err = add_layers(work, source, found)
  local manifest
  if layers then
    manifest, err = put_documents(work.store, found, layers)
  end
  if not manifest then
    return nil, err
  end
  return set_names(work.store, keys, manifest)
end

--- A root file system becomes an image of one layer.
local function take_tarball(work, source, key, options)
  local platform = options.platform and document.parse_platform(options.platform)
  local done, err = add(work, { fd = source.fd }, {}, { number = 1, count = 1 })
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
---@field limits? luactr.image.limits

--- Call `act` with a store, a stage and what shows progress, and close them.
---@generic T
---@param options { store?: luactr.image.store, progress?: luactr.image.progress, limits?: table }
---@param act fun(work: luactr.image.work): T?, luactr.error?
---@return T?
---@return luactr.error?
function M.with_stage(options, act)
  local store, err = options.store, nil
  if not store then
    store, err = require("luactr.image.store").open { write = true }
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
  return act { store = store, stage = stage, progress = progress, limits = options.limits }
end

local function check(options)
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

local function import(work, path, options)
  local source <close>, err = bundle.open(path, work.stage)
  if not source then
    return nil, err
  end
  local found = { names = {} }
  if source.kind ~= "tarball" then
    found, err = require(READERS[source.kind]).read(source, options)
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
