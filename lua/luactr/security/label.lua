--- Contributor: what the host's security modules know the command by. Pure.
local M = {}

--- A module or profile that is missing is found before anything starts, or else by the kernel
--- before the command runs: what was to be confined never runs unconfined.
---@param spec luactr.spec settled
---@param host luactr.host
---@return table[]? steps
---@return luactr.problem[]? problems
function M.steps(spec, host)
  local steps, problems = {}, {}
  for _, lsm in ipairs { "apparmor", "selinux" } do
    local label = spec[lsm]
    local known, why = true, nil
    if label then
      known, why = host.lsm[lsm](label)
      steps[#steps + 1] = { op = "exec_label", lsm = lsm, label = label, from = lsm }
    end
    if not known then
      problems[#problems + 1] = { path = lsm, message = why }
    end
  end
  if #problems > 0 then
    return nil, problems
  end
  return steps
end

return M
