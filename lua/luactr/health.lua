--- The state of a container's health, from the outcomes of checks. Pure.
local M = {}

---@class luactr.health
---@field state "starting"|"healthy"|"unhealthy"|"unknown" the last one where nobody checks any more
---@field failures integer checks in a row that failed and count
---@field checks integer
---@field last? { fine: boolean, time: number, message?: string } of the latest check

--- Of a container that has started.
---@return luactr.health
function M.new()
  return { state = "starting", failures = 0, checks = 0 }
end

--- Whether a failure counts: not while it starts, which it does until a check succeeds.
local function counts(health, config, age)
  return health.state ~= "starting" or age >= config.start_period
end

--- Take the outcome of a check.
---@param health luactr.health is changed
---@param config { retries: integer, start_period: number }
---@param check { fine: boolean, time: number, age: number, message?: string } age: seconds since
---  its start
---@return string? from the state that it had, if it has another now
function M.step(health, config, check)
  local from = health.state
  health.checks = health.checks + 1
  health.last = { fine = check.fine, time = check.time, message = check.message }
  if check.fine then
    health.state, health.failures = "healthy", 0
  elseif counts(health, config, check.age) then
    health.failures = health.failures + 1
    if health.failures >= config.retries then
      health.state = "unhealthy"
    end
  end
  return health.state ~= from and from or nil
end

--- How long until the next check.
---@param health luactr.health
---@param config { interval: number, start_interval: number }
---@return number seconds
function M.pause(health, config)
  return health.state == "starting" and config.start_interval or config.interval
end

return M
