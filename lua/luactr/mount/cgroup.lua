--- The container's view of its cgroups, laid out as the host's: v1, hybrid or v2. Pure.
local M = {}

local function mount(type, target, flags, data)
  return { op = "mount", source = type, target = target, type = type, flags = flags, data = data }
end

-- A directory for a v1 hierarchy, and for each of several controllers in one a link to it.
local function mount_v1(steps, target, hierarchy, flags)
  local name = hierarchy.mount:match("[^/]*$")
  steps[#steps + 1] = mount("cgroup", target .. "/" .. name, flags, hierarchy.options)
  for controller in hierarchy.options:gmatch("[^,]+") do
    if controller ~= name then
      steps[#steps + 1] = { op = "symlink", link = name, path = target .. "/" .. controller }
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
  for _, hierarchy in ipairs(layout.hierarchies) do
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
