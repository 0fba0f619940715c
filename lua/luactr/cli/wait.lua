--- `luactr wait`: wait for the end of a container.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "wait",
  summary = "wait for the end of a container",
  usage = "NAME",
  mixed = true,
  pods = "whole",
  help = [[
Wait until a container has ended, and end with its status as if it had run in the foreground.]],
  options = {
    { "-t --time", argument = "TIME", help = "at most so long, as 90s; then the status is 125" },
    { "--json", help = "print the result record" },
  },
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
  local found, status = containers.one(request, M)
  if not found then
    return status
  end
  local result, err = found:wait(time)
  if not result then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  if found.members then
    local pods = require "luactr.cli.pods"
    status, result = pods.status(result), pods.record(found.id, result)
  else
    if result.error then
      output.complain(result.error)
    end
    status = require("luactr.cli.run").status_of_result(result)
  end
  return request.options.json and output.print(output.json(result), status) or status
end

return M
