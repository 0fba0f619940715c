--- `luactr image pull`: take an image of a registry into the store.
local output = require "luactr.cli.output"
local transport = require "luactr.cli.transport"

local M = {
  name = "image pull",
  summary = "take an image from a registry",
  usage = "NAME",
  mixed = true,
  help = [[
Take an image of a registry into the store and print its name. NAME is docker://REGISTRY/PATH:TAG
or ...@DIGEST, also without docker://; without a registry it is Docker Hub's. Only layers that the
store lacks are fetched. skopeo does that: apt install skopeo.]],
  options = {
    { "-n --name", argument = "NAME", help = "call it NAME or NAME:TAG in the store" },
    { "--platform", argument = "PLATFORM", help = "linux/arm64, in place of the host's" },
    table.unpack(transport.pull_options),
  },
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments ~= 1 then
    return output.usage("which image?", M)
  end
  local options, status = transport.registry(request, M)
  if not options then
    return status
  end
  return transport.finish(require("luactr.image.registry").pull(request.arguments[1], options))
end

return M
