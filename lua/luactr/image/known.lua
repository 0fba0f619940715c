--- Options that somebody gives, against those that there are. Pure.
local M = {}

--- What is wrong with the names of options; nil when nothing is.
---@param options table<string, any>
---@param known string[]
---@return string? problem
function M.problem(options, known)
  local there = {}
  for _, name in ipairs(known) do
    there[name] = true
  end
  for name in pairs(options) do
    if not there[name] then
      return "unknown option " .. tostring(name)
        .. require("luactr.nearest").hint(tostring(name), known)
    end
  end
end

return M
