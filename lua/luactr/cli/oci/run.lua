--- `luactr oci run`
local creation = require "luactr.cli.oci.creation"

local M = {
  name = "oci run",
  summary = "make a container and start it",
  usage = "CONTAINER",
  help = [[
Make the container of a bundle and start its program. In the foreground luactr waits for that, ends
with its status, and removes the container.]],
  options = creation.options {
    { "-d --detach", help = "return as soon as its program runs" },
    { "--keep", help = "do not remove the container when its program has ended" },
  },
  least = 1,
}

function M.run(request)
  local container, err = require("luactr.oci.life").run(creation.of(request))
  if not container then
    return nil, err
  elseif request.options.detach then
    return 0
  end
  return require("luactr.cli.run").status_of_result(container)
end

return M
