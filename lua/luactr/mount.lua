--- Contributor: everything that is mounted, written or made in the new root. Pure.
---
--- The order is: what every container has, the spec's devices, the recipe's mounts. These are
--- sorted by depth, so that a parent never hides its children, and otherwise stay as written.
local M = {}

-- "/a//b/./c/" and "/a/b/c" are one place.
local function normalized(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/"), #parts
end

local function absolute(path, host)
  return path:sub(1, 1) == "/" and path or host.cwd .. "/" .. path
end

local function with_propagation(steps, target, parsed)
  local propagation = parsed.propagation
  if propagation then
    steps[#steps + 1] = { op = "mount_setattr", target = target, set = 0, clear = 0,
      propagation = propagation.flag, recursive = propagation.recursive and 1 or 0 }
  end
  return steps
end

local function bind(mount, parsed, host)
  return { {
    op = "bind", source = absolute(mount.source, host), target = mount.target,
    recursive = parsed.recursive == false and 0 or 1, set = parsed.set, clear = parsed.clear,
    optional = (mount.optional or parsed.optional) and 1 or 0,
  } }
end

local function file_system(mount, parsed)
  return { {
    op = "mount", source = mount.source or mount.type, target = mount.target, type = mount.type,
    flags = parsed.flags, data = #parsed.data > 0 and table.concat(parsed.data, ",") or nil,
  } }
end

-- Types that are not a file system's name, and what makes them. The rest goes to mount(2).
local MAKERS <const> = {
  bind = bind,
  cgroup = function(mount, parsed, host, plan)
    local own = plan.cgroup and plan.cgroup.places or {}
    return require("luactr.mount.cgroup").steps(mount.target, parsed, host.cgroup, own)
  end,
  file = function(mount)
    local mode = mount.mode or 420
    return { { op = "file", path = mount.target, content = mount.content, mode = mode, mount = 1 } }
  end,
  symlink = function(mount)
    return { { op = "symlink", link = mount.source, path = mount.target } }
  end,
  dir = function(mount)
    return { { op = "mkdir", path = mount.target, mode = mount.mode or 493 } }
  end,
}

-- These are put into the root instead of being mounted over a part of it.
local PLACED <const> = { file = true, symlink = true, dir = true }

local function steps_of(mount, host, plan, problem)
  local parsed = require("luactr.mount.options").parse(mount.type, mount.options, problem)
  local make = parsed.bind and bind or MAKERS[mount.type] or file_system
  if make == bind and not mount.source then
    problem(nil, "a bind has a source")
    return {}
  end
  return with_propagation(make(mount, parsed, host, plan), mount.target, parsed)
end

-- The recipe's mounts as { target, depth, index, placed, steps }, sorted.
local function own_mounts(spec, host, plan, problems)
  local list = {}
  for i, mount in ipairs(spec.mounts) do
    local path = "mounts[" .. i .. "]"
    local target, depth = normalized(mount.target)
    mount = setmetatable({ target = target }, { __index = mount })
    local steps = steps_of(mount, host, plan, function(index, message)
      local at = index and string.format("%s.options[%d]", path, index) or path
      problems[#problems + 1] = { path = at, message = message }
    end)
    for _, step in ipairs(steps) do
      step.from = path
    end
    list[i] =
      { target = target, depth = depth, index = i, placed = PLACED[mount.type], steps = steps }
  end
  table.sort(list, function(a, b)
    if a.depth ~= b.depth then
      return a.depth < b.depth
    end
    return a.index < b.index
  end)
  return list
end

local function is_replaced(target, own)
  for _, mount in ipairs(own) do
    local same_or_above = (target .. "/"):sub(1, #mount.target + 1) == mount.target .. "/"
    if same_or_above and not mount.placed then
      return true
    end
  end
  return false
end

local function append(steps, more)
  table.move(more, 1, #more, #steps + 1, steps)
end

--- The steps of `mounts` and `devices`, and of what a container has without them.
---@param spec luactr.spec settled
---@param host luactr.host
---@param plan luactr.plan as far as it is: its cgroup
---@return table[]? steps
---@return luactr.problem[]? problems
function M.steps(spec, host, plan)
  local default = require "luactr.mount.default"
  local steps, problems = {}, {}
  local own = own_mounts(spec, host, plan, problems)
  for _, mount in ipairs(default.list) do
    if not is_replaced(mount.target, own) then
      append(steps, mount.steps(spec, host))
    end
  end
  append(steps, default.devices(spec, host, function(index, message)
    problems[#problems + 1] = { path = "devices[" .. index .. "]", message = message }
  end))
  for _, mount in ipairs(own) do
    append(steps, mount.steps)
  end
  if #problems > 0 then
    return nil, problems
  end
  return steps
end

return M
