--- `luactr pause`: stop containers where they are.
local containers = require "luactr.cli.containers"

local M = {
  name = "pause",
  summary = "freeze all processes of containers",
  usage = "NAME...",
  mixed = true,
  pods = "whole",
  help = "Stop all processes of a container where they are, by the freezer of its cgroup.",
  options = {},
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  return containers.each(request, M, function(found)
    return found:pause()
  end)
end

return M
