--- The plan as bytes, and the descriptors for its slots.
local core = require "luactr.core"
local failure = require "luactr.launch.failure"
local stdio = require "luactr.container.stdio"

local sys <const> = core.sys

local M = {}

--- Freeze a plan.
---@param box luactr.container|luactr.command
---@param plan luactr.plan
function M.encode(box, plan)
  box.plan, box.slots = plan, {}
  for _, name in ipairs(plan.slots) do
    box.slots[name] = true
  end
  box.encoded = core.plan.encode(plan.steps, plan.slots)
end

-- ---- what the recipe names

local function named_by(box)
  local named = {}
  for _, stream in ipairs(stdio.STREAMS) do
    named[stream] = box.spec[stream].fd
  end
  for number, where in pairs(box.spec.fds) do
    named["fd " .. number] = where.fd
  end
  for kind, to in pairs(box.spec.namespaces) do
    if type(to) == "table" and to.fd then
      named[require("luactr.namespaces.join").slot(kind, to)] = to.fd
    end
  end
  return named
end

local function not_taken(box, name, errno)
  local closed = errno == sys.errno.EBADF or nil
  return nil, failure.of(box, { op = "open", path = name, errno = errno, checked = closed,
    action = "take the " .. name, cause = closed and "it is closed" })
end

--- Copies of the descriptors that the recipe names, before luactr opens any of its own: the number
--- of one that is closed by now would be that of the next that is opened.
---@param box luactr.container|luactr.command
---@param run luactr.run
---@return true?
---@return luactr.error?
function M.hold(box, run)
  local named = named_by(box)
  for name, fd in pairs(named) do
    if math.type(fd) and not sys.stat(fd) then -- the first copy would have its number
      return not_taken(box, name, sys.errno.EBADF)
    end
  end
  run.held = {}
  for name, fd in pairs(named) do
    local copy, _, errno = sys.dup(fd)
    if not copy then
      return not_taken(box, name, errno)
    end
    run.held[name] = run:pass(copy)
  end
  return true
end

-- ---- what is opened: each gives descriptors by slot, or nil and an error

local function of_cgroup(_, run)
  return run.cgroup and run.cgroup:attach_fds() or {}
end

local function of_scope(box, run)
  if not (run.scope and run.scope.unit.named) then
    return {}
  end
  local fd, message, errno = run.scope:attach_fd()
  if not fd then
    return nil, failure.sys(box, message, errno, "open")
  end
  return { [require("luactr.cgroup.scope").SLOT] = run:pass(fd) }
end

local function of_streams(box, run)
  local opened = {}
  for _, stream in ipairs(stdio.STREAMS) do
    if box.slots[stream] then
      local fd, message, errno = stdio.open(run, stream, box.spec[stream])
      if not fd then
        return nil, failure.sys(box, message, errno, "open", box.spec[stream].file)
      end
      opened[stream] = fd
    end
  end
  return opened
end

local function of_recipe(box, run)
  local opened = {}
  for number in pairs(box.spec.fds) do
    opened["fd " .. number] = run.held["fd " .. number]
  end
  for i, mount in ipairs(box.spec.mounts) do
    if mount.source and type(mount.source) ~= "string" then
      opened[require("luactr.mount.kinds").slot(i)] = mount.source
    end
  end
  return opened
end

local function of_trees(box, run)
  if not box.plan.trees then
    return {}
  end
  local trees, fields = require("luactr.idmap.trees").open(box.plan.trees, run)
  return trees, fields and failure.of(box, fields)
end

local function of_namespaces(box, run, host)
  if not box.plan.joins then
    return {}
  end
  local namespaces, fields = require("luactr.container.join").open(box.plan.joins, run, host)
  return namespaces, fields and failure.of(box, fields)
end

--- By which one that waits for its start is started.
local function of_gate(_, run)
  return { gate = run.gate }
end

--- The namespaces and the cgroup of the container that a command enters.
local function of_target(_, run)
  return run.target and run.target.fds or {}
end

local OPENED_BY <const> = {
  of_cgroup, of_scope, of_gate, of_streams, of_recipe, of_trees, of_namespaces, of_target,
}

--- A descriptor for each slot of the plan, in the order of the slots.
---@param box luactr.container|luactr.command
---@param run luactr.run
---@param host luactr.host
---@return (luactr.fd|integer)[]?
---@return luactr.error?
function M.open(box, run, host)
  local by_slot = {}
  for _, open in ipairs(OPENED_BY) do
    local opened, err = open(box, run, host)
    if not opened then
      return nil, err
    end
    for slot, fd in pairs(opened) do
      by_slot[slot] = fd
    end
  end
  local fds = {}
  for i, name in ipairs(box.plan.slots) do
    fds[i] = by_slot[name]
  end
  return fds
end

return M
