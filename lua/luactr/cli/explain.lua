--- `luactr explain RECIPE [ARG...]`: every step of the container's start, and the line that asked
--- for it.
local cli = require "luactr.cli"
local output = require "luactr.cli.output"

local M = {
  name = "explain",
  summary = "show every step that a recipe's container takes",
  usage = "RECIPE [ARG...]",
  help = [[
Run the recipe, but start nothing: print each step of the container that it returns, or else of the
first that it would start, as a system call, with the line of the recipe that asked for it.]],
  options = { { "--json", help = "print the steps as JSON" } },
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local path = table.remove(request.arguments, 1)
  if not path then
    return output.usage("which recipe?", M)
  end
  local dry = require "luactr.cli.dry"
  local box, plan, err
  box, err = dry.run(path, request.arguments)
  if box then
    plan, err = dry.plan(box)
  end
  if plan then
    local explain = require "luactr.explain"
    local locate = require("luactr.source").locator(box.spec.where)
    if request.options.json then
      return output.print(output.json(explain.json(plan, locate)))
    end
    return output.print(explain.text(plan, locate))
  end
  output.complain(err or path .. ": no container to explain")
  return cli.FAILED
end

return M
