--- `luactr oci state`
local M = {
  name = "oci state",
  summary = "print the state of a container",
  usage = "CONTAINER",
  help = "Print the state of a container as JSON.",
  options = {},
  least = 1,
}

function M.run(request)
  local container, err = request:find()
  if not container then
    return nil, err
  end
  local output = require "luactr.cli.output"
  return output.print(output.pretty(request:describe(container)))
end

return M
