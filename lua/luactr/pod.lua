--- The pod object: what ctr.pod returns. Containers that share namespaces and a cgroup, started in
--- their order and stopped in reverse. Inert until started; it can run again and again.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

---@class luactr.pod
---@field spec luactr.spec.pod
---@field id string its name, or a random one
---@field hostname string
---@field share table<string, boolean> by kind of namespace, once it is decided
---@field members luactr.container[] in order, and by name
---@field life? luactr.pod.life
---@field warnings? string[] of the last life
---@field usage? table meters of the last life, of all members together
local Pod = { __name = "luactr.pod" }
Pod.__index = Pod

local host_facts -- read once

local function facts()
  host_facts = host_facts or require("luactr.host").facts()
  return host_facts
end

--- A pod from a table of the fields in luactr.spec.pod and its members. Raises an error object that
--- lists all that is wrong with them.
---@param raw table
---@param where? luactr.where the recipe's line that makes it
---@return luactr.pod
function M.new(raw, where)
  local spec, err = require("luactr.spec.pod").check(raw, where)
  if not spec then
    error(require("luactr.source").annotate(err))
  end
  local pod = setmetatable({ spec = spec, members = {}, share = spec.share }, Pod)
  for i, member in ipairs(spec.members) do
    local box = member.box or require("luactr.container").of(member.spec)
    box.pod = pod
    pod.members[i], pod.members[member.spec.name] = box, box
  end
  pod:rename(spec.name or require("luactr.state").random_id())
  return pod
end

---@return boolean
function M.is(value)
  return getmetatable(value) == Pod
end

--- Another name, before it starts.
---@param id string
function Pod:rename(id)
  self.id = id
  self.hostname = self.spec.hostname or id
  for i, member in ipairs(self.spec.members) do
    self.members[i].id = id .. "." .. member.spec.name
  end
end

--- Without the rights for it, whoever makes namespaces needs users of its own, and all that are to
--- be in them need the same.
---@param host luactr.host
function Pod:decide(host)
  local share = {}
  for kind in pairs(self.spec.share) do
    share[kind] = true
  end
  share.user = self.spec.idmap ~= nil or share.user
    or next(share) ~= nil and not host.privileged or nil
  self.share = share
  for i, member in ipairs(self.spec.members) do
    self.members[i].spec = require("luactr.spec.pod").member(member.spec, self, i)
  end
end

--- What is to be done before a member starts, as luactr.plan has it, for explain.
---@param host luactr.host
---@return luactr.plan?
---@return luactr.error?
function Pod:plan(host)
  self:decide(host)
  local cgroup, err = require("luactr.pod.group").compile(self, host)
  local maps = cgroup and {}
  if cgroup and self.share.user then
    maps, err = require("luactr.pod.life").maps(self, host)
  end
  if not maps then
    return nil, err
  end
  local plan = require("luactr.pod.namespaces").plan(self)
  return {
    id = self.id, flags = plan.flags, steps = plan.steps, slots = {}, warnings = cgroup.warnings,
    phases = { { title = "Set up what the members share", first = 1 } }, tty = false, apart = true,
    cgroup = cgroup, id_maps = self.share.user and maps or nil, spec = self.spec,
  }
end

-- ---- start

--- Those that were started before one that failed, in reverse.
local function take_back(pod, count)
  for i = count, 1, -1 do
    if pod.members[i].life then
      pod.members[i]:stop()
    end
  end
end

local function start_members(pod, life)
  for i, box in ipairs(pod.members) do
    local started, err = box:start { pod = require("luactr.pod.life").membership(pod, life, i) }
    if started then
      started, err = life:started_one(pod, i, box:pid())
    end
    if not started then
      take_back(pod, i)
      return nil, err:wrap(string.format("pod %q", pod.id))
    end
  end
  return true
end

---@class luactr.pod.start_options
---@field detach? boolean leave each member to a monitor
---@field forward_signals? boolean pass on the signals that luactr gets, to all members
---@field fail? { step: integer, errno: integer } of the shared namespaces' plan, for specs

--- Start what is shared and then each member, in order; returns when the last one's command runs.
--- If one does not start, those before it are stopped again. With { detach = true } members are
--- left to monitors, and what is returned is the same as of ctr.find.
---@param options? luactr.pod.start_options
---@return boolean|luactr.pod.found|nil started
---@return luactr.error?
function Pod:start(options)
  if self.life then
    error(string.format("pod %q is running already", self.id), 2)
  end
  options = options or {}
  self.usage, self.warnings = nil, nil
  local host = facts()
  self:decide(host)
  require("luactr.container").watch.start(self.members[1])
  if options.detach then
    return require("luactr.pod.detach").start(self, host, options)
  end
  local life <close>, err = require("luactr.pod.life").open(self, host, options)
  local started = life
  if life then
    started, err = start_members(self, life)
  end
  if not started then
    return nil, err
  end
  life.started = true
  self.life, self.warnings = life, life.warnings
  require("luactr.pod.watch").begin(self, life)
  return true
end

--- Start a member again that has ended while the pod runs.
---@param box luactr.container
---@param options luactr.start_options
---@return boolean? started
---@return luactr.error?
function Pod:start_member(box, options)
  local life = self.life
  if not life or options.detach then
    error(string.format("%q is a member of pod %q, which starts it", box.id, self.id), 3)
  end
  for i, member in ipairs(self.members) do
    if member == box then
      local membership = require("luactr.pod.life").membership(self, life, i)
      local started, err = box:start { pod = membership, fail = options.fail }
      if started then
        require("luactr.pod.watch").begin_one(life, i, box)
        return life:started_one(self, i, box:pid())
      end
      return started, err
    end
  end
end

-- ---- the end

local function still_runs(pod)
  for _, box in ipairs(pod.members) do
    if box.life then
      return true
    end
  end
  return false
end

--- How each member ended, in order and by name.
local function results_of(pod)
  local results = {}
  for i, member in ipairs(pod.spec.members) do
    results[i] = pod.members[i].result
    results[member.spec.name] = pod.members[i].result
  end
  return results
end

local function finish(pod)
  local life = pod.life
  pod.life = nil
  pod.usage = life.group and life.group.handle:totals()
  require("luactr.pod.watch").close(life)
  life:close()
  return results_of(pod)
end

---@param pod luactr.pod
---@return luactr.pod.life
local function running(pod)
  return pod.life or error(string.format("pod %q is not running", pod.id), 3)
end

--- Wait until all members have ended; then what they shared is released.
---@param timeout? number seconds
---@return table<integer|string, luactr.result>? results in order and by name
---@return luactr.error? code "ETIMEDOUT" when one still runs
function Pod:wait(timeout)
  if not self.life then
    return self.members[1].result and results_of(self)
      or error(string.format("pod %q was not started", self.id), 2)
  end
  local life = self.life
  local done, err = require("luactr.pod.watch").wait(life, timeout)
  if done then
    return self.life == life and finish(self) or results_of(self)
  end
  return nil, err
end

--- Start, wait, release.
---@param options? luactr.pod.start_options
---@return table<integer|string, luactr.result>? results
---@return luactr.error? why it did not start
function Pod:run(options)
  local _ <close> = setmetatable({}, { __close = function() self:close() end })
  local started, err = self:start(options)
  if not started then
    return nil, err
  end
  return self:wait()
end

--- Ask the members to end, the last one first, each with its own stop_signal and stop_timeout; the
--- next one is asked when the one before has ended.
---@return table<integer|string, luactr.result>? results
---@return luactr.error?
function Pod:stop()
  local life = running(self)
  for i = #self.members, 1, -1 do
    local box = self.members[i]
    local result, err = true, nil
    if box.life then
      result, err = box:stop()
    end
    if not result then
      return nil, err
    end
  end
  return self.life == life and finish(self) or results_of(self)
end

--- Send a signal to each member's command, the last one first.
---@param signal? string|integer default "KILL"
---@param options? { all?: boolean }
---@return boolean? done
---@return luactr.error?
function Pod:kill(signal, options)
  running(self)
  local done, err = true, nil
  for i = #self.members, 1, -1 do
    local box = self.members[i]
    local sent, problem = true, nil
    if box.life then
      sent, problem = box:kill(signal, options)
    end
    done, err = sent and done, err or problem
  end
  return done, err
end

local function group_call(pod, what, method)
  local group = running(pod).group
  if not group then
    return nil, require("luactr.error").new {
      code = "ENOTSUP", errno = sys.errno.ENOTSUP, op = what, checked = true,
      message = string.format("cannot %s pod %q", what, pod.id), cause = "it has no cgroup",
    }
  end
  local done, message, errno = group.handle[method](group.handle)
  if done then
    return done
  end
  return nil, require("luactr.error").from_sys(message, errno, what)
end

--- What all members together have used so far, those that have ended, too.
---@return table? meters
---@return luactr.error?
function Pod:stats()
  return group_call(self, "meter", "meters")
end

--- Stop all processes of all members where they are, by the freezer.
---@return boolean? done
---@return luactr.error?
function Pod:pause()
  return group_call(self, "pause", "freeze")
end

---@return boolean? done
---@return luactr.error?
function Pod:resume()
  return group_call(self, "resume", "thaw")
end

--- End what runs, release all that it holds. Idempotent; it can be started again. In a fork of the
--- process that started it, it only forgets.
function Pod:close()
  local life = self.life
  self.life = nil
  if life and life.owner == sys.getpid() then
    require("luactr.pod.watch").close(life)
    for i = #self.members, 1, -1 do
      self.members[i]:close()
    end
    life:close()
  end
end

Pod.__close = Pod.close
Pod.__gc = Pod.close

function Pod:__tostring()
  return string.format("pod %q (%s)", self.id, still_runs(self) and "running" or "not running")
end

return M
