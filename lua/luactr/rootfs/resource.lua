--- What a root needs on the host while its container lives: resources with close().
local M = {}

local Joined = {}
Joined.__index = Joined

--- Idempotent.
function Joined:close()
  for i = #self.list, 1, -1 do
    self.list[i]:close()
    self.list[i] = nil
  end
end

--- Leave them to the monitor, which holds what has to be held.
function Joined:disown()
  for _, resource in ipairs(self.list) do
    if resource.disown then
      resource:disown()
    end
  end
end

--- Several as one.
---@param list { close: fun(self), disown?: fun(self) }[]
---@param warnings? string[] what is not as it was asked for
function M.join(list, warnings)
  return setmetatable({ list = list, warnings = warnings }, Joined)
end

return M
