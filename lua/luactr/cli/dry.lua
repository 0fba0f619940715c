--- A recipe without its containers: what it would run, for check and explain.
local M = {}

-- Raised in place of a start. A task that ends so has nothing to say.
local function stop()
  return require("luactr.error").new { code = "ECANCELED", message = "not started" }
end

--- The first container in a group.
local function first_of(group)
  for _, item in ipairs(group.items) do
    if require("luactr.container").is(item) then
      return item
    end
  end
end

--- Run a recipe up to the first container that it returns or starts. A recipe that is a program
--- runs for real until then.
---@param path string
---@param arguments string[]
---@return luactr.container? box nothing if the recipe has none
---@return luactr.error?
function M.run(path, arguments)
  local container = require "luactr.container"
  local box
  container.watch.start = function(starting)
    box = starting
    error(stop())
  end
  local outcome, err = require("luactr.cli.recipe").run(path, arguments)
  if box then
    return box
  elseif outcome and outcome.container then
    return outcome.container
  elseif outcome and outcome.group then
    return first_of(outcome.group)
  end
  return nil, err or (outcome and outcome.error)
end

--- The plan for a container on this host.
---@param box luactr.container
---@return luactr.plan?
---@return luactr.error?
function M.plan(box)
  local host = require("luactr.host").facts()
  box.spec.id = box.id
  local ready, err = require("luactr.security.program").prepare(box.spec, host)
  if not ready then
    return nil, err
  end
  return require("luactr.plan").compile(box.spec, host)
end

return M
