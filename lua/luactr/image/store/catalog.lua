--- The names of the image store's images: given, found, taken away. See the methods of
--- luactr.image.store of the same names.
local check = require "luactr.check"
local disk = require "luactr.image.store.disk"
local image = require "luactr.image.store.image"
local names = require "luactr.image.store.names"
local resolve = require "luactr.image.store.resolve"

local sys <const> = require("luactr.core").sys

local M = {}

local function now()
  return math.floor(sys.clock_gettime("realtime"))
end

function M.set(store, name, descriptor)
  local key, err = resolve.key(name)
  if not key then
    return nil, err
  end
  local entry = { digest = descriptor.digest, size = descriptor.size, time = now() }
  local new
  new, err = image.read(store, key, entry, true)
  if not new then
    return nil, err
  end
  entry.mediaType = new.manifest.mediaType
  for i, layer in ipairs(new.layers) do
    if not store:has_blob(layer.digest, layer.size) then
      return disk.refused { code = "ENOENT", op = "open", path = layer.digest,
        message = string.format("image %q: the blob of layer %d is missing: %s", key, i,
          layer.digest) }
    end
  end
  local done
  done, err = names.change(store.path, function(all)
    all[key] = entry
    return true
  end)
  return done and new or nil, err
end

function M.find(store, name)
  local all, err = names.read(store.path)
  local key
  if all then
    key, err = resolve.find(all, name)
  end
  if not key then
    return nil, err
  end
  return image.read(store, key, all[key])
end

function M.list(store, in_full)
  local all, err = names.read(store.path)
  if not all then
    return nil, err
  end
  local images = {}
  for i, key in ipairs(check.sorted_keys(all)) do
    local found, problem = image.read(store, key, all[key], in_full)
    images[i] = found or { name = key, digest = all[key].digest, time = all[key].time,
      error = problem }
  end
  return images
end

function M.tag(store, old, new)
  local key, err = resolve.key(new)
  if not key then
    return nil, err
  end
  return names.change(store.path, function(all)
    local from, problem = resolve.find(all, old)
    if not from then
      return nil, problem
    end
    local entry = all[from]
    all[key] = { digest = entry.digest, size = entry.size, mediaType = entry.mediaType,
      time = now() }
    return true
  end)
end

function M.remove(store, name)
  local gone
  local done, err = names.change(store.path, function(all)
    local key, problem = resolve.find(all, name)
    if not key then
      return nil, problem
    end
    gone, all[key] = key, nil
    return true
  end, true)
  return done and gone or nil, err
end

return M
