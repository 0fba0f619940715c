--- A detached pod by its name, from any process: the containers whose records name it. What the
--- verbs do to a container they do to each of them, the last one first.
local core = require "luactr.core"
local list = require "luactr.state.list"

local sys <const> = core.sys

local M = {}

---@class luactr.pod.found
---@field id string
---@field host luactr.host
---@field members luactr.found[] in the order of their start
local Found = { __name = "luactr.pod.found" }
Found.__index = Found

-- ---- all members

--- Call act(member) for each, the last one first. Goes on after a failure and returns the first.
local function each(pod, act)
  local results, problem = {}, nil
  for i = #pod.members, 1, -1 do
    local result, err = act(pod.members[i])
    results[i] = result or nil
    problem = problem or not result and err or nil
  end
  if problem then
    return nil, problem
  end
  return results
end

--- Those that run; an error if none does.
local function running(pod, what)
  local members = {}
  for _, found in ipairs(pod.members) do
    members[#members + 1] = found:is_running() and found or nil
  end
  if #members > 0 then
    return { members = members }
  end
  return nil, require("luactr.error").new {
    code = "ESRCH", errno = sys.errno.ESRCH, op = what, checked = true,
    message = string.format("cannot %s pod %q", what, pod.id), cause = "no member is running",
  }
end

local function each_running(pod, what, act)
  local alive, err = running(pod, what)
  if not alive then
    return nil, err
  end
  local results
  results, err = each(alive, act)
  return results and true, err
end

--- By the member's own name, which is what follows the pod's.
local function by_name(pod, results)
  for i, found in ipairs(pod.members) do
    results[found.record.pod.member] = results[i]
  end
  return results
end

-- ---- looking

---@return boolean
function Found:is_running()
  return running(self, "look at") ~= nil
end

--- The host's pid of the first member that runs: what is shared is the namespaces of that.
---@return integer?
function Found:pid()
  for _, found in ipairs(self.members) do
    local pid = found:pid()
    if pid then
      return pid
    end
  end
end

--- "running" or "paused" when a member is, else "exited"; nil once all are removed.
---@return luactr.state.word?
function Found:state()
  local seen = {}
  for _, found in ipairs(self.members) do
    seen[found:state() or ""] = true
  end
  for _, word in ipairs { "running", "paused", "stopping", "exited" } do
    if seen[word] then
      return word
    end
  end
end

--- All that is known of it and of its members.
---@return table
function Found:inspect()
  local members = {}
  for i, found in ipairs(self.members) do
    members[i] = found:inspect()
  end
  return { id = self.id, state = self:state(), members = members }
end

--- What all members together have used so far: the meters of the pod's cgroup.
---@return table? meters
---@return luactr.error?
function Found:stats()
  local alive, err = running(self, "meter")
  if not alive then
    return nil, err
  end
  local config = list.read(self.host, alive.members[1].id, "config.json") or {}
  local group = config.cgroup and config.cgroup.id:match("^(.*)/")
  if not group then
    return require("luactr.container.found").failure(self, "ENOTSUP", "meter", "it has no cgroup")
  end
  local handle <close>, problem =
    require("luactr.cgroup").reopen { id = group, places = config.cgroup.places }
  return handle and require("luactr.container.found").read_meters(handle), problem
end

-- ---- what the verbs do

---@param signal? string|integer default "KILL"
---@param options? { all?: boolean }
---@return boolean? done
---@return luactr.error?
function Found:kill(signal, options)
  return each_running(self, "kill", function(found) return found:kill(signal, options) end)
end

---@return boolean? done
---@return luactr.error?
function Found:pause()
  return each_running(self, "pause", function(found)
    return found:state() == "paused" or found:pause()
  end)
end

---@return boolean? done
---@return luactr.error?
function Found:resume()
  return each_running(self, "resume", function(found)
    return found:state() == "running" or found:resume()
  end)
end

--- Ask each to end, the last one first, and wait for it before the next one.
---@param timeout? number seconds, in place of each one's stop_timeout
---@return boolean? done
---@return luactr.error?
function Found:stop(timeout)
  return each_running(self, "stop", function(found)
    return found:stop(timeout)
  end)
end

--- Wait until all have ended.
---@param timeout? number seconds
---@return table<integer|string, luactr.result>? results in order and by name
---@return luactr.error? code "ETIMEDOUT" when one still runs
function Found:wait(timeout)
  local deadline = timeout and sys.clock_gettime() + timeout
  local results, err = each(self, function(found)
    return found:wait(deadline and math.max(deadline - sys.clock_gettime(), 0))
  end)
  return results and by_name(self, results), err
end

--- Remove what is kept of all members.
---@param options? { force?: boolean } end those that run first
---@return boolean? done
---@return luactr.error?
function Found:remove(options)
  options = options or {}
  if not options.force and self:is_running() then
    return nil, require("luactr.error").new {
      code = "EBUSY", errno = sys.errno.EBUSY, op = "remove", checked = true,
      message = string.format("cannot remove pod %q", self.id), cause = "it is running",
      remedy = string.format("luactr stop %s, or luactr rm -f %s", self.id, self.id),
    }
  end
  local results, err = each(self, function(found) return found:remove(options) end)
  return results and true, err
end

function Found:__tostring()
  return string.format("pod %q (%s)", self.id, self:state() or "removed")
end

-- ---- finding

---@return boolean
function M.is(value)
  return getmetatable(value) == Found
end

local function new(name, host, members)
  table.sort(members, function(a, b) return a.record.pod.index < b.record.pod.index end)
  return setmetatable({ id = name, host = host, members = members }, Found)
end

--- The pod of that name; nil without an error when no container is in one.
---@param name string
---@param host luactr.host
---@return luactr.pod.found?
function M.find(name, host)
  local members = {}
  for _, record in ipairs(list.all(host)) do
    if record.pod and record.pod.name == name then
      members[#members + 1] = require("luactr.container.found").of(record, host)
    end
  end
  return members[1] and new(name, host, members)
end

--- The pods that these containers are in.
---@param all luactr.found[]
---@return luactr.pod.found[]
function M.among(all)
  local pods, members = {}, {}
  for _, found in ipairs(all) do
    local name = found.record.pod and found.record.pod.name
    if name and not members[name] then
      members[name], pods[#pods + 1] = {}, { name, found.host }
    end
    table.insert(members[name] or {}, found)
  end
  for i, pod in ipairs(pods) do
    pods[i] = new(pod[1], pod[2], members[pod[1]])
  end
  return pods
end

return M
