--- `luactr oci start`
local M = {
  name = "oci start",
  summary = "start the program of a created container",
  usage = "CONTAINER",
  help = "Start the program of a container that luactr oci create has made.",
  options = {},
  least = 1,
}

function M.run(request)
  return request:with(function(container) return container:start() end)
end

return M
