--- `luactr oci resume`
local M = {
  name = "oci resume",
  summary = "let a paused container go on",
  usage = "CONTAINER",
  help = "Let the processes of a paused container go on.",
  options = {},
  least = 1,
}

function M.run(request)
  return request:with(function(container) return container:resume() end)
end

return M
