--- `luactr kill`: send a signal to containers.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "kill",
  summary = "send a signal to containers",
  usage = "NAME...",
  mixed = true,
  pods = "whole",
  help = [[
Send a signal to a container's command; its PID 1 passes it on. KILL ends all that is in the
container, also when it is paused.]],
  options = {
    { "-s --signal", argument = "SIGNAL", help = "name or number, KILL if left out" },
    { "-a --all", help = "to all processes in it, not to the command alone" },
  },
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local signal = request.options.signal or "KILL"
  local fine, number = pcall(require("luactr.container").signal_number,
    math.tointeger(tonumber(signal)) or signal)
  if not fine then
    return output.usage("unknown signal " .. require("luactr.error").escape(signal), M)
  end
  return containers.each(request, M, function(found)
    return found:kill(number, request.options)
  end)
end

return M
