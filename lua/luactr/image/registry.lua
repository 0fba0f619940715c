--- Images of registries, by skopeo: pull takes one into the store, push gives one away. Digests
--- stay as they are on both ways, and only what the other side lacks is sent.
local import = require "luactr.image.import"
local resolve = require "luactr.image.store.resolve"
local targets = require "luactr.image.registry.target"

local M = {}

---@class luactr.image.pull_options: luactr.image.registry_options
---@field name? string of the image in the store; the registry's name if not given
---@field platform? string "linux/arm64"; the host's if not given
---@field limits? luactr.image.limits
---@field notice? fun(path: string, why: string) told of what is left out of layers

---@class luactr.image.push_options: luactr.image.registry_options

--- Take an image of a registry into the store.
---@param text string "docker://registry:5000/a/b:tag", also without "docker://"
---@param options? luactr.image.pull_options
---@return luactr.image?
---@return luactr.error? code "ENOENT", "EACCES", "EPROTO", "ECONNREFUSED", "EBADMSG", "ENOSPC"
function M.pull(text, options)
  options = options or {}
  targets.check(text, options)
  local target, err = targets.parse(text)
  local key
  if target then
    key, err = resolve.key(options.name or targets.key(target))
  end
  if not key then
    return nil, err
  end
  local image
  image, err = import.with_stage(options, function(work)
    return require("luactr.image.registry.pull").run(work, target, key, options)
  end)
  return image, err and err:wrap("pull " .. text)
end

--- Give an image of the store to a registry.
---@param image luactr.image
---@param text string "docker://registry:5000/a/b:tag", also without "docker://"
---@param options? luactr.image.push_options
---@return { name: string, digest: string }? pushed
---@return luactr.error? code "EACCES", "EPROTO", "ECONNREFUSED"
function M.push(image, text, options)
  options = options or {}
  targets.check(text, options)
  local target, err = targets.parse(text)
  if target and target.digest then
    err = require("luactr.error").new { code = "EINVAL", op = "name",
      message = "an image is pushed to a tag; its digest is its own" }
    target = nil
  end
  if not target then
    return nil, err
  end
  local pushed
  pushed, err = import.with_stage({ store = options.store, root = image.store.path,
    progress = options.progress }, function(work)
    return require("luactr.image.registry.push").run(work, image, target, options)
  end)
  return pushed, err and err:wrap("push " .. text)
end

return M
