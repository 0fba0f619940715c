--- `luactr check RECIPE [ARG...]`: is the recipe right, and can this host do it?
local output = require "luactr.cli.output"

local M = {
  name = "check",
  summary = "look for mistakes in a recipe",
  usage = "RECIPE [ARG...]",
  help = [[
Run the recipe, but start nothing: report every problem of the container that it returns, or else of
the first that it would start, with its line. Exit status 1 if there is one.]],
  options = {},
}

local FOUND_PROBLEMS <const> = 1

local function complain(err)
  output.complain(err)
  return FOUND_PROBLEMS
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local path = table.remove(request.arguments, 1)
  if not path then
    return output.usage("which recipe?", M)
  end
  local dry = require "luactr.cli.dry"
  local target, err = dry.run(path, request.arguments)
  if err then
    return complain(err)
  elseif not target then
    return output.print(path .. ": no container to check\n")
  end
  local plans
  plans, err = dry.plans(target)
  if not plans then
    return complain(err)
  end
  local steps = 0
  for _, one in ipairs(plans) do
    steps = steps + #one.plan.steps
    for _, warning in ipairs(one.plan.warnings) do
      output.warn(tostring(warning))
    end
  end
  local what = target.pod and string.format("pod %q of %d", target.pod.id, #target.boxes)
    or string.format("container %q", target.boxes[1].id)
  return output.print(string.format("%s: %s, %d steps, no problems\n", path, what, steps))
end

return M
