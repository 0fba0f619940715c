--- `luactr image tag`: give an image one more name.
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"

local M = {
  name = "image tag",
  summary = "give an image one more name",
  usage = "IMAGE NEW",
  mixed = true,
  help = [[
Give an image one more name, NAME or NAME:TAG; another image that had it before loses it.]],
  options = {},
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local old, new = request.arguments[1], request.arguments[2]
  if #request.arguments ~= 2 then
    return output.usage("which image, and which name?", M)
  end
  local store <close>, failed = images.open { write = true }
  if not store then
    return failed
  end
  return images.each({ old }, function() return store:tag(old, new) end)
end

return M
