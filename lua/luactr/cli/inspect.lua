--- `luactr inspect`: all that is known of containers.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "inspect",
  summary = "print all that is known of containers, as JSON",
  usage = "NAME...",
  mixed = true,
  pods = "whole",
  help = [[
Print a list with a record for each container: its state, its recipe as it was checked, and the
result record when it has ended.]],
  options = {},
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local list = {}
  local status = containers.each(request, M, function(found)
    list[#list + 1] = found:inspect()
    return true
  end)
  return #list > 0 and output.print(output.pretty(list), status) or status
end

return M
