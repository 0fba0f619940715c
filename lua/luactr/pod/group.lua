--- A pod's cgroup: the one that its members' are in, with limits of its own.
local cgroup = require "luactr.cgroup"
local add_once = require("luactr.cgroup.compile").add_once

local M = {}

local function place_like(places, wanted)
  for _, place in ipairs(places) do
    if place.mount == wanted.mount then
      return place
    end
  end
  local place = setmetatable({ controllers = {}, meters = {} }, { __index = wanted })
  places[#places + 1] = place
  return place
end

--- A pod is wherever one of its members is: a directory has what the one above gives it.
---@param compiled luactr.cgroup.compiled the pod's, changed
---@param member luactr.cgroup.compiled
function M.enclose(compiled, member)
  for _, wanted in ipairs(member.places) do
    local place = place_like(compiled.places, wanted)
    for _, list in ipairs { "controllers", "meters" } do
      for _, name in ipairs(wanted[list]) do
        add_once(place[list], name)
      end
    end
  end
end

--- What is to be made and written for a pod. Members whose limits the host cannot enforce say so
--- when they start.
---@param pod luactr.pod
---@param host luactr.host
---@return luactr.cgroup.compiled?
---@return luactr.error?
function M.compile(pod, host)
  local compiled, problems = cgroup.compile(pod.spec.limits, host.cgroup, pod.id)
  if not compiled then
    return nil, require("luactr.source").annotate(
      require("luactr.spec").refusal(problems, pod.spec.where))
  end
  for _, box in ipairs(pod.members) do
    local member = cgroup.compile(box.spec.limits, host.cgroup, box.id)
    if member then
      M.enclose(compiled, member)
    end
  end
  return compiled
end

---@class luactr.pod.group
---@field handle luactr.cgroup
---@field id string its name among the cgroups
---@field host luactr.host
local Group = {}
Group.__index = Group

--- It stays as long as somebody is in it: the last monitor removes it.
function Group:disown()
  self.handle:disown()
  self.host = nil
end

--- Also where a member had one more directory, for its freezer or another limit.
function Group:close()
  self.handle:close()
  if self.host then
    cgroup.remove(self.host.cgroup, self.id)
  end
end

--- Make it. Where no cgroup can be made and none is asked for, there is none.
---@param pod luactr.pod
---@param life luactr.pod.life
---@param host luactr.host
---@return boolean? done
---@return luactr.error?
function M.open(pod, life, host)
  local compiled, err = M.compile(pod, host)
  if not compiled then
    return nil, err
  end
  life:warn(compiled.warnings)
  if #compiled.places == 0 then
    return true
  end
  local handle
  handle, err = cgroup.open(compiled)
  if not handle and err.code == "EEXIST" then
    handle, err = cgroup.open_beside(compiled)
  end
  if not handle then
    return nil, err
  end
  life:warn(err) -- beside a handle: limits that the kernel refused
  life.group = life:own(setmetatable({ handle = handle, id = compiled.id, host = host }, Group))
  return true
end

return M
