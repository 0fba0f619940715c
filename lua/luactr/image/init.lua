--- `ctr.image`: images of the store, by name.
local M = {}

---@class luactr.image.module
---@field store fun(options?: luactr.image.store_options): luactr.image.store?, luactr.error?
---@field find fun(name: string): luactr.image?, luactr.error? an image of the store
---@field list fun(): luactr.image[]?, luactr.error? all images, by name
---@field build fun(options: luactr.image.build_options): luactr.image.built?, luactr.error?

--- Open the image store. To read it, or with { write = true } to change it.
function M.store(options)
  return require("luactr.image.store").open(options)
end

--- The image of that name.
function M.find(name)
  local store <close>, err = M.store()
  if not store then
    return nil, err
  end
  return store:find(name)
end

--- All images.
function M.list()
  local store <close>, err = M.store()
  if not store then
    return nil, err
  end
  return store:list()
end

--- Build an image, see luactr.image.build.
function M.build(options)
  return require("luactr.image.build").build(options)
end

--- Take an image into the store: from an OCI layout, an archive of `docker save`, or a tar archive
--- of a root file system.
---@param path string "-" is stdin
---@param options? luactr.image.import_options
---@return luactr.image?
---@return luactr.error?
function M.import(path, options)
  return require("luactr.image.import").run(path, options)
end

--- Take an image of a registry into the store.
---@param name string "docker://registry:5000/a/b:tag", also without "docker://"
---@param options? luactr.image.pull_options
---@return luactr.image?
---@return luactr.error?
function M.pull(name, options)
  return require("luactr.image.registry").pull(name, options)
end

--- Give an image of the store to a registry.
---@param name string of the image
---@param to? string "docker://registry:5000/a/b:tag", also without "docker://"; if not given, the
---  image's own name
---@param options? luactr.image.push_options
---@return { name: string, digest: string }? pushed
---@return luactr.error?
function M.push(name, to, options)
  local image, err = M.find(name)
  if not image then
    return nil, err
  end
  return image:push(to or image.name, options)
end

return M
