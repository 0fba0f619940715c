--- A recipe without its containers: what it would run, for check and explain.
local M = {}

local STOP <const> = {} -- raised in place of a start

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
    error(STOP)
  end
  local outcome, err = require("luactr.cli.recipe").run(path, arguments)
  if box then
    return box
  elseif outcome and outcome.container then
    return outcome.container
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
