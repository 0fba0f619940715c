--- A container by its name, from any process: what ctr.find returns. It holds no descriptor; each
--- method looks at the state on disk, and at processes by pid and start time.
local core = require "luactr.core"
local list = require "luactr.state.list"
local state = require "luactr.state"

local sys <const> = core.sys

local M = {}

---@class luactr.found: luactr.container.inside
---@field id string
---@field host luactr.host
---@field record luactr.state.record
local Found = { __name = "luactr.found" }
Found.__index = Found

for name, method in pairs(require "luactr.container.inside") do
  Found[name] = method
end

local DEFAULT_PATIENCE <const> = 10 -- stop_timeout's default
local START_PATIENCE <const>, START_PAUSE <const> = 2, 0.005 -- seconds

M.methods = Found

local function companion()
  return require "luactr.container.companion"
end

-- ---- errors

--- nil, and the error of what cannot be done with a container.
function M.failure(found, code, what, cause, remedy)
  return nil, require("luactr.error").new {
    code = code, errno = sys.errno[code], op = what, checked = true,
    message = string.format("cannot %s %q", what, found.id), cause = cause, remedy = remedy,
  }
end

local failure <const> = M.failure

local function not_running(found, what)
  local facts = list.read(found.host, found.id, "exit.json")
  if facts and facts.lost then
    return failure(found, "ESRCH", what, require("luactr.result").LOST,
      string.format("luactr logs %s for what it wrote, luactr rm %s", found.id, found.id))
  end
  return failure(found, "ESRCH", what, "it is not running")
end

-- ---- looking

--- How it is: "running", "paused", "stopping", "restarting" (it has ended, and its monitor waits
--- until it starts it again), "exited"; nil once it is removed.
---@return luactr.state.word?
function Found:state()
  return list.state(self.host, self.record)
end

---@return boolean
function Found:is_running()
  local word = self:state()
  return word == "running" or word == "paused"
end

--- What the recipe was, and what the verbs need of its plan.
local function config_of(found)
  return list.read(found.host, found.id, "config.json")
end

--- A life that did not start once more, or how it ended.
local function ending_of(found, facts)
  local result = require "luactr.result"
  if not facts.failed then
    return result.of(facts)
  end
  local err = require("luactr.container.restart").failure(found.id, facts.failed)
  return result.start_failed(err, facts.finished_at)
end

--- The result of a life from the facts that its monitor has told.
---@param found luactr.found
---@param facts table of exit.json
---@return luactr.result
function M.result_of(found, facts)
  local config = config_of(found)
  facts.warnings = config and config.warnings
  if not found.record.restart then
    facts.sent = (list.read(found.host, found.id, "sent.json") or {}).signal
  end
  local result = ending_of(found, facts)
  result.log_lost = facts.log_lost > 0 and facts.log_lost or nil
  result.restarts = facts.restarts
  return result
end

local function result_in(found, file)
  local facts, result = list.read(found.host, found.id, file), nil
  if facts and facts.lost then
    result = require("luactr.result").lost(facts.finished_at, found.id)
  elseif facts then
    result = M.result_of(found, facts)
  end
  if result and found.record.callbacks then
    local kept = list.read(found.host, found.id, companion().FILE)
    result.callback_errors = kept and kept.errors
  end
  return result
end

--- How it ended; nil while it runs or is to be started again, and for one in the foreground.
---@return luactr.result?
function Found:result()
  return result_in(self, "exit.json")
end

--- All that is known of it.
---@return table
function Found:inspect()
  local config = config_of(self) or {}
  local record, word, result = self.record, self:state(), self:result()
  local callbacks = companion().describe(self, word ~= "exited")
  if config.spec then
    config.spec.name = self.id -- a rename leaves the file as it is
  end
  if callbacks and callbacks.state == "lost" then
    config.warnings = config.warnings or {}
    table.insert(config.warnings, companion().LOST)
  end
  return {
    id = self.id, state = word, created = record.created, pid = record.pid,
    detached = record.detached or false, owner = record.owner, command = record.command,
    spec = config.spec, where = config.where, image = config.root and config.root.image,
    cgroup = config.cgroup and config.cgroup.path,
    warnings = config.warnings, result = result,
    health = self:health(), callbacks = callbacks,
    restarts = result and result.restarts or record.restarts or record.restart and 0,
    next_start = word == "restarting" and record.next_start or nil,
    last = record.restart and result_in(self, "last.json") or nil,
  }
end

--- What its checks have found; nil for one without `health`. Its state is "unknown" when it runs
--- and nobody checks it any more.
---@return luactr.health?
function Found:health()
  return self.record.health and companion().health(self) or nil
end

--- Wait until its checks find it healthy.
---@param timeout? number seconds
---@return boolean? healthy
---@return luactr.error? code "ETIMEDOUT", or "ESRCH" when it has ended or nobody checks it
function Found:wait_healthy(timeout)
  if not self.record.health then
    error(string.format("container %q has no health checks", self.id), 2)
  end
  return companion().await_healthy(self, timeout)
end

--- The host's pid of its PID 1, while it runs.
---@return integer?
function Found:pid()
  return self:is_running() and self.record.pid or nil
end

-- ---- its cgroup

local function cgroup_of(found, what)
  if not found:is_running() then
    return not_running(found, what)
  end
  local config = config_of(found)
  if not config then
    return failure(found, "ENOTSUP", what, "it runs in the foreground of another luactr")
  elseif not config.cgroup then
    return failure(found, "ENOTSUP", what, "it has no cgroup")
  end
  local compiled = config.cgroup
  -- An empty table has no kind in JSON.
  compiled.places[#compiled.places + 1] = compiled.freezer
  return require("luactr.cgroup").reopen(compiled)
end

--- A handle of the cgroup of one that runs; nil, why there is none.
M.cgroup = cgroup_of

local function cgroup_call(found, what, method)
  local cgroup <close>, err = cgroup_of(found, what)
  if not cgroup then
    return nil, err
  end
  local act = cgroup[method] or method
  local done, message, errno = act(cgroup)
  if done then
    return done
  elseif not found:is_running() then -- it has ended meanwhile
    return not_running(found, what)
  end
  return nil, require("luactr.error").from_sys(message, errno, what)
end

--- Tell of what was done, if it was.
local function tell(found, event, done, err)
  if done and found.record.detached then
    require("luactr.container.events").add(found.host, found.id, event)
  end
  return done, err
end

--- Its monitor shows its socket when the start is over: half-way a frozen init would keep whoever
--- starts it waiting. True as well for one that has no monitor, or has ended.
local function has_started(found)
  local socket = string.format("%s/containers/%s/%s", found.host.state_dir, found.id,
    core.monitor.SOCKET)
  return not found.record.detached or sys.stat(socket) ~= nil or not found:is_running()
end

--- Wait until its start is over, for a moment.
---@return boolean started
function Found:await_start()
  local deadline = sys.clock_gettime() + START_PATIENCE
  while not has_started(self) do
    if sys.clock_gettime() > deadline then
      return false
    end
    require("luactr.poll").sleep(START_PAUSE)
  end
  return true
end

--- Stop all its processes where they are, by the freezer.
---@return boolean? done
---@return luactr.error?
function Found:pause()
  if self:state() == "paused" then
    return failure(self, "EALREADY", "pause", "it is paused already")
  elseif not self:await_start() then
    return failure(self, "EBUSY", "pause", "it is being started", "once more, in a moment")
  end
  return tell(self, "pause", cgroup_call(self, "pause", "freeze"))
end

---@return boolean? done
---@return luactr.error?
function Found:resume()
  if self:state() == "running" then
    return failure(self, "EALREADY", "resume", "it is not paused")
  end
  return tell(self, "resume", cgroup_call(self, "resume", "thaw"))
end

--- The meters of a cgroup, with its pressure where the host tells.
---@param cgroup luactr.cgroup
---@return table? meters
---@return string? message
---@return integer? errno
function M.read_meters(cgroup)
  local meters, message, errno = cgroup:meters()
  if meters then
    meters.pressure = cgroup:pressure()
  end
  return meters, message, errno
end

--- What it has used so far: the meters of its cgroup, with its pressure where the host tells.
---@return table? meters
---@return luactr.error?
function Found:stats()
  return cgroup_call(self, "meter", M.read_meters)
end

--- Change limits; those that are not named stay as they are.
---@param limits table as the spec's `limits`
---@return boolean? done
---@return luactr.error?
function Found:update(limits)
  local cgroup <close>, err = cgroup_of(self, "update")
  if not cgroup then
    return nil, err
  end
  local config = config_of(self)
  local done
  done, err = require("luactr.container.update").found(self, limits, config, cgroup)
  if done then
    list.write(self.host, self.id, "config.json", config)
  end
  return tell(self, "update", done, err)
end

--- Give it another name; what it writes from now on has that.
---@param name string
---@return boolean? done
---@return luactr.error? code "EEXIST" when another has the name
function Found:rename(name)
  return require("luactr.container.rename").rename(self, name)
end

--- Where it runs; nil, and fields of an error, when it does not.
---@return luactr.target.place?
---@return table?
function Found:place()
  local pidfd = self:is_running() and M.open_process(self.record)
  if not pidfd then
    return nil, { errno = sys.errno.ESRCH, checked = true, cause = "it is not running" }
  end
  return { pid = self.record.pid, pidfd = pidfd, cgroup = self.record.cgroup }
end

--- What a command in it has of the container's own.
---@return luactr.base
function Found:command_base()
  return require("luactr.container.base").load(self.record.process, self.id)
end

--- What is to be known to get at its files.
---@return luactr.container.subject?
---@return luactr.error?
function Found:subject()
  return require("luactr.container.subject").of_found(self, config_of(self))
end

--- Its processes as a tree, down through the containers in it: PID 1 and whoever was put beside it.
---@param seen? luactr.tree.seen one look at the host for several containers
---@return luactr.tree.process[]?
---@return luactr.error?
function Found:tree(seen)
  local pid = self:pid()
  if not pid then
    return not_running(self, "look into")
  end
  return require("luactr.container.tree").of(pid, seen)
end

--- Its processes, with their pids on both sides.
---@return luactr.process[]?
---@return luactr.error?
function Found:processes()
  local cgroup <close>, err = cgroup_of(self, "list")
  if not cgroup and (not err or err.code ~= "ENOTSUP") then
    return nil, err
  end
  local leader = { pid = function() return self.record.pid end }
  return require("luactr.processes").list { process = leader, cgroup = cgroup }
end

-- ---- signals

--- A pidfd that means the process of a record and no later one of its number.
---@param process { pid: integer, start: integer }
---@return luactr.fd?
function M.open_process(process)
  local pidfd = sys.pidfd_open(process.pid)
  if pidfd and state.start_time(process.pid) == process.start then
    return pidfd
  elseif pidfd then
    pidfd:close()
  end
end

local function kill_all(found)
  local cgroup <close> = found.record.detached and cgroup_of(found, "kill") or nil
  if cgroup then
    cgroup:kill(sys.signals.KILL)
    cgroup:thaw()
  end
end

--- Signals that nobody sends who wants it to be started again.
local function is_final(found, number)
  local spec = (config_of(found) or {}).spec or {}
  return number == sys.signals.KILL or number == (spec.stop_signal or sys.signals.TERM)
end

--- To all its processes: its init would pass it on to one that has it already.
local function signal_all(found, number)
  local cgroup <close>, err = cgroup_of(found, "kill")
  if not cgroup then
    return nil, err
  end
  local init = config_of(found).spec.init and found.record.pid or nil
  local done, message, errno = cgroup:kill(number, init)
  return done, not done and require("luactr.error").from_sys(message, errno, "kill") or nil
end

--- Send a signal to the command (its PID 1 passes it on), or to all processes. KILL ends
--- everything, even frozen. After KILL and its stop_signal it is not started again, whatever
--- `restart` says.
---@param signal? string|integer default "KILL"
---@param options? { all?: boolean }
---@return boolean? done
---@return luactr.error?
function Found:kill(signal, options)
  local number = require("luactr.container").signal_number(signal or "KILL")
  local was_last = self.record.restart and is_final(self, number) and self:state() ~= "exited"
    and require("luactr.container.restart").forgo(self)
  local done, errno, message = was_last, sys.errno.ESRCH, nil -- if it is between two lives
  local pidfd <close> = self:is_running() and M.open_process(self.record) or nil
  if pidfd and self.record.detached then
    list.write(self.host, self.id, "sent.json", { signal = number }) -- for the result
  end
  if pidfd and options and options.all and number ~= sys.signals.KILL then
    return signal_all(self, number)
  elseif pidfd then
    done, message, errno = sys.pidfd_send_signal(pidfd, number)
    done = done or was_last and errno == sys.errno.ESRCH
  end
  if not done and errno == sys.errno.ESRCH then
    return not_running(self, "kill")
  elseif not done then
    return nil, require("luactr.error").from_sys(message, errno, "kill")
  elseif number == sys.signals.KILL then
    kill_all(self)
  end
  return true
end

-- ---- the end: see luactr.container.ending

--- Wait until it has ended, and nothing of it is left but its state.
---@param timeout? number seconds
---@return luactr.result?
---@return luactr.error? code "ETIMEDOUT" when it still runs
function Found:wait(timeout)
  return require("luactr.container.ending").wait(self, timeout)
end

--- Ask it to end with its stop_signal; after its stop_timeout, make it. Of one in the foreground
--- only its luactr knows the result.
---@param timeout? number seconds, in place of the recipe's
---@return luactr.result|true|nil
---@return luactr.error?
function Found:stop(timeout)
  local spec = (config_of(self) or {}).spec or {}
  return require("luactr.container.ending").stop(self, spec.stop_signal or "TERM",
    timeout or spec.stop_timeout or DEFAULT_PATIENCE)
end

--- Remove what is kept of it.
---@param options? { force?: boolean } end it first if it runs
---@return boolean? done
---@return luactr.error?
function Found:remove(options)
  return require("luactr.container.ending").remove(self, options or {})
end

--- What it has written: an iterator over records, see luactr.container.log.
---@param options? luactr.log_options
---@return (fun(): luactr.log_record?)?
---@return luactr.error?
function Found:logs(options)
  if not self.record.detached then
    return failure(self, "ENOTSUP", "read the log of",
      "it runs in the foreground: its output goes where its luactr's goes")
  end
  return require("luactr.container.log").records(self, options or {})
end

--- See what it writes from now on, and type into it: with a terminal of its own on this one, else
--- as bytes of the standard streams. Returns when it has ended, or who looks on has left it.
---@param options? luactr.attach_options
---@return luactr.attach_outcome?
---@return luactr.error? code "ESRCH", "ENOTSUP" or "EBUSY"
function Found:attach(options)
  return require("luactr.container.attach").attach(self, options or {})
end

function Found:__tostring()
  return string.format("container %q (%s)", self.id, self:state() or "removed")
end

-- ---- finding

local function facts()
  return require("luactr.host").facts()
end

--- A container by its record.
---@param record luactr.state.record
---@param host luactr.host
---@return luactr.found
function M.of(record, host)
  return setmetatable({ id = record.id, host = host, record = record }, Found)
end

--- The container of that name; its beginning is enough if no other begins so. Without one, the pod
--- of exactly that name.
---@param name string
---@param host? luactr.host
---@return luactr.found|luactr.pod.found|nil
---@return luactr.error? code "ENOENT" or "ENOTUNIQ"
function M.find(name, host)
  if type(name) ~= "string" then
    error("find: a container's name expected, got " .. type(name), 2)
  end
  host = host or facts()
  local record, err = list.find(host, name)
  if record and state.heal(host, record.id) == "removed" then
    record, err = list.find(host, name)
  end
  if record and record.id == name then
    return M.of(record, host)
  end
  local pod = require("luactr.pod.found").find(name, host)
  return pod or record and M.of(record, host), not pod and err or nil
end

--- All containers there are, oldest first; what killed luactrs left is removed first.
---@param host? luactr.host
---@return luactr.found[]
---@return luactr.error? err when what is there cannot be trusted
---@return { id: string, what: "removed"|"lost" }[] swept
function M.all(host)
  host = host or facts()
  local swept = state.sweep(host)
  local found, records, err = {}, list.all(host)
  for i, record in ipairs(records) do
    found[i] = M.of(record, host)
  end
  return found, err, swept
end

return M
