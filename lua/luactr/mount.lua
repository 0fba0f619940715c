--- Contributor: everything that is mounted, written or made in the new root. Pure.
---
--- The order is: what every container has, the spec's devices, the recipe's mounts. These are
--- sorted by depth, so that a parent never hides its children, and otherwise stay as written.
--- Without the default mounts all of them do, and devices come last.
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

-- These are put into the root instead of being mounted over a part of it.
local PLACED <const> = { file = true, symlink = true, dir = true }

local MAX_TREES <const> = 64 -- PLAN_MAX_TREES of plan.h

-- Calls visit(mount, parsed, problem, path) for each mount of the recipe.
local function for_each(spec, problems, visit)
  local kept = 0
  for i, mount in ipairs(spec.mounts) do
    local options, kinds = require "luactr.mount.options", require "luactr.mount.kinds"
    local path = "mounts[" .. i .. "]"
    local function problem(index, message)
      local at = index and string.format("%s.options[%d]", path, index) or path
      problems[#problems + 1] = { path = at, message = message }
    end
    local target, depth = normalized(mount.target)
    local parsed = options.parse(mount.type, mount.options, problem, mount.exact)
    local is_kept = kinds.is_kept(mount, parsed)
    kept = is_kept and kept + 1 or kept
    local normal = { target = target, depth = depth, index = i, tree = is_kept and kept or nil }
    visit(setmetatable(normal, { __index = mount }), parsed, problem, path)
  end
  if kept > MAX_TREES then
    problems[#problems + 1] = { path = "mounts", message = string.format(
      "%d binds are from descriptors or propagate: at most %d", kept, MAX_TREES) }
  end
end

-- The recipe's mounts as { target, depth, index, placed, steps }: sorted, if there are others.
local function own_mounts(spec, host, plan, problems)
  local list = {}
  for_each(spec, problems, function(mount, parsed, problem, path)
    local kinds = require "luactr.mount.kinds"
    local steps = kinds.steps(mount, parsed, { spec = spec, host = host, plan = plan }, problem)
    for _, step in ipairs(steps) do
      step.from = path
    end
    list[#list + 1] = { target = mount.target, depth = mount.depth, index = mount.index,
      placed = PLACED[mount.type] or parsed.remount, bind = parsed.bind, steps = steps }
  end)
  table.sort(list, function(a, b)
    if a.depth ~= b.depth and spec.default_mounts ~= false then
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

local function default_mounts(spec, host, own)
  local steps = {}
  for _, mount in ipairs(require("luactr.mount.default").list) do
    if not is_replaced(mount.target, own) then
      append(steps, mount.steps(spec, host))
    end
  end
  return steps
end

--- Read-only at last: what had to take mounts and devices before.
local function sealed(own)
  local steps = {}
  for _, mount in ipairs(own) do
    steps[#steps + 1] = mount.steps.seal
  end
  return steps
end

-- File systems whose files SELinux labels by an option of the mount; the others have their own.
local LABELLED <const> = { tmpfs = true, devpts = true, ramfs = true, overlay = true }

local LABEL <const> = {
  -- quoted, since a label has commas
  mount = function(step, label)
    step.data = (step.data and step.data .. "," or "") .. "context=\"" .. label .. "\""
  end,
  fsmount = function(step, label) step.options[#step.options + 1] = "context=" .. label end,
}
LABEL.tmpcopyup = LABEL.fsmount

local function add_labels(steps, spec, host, problems)
  local known, why = true, nil
  if spec.mount_label then
    known, why = host.lsm.selinux(spec.mount_label)
  end
  if not known then
    problems[#problems + 1] = { path = "mount_label", message = why }
  end
  for _, step in ipairs(spec.mount_label and steps or {}) do
    if LABEL[step.op] and LABELLED[step.type or "tmpfs"] then
      LABEL[step.op](step, spec.mount_label)
    end
  end
end

--- Open the sources that stay connected with the host, before its mounts become private here.
---@param spec luactr.spec settled
---@param host luactr.host
---@param plan luactr.plan
---@return table[] steps
function M.early_sources(spec, host, plan)
  local steps = {}
  for_each(spec, {}, function(mount, parsed, _, path)
    local kinds = require "luactr.mount.kinds"
    if kinds.is_early(mount, parsed) then
      local step = kinds.source(mount, parsed, host)
      step.from = path
      steps[#steps + 1] = step
      if not step.fd and host.is_shared(step.source) == false then
        plan.warnings[#plan.warnings + 1] = string.format(
          "%s: %s lies on a private mount of the host: nothing propagates", path, step.source)
      end
    end
  end)
  return steps
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
  local devices = default.devices(spec, host, function(index, message)
    problems[#problems + 1] = { path = "devices[" .. index .. "]", message = message }
  end)
  local before, after = {}, {}
  if spec.default_mounts == false then
    after = default.device_directory(spec, host, own, devices)
    append(after, sealed(own))
  else
    before = default_mounts(spec, host, own)
    append(before, devices)
  end
  append(steps, before)
  for _, mount in ipairs(own) do
    append(steps, mount.steps)
  end
  append(steps, after)
  add_labels(steps, spec, host, problems)
  if #problems > 0 then
    return nil, problems
  end
  return steps
end

return M
