--- Take an image of a registry: its documents as they are, and the layers that the store lacks.
local document = require "luactr.image.document"
local import = require "luactr.image.import"
local targets = require "luactr.image.registry.target"

local sys <const> = require("luactr.core").sys

local M = {}

local PRIVATE_DIRECTORY <const> = 448 -- 0700

local address <const> = targets.address

-- ---- what the registry has

local function broken(target, cause)
  return nil, require("luactr.error").new {
    code = "EBADMSG", errno = sys.errno.EBADMSG, op = "pull", path = target.name, cause = cause,
    checked = true, message = "the registry's image cannot be used",
  }
end

local function digest_of(text)
  return require("luactr.image.blob").digest(text)
end

--- A manifest or an index, as it is.
local function inspect(skopeo, target, digest)
  local text, err = skopeo:run({ "inspect", "--raw", address(target, digest) }, "")
  local wanted = digest or target.digest
  if text and wanted and digest_of(text) ~= wanted then
    return broken(target, string.format("the digest of what came for %s is %s", wanted,
      digest_of(text)))
  end
  return text, err
end

local function media_type_of(text)
  local value = require("luactr.image.json").decode(text)
  return value and (value.mediaType
    or (value.manifests and document.types.index or document.types.manifest))
end

local function platform_of(options)
  return options.platform and document.parse_platform(options.platform)
    or document.platform_of(sys.uname().machine)
end

--- The manifest for the wanted platform: its text and its descriptor.
local function manifest_of(skopeo, target, options)
  local text, err = inspect(skopeo, target)
  for _ = 1, document.DEPTH do
    local media_type = text and media_type_of(text)
    if not text then
      return nil, err
    elseif document.kind(media_type) ~= "index" then
      return text, { mediaType = media_type, digest = digest_of(text), size = #text }
    end
    local index, problem = document.index(text)
    local found
    if index then
      found, problem = document.platform(index, platform_of(options))
    end
    if not found then
      return broken(target, problem)
    end
    text, err = inspect(skopeo, target, found.digest)
  end
  return broken(target, "it has more than " .. document.DEPTH .. " indexes in each other")
end

local function config_of(skopeo, target, descriptor, manifest, platform)
  local text, err = skopeo:run({ "inspect", "--config", "--raw",
    address(target, descriptor.digest) }, "")
  if text and digest_of(text) ~= manifest.config.digest then
    return broken(target, string.format("the digest of its config is %s, not %s", digest_of(text),
      manifest.config.digest))
  end
  local config = text and document.config(text) -- one that is none is told with its layers
  local fits, problem = true, nil
  if config then
    fits, problem = document.check_platform(config, platform)
  end
  if not fits then
    return broken(target, problem)
  end
  return text, err
end

-- ---- fetching layers

--- Links to blobs that the store has, so that skopeo finds them there; how many bytes are to come.
local function prepare(work, manifest)
  local path = work.stage.path .. "/layout"
  for _, directory in ipairs { "", "/blobs", "/blobs/sha256" } do
    local done, message, errno = sys.mkdir(path .. directory, PRIVATE_DIRECTORY)
    if not done then
      return require("luactr.image.store.disk").failed(message, errno, "mkdir", path .. directory)
    end
  end
  local missing, seen = 0, {}
  for _, layer in ipairs(manifest.layers) do
    local name = "/blobs/sha256/" .. layer.digest:match("%x+$")
    local there = work.store:has_blob(layer.digest, layer.size)
      and sys.link(work.store.path .. name, path .. name)
    if not there and not seen[layer.digest] then
      missing = missing + layer.size
    end
    seen[layer.digest] = true
  end
  return path, missing
end

--- Bytes of the files that have come, those that are still written among them.
local function arrived(path, known)
  local bytes = 0
  for _, directory in ipairs { path, path .. "/blobs/sha256" } do
    for _, entry in ipairs(sys.readdir(directory) or {}) do
      local file = directory .. "/" .. entry.name
      local stat = not known[file] and sys.stat(file, sys.AT_SYMLINK_NOFOLLOW)
      bytes = bytes + (stat and stat.type == "file" and stat.size or 0)
    end
  end
  return bytes
end

local function files_in(path)
  local known = {}
  for _, entry in ipairs(sys.readdir(path .. "/blobs/sha256") or {}) do
    known[path .. "/blobs/sha256/" .. entry.name] = true
  end
  return known
end

local function fetch(work, skopeo, target, descriptor, manifest)
  local path, missing = prepare(work, manifest)
  if not path then
    return nil, missing
  elseif missing == 0 then
    return path
  end
  local known = files_in(path)
  work.progress:start(string.format("fetch %s", target.name), missing)
  local done, err = skopeo:run({ "copy", "--quiet", "--dest-oci-accept-uncompressed-layers",
    address(target, descriptor.digest), "oci:" .. path .. ":it" }, "src-", {
    tick = targets.follower(work.progress, missing, function() return arrived(path, known) end),
  })
  if not done then
    return nil, err
  end
  work.progress:done()
  return path
end

--- The layout that skopeo has filled, or begun, as a source of layers.
local function open_layout(work, path)
  local marker = path .. "/oci-layout"
  if not sys.stat(marker) then
    local disk <const> = require "luactr.image.store.disk"
    local done, err = disk.put(marker, '{"imageLayoutVersion":"1.0.0"}', marker .. ".new")
    if not done then
      return nil, err
    end
  end
  return require("luactr.image.bundle").open(path, work.stage, { in_stage = "layout" })
end

--- Pull into a store.
---@param work luactr.image.work
---@param target luactr.image.target
---@param key string its name there
---@param options luactr.image.pull_options
---@return luactr.image?
---@return luactr.error?
function M.run(work, target, key, options)
  local skopeo, err = require("luactr.image.registry.skopeo").open(work.stage, target.registry,
    options)
  local text, descriptor, manifest, config, path, problem
  if skopeo then
    text, descriptor = manifest_of(skopeo, target, options)
    err = descriptor
  end
  if text then
    manifest, problem = document.manifest(text)
    err = not manifest and select(2, broken(target, problem)) or nil
  end
  if manifest then
    config, err = config_of(skopeo, target, descriptor, manifest, options.platform)
  end
  if config then
    path, err = fetch(work, skopeo, target, descriptor, manifest)
  end
  if not path then
    return nil, err
  end
  local source <close>, broken_layout = open_layout(work, path)
  if not source then
    return nil, broken_layout
  end
  local found
  found, err = require("luactr.image.layout").image(source, descriptor, text, config)
  if not found then
    return nil, err
  end
  return import.take(work, source, found, { key })
end

return M
