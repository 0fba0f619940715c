--- The steps of one mount of a recipe, by its type. Pure.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local FILE_MODE <const> = 420 -- 0644
local DIRECTORY_MODE <const> = 493 -- 0755

local function absolute(path, host)
  return path:sub(1, 1) == "/" and path or host.cwd .. "/" .. path
end

local function some(bits)
  return bits ~= 0 and bits or nil
end

local CREATE <const> = { dir = "create_dir", file = "create_file", never = "create_never" }

local function policy_of(mount, parsed)
  local bits, numbers = 0, core.plan.bind_policy
  for name in pairs(parsed.policy) do
    bits = bits | numbers[name]
  end
  local create = CREATE[mount.create or parsed.create]
  return some(create and bits | numbers[create] or bits)
end

local function optional(mount, parsed)
  return (mount.optional or parsed.optional) and 1 or 0
end

local CONNECTED <const> = { [sys.MS_SLAVE] = true, [sys.MS_SHARED] = true }

local function is_path(source)
  return type(source) == "string"
end

--- The name of the slot for the descriptor that is the source of mounts[index].
function M.slot(index)
  return "mounts[" .. index .. "].source"
end

local function source_name(mount, host)
  return is_path(mount.source) and absolute(mount.source, host) or M.slot(mount.index)
end

local function is_bind(mount, parsed)
  return parsed.bind and mount.source and not parsed.remount
end

--- Whether the source of a mount is opened before the others: mounts of the host below it are to
--- appear inside later.
---@param mount table of the spec
---@param parsed luactr.mount.parsed
function M.is_early(mount, parsed)
  local propagation = parsed.propagation
  return is_bind(mount, parsed) and propagation and CONNECTED[propagation.flag] or false
end

--- Whether it is opened by a step of its own, and kept until the bind.
function M.is_kept(mount, parsed)
  return M.is_early(mount, parsed) or is_bind(mount, parsed) and not is_path(mount.source) or false
end

--- The step that opens it; mount.tree is its number.
function M.source(mount, parsed, host)
  return { op = "open_tree", number = mount.tree, source = source_name(mount, host),
    recursive = parsed.recursive == false and 0 or 1, policy = policy_of(mount, parsed),
    optional = optional(mount, parsed),
    fd = not is_path(mount.source) and M.slot(mount.index) or nil }
end

-- The map of a bind, and whether the mounts below it have it, too.
local function map_of(mount, parsed)
  local wanted = mount.idmap or parsed.idmap ~= nil
  return wanted or nil, parsed.idmap == "whole"
end

--- The slot of a source that luactr opens for the init: to map its users, or because the
--- container's root may not go there.
local function detached(mount, parsed, context, problem)
  local map, whole = map_of(mount, parsed)
  local early = M.is_early(mount, parsed)
  local may_be_closed = context.plan.id_maps and context.plan.id_maps.foreign
    and context.host.privileged and not early and optional(mount, parsed) == 0
  if map and (early or optional(mount, parsed) == 1) then
    problem(nil, "idmap is for what exists, and not for a bind that propagates")
  elseif map or may_be_closed then
    local slot, message = require("luactr.idmap").tree(context.plan, context.host, {
      slot = "tree:mounts[" .. mount.index .. "]", source = source_name(mount, context.host),
      fd = not is_path(mount.source) and mount.source or nil,
      recursive = parsed.recursive ~= false, nofollow = parsed.policy.source_nofollow,
      map = map, whole = whole })
    if message then
      problem(nil, "idmap " .. message)
    end
    return slot
  end
end

local function bind(mount, parsed, context, problem)
  local slot = detached(mount, parsed, context, problem)
  local steps = { {
    op = "bind", source = source_name(mount, context.host), target = mount.target,
    recursive = parsed.recursive == false and 0 or 1, set = parsed.set, clear = parsed.clear,
    clear_all = some(parsed.clear_all), optional = optional(mount, parsed),
    policy = policy_of(mount, parsed), tree = not slot and mount.tree or nil, detached = slot,
  } }
  if steps[1].tree and not M.is_early(mount, parsed) then
    table.insert(steps, 1, M.source(mount, parsed, context.host))
  end
  if parsed.set_here ~= 0 then
    steps[#steps + 1] = { op = "mount_setattr", target = mount.target, set = parsed.set_here,
      clear = parsed.set_here & sys.MOUNT_ATTR__ATIME ~= 0 and sys.MOUNT_ATTR__ATIME or 0 }
  end
  return steps
end

-- Only what an option named, and of the mount alone: the file system may be the host's, too.
local function remount(mount, parsed)
  local set, clear = (parsed.set | parsed.set_here) & parsed.said, parsed.clear
  local steps = {}
  if set ~= 0 or parsed.clear_all ~= 0 then
    steps[1] = { op = "mount_setattr", target = mount.target, set = set,
      clear = parsed.clear_all, recursive = parsed.in_tree and 1 or 0 }
  end
  if clear ~= 0 then
    steps[#steps + 1] = { op = "mount_setattr", target = mount.target, set = 0, clear = clear }
  end
  return steps
end

--- In a tmpfs that is read-only nobody could make what is mounted into it later.
local function sealed_later(mount, parsed, context)
  local late = mount.type == "tmpfs" and context.spec.default_mounts == false
  if not late or parsed.flags & sys.MS_RDONLY == 0 then
    return parsed.flags
  end
  return parsed.flags & ~sys.MS_RDONLY, { op = "mount_setattr", target = mount.target,
    set = sys.MOUNT_ATTR_RDONLY, clear = 0 }
end

local function file_system(mount, parsed, context)
  local flags, seal = sealed_later(mount, parsed, context)
  return { {
    op = "mount", source = mount.source or mount.type, target = mount.target, type = mount.type,
    flags = flags, data = #parsed.data > 0 and table.concat(parsed.data, ",") or nil,
    optional = some(optional(mount, parsed)), policy = policy_of(mount, parsed),
  }, seal = seal }
end

local function one_by_one(mount, parsed)
  return { { op = "fsmount", target = mount.target, type = mount.type,
    attributes = parsed.set | parsed.set_here, options = parsed.data,
    policy = policy_of(mount, parsed) } }
end

local function copying_tmpfs(mount, parsed)
  return { { op = "tmpcopyup", target = mount.target, attributes = parsed.set | parsed.set_here,
    options = parsed.data, policy = policy_of(mount, parsed) } }
end

local function owner(mount)
  return (mount.uid or mount.gid) and 1 or nil
end

-- The names in a directory that the recipe's mounts go to.
local function names_in(directory, mounts)
  local names = {}
  for _, one in ipairs(mounts) do
    if one.target:sub(1, #directory + 1) == directory .. "/" then
      names[#names + 1] = one.target:match("[^/]+", #directory + 2)
    end
  end
  return names
end

-- Types that are not a file system's name, and what makes them. The rest goes to mount(2).
local MAKERS <const> = {
  bind = bind,
  overlay = function(mount, parsed, context)
    local single = require("luactr.spec.overlay").is_single(parsed.data)
    return (single and one_by_one or file_system)(mount, parsed, context)
  end,
  cgroup = function(mount, parsed, context)
    local cgroup = context.plan.cgroup
    local shared = context.spec.namespaces.cgroup == "host"
    return require("luactr.mount.cgroup").steps(mount.target, parsed, context.host.cgroup,
      cgroup and cgroup.places or {}, names_in(mount.target, context.spec.mounts),
      shared and cgroup and cgroup.path or nil)
  end,
  file = function(mount)
    return { { op = "file", path = mount.target, content = mount.content,
      mode = mount.mode or FILE_MODE, mount = 1, owner = owner(mount), uid = mount.uid,
      gid = mount.gid } }
  end,
  symlink = function(mount)
    return { { op = "symlink", link = mount.source, path = mount.target } }
  end,
  dir = function(mount)
    return { { op = "mkdir", path = mount.target, mode = mount.mode or DIRECTORY_MODE,
      exact = mount.mode and 1 or nil, owner = owner(mount), uid = mount.uid, gid = mount.gid } }
  end,
}

-- With a slave root a bind would be a slave of the host's mount, too, unless it says something.
local function default_propagation(spec)
  return spec.propagation:find("slave$") and { flag = sys.MS_PRIVATE, recursive = true } or nil
end

local MOUNTED_HERE <const> = { bind = true, mount = true, fsmount = true, tmpcopyup = true }

--- What is mounted here is private, as all is by then, but for trees that others have opened.
local function is_private_already(steps, propagation, spec)
  local first = steps[1]
  return propagation.flag == sys.MS_PRIVATE and not spec.propagation:find("slave$")
    and first and MOUNTED_HERE[first.op] and not first.detached
end

local function add_propagation(steps, target, propagation, spec)
  if propagation and not is_private_already(steps, propagation, spec) then
    steps[#steps + 1] = { op = "mount_setattr", target = target, set = 0, clear = 0,
      propagation = propagation.flag, recursive = propagation.recursive and 1 or 0 }
  end
  return steps
end

---@param mount table of the spec, its target normalized
---@param parsed luactr.mount.parsed
---@param context { spec: luactr.spec, host: luactr.host, plan: luactr.plan }
---@param problem fun(index: integer?, message: string)
---@return table[] steps
function M.steps(mount, parsed, context, problem)
  local make = parsed.remount and remount or parsed.bind and bind
    or parsed.copy_up and copying_tmpfs or MAKERS[mount.type] or file_system
  if make == bind and not mount.source then
    problem(nil, "a bind has a source")
    return {}
  end
  local propagation = parsed.propagation or make == bind and default_propagation(context.spec)
  return add_propagation(make(mount, parsed, context, problem), mount.target, propagation,
    context.spec)
end

return M
