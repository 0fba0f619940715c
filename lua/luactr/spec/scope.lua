--- The field `scope`: a unit of systemd's that has the container's cgroup in it. Pure.
local check = require "luactr.check"
local gvariant = require "luactr.spec.gvariant"

local M = {}

local LONGEST <const> = 255 -- of a unit's name

local function unit(suffix)
  return check.string { what = "name of a unit, as \"web" .. suffix .. "\"", max = LONGEST,
    pattern = "^[%w:_.\\@-]+%" .. suffix .. "$" }
end

local property <const> = check.string { what = "property", pattern = "^%a%w*$", max = 128 }

local value_text <const> = check.string { max = 4096 }

local shape <const> = check.record {
  { name = "slice", type = unit ".slice",
    default_text = "\"system.slice\", a user's \"app.slice\"", help = "what the scope is in" },
  { name = "name", type = unit ".scope", default_text = "\"luactr-NAME.scope\"",
    help = "the scope's own name" },
  { name = "properties", type = check.map(property, value_text), default = {},
    help = "of the scope, values as GVariant writes them: \"uint64 5000000\"" },
  { name = "user", type = check.boolean(), default_text = "true when not root",
    help = "ask the user's own systemd" },
}

M.fields = shape.fields

-- What luactr answers for, and what would move processes that are not the container's.
local OWN <const> = { PIDs = true, PIDFDs = true, Slice = true, Delegate = true, Names = true }

--- "TimeoutStopSec" is what unit files say of "TimeoutStopUSec".
local function in_microseconds(name, variant)
  local stem = name:match("^(.+)Sec$")
  if not stem or name:find("USec$") or type(variant[2]) ~= "number" then
    return name, variant
  end
  return stem .. "USec", { "t", math.ceil(variant[2] * 1000000) }
end

--- What cannot be in a unit's name is there as systemd-escape(1) writes it.
---@param text string
---@return string
function M.escape(text)
  return (text:gsub("[^%w:_.-]", function(c) return string.format("\\x%02x", c:byte()) end))
end

--- OCI's cgroupsPath for systemd, "SLICE:PREFIX:NAME".
---@param text string
---@return { slice?: string, name?: string }?
---@return string? problem
function M.parse(text)
  local slice, prefix, name = text:match("^([^:]*):([^:]*):(.+)$")
  if not slice then
    return nil, "for systemd \"slice:prefix:name\" is expected, got " .. check.show(text)
  elseif slice ~= "" and not slice:find("%.slice$") then
    return nil, "its first part is a slice, as \"system.slice\", not " .. check.show(slice)
  elseif name:find("%.slice$") then
    return nil, "a container is in a scope, and " .. check.show(name) .. " is a slice"
  end
  name = (prefix ~= "" and prefix .. "-" or "") .. name:gsub("%.scope$", "")
  return { slice = slice ~= "" and slice or nil, name = M.escape(name) .. ".scope" }
end

---@class luactr.scope
---@field slice? string
---@field name? string
---@field properties { [1]: string, [2]: table }[] names with their values, sorted
---@field user? boolean

---@param value any
---@param path string
---@param problems luactr.problems
---@return luactr.scope?
function M.check(value, path, problems)
  local raw = problems:check(shape, value == true and {} or value, path)
  if not raw then
    return nil
  end
  local list = {}
  for _, name in ipairs(check.sorted_keys(raw.properties)) do
    local at = check.join(path .. ".properties", name)
    local variant, problem = gvariant.parse(raw.properties[name])
    if not variant then
      problems:add(at, "%s", problem)
    elseif OWN[name] then
      problems:add(at, "luactr itself says this one")
    else
      list[#list + 1] = { in_microseconds(name, variant) }
    end
  end
  raw.properties = list
  return raw
end

return M
