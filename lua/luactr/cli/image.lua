--- `luactr image VERB`: images and their store. Each verb is a file in image/.
local cli = require "luactr.cli"

local M = {
  name = "image",
  summary = "keep images: list, remove, name and check them",
  usage = "VERB [ARG...]",
  help = [[
Images are kept in a store of blobs and unpacked layers, which containers share. It is in
/var/lib/luactr/images for root, in ~/.local/share/luactr/images for others, or where LUACTR_IMAGES
says. A name may be short, as alpine for docker.io/library/alpine:latest, when no other image's name
ends so.]],
  options = {},
  --- In the order of `luactr help image`; each is a file in image/, with a name of two words.
  verbs = {
    "build", "import", "export", "pull", "push", "ls", "inspect", "history", "tag", "rm", "gc",
    "verify",
  },
}

--- Reached when the next word is no verb of the group.
---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local word = request.arguments[1]
  if word then
    return require("luactr.cli.help").unknown(M.name .. " " .. word)
  end
  io.stderr:write(require("luactr.cli.help").of(M))
  return cli.USAGE
end

return M
