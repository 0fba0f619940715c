--- `luactr oci create`
local creation = require "luactr.cli.oci.creation"

local M = {
  name = "oci create",
  summary = "make a container that waits for start",
  usage = "CONTAINER",
  help = "Make the container of a bundle. Its program is started by luactr oci start.",
  options = creation.options {},
  least = 1,
}

function M.run(request)
  local container, err = require("luactr.oci.life").create(creation.of(request))
  return container and 0, err
end

return M
