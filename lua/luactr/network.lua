--- What a container has of the host's network: devices that are moved into its namespace. Pure.
local M = {}

--- The parent, which is in the host's namespace, moves them.
---@param spec luactr.spec
---@param host luactr.host
---@return table[]? steps
---@return luactr.problem[]? problems
function M.wait_for_devices(spec, host)
  if not spec.net_devices or next(spec.net_devices) == nil then
    return {}
  elseif not host.privileged then
    return nil, { { path = "net_devices",
      message = "to take a device from the host's network is for root alone" } }
  end
  local numbers = require("luactr.core").plan.rendezvous
  return { { op = "rendezvous", number = numbers.network, from = "net_devices" } }
end

return M
