--- What systemd is told of a container: the names of its scope and slice, and properties for its
--- limits. luactr writes the limits itself, too, in a directory in the scope that systemd leaves
--- alone; the properties are for weights, which count among scopes, and for who asks systemd. Pure.
local escape <const> = require("luactr.spec.scope").escape

local M = {}

--- The container's directory in its scope.
M.INSIDE = "container"

--- Of the file by which the init goes into systemd's own hierarchy.
M.SLOT = "cgroup:systemd"

local INFINITY <const> = -1 -- all bits of an unsigned number
local MICROSECONDS <const> = 1000000

-- ---- names

--- "a-b.slice" is in "a.slice".
local function slice_path(slice)
  local stem, path = slice:gsub("%.slice$", ""), ""
  if stem == "-" then
    return ""
  end
  for at in stem:gmatch("()%-") do
    path = string.format("%s/%s.slice", path, stem:sub(1, at - 1))
  end
  return string.format("%s/%s.slice", path, stem)
end

---@class luactr.scope.unit
---@field name string "luactr-web.scope"
---@field slice string
---@field user boolean whose systemd
---@field path string its cgroup, from the top of the hierarchies
---@field named? string as of luactr.systemd.facts, and so are
---@field delegated? string
---@field top string
---@field properties { [1]: string, [2]: table }[] that the recipe adds

---@param scope luactr.scope
---@param id string the container's
---@param host luactr.host
---@return luactr.scope.unit?
---@return luactr.error? err
function M.unit(scope, id, host)
  local user = scope.user
  if user == nil then
    user = host.uid ~= 0 or host.stranger
  end
  local facts, err = host.systemd(user)
  if not facts then
    return nil, err
  end
  local name = scope.name or "luactr-" .. escape(id) .. ".scope"
  local slice = scope.slice or (user and "app.slice" or "system.slice")
  return { name = name, slice = slice, user = user, properties = scope.properties,
    named = facts.named, delegated = facts.delegated, top = facts.control_group,
    path = string.format("%s%s/%s", facts.control_group, slice_path(slice), name) }
end

-- What cgroup v2 has everywhere, without a word in cgroup.controllers.
local IMPLICIT <const> = "cpuacct devices freezer core"

--- Where a user's processes may be is another question in a scope than where luactr is: what his
--- systemd has, it hands on.
---@param layout table of luactr.cgroup.detect
---@param unit luactr.scope.unit
---@return table layout
function M.layout(layout, unit)
  if not unit.delegated then
    return layout
  end
  local granted, replaced = {}, {}
  for name in (unit.delegated .. " " .. IMPLICIT):gmatch("%l[%l_]*") do
    granted[name] = true
  end
  local function home(old)
    if old.version == 2 and not replaced[old] then
      replaced[old] = setmetatable({ parent = unit.top, granted = granted }, { __index = old })
    end
    return replaced[old] or old
  end
  local controllers, hierarchies = {}, {}
  for name, old in pairs(layout.controllers) do
    controllers[name] = home(old)
  end
  for i, old in ipairs(layout.hierarchies) do
    hierarchies[i] = home(old)
  end
  return setmetatable({ controllers = controllers, hierarchies = hierarchies },
    { __index = layout })
end

-- ---- limits

local function number(name, since)
  return function(value)
    return name, { "t", value < 0 and INFINITY or value }, since
  end
end

--- As systemd has sets of CPUs: a bit for each.
local function bits(name)
  return function(list)
    local mask, last = {}, 0
    for first, to in list:gmatch("(%d+)%-?(%d*)") do
      for i = math.tointeger(first), math.tointeger(to) or math.tointeger(first) do
        mask[i // 8] = (mask[i // 8] or 0) | 1 << i % 8
        last = math.max(last, i // 8)
      end
    end
    local bytes = {}
    for i = 0, last do
      bytes[#bytes + 1] = string.char(mask[i] or 0)
    end
    return name, { "ay", table.concat(bytes) }, 244
  end
end

local function quota(cpus)
  return "CPUQuotaPerSecUSec",
    { "t", cpus < 0 and INFINITY or math.ceil(cpus * MICROSECONDS) }
end

local function period(seconds)
  return "CPUQuotaPeriodUSec", { "t", math.ceil(seconds * MICROSECONDS) }, 242
end

--- As the kernel's documentation has them as weights.
local function weight_of_shares(shares)
  return "CPUWeight", { "t", 1 + (shares - 2) * 9999 // 262142 }
end

-- The limits that systemd has, in the order of their names.
local ROWS <const> = {
  { "cpu", quota },
  { "cpu_period", period },
  { "cpu_shares", weight_of_shares },
  { "cpu_weight", number "CPUWeight" },
  { "cpus", bits "AllowedCPUs" },
  { "memory", number "MemoryMax" },
  { "memory_high", number "MemoryHigh" },
  { "memory_low", number "MemoryLow" },
  { "mems", bits "AllowedMemoryNodes" },
  { "pids", number "TasksMax" },
  { "swap", number "MemorySwapMax" },
}

--- Properties for the limits, as far as a version of systemd has them.
---@param limits table checked
---@param version integer
---@return { [1]: string, [2]: table }[]
function M.properties(limits, version)
  local list = {}
  for _, row in ipairs(ROWS) do
    local value = limits[row[1]]
    if value ~= nil then
      local name, variant, since = row[2](value)
      list[#list + 1] = version >= (since or 0) and { name, variant } or nil
    end
  end
  if limits.io and limits.io.weight then
    list[#list + 1] = { "IOWeight", { "t", limits.io.weight } }
  end
  return list
end

return M
