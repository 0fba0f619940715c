--- What a monitor needs to start a container again, and what it tells of the lives since.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local CODES <const> = { ["on-failure"] = 1, always = 2 } -- enum monitor_restart
local LONGEST_MAP <const> = 1023 -- MONITOR_MAP_MAX
local LOOKS <const> = 100

-- ---- before the start

local function slot_number(plan, name)
  for i, slot in ipairs(plan.slots) do
    if slot == name then
      return i
    end
  end
end

--- The texts for the meeting at which users are mapped.
local function maps_of(maps)
  local text = require("luactr.spec.idmap").text
  if not maps then
    return {}
  elseif maps.helpers then
    return nil, "newuidmap maps its users, which must be started by whoever starts the container"
  end
  local texts = { setgroups = maps.setgroups, uid_map = text(maps.uid), gid_map = text(maps.gid) }
  if #texts.uid_map > LONGEST_MAP or #texts.gid_map > LONGEST_MAP then
    return nil, string.format("its maps of users are longer than %d bytes", LONGEST_MAP)
  end
  return texts
end

--- What the monitor does again by itself; nil for a container with a single life.
---@param box luactr.container
---@param run luactr.run
---@return table? again of core.monitor.start
---@return string? cause why it cannot
function M.job(box, run)
  local wanted = require("luactr.spec.restart").parse(box.spec.restart)
  if wanted.policy == "no" then
    return nil
  elseif box.slots.listener or type(box.spec.seccomp) == "table" and box.spec.seccomp.listener then
    return nil, "seccomp.listener wants to be told of each life by luactr"
  end
  local again, cause = maps_of(run.id_maps)
  if not again then
    return nil, cause
  end
  again.policy, again.most, again.copied = CODES[wanted.policy], wanted.most or 0, {}
  for i, tree in ipairs(box.plan.trees or {}) do
    again.copied[i] = slot_number(box.plan, tree.slot)
  end
  local input = box.spec.stdin.kind
  again.rewound = (input == "text" or input == "file") and slot_number(box.plan, "stdin") or nil
  return again
end

--- The error of a container in the foreground, which has nobody who would start it again.
---@param box luactr.container
---@return luactr.error
function M.foreground(box)
  return require("luactr.error").new {
    code = "ENOTSUP", errno = sys.errno.ENOTSUP, op = "restart", checked = true,
    message = string.format("cannot start %q", box.id),
    cause = string.format("restart = %q is for containers in the background, which have a monitor",
      box.spec.restart),
    remedy = "luactr run -d, box:start { detach = true }, or restart = \"no\" (--restart no)",
    where = require("luactr.source").where(box.spec.where, "restart"),
  }
end

-- ---- while it lives

--- life.json, whole: the monitor writes it in place, with the same mark at both ends.
local function read_life(host, id)
  for _ = 1, LOOKS do
    local life = require("luactr.state.list").read(host, id, "life.json")
    if not life or life.begin == life["end"] then
      return life
    end
  end
end

--- Bring a record up to date: another life has another PID 1.
---@param host luactr.host
---@param record luactr.state.record
function M.refresh(host, record)
  local life = read_life(host, record.id)
  if life then
    record.restarts, record.next_start = life.restarts, life.next_start
    record.pid, record.start = life.pid or record.pid, life.start or record.start
  end
end

--- Have the monitor start no other life.
---@param found luactr.found
---@return boolean told false when there is no monitor
function M.forgo(found)
  local pidfd <close> = require("luactr.container.found").open_process(found.record.owner)
  return pidfd ~= nil and sys.pidfd_send_signal(pidfd, core.monitor.LAST_LIFE) ~= nil
end

--- The error of a life that did not start, which only its numbers are left of.
---@param id string
---@param failed { errno: integer, step?: integer, kind?: integer }
---@return luactr.error
function M.failure(id, failed)
  local step = failed.kind and core.plan.steps[failed.kind + 1]
  return require("luactr.error").new {
    op = step and step.name or "clone", errno = failed.errno, step = failed.step,
    message = string.format("cannot start %q again", id),
    action = step and step.name or "clone",
  }
end

return M
