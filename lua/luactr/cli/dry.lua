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
---@return luactr.cli.dry.target? target nothing if the recipe has none
---@return luactr.error?
function M.run(path, arguments)
  local container = require "luactr.container"
  local box
  container.watch.start = function(starting)
    box = starting
    error(stop())
  end
  local outcome, err = require("luactr.cli.recipe").run(path, arguments)
  outcome = outcome or {}
  box = box or outcome.container or outcome.group and first_of(outcome.group)
  local pod = outcome.pod or box and box.pod
  if pod then
    return { pod = pod, boxes = pod.members }
  end
  return box and { boxes = { box } }, not box and (err or outcome.error) or nil
end

---@class luactr.cli.dry.target
---@field boxes luactr.container[] one, or the members of a pod
---@field pod? luactr.pod

local function plan_of(box, host)
  box.spec.id = box.id
  local ready, err = require("luactr.security.program").prepare(box.spec, host)
  if not ready then
    return nil, err
  end
  return require("luactr.plan").compile(box.spec, host)
end

--- The plans for a target on this host: of what a pod shares first, then of each container.
---@param target luactr.cli.dry.target
---@return { plan: luactr.plan, locate: luactr.locate, name?: string }[]?
---@return luactr.error?
function M.plans(target)
  local host, locator = require("luactr.host").facts(), require("luactr.source").locator
  local plans = {}
  if target.pod then
    local plan, err = target.pod:plan(host)
    if not plan then
      return nil, err
    end
    plans[1] = { plan = plan, locate = locator(target.pod.spec.where) }
  end
  for i, box in ipairs(target.boxes) do
    local plan, err = plan_of(box, host)
    if not plan then
      return nil, err
    end
    plans[#plans + 1] = { plan = plan, locate = locator(box.spec.where),
      name = target.pod and target.pod.spec.members[i].spec.name }
  end
  return plans
end

return M
