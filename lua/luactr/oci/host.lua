--- The host as containers of bundles see it.
local M = {}

--- Its facts, with the directory in which the state of containers is kept.
---@param root? string in place of the one that all of luactr's containers are in
---@return luactr.host
function M.facts(root)
  local host = require("luactr.host").facts()
  if root then
    host.state_dir = root:sub(1, 1) == "/" and root
      or require("luactr.core").sys.getcwd() .. "/" .. root
  end
  return host
end

return M
