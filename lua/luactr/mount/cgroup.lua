--- The container's view of its cgroups, laid out as the host's: v1, hybrid or v2. Pure.
local M = {}

local function basename(path)
  return path:match("[^/]*$")
end

-- Hierarchies by where the host has them: { name, version, controllers }, sorted by name.
local function hierarchies(layout)
  local by_mount, list = {}, {}
  for controller, home in pairs(layout.controllers) do
    local hierarchy = by_mount[home.mount]
    if not hierarchy then
      hierarchy = { name = basename(home.mount), version = home.version, controllers = {} }
      by_mount[home.mount] = hierarchy
      list[#list + 1] = hierarchy
    end
    table.insert(hierarchy.controllers, controller)
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function mount(type, target, flags, data)
  return { op = "mount", source = type, target = target, type = type, flags = flags, data = data }
end

-- A directory for each v1 hierarchy, and for each of several controllers in one a link to it.
local function mount_v1(steps, target, hierarchy, flags)
  table.sort(hierarchy.controllers)
  local place = target .. "/" .. hierarchy.name
  steps[#steps + 1] = mount("cgroup", place, flags, table.concat(hierarchy.controllers, ","))
  for _, controller in ipairs(hierarchy.controllers) do
    if controller ~= hierarchy.name then
      local path = target .. "/" .. controller
      steps[#steps + 1] = { op = "symlink", link = hierarchy.name, path = path }
    end
  end
end

--- The steps of a mount of type cgroup.
---@param target string
---@param parsed luactr.mount.parsed its options
---@param layout table of luactr.core.cgroup.detect
---@return table[] steps
function M.steps(target, parsed, layout)
  local sys = require("luactr.core").sys
  local flags = parsed.flags | sys.MS_NOEXEC
  if parsed.clear & sys.MOUNT_ATTR_RDONLY == 0 then
    flags = flags | sys.MS_RDONLY -- a view, unless the recipe says rw
  end
  if layout.kind == "v2" then
    return { mount("cgroup2", target, flags) }
  end
  local steps = { mount("tmpfs", target, flags & ~sys.MS_RDONLY, "mode=0755,size=65536") }
  for _, hierarchy in ipairs(hierarchies(layout)) do
    if hierarchy.version == 1 then
      mount_v1(steps, target, hierarchy, flags)
    end
  end
  if layout.unified then
    steps[#steps + 1] = mount("cgroup2", target .. "/unified", flags)
  end
  steps[#steps + 1] =
    { op = "mount_setattr", target = target, set = sys.MOUNT_ATTR_RDONLY, clear = 0 }
  return steps
end

return M
