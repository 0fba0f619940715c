--- What a layer that is taken in may come to, as recipes and commands say it. Pure.
local units = require "luactr.units"

local M = {}

local function size(value)
  local bytes, problem = units.size(value)
  if bytes == 0 then
    return nil, "more than nothing expected"
  end
  return bytes, problem
end

local function count(value)
  local number = math.tointeger(tonumber(value))
  if not number or number < 1 then
    return nil, "a whole number above 0 expected"
  end
  return number
end

---@class luactr.image.limits.row
---@field name string of luactr.image.limits
---@field default integer
---@field option string of commands, without its dashes
---@field argument string
---@field help string
---@field read fun(value: any): integer?, string?

---@type luactr.image.limits.row[]
M.rows = {
  { name = "bytes", default = 1 << 37, option = "max-size", argument = "SIZE", read = size,
    help = "most bytes in the files of a layer, 128G by default" },
  { name = "entries", default = 1 << 21, option = "max-files", argument = "COUNT", read = count,
    help = "most files of a layer, 2097152 by default" },
  { name = "depth", default = 256, option = "max-depth", argument = "COUNT", read = count,
    help = "most directories in each other, 256 by default" },
  { name = "ratio", default = 250, option = "max-ratio", argument = "COUNT", read = count,
    help = "how many times as large it may become above 64M, 250 by default" },
}

M.defaults = {}
local names <const> = {}
for i, row in ipairs(M.rows) do
  M.defaults[row.name], names[i] = row.default, row.name
end

--- What to do about an error E2BIG.
M.remedy = "higher limits, if it is to be trusted: --max-size, --max-files, --max-depth, "
  .. "--max-ratio, or limits = { bytes =, entries =, depth =, ratio = }"

--- The limits that somebody gives.
---@param values table<string, any>
---@param name_of fun(row: luactr.image.limits.row): string what he calls them
---@return luactr.image.limits? limits
---@return string? mistake beginning with the name
function M.read(values, name_of)
  local limits = {}
  for _, row in ipairs(M.rows) do
    local name, problem = name_of(row), nil
    if values[name] ~= nil then
      limits[row.name], problem = row.read(values[name])
    end
    if problem then
      return nil, name .. ": " .. problem
    end
  end
  return limits
end

--- Those of a recipe; none are the defaults.
---@param given any
---@return luactr.image.limits? limits
---@return string? mistake
function M.check(given)
  if given ~= nil and type(given) ~= "table" then
    return nil, "limits: table expected, got " .. type(given)
  end
  for name in pairs(given or {}) do
    if not M.defaults[name] then
      return nil, "limits: unknown field " .. tostring(name)
        .. require("luactr.nearest").hint(tostring(name), names)
    end
  end
  local limits, mistake = M.read(given or {}, function(row) return row.name end)
  return limits, mistake and "limits." .. mistake
end

return M
