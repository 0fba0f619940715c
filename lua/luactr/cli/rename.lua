--- `luactr rename`: give a container another name.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "rename",
  summary = "give a container another name",
  usage = "NAME NEW",
  mixed = true,
  help = [[
Give a detached container another name, whether it runs or has ended. The old one is free then.]],
  options = {},
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local name = request.arguments[2]
  if #request.arguments > 2 or request.arguments[1] and not name then
    return output.usage("the name that it has and a new one expected", M)
  end
  request.arguments[2] = nil
  local found, status = containers.one(request, M)
  if not found then
    return status
  end
  local done, err = found:rename(name)
  if not done then
    output.complain(err)
    return err.problems and require("luactr.cli").USAGE or require("luactr.cli").FAILED
  end
  return 0
end

return M
