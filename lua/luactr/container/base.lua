--- What a command that enters a container has of the container's own command: fields of the recipe,
--- with all decided that depended on the host at the start. Other processes read it in state.json.
local INHERITED <const> = require "luactr.spec.inherited"

local M = {}

---@class luactr.base fields of the recipe, of luactr.spec.inherited
---@field id string
---@field given table<string, boolean> those that the recipe spoke of
---@field hostname? string
---@field bare? boolean it has no root of its own
---@field chroot? boolean its root is not that of its mount namespace

local function new(id)
  return { id = id, given = {} }
end

--- Variables as they were at the start: what the recipe took of luactr's, too.
local function environment(env, host)
  local list = {}
  for name, value in pairs(env) do
    list[name] = value
    if value == true then
      list[name] = host.environment[name] or false
    end
  end
  return list
end

-- On an initial ramfs nobody can pivot.
local function has_chroot(spec, host)
  return not spec.rootfs.bare and host.initramfs or nil
end

---@param plan luactr.plan of the container
---@param host luactr.host
---@return luactr.base
function M.of(plan, host)
  local spec, base = plan.spec, new(plan.id)
  for _, name in ipairs(INHERITED) do
    base[name], base.given[name] = spec[name], spec.given[name] or spec.added[name]
  end
  base.env = environment(spec.env, host)
  base.cpu_affinity = spec.exec_cpu_affinity or spec.cpu_affinity
  base.hostname, base.bare, base.chroot = spec.hostname, spec.rootfs.bare, has_chroot(spec, host)
  return base
end

-- ---- in state.json

local function hex(bytes)
  return (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

local function unhex(text)
  return (text:gsub("%x%x", function(c) return string.char(tonumber(c, 16)) end))
end

local function filter_of(plan)
  for _, step in ipairs(plan.steps) do
    if step.op == "seccomp" then
      return step.filter
    end
  end
end

-- What JSON would change: numbers of 64 bits, functions.
local STORE <const> = {
  seccomp = function(profile, plan)
    if type(profile) == "string" then
      return profile
    end
    return { program = hex(filter_of(plan)), flags = profile.flags, listener = profile.listener,
      handled = profile.handlers and true }
  end,
  rlimits = function(rlimits)
    local list = {}
    for name, limit in pairs(rlimits) do
      list[name] = { soft = tostring(limit.soft), hard = tostring(limit.hard) }
    end
    return list
  end,
}

local LOAD <const> = {
  seccomp = function(stored)
    if type(stored) == "string" then
      return stored
    end
    return { bpf = unhex(stored.program), flags = stored.flags, listener = stored.listener,
      handled = stored.handled }
  end,
  rlimits = function(stored)
    local list = {}
    for name, limit in pairs(stored) do
      list[name] = { soft = math.tointeger(tonumber(limit.soft)),
        hard = math.tointeger(tonumber(limit.hard)) }
    end
    return list
  end,
}

local function is_said(spec, name)
  local by_user = name == "groups" and "user"
  return spec.given[name] or spec.added[name] or spec.given[by_user] or spec.added[by_user]
end

--- What of it is not the default, as data that JSON carries; nil if all is.
---@param plan luactr.plan
---@param host luactr.host
---@return table?
function M.store(plan, host)
  local spec, stored = plan.spec, {}
  for _, name in ipairs(INHERITED) do
    local value = spec[name]
    if is_said(spec, name) and value ~= nil then
      local store = STORE[name]
      stored[name] = store and store(value, plan) or value
    end
  end
  stored.env = stored.env and environment(spec.env, host)
  stored.cpu_affinity = spec.exec_cpu_affinity or stored.cpu_affinity
  stored.hostname, stored.bare = spec.given.hostname and spec.hostname or nil, spec.rootfs.bare
  stored.chroot = has_chroot(spec, host)
  if spec.rootfs.bare then
    stored.user = spec.user
  end
  return next(stored) and stored
end

---@param stored? table of M.store
---@param id string
---@return luactr.base
function M.load(stored, id)
  local base, spec = new(id), require "luactr.spec"
  stored = stored or {}
  for _, name in ipairs(INHERITED) do
    local value = stored[name]
    local load = value ~= nil and LOAD[name]
    base.given[name] = value ~= nil or nil
    if value == nil then
      value = spec.field(name).default
    elseif load then
      value = load(value)
    end
    base[name] = value
  end
  base.hostname, base.bare = stored.hostname or id:sub(1, 64), stored.bare
  base.chroot = stored.chroot
  return base
end

return M
