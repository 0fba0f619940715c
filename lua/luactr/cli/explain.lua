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
first that it would start, as a system call, with the line of the recipe that asked for it. Of a pod
what its members share comes first, then each member.]],
  options = { { "--json", help = "print the steps as JSON" } },
}

local function as_json(target, plans)
  local explain, list = require "luactr.explain", {}
  for i, one in ipairs(plans) do
    list[i] = explain.json(one.plan, one.locate)
  end
  return output.json(target.pod and list or list[1])
end

--- One after the other; the name of a pod's member is above its plan.
local function as_text(_, plans)
  local explain, texts = require "luactr.explain", {}
  for i, one in ipairs(plans) do
    texts[i] = (one.name and "==== " .. one.name .. "\n\n" or "")
      .. explain.text(one.plan, one.locate)
  end
  return table.concat(texts, "\n")
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local path = table.remove(request.arguments, 1)
  if not path then
    return output.usage("which recipe?", M)
  end
  local dry = require "luactr.cli.dry"
  local target, plans, err
  target, err = dry.run(path, request.arguments)
  if target then
    plans, err = dry.plans(target)
  end
  if plans then
    return output.print((request.options.json and as_json or as_text)(target, plans))
  end
  output.complain(err or path .. ": no container to explain")
  return cli.FAILED
end

return M
