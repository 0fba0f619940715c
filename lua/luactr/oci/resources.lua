--- linux.resources of a config.json as a recipe's limits, and back. Pure.
--
-- The rows are in luactr.oci.rows.resources.
local T = require "luactr.oci.types"
local check = require "luactr.check"
local rows = require("luactr.oci.rows.resources").rows

local M = {}

local PREFIX <const> = "linux.resources"

-- ---- the type, made of the rows

local function section_of(sections, fields, name)
  if not sections[name] then
    sections[name] = {}
    fields[#fields + 1] = { name = name, type = T.object(sections[name]) }
  end
  return sections[name]
end

local function make_type()
  local fields, sections = {}, {}
  for _, row in ipairs(rows) do
    local section, name = row.path:match("^(%w+)%.(%w+)$")
    local list = section and section_of(sections, fields, section) or fields
    list[#list + 1] = row.type and { name = name or row.path, type = row.type } or nil
  end
  return T.object(fields)
end

M.type = make_type()

-- ---- values by their paths, "memory.limit"

local function get(from, path)
  for name in path:gmatch("[^.]+") do
    from = from and from[name]
  end
  return from
end

local function put(into, path, value)
  local section, name = path:match("^([^.]+)%.(.+)$")
  if section then
    into[section] = into[section] or {}
    into, path = into[section], name
  end
  into[path] = value
end

-- ---- there

---@class luactr.oci.resources.context
---@field rootless? boolean
---@field update? boolean limits of one that runs: what is no limit is said, too
---@field path? string what the paths of problems begin with, "linux.resources" if not given

--- The limits as a recipe has them, and where each came from.
---@param resources table as in config.json
---@param context luactr.oci.resources.context
---@return table? limits
---@return table<string, string>|luactr.problem[] origins "limits.memory" to
---  "linux.resources.memory.limit"; without limits the problems
function M.limits(resources, context)
  local problems, prefix = check.problems(), context.path or PREFIX
  local checked = problems:check(M.type, resources, prefix)
  local limits, origins = {}, { limits = prefix }
  for _, row in ipairs(checked and #problems == 0 and rows or {}) do
    local value, path = get(checked, row.path), prefix .. "." .. row.path
    local b = { resources = checked, context = context, problem = function(_, ...)
      problems:add(path, ...)
    end }
    if value ~= nil and row.to then
      value = row.to(value, b)
      if row.field and value ~= nil then
        put(limits, row.field, value)
        origins["limits." .. row.field] = path
      end
    end
  end
  if #problems > 0 then
    return nil, problems
  end
  return limits, origins
end

-- ---- and back

-- One entry for each device, whichever of its limits comes first.
local function joined(list, more)
  for _, one in ipairs(more) do
    local known
    for _, entry in ipairs(list) do
      known = entry.major == one.major and entry.minor == one.minor and entry or known
    end
    list[#list + 1] = not known and one or nil
    for name, value in pairs(known and one or {}) do
      known[name] = value
    end
  end
  return list
end

--- The resources of checked limits.
---@param limits table normalized
---@return table resources
function M.document(limits)
  local resources = {}
  for _, row in ipairs(rows) do
    local value = row.field and get(limits, row.field)
    if value ~= nil and row.from then
      value = row.from(value, limits)
      local before = get(resources, row.path)
      if value ~= nil then
        put(resources, row.path, type(before) == "table" and joined(before, value) or value)
      end
    end
  end
  if limits.memory_high then
    resources.unified = resources.unified or {}
    resources.unified["memory.high"] = limits.memory_high < 0 and "max"
      or tostring(limits.memory_high)
  end
  return resources
end

return M
