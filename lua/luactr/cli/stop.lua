--- `luactr stop`: ask containers to end.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "stop",
  summary = "end containers, by force if they take too long",
  usage = "NAME...",
  mixed = true,
  pods = "whole",
  help = [[
Send the recipe's stop_signal (TERM) to a container's command, and KILL to all that is in it when it
has not ended after the recipe's stop_timeout (10s). Returns when it has ended.]],
  options = { { "-t --time", argument = "TIME", help = "in place of stop_timeout, as 90s" } },
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local time, problem = request.options.time, nil
  if time then
    time, problem = containers.seconds(time)
  end
  if problem then
    return output.usage("--time: " .. problem, M)
  end
  return containers.each(request, M, function(found)
    return found:stop(time)
  end)
end

return M
