--- Other limits for a container of a bundle: `luactr oci update`.
local core = require "luactr.core"
local resources_module = require "luactr.oci.resources"
local rows = require("luactr.oci.rows.resources").rows

local sys <const> = core.sys

local M = {}

-- ---- what is asked for

local LARGEST <const> = 1 << 20

local function unreadable(path, cause, errno)
  return nil, require("luactr.error").new {
    code = errno and sys.errname(errno) or "ESPEC", errno = errno, op = "read", path = path,
    message = "cannot read the limits in " .. path, cause = cause, checked = cause ~= nil,
  }
end

--- The resources in a file of JSON.
---@param path string "-" is the standard input
---@return table? resources
---@return luactr.error?
function M.read(path)
  local shown = path == "-" and "the standard input" or path
  local file = path == "-" and "/dev/stdin" or path
  local fd <close>, _, errno = sys.open(file, { "rdonly", "noctty" })
  local parts, size, part = {}, 0, nil
  while fd and part ~= "" and size <= LARGEST do
    part, _, errno = sys.read(fd, 1 << 16)
    if not part then
      break
    end
    parts[#parts + 1], size = part, size + #part
  end
  if not part then
    return unreadable(shown, nil, errno)
  elseif size > LARGEST then
    return unreadable(shown, "it is larger than 1 MiB")
  end
  local resources, problem = require("luactr.oci.json").decode(table.concat(parts))
  if not resources then
    return unreadable(shown, problem)
  end
  return resources
end

-- ---- what it comes to

local function get(from, path)
  for name in path:gmatch("[^.]+") do
    from = type(from) == "table" and from[name] or nil
  end
  return from
end

local function is_list(value)
  return type(value) == "table" and #value > 0
end

-- What is named replaces what was there; the rest stays.
local function merged(current, changes)
  local result = {}
  for name, value in pairs(current) do
    result[name] = value
  end
  for name, value in pairs(changes) do
    local before = result[name]
    local both = type(before) == "table" and type(value) == "table" and not is_list(before)
      and not is_list(value)
    result[name] = both and merged(before, value) or value
  end
  return result
end

-- Engines name all that there is: what they were not asked to change is 0 or empty.
local NOTHING <const> = {
  "memory.limit", "memory.reservation", "memory.swap", "memory.kernel", "memory.kernelTCP",
  "cpu.shares", "cpu.quota", "cpu.period", "cpu.realtimeRuntime", "cpu.realtimePeriod",
  "cpu.cpus", "cpu.mems", "blockIO.weight", "blockIO.leafWeight",
}

local function said(given)
  local result = merged({}, given)
  for _, path in ipairs(NOTHING) do
    local section, name = path:match("^(%w+)%.(%w+)$")
    local value = get(result, path)
    if value == 0 or value == "" then
      result[section] = merged({}, result[section])
      result[section][name] = nil
    end
  end
  return result
end

-- What is written again when one of them changes, since each depends on the others.
local TOGETHER <const> = {
  { "memory", "swap", "memory_check" }, { "cpu", "cpu_period", "cpu_burst" },
}

--- The limits that were named, and those they depend on.
local function affected(limits, given)
  local names = {}
  for _, row in ipairs(rows) do
    if row.field and get(given, row.path) ~= nil then
      names[row.field:match("^[%w_]+")] = true
    end
  end
  for _, group in ipairs(TOGETHER) do
    local any = false
    for _, name in ipairs(group) do
      any = any or names[name]
    end
    for _, name in ipairs(any and group or {}) do
      names[name] = true
    end
  end
  local result = { optional = limits.optional }
  for name in pairs(names) do
    result[name] = limits[name]
  end
  return result
end

--- Without a word of swap, no limit of memory is no limit of both.
local function completed(given)
  local memory = given.memory
  if type(memory) == "table" and memory.limit == -1 and memory.swap == nil then
    return merged(given, { memory = { swap = -1 } })
  end
  return given
end

local function refusal(container, problems, origins)
  for _, problem in ipairs(problems) do
    problem.path = origins and origins[problem.path] or problem.path
  end
  return nil, require("luactr.error").new {
    code = "ESPEC", message = string.format("cannot update container %q", container.id),
    subject = "the limits", problems = table.move(problems, 1, #problems, 1, {}),
  }
end

--- All limits as they will be.
local function limits_of(container, config, given)
  local wanted = merged(resources_module.document(config.spec.limits), given)
  wanted.devices = given.devices -- rules that stay are not written again
  local raw, origins = resources_module.limits(wanted, { update = true, path = "resources",
    rootless = container.host.uid ~= 0 })
  if not raw then
    return refusal(container, origins)
  end
  local limits, err = require("luactr.container.update").check(raw, config.spec.limits)
  if not limits then
    return refusal(container, err.problems, origins)
  end
  return limits, origins
end

--- A directory more on cgroup v1, a controller more on v2.
local function add_places(config, compiled)
  local add_once = require("luactr.cgroup.compile").add_once
  local places, by_mount = config.cgroup.places, {}
  for _, place in ipairs(places) do
    by_mount[place.mount] = place
  end
  for _, place in ipairs(compiled.places) do
    local known = by_mount[place.mount]
    places[#places + 1] = not known and place or nil
    for _, controller in ipairs(known and place.controllers or {}) do
      add_once(known.controllers, controller)
    end
  end
end

--- The share of caches, for one that is in a group of resctrl.
local function change_resctrl(container, config, rdt)
  local current, root = config.spec.resctrl, container.host.resctrl
  if not rdt then
    return true
  end
  local done, fields = nil, { code = "ENOTSUP", errno = sys.errno.ENOTSUP, op = "update",
    checked = true, cause = "it is in no group of resctrl" }
  if current and root then
    done, fields = require("luactr.resctrl").change(current,
      { l3 = rdt.l3CacheSchema, bandwidth = rdt.memBwSchema }, container.id, root)
  end
  if not done then
    fields.message = string.format("cannot update container %q", container.id)
    return nil, require("luactr.error").new(fields)
  end
  return true
end

--- Change limits; those that are not named stay. A controller that it did not need before takes its
--- processes in.
---@param container luactr.oci.container
---@param given table as linux.resources of config.json, with its linux.intelRdt as a member
---@return boolean? done
---@return luactr.error?
function M.apply(container, given)
  local group = require "luactr.cgroup"
  local handle <close>, config = require("luactr.oci.cgroup").open(container, "update")
  if not handle then
    return nil, config
  end
  given = completed(said(given))
  local limits, origins = limits_of(container, config, given)
  if not limits then
    return nil, origins
  end
  local compiled, problems = group.compile(affected(limits, given), container.host.cgroup,
    config.cgroup.id)
  if not compiled then
    return refusal(container, problems, origins)
  end
  local done, err = change_resctrl(container, config, given.intelRdt)
  if done then
    done, err = group.update(handle, compiled)
  end
  if not done then
    return nil, err
  end
  config.spec.limits = limits
  add_places(config, compiled)
  done, err = require("luactr.state.list").write(container.host, container.id, "config.json",
    config)
  return done, err
end

return M
