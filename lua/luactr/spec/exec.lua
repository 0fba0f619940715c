--- What a command in a running container may say: fields of a recipe that are about a process. What
--- it does not say is as the container's own command has it. Pure.
local check = require "luactr.check"

local M = {}

-- A command has these of its own, whatever the container's has.
local OWN <const> = {
  "command", "argv0", "stdin", "stdout", "stderr", "fds", "tty", "window",
  "limits",
}

-- The others are inherited from the container's command.
local INHERITED <const> = require "luactr.spec.inherited"

local LIMITS <const> = { wall_time = true, output = true }

local function limits()
  local rows = {}
  for _, row in ipairs(require("luactr.spec.limits").fields) do
    rows[#rows + 1] = LIMITS[row.name] and row or nil
  end
  return check.record(rows)
end

local DEFAULTS <const> = { tty = false }

-- ---- capabilities: more or fewer than those of the container's command

local change <const> = check.lazy("{ add =, drop = }", "luactr.spec.process", "capability_change")
local others <const> = require("luactr.spec.values").capabilities

local capabilities <const> = check.custom(others.what, function(value, path, problems)
  local changes = check.is_plain(value)
    and (rawget(value, "add") ~= nil or rawget(value, "drop") ~= nil)
  local result = problems:check(changes and change or others, value, path)
  return changes and result and { change = result } or result
end)

local function changed(list, change_of, adds)
  local known, result = {}, {}
  for _, name in ipairs(change_of.drop) do
    known[name] = true
  end
  for _, names in ipairs { list, adds and change_of.add or {} } do
    for _, name in ipairs(names) do
      result[#result + 1] = not known[name] and name or nil
      known[name] = true
    end
  end
  return result
end

--- What is added is added to all sets. Of a user that is not root exec leaves but the ambient ones.
local function changed_sets(base, change_of, user)
  local is_root, result = user.uid == 0, { optional = base.optional }
  for set, list in pairs(base) do
    if set ~= "optional" then
      local adds = not is_root or set ~= "inheritable" and set ~= "ambient"
      result[set] = changed(list, change_of, adds)
    end
  end
  return result
end

-- ---- the fields

local TYPES <const> = { limits = limits, capabilities = function() return capabilities end }

local type_of_command -- made by the first

--- The rows of a command's fields, as luactr.spec has them.
---@return table[]
function M.fields()
  local rows, spec = {}, require "luactr.spec"
  local function add(name, default)
    local row = spec.field(name)
    rows[#rows + 1] = { name = name, required = row.required, default = default, help = row.help,
      type = TYPES[name] and TYPES[name]() or row.type }
  end
  for _, name in ipairs(OWN) do
    local row = spec.field(name)
    add(name, DEFAULTS[name] == nil and (name == "limits" and {} or row.default) or DEFAULTS[name])
  end
  for _, name in ipairs(INHERITED) do
    add(name)
  end
  return rows
end

local function new_type()
  return check.record(M.fields(),
    { what = "table of fields", elsewhere = require("luactr.spec").elsewhere })
end

--- The environment of the container's command, changed.
local function merge(env, changes)
  local merged = {}
  for _, variables in ipairs { env or {}, changes or {} } do
    for name, value in pairs(variables) do
      merged[name] = value
    end
  end
  return merged
end

local function inherit(result, base, given)
  for _, name in ipairs(INHERITED) do
    if result[name] == nil then
      result[name] = base[name]
      given[name] = given[name] or base.given[name]
    end
  end
end

--- The spec of a command: what it says, and of the container's `base` what it does not. A user of
--- its own has that user's groups, and none of the container's user.
---@param raw any
---@param base luactr.spec of the container's command
---@param where? luactr.where
---@return luactr.spec?
---@return luactr.error? code "ESPEC"
function M.check(raw, base, where)
  type_of_command = type_of_command or new_type()
  local problems = check.problems()
  local result = problems:check(type_of_command, raw, "")
  if result then
    require("luactr.spec.rules").apply_to_command(result, problems)
  end
  if #problems > 0 then
    return nil, require("luactr.spec").refusal(table.move(problems, 1, #problems, 1, {}), where)
  end
  local given = {}
  for name in next, raw do
    given[name] = true
  end
  if result.user and not result.groups then
    result.groups = {}
  end
  result.env = merge(base.env, result.env)
  local change_of = result.capabilities and result.capabilities.change
  if change_of then
    result.capabilities = changed_sets(base.capabilities, change_of, result.user or base.user)
  end
  inherit(result, base, given)
  result.given, result.where, result.id = given, where, base.id
  result.hostname, result.mounts, result.namespaces = base.hostname, {}, {}
  return result
end

return M
