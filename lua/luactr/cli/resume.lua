--- `luactr resume`: let paused containers go on.
local containers = require "luactr.cli.containers"

local M = {
  name = "resume",
  summary = "let paused containers go on",
  usage = "NAME...",
  mixed = true,
  pods = "whole",
  help = "Let all processes of a paused container go on.",
  options = {},
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  return containers.each(request, M, function(found)
    return found:resume()
  end)
end

return M
