--- The container object: what ctr.container returns. Inert until started; a box can run again and
--- again, one life at a time.
local core = require "luactr.core"
local poll = require "luactr.poll"

local sys <const> = core.sys

local M = {}

---@class luactr.container: luactr.container.inside
---@field spec luactr.spec
---@field id string its name, or a random one
---@field plan? luactr.plan made by the first start
---@field result? luactr.result of the last life
---@field pod? luactr.pod that it is a member of
local Box = { __name = "luactr.container" }

-- Methods that no start needs, by the module that has them.
local LATER <const> = {
  ["luactr.container.inside"] = { "command", "exec", "copy_in", "copy_out", "export", "diff",
    "commit", "promote" },
  ["luactr.container.outside"] = { "pause", "resume", "stats", "health", "wait_healthy", "update",
    "mount", "unmount", "processes", "place", "command_base", "subject" },
}

local module_of <const> = {} -- by method
for module, names in pairs(LATER) do
  for _, name in ipairs(names) do
    module_of[name] = module
  end
end

function Box.__index(_, name)
  if Box[name] == nil and module_of[name] then
    Box[name] = require(module_of[name])[name]
  end
  return Box[name]
end

local host -- facts, read once

---@return luactr.host
function M.facts()
  host = host or require("luactr.host").facts()
  return host
end

local facts <const> = M.facts

--- One of several has luactr's terminal only if it says so.
local function facts_for_start()
  return poll.in_task() and setmetatable({ terminal = false }, { __index = facts() }) or facts()
end

--- Told of each box: when it is made, and before it starts. The command line looks in here; what a
--- watcher raises keeps the box from starting.
M.watch = { made = function(_) end, start = function(_) end }

local function has_pipe(spec)
  return spec.stdin.kind == "pipe" or spec.stdout.kind == "pipe" or spec.stderr.kind == "pipe"
end

--- A container from a table of the fields in luactr.spec. Raises an error object that lists all
--- that is wrong with it.
---@param raw table
---@param where? luactr.where the recipe's line that makes it
---@return luactr.container
function M.new(raw, where)
  local spec, err = require("luactr.spec").check(raw, where)
  if not spec then
    error(require("luactr.source").annotate(err))
  end
  return M.of(spec)
end

--- A container from a spec that was checked.
---@param spec luactr.spec
---@return luactr.container
function M.of(spec)
  local id = spec.name or require("luactr.state").random_id()
  local box = setmetatable({ spec = spec, id = id }, Box)
  if has_pipe(spec) then
    require("luactr.container.pipe").join(spec)
  end
  M.watch.made(box)
  return box
end

---@return boolean
function M.is(value)
  return getmetatable(value) == Box
end

-- ---- one life

--- Its life, which a method needs; raises where the method is called.
---@param box luactr.container
---@param level? integer of the caller's mistake, 3
---@return luactr.run
function M.running(box, level)
  return box.life or error(string.format("container %q is not running", box.id), level or 3)
end

local running <const> = M.running

local PATIENCE <const> = 0.2

--- An init outside of the pid namespace that its child is in ends when it has reaped that. If it
--- was killed, PID 1 there would have to wait for whoever adopts the child.
local function end_children(run)
  return require("luactr.processes").kill_children(run.process:pid())
    and core.supervise.poll({ { fd = run.process:pidfd(), events = "r" } }, PATIENCE) > 0
end

--- Nothing in the container survives this, frozen or not, with a pid namespace or without.
local function kill_all(run)
  if run.loose then
    require("luactr.processes").end_family(run)
  end
  if (run.target or run.apart) and end_children(run) and run.target then
    return
  end
  run.process:signal(sys.signals.KILL)
  if run.cgroup then
    run.cgroup:kill(sys.signals.KILL)
    run.cgroup:thaw()
  end
end

local function job_for(box, run)
  local captures = {}
  for _, capture in pairs(run.captures) do
    captures[#captures + 1] = capture
  end
  return {
    process = run.process, started = run.started, captures = captures, relay = run.relay,
    notify = run.notify, callbacks = run.callbacks, changed = poll.event(),
    limits = box.spec.limits, signals = run.signals,
    kill = function() kill_all(run) end,
    cpu_seconds = function() return run.cgroup and run.cgroup:totals().cpu_seconds end,
    on_settled = function() run.totals = run.cgroup and run.cgroup:totals() end,
    on_signal = run.options.pod and run.options.pod.on_signal
      or function(number) require("luactr.forward").signal(run, number) end,
  }
end

--- What is to be done while it runs is done whenever the program waits for anything.
local function watch_along(box, run)
  require("luactr.loop.task").companion(function() return box:wait() end)
  if box.spec.health then
    require("luactr.container.health").begin(box, run, facts())
  end
end

--- It has not started: nobody is to wait for its end of a pipe.
local function without_pipes(box, err)
  if has_pipe(box.spec) then
    require("luactr.container.pipe").give_up(box.spec)
  end
  return err
end

--- Start a box, or a command in one, as what this process watches over.
---@param box luactr.container|luactr.command
---@param options? luactr.start_options
---@return true? started
---@return luactr.error?
function M.start(box, options)
  box.result = nil
  local run, err = require("luactr.launch")
    .start(box, options and options.host or facts_for_start(), options)
  if not run then
    without_pipes(box, err)
    box.result = require("luactr.result").start_failed(err, sys.clock_gettime("realtime"))
    return nil, err
  end
  run.job = job_for(box, run)
  box.life = run
  if box.spec.health or run.callbacks then
    watch_along(box, run)
  end
  if run.callbacks then
    run.callbacks:call("start", box.spec.on.start)
  elseif box.started then
    box:started(facts())
  end
  return true
end

--- Start it and return when its command runs. Until wait() or run(), nothing reads its output and
--- no limit of the supervisor acts. With { detach = true } it is left to a monitor, which does all
--- that, and outlives this process: then the box stays inert, and what is returned is the same as
--- of ctr.find.
---@param options? luactr.start_options
---@return boolean|luactr.found|nil started
---@return table? error
function Box:start(options)
  if self.life then
    error(string.format("container %q is running already", self.id), 2)
  end
  options = options or {}
  if self.pod and not options.pod then
    return self.pod:start_member(self, options)
  end
  self.result = nil
  M.watch.start(self)
  if options.detach then
    local found, err = require("luactr.container.detach").start(self, facts(), options)
    return found, not found and without_pipes(self, err) or nil
  elseif self.spec.restart ~= "no" then
    local err = without_pipes(self, require("luactr.container.restart").foreground(self))
    self.result = require("luactr.result").start_failed(err, sys.clock_gettime("realtime"))
    return nil, err
  end
  return M.start(self, options)
end

local function text_of(capture)
  return capture and capture:text()
end

--- The recipe's last word; it may start the box again.
local function tell_end(box, callbacks, result)
  callbacks:call("exit", box.spec.on.exit, result)
  callbacks:await()
  result.callback_errors = #callbacks.errors > 0 and callbacks.errors or nil
end

local function finish(box, run, ending)
  if run.callbacks then
    run.callbacks:look_once_more()
  end
  local result = require("luactr.result").of {
    ending = ending,
    meters = run.totals or run.cgroup and run.cgroup:totals(),
    fired = run.job.fired,
    sent = run.sent,
    wall_seconds = sys.clock_gettime() - run.started,
    started_at = run.started_at,
    finished_at = sys.clock_gettime("realtime"),
    stdout = text_of(run.captures.stdout),
    stderr = text_of(run.captures.stderr),
    truncated = run.job.truncated,
    handler_errors = run.notify and run.notify.errors,
    warnings = run.warnings,
  }
  if box.ended then
    box:ended(run, result)
  end
  box.result, box.life, box.told, run.result = result, nil, run.callbacks, result
  run:close()
  if run.callbacks then
    tell_end(box, run.callbacks, result)
  end
  return result
end

--- The result of a life whose end another task has seen, when on.exit has been told as well.
local function told(box, result)
  if box.told then
    box.told:await()
  end
  return result
end

--- Wait until it has ended; then all that it held is released.
---@param timeout? number seconds
---@return luactr.result? result
---@return table? error code "ETIMEDOUT" when it still runs
function Box:wait(timeout)
  if not self.life then
    return told(self, self.result)
      or error(string.format("container %q was not started", self.id), 2)
  end
  local run = self.life
  local ending, message, errno = require("luactr.supervise").wait(run.job, timeout)
  if ending then
    return self.life == run and finish(self, run, ending) or told(self, run.result)
  end
  return nil, require("luactr.error").new {
    errno = errno or sys.errno.ETIMEDOUT, op = "wait",
    message = string.format("waiting for %q: %s", self.id, message),
  }
end

--- A pipe that its stdout or stderr writes to, for stdin of another.
---@param stream? string default "stdout"
---@return luactr.pipe
function Box:pipe(stream)
  local pipe = require("luactr.container.pipe").from(self, stream)
  return pipe
end

--- Start, wait, release. One that on.exit has started again has not ended.
---@param options? luactr.start_options
---@return luactr.result?
---@return table? error why it did not start
function Box:run(options)
  local _ <close> = setmetatable({}, { __close = function() self:close() end })
  local started, err = self:start(options)
  if not started then
    return nil, err
  end
  local result
  repeat
    result, err = self:wait()
  until not (result and self.life)
  return result, err
end

-- ---- from outside

--- Send a signal to the command (its PID 1 passes it on), or to all processes. KILL ends
--- everything, even frozen.
---@param signal? string|integer default "KILL"
---@param options? { all?: boolean }
---@return boolean? done
---@return table? error
function Box:kill(signal, options)
  local run = running(self)
  local number = M.signal_number(signal or "KILL")
  run.sent = number
  if number == sys.signals.KILL then
    kill_all(run)
    return true
  elseif options and options.all then
    return require("luactr.container.outside").signal_all(self, number)
  end
  local done, message, errno = run.process:signal(number)
  if not done then
    return nil, require("luactr.error").from_sys(message, errno, "kill")
  end
  return true
end

--- Ask it to end with spec.stop_signal; after spec.stop_timeout, make it.
---@return luactr.result?
---@return table? error
function Box:stop()
  running(self)
  local asked, err = self:kill(self.spec.stop_signal)
  if not asked then
    return nil, err
  end
  local result
  result, err = self:wait(self.spec.stop_timeout)
  if result or err.code ~= "ETIMEDOUT" then
    return result, err
  end
  self:kill("KILL")
  return self:wait()
end

--- The host's pid of its PID 1.
---@return integer
function Box:pid()
  return running(self).process:pid()
end

--- End it if it runs, release all that it holds. Idempotent; it can be started again. In a fork of
--- the process that started it, it only forgets.
function Box:close()
  local run = self.life
  self.life = nil
  if run and run.owner == sys.getpid() then
    kill_all(run)
    run.job.closed = true
    poll.tell(run.job.changed)
    run:close()
  end
end

Box.__close = Box.close
Box.__gc = Box.close

function Box:__tostring()
  return string.format("container %q (%s)", self.id, self.life and "running" or "not running")
end

M.methods = Box

---@param signal string|integer
---@return integer
function M.signal_number(signal)
  local number = math.tointeger(signal)
  if type(signal) == "string" then
    number = sys.signals[signal:upper():gsub("^SIG", "")]
  end
  if not number or number < 1 or number > 64 then
    error("unknown signal " .. tostring(signal), 3)
  end
  return number
end

return M
