--- The host as containers of bundles see it.
local M = {}

-- An engine without rights runs in a user namespace, where it is root and /run is somebody else's.
local function runtime_dir(host)
  local base = os.getenv("XDG_RUNTIME_DIR") or ""
  return base ~= "" and host.uid == 0 and host.stranger and base .. "/luactr" or nil
end

--- Its facts, with the directory in which the state of containers is kept.
---@param root? string in place of the one that all of luactr's containers are in
---@return luactr.host
function M.facts(root)
  local host = require("luactr.host").facts()
  if root then
    host.state_dir = root:sub(1, 1) == "/" and root
      or require("luactr.core").sys.getcwd() .. "/" .. root
  else
    host.state_dir = runtime_dir(host) or host.state_dir
  end
  return host
end

return M
