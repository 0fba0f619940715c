--- `luactr rm`: remove containers that have ended.
local containers = require "luactr.cli.containers"

local M = {
  name = "rm",
  summary = "remove containers that have ended",
  usage = "NAME...",
  mixed = true,
  pods = "whole",
  help = "Remove what is kept of containers: the log and the record of the end.",
  options = { { "-f --force", help = "end those that run first" } },
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  return containers.each(request, M, function(found)
    return found:remove { force = request.options.force }
  end)
end

return M
