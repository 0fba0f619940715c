--- A group of resctrl: shares of caches and memory bandwidth. Pure.
local check = require "luactr.check"

local line <const> = check.string { what = "line of schemata", max = 1024, line = true }

local fields <const> = check.record {
  { name = "group", type = check.string { max = 255, line = true },
    help = "one that stays; \"/\" is that of all. Without it there is one of the container's" },
  { name = "l3", type = line, help = "share of the L3 cache, as \"L3:0=ff\"" },
  { name = "bandwidth", type = line, help = "of memory, as \"MB:0=50\"" },
  { name = "schemata", type = check.list(line, { max = 64 }), help = "further lines" },
  { name = "monitoring", type = check.boolean(), help = "a group that only counts, too" },
}

local M = { fields = fields.fields }

---@param value any
---@param path string
---@param problems luactr.problems
---@return table? resctrl
function M.resctrl(value, path, problems)
  local result = problems:check(fields, value, path)
  local group = result and result.group
  if group and group ~= "/" and (group:find("/", 1, true) or group == "." or group == "..") then
    return problems:add(path .. ".group", "is one name, or \"/\": %s", check.show(group))
  elseif result and result.bandwidth and not result.bandwidth:find("^MB:") then
    return problems:add(path .. ".bandwidth", "begins with MB: %s", check.show(result.bandwidth))
  end
  return result
end

return M
