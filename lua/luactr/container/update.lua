--- Other limits for a container that runs.
local M = {}

--- All limits after a change, checked.
---@param changes table as the spec's `limits`
---@param current table normalized
---@param where? luactr.where
---@return table? limits
---@return table? error the caller's mistake
function M.check(changes, current, where)
  local problems = require("luactr.check").problems()
  local limits = problems:check(require "luactr.spec.limits", changes, "limits")
  if #problems > 0 then
    return nil, require("luactr.spec").refusal(problems, where)
  end
  for name, value in pairs(current) do
    if changes[name] == nil then
      limits[name] = value
    end
  end
  return limits
end

--- Write them into the cgroup, hand them to the supervisor.
---@param box luactr.container
---@param limits table of M.check
---@param host luactr.host
---@return boolean? done
---@return table? error
function M.apply(box, limits, host)
  local cgroup = require "luactr.cgroup"
  local compiled, problems = cgroup.compile(limits, host.cgroup, box.plan.cgroup.id)
  if not compiled then
    return nil, require("luactr.spec").refusal(problems, box.spec.where)
  end
  local done, err = cgroup.update(box.life.cgroup, compiled)
  if done and box.plan.scope then
    done, err = require("luactr.cgroup.systemd").update(box.plan.scope, limits)
  end
  if done then
    box.life.job.limits = limits
  end
  return done, err
end

-- ---- a container of another process

-- What its monitor enforces was settled at the start.
local SUPERVISED <const> = { "wall_time", "cpu_time", "output" }

local function refusal(found, cause)
  return require("luactr.container.found").failure(found, "ENOTSUP", "update", cause)
end

--- A directory in one more hierarchy would be unknown to the monitor, and stay.
local function missing(cgroup, compiled)
  for _, row in ipairs(compiled.writes) do
    if row.version == 1 and not cgroup:has(row.controller) then
      return string.format("%s needs the controller %s, which it has not had from the start",
        row.from, row.controller)
    end
  end
end

--- Change limits of a container that runs detached.
---@param found luactr.found
---@param changes table as the spec's `limits`
---@param config table config.json; gets the new limits
---@param cgroup luactr.cgroup
---@return boolean? done
---@return table? error
function M.found(found, changes, config, cgroup)
  for _, name in ipairs(SUPERVISED) do
    if changes[name] ~= nil then
      return refusal(found, "its monitor was told limits." .. name .. " at the start")
    end
  end
  local limits, err = M.check(changes, config.spec.limits)
  if not limits then
    return nil, err
  end
  local compiled, problems =
    require("luactr.cgroup").compile(limits, found.host.cgroup, config.cgroup.id)
  if not compiled then
    return nil, require("luactr.spec").refusal(problems)
  end
  local cause = missing(cgroup, compiled)
  if cause then
    return refusal(found, cause)
  end
  config.spec.limits = limits
  local done, problem = require("luactr.cgroup").update(cgroup, compiled)
  if done and config.scope then
    done, problem = require("luactr.cgroup.systemd").update(config.scope, limits)
  end
  return done, problem
end

return M
