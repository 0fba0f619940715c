--- `luactr image inspect`: all that is known of images.
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"

local M = {
  name = "image inspect",
  summary = "print all that is known of images, as JSON",
  usage = "IMAGE...",
  mixed = true,
  help = [[
Print a list with a record for each image: its manifest, its config, where its layers are unpacked,
the topmost first, and the containers that are made of it.]],
  options = {},
}

local function record_of(store, image)
  local trees, err = image:trees()
  local users = store:users(image)
  return {
    name = image.name, digest = image.digest, size = image.size, created = image.created,
    named = image.time, platform = require("luactr.image.document").platform_text(image.config),
    manifest = image.manifest, config = image.config, trees = trees, error = err,
    containers = #users > 0 and users or nil, -- JSON's {} is no list
  }
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments == 0 then
    return output.usage("which image?", M)
  end
  local store <close>, failed = images.open()
  if not store then
    return failed
  end
  local list = {}
  local status = images.each(request.arguments, function(name)
    local image, err = store:find(name)
    list[#list + 1] = image and record_of(store, image)
    return image, err
  end)
  return #list > 0 and output.print(output.pretty(list), status) or status
end

return M
