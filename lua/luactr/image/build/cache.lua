--- What steps have made before: cache/HEX of the image store tells, by the digest of all that a
--- step depends on, which layer it was. A layer that garbage collection has taken is made anew.
local digest = require "luactr.files.digest"
local disk = require "luactr.image.store.disk"
local json = require "luactr.image.json"

local sys <const> = require("luactr.core").sys

local M = {}

local LARGEST <const> = 65536
local VERSION <const> = 1 -- of what a key is made of

---@class luactr.image.build.made
---@field created string "2026-01-31T23:59:59Z"
---@field diff_id? string none: the step changed no file
---@field descriptor? luactr.image.descriptor

local function path_of(store, key)
  return store.path .. "/cache/" .. key
end

--- The key of a step.
---@param below string[] diff ids of the layers below, the lowest first
---@param what table plain data: the step, and the digest of what it takes in
---@return string? hex
---@return luactr.error?
function M.key(below, what)
  local found, err = digest.of(json.encode { version = VERSION, below = table.concat(below, " "),
    what = what })
  return found and found:match("%x+$"), err
end

local function is_whole(store, made)
  if not made.diff_id then
    return true
  end
  local descriptor = made.descriptor
  return type(descriptor) == "table" and type(made.diff_id) == "string"
    and store:layer(made.diff_id) ~= nil and store:has_blob(descriptor.digest, descriptor.size)
end

--- What a step has made; nil when it has to be carried out.
---@param store luactr.image.store
---@param key string
---@return luactr.image.build.made?
function M.find(store, key)
  local text = disk.read(path_of(store, key), LARGEST)
  local made = text and json.decode(text)
  if not made or type(made.created) ~= "string" then
    return nil
  elseif not is_whole(store, made) then
    sys.unlink(path_of(store, key))
    return nil
  end
  return made
end

--- Note what a step has made. That it cannot be noted is no failure of the build.
---@param store luactr.image.store
---@param stage luactr.image.stage
---@param key string
---@param made luactr.image.build.made
function M.put(store, stage, key, made)
  sys.mkdir(store.path .. "/cache", disk.PRIVATE_DIRECTORY)
  disk.put(path_of(store, key), json.encode(made), stage.path .. "/cache-entry")
end

return M
