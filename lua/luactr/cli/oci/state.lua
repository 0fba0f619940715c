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
  local state
  if container then
    state, err = container:state()
  end
  if not state then
    return nil, err
  end
  return require("luactr.cli.output").print(require("luactr.cli.output").pretty(state))
end

return M
