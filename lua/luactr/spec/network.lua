--- The network devices of the host that a container gets: { eth1 = "eth0", eth2 = true }. Pure.
local check = require "luactr.check"

local M = {}

local LONGEST <const> = 15 -- IFNAMSIZ, without its NUL

--- What the kernel takes for a name, and of templates what it makes one of.
local function problem_of(name, is_template)
  local rest, templates = name, 0
  if is_template then
    rest, templates = name:gsub("%%d", "")
  end
  if name == "" or #name > LONGEST then
    return string.format("a device's name has 1 to %d bytes", LONGEST)
  elseif name == "." or name == ".." or name:find("[/:%s%c]") then
    return "is no name for a device: " .. check.show(name)
  elseif templates > 1 or rest:find("%", 1, true) then
    return "a % is for one %d, of which the kernel makes a number: " .. check.show(name)
  end
end

local function inside(name, value)
  if value == true then
    return name
  elseif check.is_plain(value) and next(value) == nil then
    return name
  elseif check.is_plain(value) then
    local wanted, other = rawget(value, "name"), nil
    for key in next, value do
      other = key ~= "name" or other
    end
    return not other and (wanted == nil or wanted == "") and name or not other and wanted or value
  end
  return value
end

local function add(result, taken, name, value, path, problems)
  local as = inside(name, value)
  local problem = type(as) ~= "string" and "name in the container or true expected, got "
    .. check.show(value) or problem_of(name) or problem_of(as, true)
  if problem then
    return problems:add(path, "%s", problem)
  elseif taken[as] and not as:find("%", 1, true) then
    return problems:add(path, "two devices cannot both be called %s", check.show(as))
  end
  result[name], taken[as] = as, true
end

---@param value any
---@param path string
---@param problems luactr.problems
---@return table<string, string>? devices name on the host to name in the container
function M.devices(value, path, problems)
  if not check.is_plain(value) then
    return problems:add(path, "table of device = name in the container expected, got %s",
      check.show(value))
  end
  local result, taken = {}, {}
  for _, key in ipairs(check.sorted_keys(value, path, problems) or {}) do
    local name, as = key, rawget(value, key)
    if math.type(key) == "integer" then
      name, as = as, true
    end
    if type(name) == "string" then
      add(result, taken, name, as, check.join(path, key), problems)
    else
      problems:add(check.join(path, key), "name of a device expected, got %s", check.show(name))
    end
  end
  return result
end

return M
