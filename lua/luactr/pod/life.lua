--- One life of a pod: what its members share, acquired before the first of them starts and released
--- after the last has ended.
local core = require "luactr.core"
local state = require "luactr.state"

local sys <const> = core.sys

local M = {}

---@class luactr.pod.life
---@field resources { close: fun(self) }[]
---@field namespaces table<string, luactr.fd> by kind
---@field group? luactr.pod.group
---@field id_maps? luactr.idmap.maps of the user namespace that is shared
---@field ids? luactr.idmap.allocation
---@field signals? luactr.signals
---@field on_signal? fun(number: integer)
---@field warnings string[]
---@field options luactr.pod.start_options
---@field owner integer pid of the process that started it
---@field entry luactr.state.entry
---@field started? boolean
---@field watchers? luactr.task[] one for each member
local Life = {}
Life.__index = Life

function Life:own(resource)
  self.resources[#self.resources + 1] = resource
  return resource
end

function Life:warn(warnings)
  table.move(warnings, 1, #warnings, #self.warnings + 1, self.warnings)
end

--- Close all, last acquired first. Idempotent.
function Life:close()
  for i = #self.resources, 1, -1 do
    self.resources[i]:close()
    self.resources[i] = nil
  end
end

--- Leave it to the members' monitors: what they need they have by now.
function Life:disown()
  if self.group then
    self.group:disown()
  end
  self:close()
end

--- A member has started. The pid namespace of all is the first one's: it cannot be without its
--- process 1.
---@param pod luactr.pod
---@param index integer
---@param pid integer
---@return boolean? done
---@return luactr.error?
function Life:started_one(pod, index, pid)
  if index ~= 1 or not pod.share.pid then
    return true
  end
  local path = string.format("/proc/%d/ns/pid_for_children", pid)
  local fd, message, errno = sys.open(path, sys.O_RDONLY)
  if not fd then
    return nil, require("luactr.error").from_sys(message, errno, "open", path)
  end
  self.namespaces.pid = self:own(fd)
  return true
end

--- A start that ends by an error, returned or raised, closes what there is already.
function Life:__close()
  if not self.started then
    self:close()
  end
end

-- ---- what is acquired

--- The first member's init is hidden from all but root, and with it the way into its pid namespace.
local function check_rights(pod, _, host)
  if not pod.share.pid or host.privileged then
    return true
  end
  return nil, require("luactr.error").new {
    code = "ENOTSUP", errno = sys.errno.ENOTSUP, op = "setns", checked = true,
    message = string.format("cannot start pod %q", pod.id), action = "share the pid namespace",
    cause = "without root luactr cannot enter the first member's",
    remedy = "leave pid out of share", where = pod.spec.where,
  }
end

--- The name is the pod's as long as somebody is about to use it; a luactr that is killed leaves the
--- entry, and with it the name of the cgroup to remove.
local function claim(pod, life, host)
  local entry, err = state.claim(host, pod.id)
  life.entry = entry and life:own(entry)
  return entry, err
end

--- Members of an earlier pod have its name, and are told apart by theirs alone.
local function look_for_others(pod, _, host)
  for _, record in ipairs(require("luactr.state.list").all(host)) do
    if record.pod and record.pod.name == pod.id then
      return nil, require("luactr.error").new {
        code = "EEXIST", errno = sys.errno.EEXIST, op = "claim", checked = true,
        message = string.format("the name %q is in use", pod.id),
        cause = string.format("%s is a member of a pod of this name", record.id),
        remedy = string.format("luactr rm -f %s, or choose another name", pod.id),
        where = pod.spec.where,
      }
    end
  end
  return true
end

--- The users of all members: root sets up what is shared.
local function users_of(pod)
  return setmetatable({
    namespaces = { user = "new" }, user = { uid = 0, gid = 0 }, groups = {}, given = {},
  }, { __index = pod.spec })
end

--- Which ids they have.
---@param pod luactr.pod
---@param host luactr.host
---@return luactr.idmap.maps?
---@return luactr.error?
function M.maps(pod, host)
  local maps, problems = require("luactr.idmap").compile(users_of(pod), host)
  return maps, not maps and require("luactr.source").annotate(
    require("luactr.spec").refusal(problems, pod.spec.where)) or nil
end

local function take_ids(pod, life, host)
  if not pod.share.user then
    return true
  end
  local maps, err = M.maps(pod, host)
  if not maps then
    return nil, err
  end
  life.id_maps = maps
  if maps.range then
    local ids, fields = require("luactr.idmap.pool").take(host, maps.range)
    if not ids then
      fields.message = string.format("cannot start pod %q", pod.id)
      fields.where = pod.spec.where
      return nil, require("luactr.error").new(fields)
    end
    life.ids = life:own(ids)
    life.id_maps = require("luactr.idmap").placed(maps, ids.first)
  end
  return true
end

local function open_group(pod, life, host)
  return require("luactr.pod.group").open(pod, life, host)
end

local function open_namespaces(pod, life, host)
  return require("luactr.pod.namespaces").open(pod, life, host)
end

--- The members that run, as what a signal is passed on to: see luactr.forward.
local function all_of(pod, life)
  local all = { cgroup = life.group and life.group.handle, process = {} }
  function all.process.signal(_, number)
    for i = #pod.members, 1, -1 do
      local run = pod.members[i].life
      if run then
        run.process:signal(number)
      end
    end
  end
  for _, box in ipairs(pod.members) do
    all.relay = all.relay or box.life and box.life.relay
  end
  return all
end

local function take_signals(pod, life)
  if life.options.forward_signals then
    life.signals = life:own(require("luactr.forward").take())
    life.on_signal = function(number)
      require("luactr.forward").signal(all_of(pod, life), number)
    end
  end
  return true
end

--- The order is the design: the cgroup of members must be there before they are, and the name
--- before the cgroup.
local PHASES <const> = {
  check_rights, claim, look_for_others, take_ids, open_group, open_namespaces, take_signals,
}

--- Acquire all of it. On failure everything is closed again.
---@param pod luactr.pod
---@param host luactr.host
---@param options luactr.pod.start_options
---@return luactr.pod.life?
---@return luactr.error?
function M.open(pod, host, options)
  state.sweep_once(host)
  local life = setmetatable({
    resources = {}, namespaces = {}, warnings = {}, options = options, owner = sys.getpid(),
  }, Life)
  for _, phase in ipairs(PHASES) do
    local done, err = phase(pod, life, host)
    if not done then
      life:close()
      return nil, err
    end
  end
  return life
end

--- What a member's start is told: see luactr.launch.
---@class luactr.pod.membership
---@field name string the pod's
---@field member string
---@field index integer
---@field namespaces table<string, luactr.fd>
---@field id_maps? luactr.idmap.maps
---@field group? luactr.pod.group
---@field held any[] descriptors that keep what is the pod's as long as a member lives
---@field signals? luactr.signals
---@field on_signal? fun(number: integer)

local function held_by(life)
  local held = life.group and life.group.handle:held() or {}
  held[#held + 1] = life.ids and life.ids:held()
  return held
end

---@param pod luactr.pod
---@param life luactr.pod.life
---@param index integer
---@return luactr.pod.membership
function M.membership(pod, life, index)
  return {
    name = pod.id, member = pod.spec.members[index].spec.name, index = index,
    namespaces = life.namespaces, id_maps = life.id_maps, group = life.group,
    held = held_by(life), signals = life.signals,
    on_signal = life.on_signal,
  }
end

return M
