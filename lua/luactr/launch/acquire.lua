--- What has to exist before a container's process: the plan, and what of the host that asks for.
-- Each is a phase of luactr.launch, which has their order.
local failure = require "luactr.launch.failure"
local state = require "luactr.state"

local M = {}

---@alias luactr.launch.phase
---| fun(box: luactr.container, run: luactr.run, host: luactr.host): any, luactr.error?

---@type luactr.launch.phase
function M.claim(box, run, host)
  local entry, err = state.claim(host, box.id)
  run.entry = entry and run:own(entry)
  return entry, err
end

---@type luactr.launch.phase
function M.rootfs(box, run)
  if not box.spec.rootfs.prepare then
    return true
  end
  local resource, err = box.spec.rootfs:prepare(run.entry.path)
  run:warn(resource and resource.warnings or {})
  return resource and run:own(resource), err
end

-- ---- the plan, made once for a box

--- The users that a joined container has now.
local function with_maps(host, run)
  return setmetatable({ maps_of = function(to)
    return require("luactr.container.join").maps(to, run, host)
  end }, { __index = host })
end

---@type luactr.launch.phase
function M.plan(box, run, host)
  if type(box.spec.namespaces.user) == "table" then
    host = with_maps(host, run)
  elseif box.encoded then
    return true
  end
  box.spec.id, box.spec.gate, box.spec.adopted = box.id, run.keeper.gate, run.keeper.adopted
  box.spec.no_cgroup = run.keeper.no_cgroup
  local plan, err = require("luactr.plan").compile(box.spec, host)
  if not plan then
    return nil, require("luactr.source").annotate(err)
  end
  require("luactr.launch.slots").encode(box, plan)
  return true
end

-- ---- what the plan asks for

---@type luactr.launch.phase
function M.quotas(box, _, host)
  if not box.plan.quotas then
    return true
  end
  local done, fields = require("luactr.container.quota").set(box.plan.quotas, host)
  return done, not done and failure.of(box, fields) or nil
end

--- A range of ids that is no other container's, where the maps want one.
---@type luactr.launch.phase
function M.ids(box, run, host)
  local maps = box.plan.id_maps
  run.id_maps = maps
  if not (maps and maps.range) then
    return true
  end
  local allocation, fields = require("luactr.idmap.pool").take(host, maps.range)
  if not allocation then
    return nil, failure.of(box, fields)
  end
  run.id_maps = require("luactr.idmap").placed(maps, run:own(allocation).first)
  return true
end

--- systemd's scope, in which the cgroup will be.
---@type luactr.launch.phase
function M.scope(box, run)
  local unit = box.plan.scope
  if not unit then
    return true
  elseif run.options.detach then
    return nil, failure.of(box, { code = "ENOTSUP", op = "scope", checked = true,
      cause = "systemd removes a scope with its last process, and the monitor could not tell how "
        .. "it ended", remedy = "run it in the foreground, from a unit of systemd's" })
  end
  local scope, err = require("luactr.cgroup.systemd").start(unit, box.plan.spec.limits)
  run.scope = scope and run:own(scope)
  return scope, err and err:wrap(string.format("cannot start %q", box.id))
end

--- In the group of its pod, whose name may be another one than before.
local function enter_pod(compiled, pod)
  compiled.id = string.format("%s/%s", pod.group.id, pod.member)
  compiled.path = require("luactr.cgroup.compile").TOP .. "/" .. compiled.id
  compiled.at = compiled.path
end

--- Beside that of a container that was renamed, unless somebody chose the place.
local function make_cgroup(box, run)
  local cgroup, err = require("luactr.cgroup").open(box.plan.cgroup, run.scope)
  local is_chosen = box.plan.spec.cgroup or run.scope or run.keeper.adopted
  if not cgroup and err.code == "EEXIST" and not is_chosen then
    return require("luactr.cgroup").open_beside(box.plan.cgroup)
  end
  return cgroup, err
end

---@type luactr.launch.phase
function M.cgroup(box, run, host)
  run:warn(box.plan.warnings)
  if not box.plan.cgroup or #box.plan.cgroup.places == 0 then
    return true
  end
  if run.options.pod then
    enter_pod(box.plan.cgroup, run.options.pod)
  end
  local cgroup, err = make_cgroup(box, run)
  if not cgroup then
    return nil, err
  end
  run.cgroup = run:own(cgroup)
  run:warn(err) -- beside a handle: limits that the kernel refused
  if run.id_maps and host.privileged then
    require("luactr.cgroup.owner").give(cgroup, box.plan, run.id_maps)
  end
  return true
end

---@type luactr.launch.phase
function M.resctrl(box, run, host)
  if not box.plan.spec.resctrl then
    return true
  end
  local group, fields = require("luactr.resctrl").open(box.plan.spec.resctrl, box.id, host.resctrl,
    run.entry.directory)
  run.resctrl = group and run:own(group)
  return group, fields and failure.of(box, fields)
end

--- What the recipe has callbacks for.
---@type luactr.launch.phase
function M.callbacks(box, run)
  if not box.spec.on then
    return true
  end
  local callbacks, err = require("luactr.container.callbacks").open(box, run)
  run.callbacks = callbacks and run:own(callbacks)
  if err then
    err.where = require("luactr.source").where(box.spec.where, err.from)
  end
  return callbacks, err
end

return M
