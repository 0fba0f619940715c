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
  local compiled, problems = cgroup.compile(limits, host.cgroup, box.id)
  if not compiled then
    return nil, require("luactr.spec").refusal(problems, box.spec.where)
  end
  local done, err = cgroup.update(box.life.cgroup, compiled)
  if done then
    box.life.job.limits = limits
  end
  return done, err
end

return M
