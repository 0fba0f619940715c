--- `luactr image push`: give an image of the store to a registry.
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"
local transport = require "luactr.cli.transport"

local M = {
  name = "image push",
  summary = "give an image to a registry",
  usage = "IMAGE [NAME]",
  mixed = true,
  help = [[
Give an image of the store to a registry and print what it is called there. NAME is
docker://REGISTRY/PATH:TAG, also without docker://, and the image's own name if not given. Only
layers that the registry lacks are sent. skopeo does that: apt install skopeo.]],
  options = { table.unpack(transport.options) },
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local name, to = request.arguments[1], request.arguments[2]
  if #request.arguments < 1 or #request.arguments > 2 then
    return output.usage("which image, and where to?", M)
  end
  local options, status = transport.registry(request, M)
  if not options then
    return status
  end
  local store <close>, failed = images.open { write = true }
  if not store then
    return failed
  end
  local image, err = store:find(name)
  if not image then
    return transport.finish(nil, err)
  end
  options.store = store
  return transport.finish(require("luactr.image.registry").push(image, to or image.name, options))
end

return M
