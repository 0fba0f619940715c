--- Who owns a container's cgroup. Where its own users may write there, the one that runs the
--- command gets the directory of cgroup v2, and the files in it by which cgroups below are made and
--- filled. v1 is left alone: what is written there is not confined to what is below.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local DELEGATED <const> = "/sys/kernel/cgroup/delegate"
local FILES <const> = { "cgroup.procs", "cgroup.subtree_control", "cgroup.threads" }

local function may_write(steps)
  for _, step in ipairs(steps) do
    if step.op == "mount" and step.type == "cgroup2" then
      return step.flags & sys.MS_RDONLY == 0
    end
  end
  return false
end

local function files()
  local file <close> = io.open(DELEGATED)
  if not file then
    return FILES
  end
  local list = {}
  for name in file:lines() do
    list[#list + 1] = name:find("^[%w._]+$") and name or nil
  end
  return list
end

local function outside(ranges, id)
  for _, range in ipairs(ranges or {}) do
    if id >= range.inside and id < range.inside + range.count then
      return range.outside + id - range.inside
    end
  end
end

--- Give it away, if the plan mounts it for writing, in a cgroup namespace of the container's own.
---@param group luactr.cgroup
---@param plan luactr.plan
---@param maps luactr.idmap.maps with their ids
function M.give(group, plan, maps)
  local user = outside(maps.uid, plan.spec.user.uid)
  if not user or user == sys.geteuid() or plan.spec.namespaces.cgroup ~= "new"
    or not may_write(plan.steps) then
    return
  end
  for _, place in ipairs(group:paths()) do
    if place.version == 2 then
      sys.chown(place.path, user)
      for _, name in ipairs(files()) do -- not all are in each
        sys.chown(place.path .. "/" .. name, user)
      end
    end
  end
end

return M
