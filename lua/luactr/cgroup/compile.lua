--- From limits to what has to be made and written, on a host of any layout. Pure.
local core = require "luactr.core"

local cgroup <const> = core.cgroup

local M = {}

--- Where luactr keeps all containers' directories, in each hierarchy.
M.TOP = "luactr"

-- Read for the result record even without a limit. On cgroup v1 each is a directory of its own,
-- which costs about 0.1 ms: too much for io, which v2 has for nothing.
local METERS <const> = {
  { "memory" }, { "pids" }, { "cpuacct" }, { "io", version = 2 },
}

-- The state of one compile: what it has found so far.
local Compiler = {}
Compiler.__index = Compiler

function Compiler:problem(path, message)
  if self.optional then
    self.warnings[#self.warnings + 1] = path .. " is not enforced: " .. message
  else
    self.problems[#self.problems + 1] = { path = path, message = message }
  end
end

local function missing(home, controller)
  local place = home.mount .. home.parent
  return string.format("the controller %s is not delegated: %s/cgroup.controllers has only those "
    .. "that its parent gives it", controller, place)
end

--- The home of a controller where luactr may use it; otherwise the problem is noted.
function Compiler:home(path, controller)
  local home = self.layout.controllers[controller]
  if not home then
    return self:problem(path, self.layout.disabled or string.format(
      "this host has no %s controller (not in the kernel, or its hierarchy is not mounted)",
      controller))
  elseif not home.parent then
    return self:problem(path, string.format(
      "the %s controller is not delegated to this user: neither %s/ nor %s%s may be written",
      controller, home.mount, home.mount, home.own or "/"))
  elseif home.version == 2 and not home.granted[controller] then
    return self:problem(path, missing(home, controller))
  end
  return home
end

function Compiler:new_place(home)
  return {
    version = home.version, mount = home.mount, name = home.name,
    parent = self.absolute and "" or home.parent,
    options = home.options,
    -- A v1 hierarchy has all its controllers in each directory.
    controllers = home.version == 1 and home.controllers or {}, meters = {},
  }
end

--- The directory of the container in a hierarchy.
function Compiler:place(home)
  local place = self.by_home[home]
  if not place then
    place = self:new_place(home)
    self.by_home[home] = place
    self.places[#self.places + 1] = place
  end
  return place
end

--- Add what is not in a list yet.
local function add_once(list, value)
  for _, known in ipairs(list) do
    if known == value then
      return
    end
  end
  list[#list + 1] = value
end

M.add_once = add_once

-- What an encoder's errno means.
local REFUSALS <const> = {
  ERANGE = "the kernel takes no such value",
  EINVAL = "not of the form that the kernel takes",
  ENOSPC = "too many rules",
}

local function refusal(setting, version, errno)
  local name = core.sys.errname(errno)
  if name ~= "EOPNOTSUPP" then
    return REFUSALS[name] or core.sys.strerror(errno)
  elseif setting == "devices" then
    return "cgroup v1 cannot take back a part of what an earlier rule allowed or refused"
  end
  return string.format("cgroup v%d, where this host has the controller, cannot do that", version)
end

--- The writes of one setting in its controller's home.
---@param path string of the limit, for messages
---@param setting string row of luactr.core.cgroup.settings
---@param value number|string
---@param controller string
---@param key? string of a setting with parts
function Compiler:set(path, setting, value, controller, key)
  local home = self:home(path, controller)
  if not home then
    return
  end
  local writes, _, errno = cgroup.encode(setting, value, home.version, key)
  if not writes then
    return self:problem(path, refusal(setting, home.version, errno))
  end
  local place = self:place(home)
  if home.version == 2 then
    add_once(place.controllers, controller)
  end
  for _, write in ipairs(writes) do
    write.controller, write.version, write.from = controller, home.version, path
    self.writes[#self.writes + 1] = write
  end
end

--- Where freezing needs a directory of its own (v1), it is made when somebody freezes.
function Compiler:freezer()
  local home = self.layout.controllers.freezer
  if home and home.version == 1 and home.parent and not self.by_home[home] then
    return self:new_place(home)
  end
end

local function is_usable(home, controller)
  return home and home.parent and (home.version == 1 or home.granted[controller])
end

function Compiler:add_meters()
  for _, meter in ipairs(METERS) do
    local controller = meter[1]
    local home = self.layout.controllers[controller]
    if is_usable(home, controller) and home.version == (meter.version or home.version) then
      add_once(self:place(home).meters, controller)
    end
  end
end

--- Who chose the place reads figures there, and may expect a directory in each hierarchy.
function Compiler:add_all()
  for _, home in ipairs(self.layout.hierarchies) do
    if home.parent then
      local place = self:place(home)
      local granted = home.version == 2 and require("luactr.check").sorted_keys(home.granted)
      for _, controller in ipairs(granted or {}) do
        add_once(place.meters, controller)
      end
    end
  end
end

--- Where it is below each place's parent, and what tells another process where that is.
local function path_of(id)
  local chosen = id:match("^%.?/(.+)$")
  if chosen then
    return chosen, id
  end
  return M.TOP .. "/" .. id, M.TOP .. "/" .. id
end

---@class luactr.cgroup.compiled
---@field id string a container's, "POD/MEMBER", or a place that somebody chose: "/a/b" from the
---  top, "./a/b" from luactr's parent
---@field path string below each place's parent
---@field at string the same for state.json, where a chosen place is as in `id`
---@field places table[] a directory each: { version, mount, parent, name, options, controllers,
---  meters }
---@field freezer? table the place that is only made to freeze
---@field attach string[] slots of the v1 directories, "cgroup:<name>"
---@field writes table[] { controller, version, file, text, instead?, spare?, from }
---@field least? integer an update is refused while more memory is in use
---@field optional boolean writes that fail are warnings
---@field warnings string[]

--- The name of a cgroup by what state.json says of it.
---@param at string
---@return string? id
function M.id_of(at)
  return at:find("^%.?/") and at or at:match("^" .. M.TOP .. "/(.+)$")
end

--- What has to be made and written for these limits. Pure.
---@param limits table as the spec's, checked
---@param layout table of M.detect
---@param id string see luactr.cgroup.compiled
---@param pressure? boolean somebody wants to be told of it: v2 has figures without a controller
---@return luactr.cgroup.compiled?
---@return luactr.problem[]? problems
function M.compile(limits, layout, id, pressure)
  local self = setmetatable({
    layout = layout, optional = limits.optional, problems = {}, warnings = {},
    writes = {}, places = {}, by_home = {}, absolute = id:sub(1, 1) == "/",
  }, Compiler)
  for _, limit in ipairs(require("luactr.cgroup.limits").rows) do
    local name, compile = limit[1], limit[2]
    if limits[name] ~= nil then
      compile(self, "limits." .. name, limits[name], limits)
    end
  end
  if #self.problems > 0 then
    return nil, self.problems
  end
  self:add_meters()
  if pressure and is_usable(layout.controllers.core, "core") then
    self:place(layout.controllers.core)
  end
  if id:find("^%.?/") then
    self:add_all()
  end
  local attach = {}
  for _, place in ipairs(self.places) do
    attach[#attach + 1] = place.version == 1 and "cgroup:" .. place.name or nil
  end
  local path, at = path_of(id)
  return {
    id = id, path = path, at = at,
    places = self.places, attach = attach, freezer = self:freezer(),
    least = limits.memory_check and (limits.memory or -1) >= 0 and limits.memory or nil,
    writes = self.writes, optional = limits.optional, warnings = self.warnings,
  }
end

return M
