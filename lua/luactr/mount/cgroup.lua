--- The container's view of its cgroups, laid out as the host's: v1, hybrid or v2. Pure.
--
-- Its cgroup namespace hides what is above its own groups. In a v1 hierarchy where it has none, the
-- namespace begins at the host's root, and a mount would show, and with rw give, the whole tree: so
-- only hierarchies with a group of its own are mounted.
local M = {}

local function mount(type, target, flags, data)
  return { op = "mount", source = type, target = target, type = type, flags = flags, data = data }
end

-- Without a cgroup namespace a mount would show the whole tree, where the group's own directory is
-- what a container expects.
local function bind(target, place, path, parsed, flags)
  local set = parsed.set | parsed.set_here | require("luactr.core").sys.MOUNT_ATTR_NOEXEC
  if flags & require("luactr.core").sys.MS_RDONLY ~= 0 then
    set = set | require("luactr.core").sys.MOUNT_ATTR_RDONLY
  end
  return { op = "bind", target = target, recursive = 0, clear = 0, set = set,
    source = string.format("%s%s/%s", place.mount, place.parent, path) }
end

-- A directory for a v1 hierarchy, and for each of several controllers in one a link to it.
local function mount_v1(steps, target, place, view)
  local name = place.mount:match("[^/]*$")
  steps[#steps + 1] = view(place, target .. "/" .. name, "cgroup", place.options)
  for controller in place.options:gmatch("[^,]+") do
    if controller ~= name then
      steps[#steps + 1] = { op = "symlink", link = name, path = target .. "/" .. controller }
    end
  end
end

-- The list is read-only when further mounts come: their places in it (podman has systemd's
-- hierarchy for a systemd in the container) are made before.
local function make_places(steps, target, inner)
  local known = {}
  for _, step in ipairs(steps) do
    known[step.target or step.path] = true
  end
  for _, name in ipairs(inner) do
    local path = target .. "/" .. name
    if not known[path] then
      known[path] = true
      steps[#steps + 1] = { op = "mkdir", path = path, mode = 493 } -- 0755
    end
  end
end

--- The steps of a mount of type cgroup.
---@param target string
---@param parsed luactr.mount.parsed its options
---@param layout table of luactr.core.cgroup.detect
---@param own table[] the container's places, as luactr.cgroup.compile lists them
---@param inner string[] names in it that other mounts go to
---@param path? string of the container's group, when it has no cgroup namespace of its own
---@return table[] steps
function M.steps(target, parsed, layout, own, inner, path)
  local sys = require("luactr.core").sys
  local flags = parsed.flags | sys.MS_NOEXEC
  local writable = parsed.exact and parsed.flags & sys.MS_RDONLY == 0
    or (parsed.clear | parsed.clear_all) & sys.MOUNT_ATTR_RDONLY ~= 0
  if not writable or #own == 0 then
    flags = flags | sys.MS_RDONLY -- a view, unless the recipe says rw
  end
  if layout.kind == "v2" then
    return { mount("cgroup2", target, flags) }
  end
  local steps = { mount("tmpfs", target, flags & ~sys.MS_RDONLY, "mode=0755,size=65536") }
  local function view(place, at, type, data)
    return path and bind(at, place, path, parsed, flags) or mount(type, at, flags, data)
  end
  for _, place in ipairs(own) do
    if place.version == 1 then
      mount_v1(steps, target, place, view)
    else
      steps[#steps + 1] = view(place, target .. "/unified", "cgroup2")
    end
  end
  make_places(steps, target, inner)
  steps[#steps + 1] =
    { op = "mount_setattr", target = target, set = sys.MOUNT_ATTR_RDONLY, clear = 0 }
  return steps
end

return M
