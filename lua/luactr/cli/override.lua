--- What the command line of `luactr run` says in place of the recipe.
local M = {}

--- Give a container or a pod another name. A program has none.
local function rename(outcome, name)
  local values, check = require "luactr.spec.values", require "luactr.check"
  local problems = check.problems()
  problems:check(values.name, name, "--name")
  for _, member in ipairs(outcome.pod and #problems == 0 and outcome.pod.spec.members or {}) do
    problems:check(values.name, name .. "." .. member.spec.name, "--name")
  end
  if #problems > 0 then
    return require("luactr.spec").refusal(problems)
  end
  if outcome.pod then
    outcome.pod:rename(name)
  elseif outcome.container then
    outcome.container.id = name
  end
end

local function set_restart(outcome, policy)
  local problems = require("luactr.check").problems()
  local value = problems:check(require("luactr.spec.values").restart, policy, "--restart")
  if not value then
    return require("luactr.spec").refusal(problems)
  elseif not (outcome.container or outcome.pod) then
    return require("luactr.error").new { code = "EUSAGE", op = "run",
      message = "--restart is for a container, and the recipe returned none" }
  end
  for _, one in ipairs(outcome.pod and outcome.pod.spec.members or { outcome.container }) do
    one.spec.restart = value
  end
end

local function give_terminal(outcome)
  local problems = require("luactr.check").problems()
  if not outcome.container then
    problems:add("--tty", "is for one container, and the recipe returned none")
    return require("luactr.spec").refusal(problems)
  end
  local path, message = require("luactr.spec.rules").no_terminal(outcome.container.spec)
  if path then
    problems:add("--tty", "%s: %s", path, message)
    return require("luactr.spec").refusal(problems)
  end
  outcome.container.spec.tty = true
end

local ROWS <const> = {
  { option = "name", apply = rename }, { option = "restart", apply = set_restart },
  { option = "tty", apply = give_terminal },
}

---@param outcome luactr.cli.outcome
---@param options table<string, any>
---@return luactr.error? err
function M.apply(outcome, options)
  for _, row in ipairs(ROWS) do
    local given = not outcome.error and options[row.option]
    local err = given and row.apply(outcome, given)
    if err then
      return err
    end
  end
end

return M
