--- `luactr commit`: an image of what a container has written.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "commit",
  summary = "make an image of what a container has written",
  usage = "NAME IMAGE",
  mixed = true,
  help = [[
Make an image of the layers that a container was made of (ctr.image), and one more with what it
has written since its start, whether it runs or has ended. Only that is read, however large the
image is. What was in memory is gone with the container; upper = DIRECTORY of ctr.image keeps it.]],
  options = {
    { "-m --message", argument = "TEXT", help = "for the image's history" },
    { "-a --author", argument = "NAME", help = "who made it" },
    { "-p --pause", help = "stop its processes meanwhile, so that nothing is half written" },
  },
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local name = request.arguments[2]
  if not name then
    return output.usage("which container, and which image?", M)
  end
  table.remove(request.arguments, 2)
  local found, status = containers.one(request, M)
  if not found then
    return status
  end
  local options = request.options
  local image, err = found:commit(name, { message = options.message, author = options.author,
    pause = options.pause, notice = function(path, why)
      output.warn(string.format("%s is left out: %s", path, why))
    end })
  if not image then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  return output.print(image.name .. "\n")
end

return M
