--- `luactr oci pause`
local M = {
  name = "oci pause",
  summary = "stop all processes of a container where they are",
  usage = "CONTAINER",
  help = "Stop all processes of a container where they are, until luactr oci resume.",
  options = {},
  least = 1,
}

function M.run(request)
  return request:with(function(container) return container:pause() end)
end

return M
