--- The container object: what ctr.container returns. Inert until started; a box can run again and
--- again, one life at a time.
local core = require "luactr.core"
local poll = require "luactr.poll"

local sys <const> = core.sys

local M = {}

---@class luactr.container
---@field spec luactr.spec
---@field id string its name, or a random one
---@field plan? luactr.plan made by the first start
---@field result? luactr.result of the last life
---@field pod? luactr.pod that it is a member of
local Box = { __name = "luactr.container" }
Box.__index = Box

local host -- facts, read once

local function facts()
  host = host or require("luactr.host").facts()
  return host
end

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

---@param box luactr.container
---@return luactr.run
local function running(box)
  return box.life or error(string.format("container %q is not running", box.id), 3)
end

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
  local run, err = require("luactr.launch").start(box, facts_for_start(), options)
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

--- Send a signal to the command (its PID 1 passes it on). KILL ends everything, even frozen.
---@param signal? string|integer default "KILL"
---@return boolean? done
---@return table? error
function Box:kill(signal)
  local run = running(self)
  local number = M.signal_number(signal or "KILL")
  run.sent = number
  if number == sys.signals.KILL then
    kill_all(run)
    return true
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

local function cgroup_of(box, what)
  local cgroup = running(box).cgroup
  if cgroup then
    return cgroup
  end
  return nil, require("luactr.error").new {
    code = "ENOTSUP", errno = sys.errno.ENOTSUP, op = what,
    message = string.format("cannot %s %q", what, box.id),
    cause = "it has no cgroup", checked = true,
  }
end

local function cgroup_call(box, what, ...)
  local cgroup, err = cgroup_of(box, what)
  if not cgroup then
    return nil, err
  end
  local done, message, errno = cgroup[what](cgroup, ...)
  if done then
    return done
  end
  return nil, require("luactr.error").from_sys(message, errno, what)
end

--- Stop all its processes where they are, by the freezer.
function Box:pause()
  return cgroup_call(self, "freeze")
end

function Box:resume()
  return cgroup_call(self, "thaw")
end

--- What it has used so far: the meters of its cgroup.
---@return table? meters
---@return table? error
function Box:stats()
  local meters, err = cgroup_call(self, "meters")
  if meters and self.life.health then
    meters.health = self.life.health.state
  end
  return meters, err
end

--- What its checks have found; nil for one without `health`.
---@return luactr.health?
function Box:health()
  return running(self).health
end

--- Wait until its checks find it healthy.
---@param timeout? number seconds
---@return boolean? healthy
---@return luactr.error? code "ETIMEDOUT", or "ESRCH" when it has ended
function Box:wait_healthy(timeout)
  if not running(self).health then
    error(string.format("container %q has no health checks", self.id), 2)
  end
  return require("luactr.container.health").await(self, timeout)
end

--- Change limits of this life; those that are not named stay as they are.
---@param limits table as the spec's `limits`
---@return boolean? done
---@return table? error
function Box:update(limits)
  local cgroup, err = cgroup_of(self, "update")
  if not cgroup then
    return nil, err
  end
  local update = require "luactr.container.update"
  local wanted
  wanted, err = update.check(limits, self.life.job.limits, self.spec.where)
  if not wanted then
    error(err, 2)
  end
  local done
  done, err = update.apply(self, wanted, facts())
  poll.tell(self.life.job.changed) -- who watches may have to look earlier
  return done, err
end

--- Where it runs; nil, and fields of an error, when it does not.
---@return luactr.target.place?
---@return table?
function Box:place()
  local run = self.life
  local pidfd = run and sys.dup(run.process:pidfd())
  if not pidfd then
    return nil, { errno = sys.errno.ESRCH, checked = true, cause = "it is not running",
      remedy = "start it first" }
  end
  local compiled = self.plan.cgroup
  return { pid = run.process:pid(), pidfd = pidfd, cgroup = run.cgroup and compiled.path }
end

--- A command to run in it, beside its own: start, wait, run, kill, stop and close are as a
--- container's. What is not said is as the container's own command has it.
---@param spec luactr.command_spec
---@return luactr.command
function Box:command(spec)
  local plan = running(self) and self.plan
  local base = require("luactr.container.base").of(plan, facts())
  return require("luactr.container.command").new(self, base, spec)
end

--- Run a command in it to the command's end.
---@param spec luactr.command_spec
---@return luactr.result?
---@return luactr.error? why it did not start
function Box:exec(spec)
  local command <close> = self:command(spec)
  return command:run()
end

--- Mount in it while it runs: a table as the spec's `mounts` has them, or what a constructor gives.
---@param mount table
---@return boolean? done
---@return table? error
function Box:mount(mount)
  running(self)
  local wanted, err = require("luactr.spec").check_mount(mount)
  if not wanted then
    error(err, 2)
  end
  return require("luactr.container.mounts").mount(self, wanted, facts())
end

--- Unmount what is mounted at a target. What is in use stays, unless it is to be detached: then it
--- is out of sight now, and ends when nothing uses it any more.
---@param target string
---@param options? { detach?: boolean }
---@return boolean? done
---@return table? error
function Box:unmount(target, options)
  running(self)
  if type(target) ~= "string" or target:sub(1, 1) ~= "/" or target:find("\0", 1, true) then
    error("unmount: absolute path expected", 2)
  end
  return require("luactr.container.mounts").unmount(self, target, options or {}, facts())
end

-- ---- files: see luactr.container.files

local function files_call(box, what, ...)
  local subject = require("luactr.container.subject").of_run(box, running(box), facts())
  return require("luactr.container.files")[what](subject, ...)
end

--- Copy a file or directory of the host, or the files of a tar archive, into it.
---@param source string|luactr.anyfd a path of the host; or a descriptor to read an archive from
---@param path string inside; where it goes follows the rules of cp(1)
---@param options? luactr.copy_options
---@return boolean? done
---@return luactr.error?
function Box:copy_in(source, path, options)
  return files_call(self, "copy_in", source, path, options)
end

--- Copy a file or directory of it to the host.
---@param path string inside
---@param target string|luactr.anyfd a path of the host; or a descriptor to write an archive to
---@param options? luactr.copy_options
---@return boolean? done
---@return luactr.error?
function Box:copy_out(path, target, options)
  return files_call(self, "copy_out", path, target, options)
end

--- Write its root file system, without what is mounted in it, as a tar archive.
---@param fd luactr.anyfd
---@param options? { filter?: "gzip"|"zstd", notice?: fun(path: string, why: string) }
---@return boolean? done
---@return luactr.error?
function Box:export(fd, options)
  return files_call(self, "export", fd, options)
end

--- Which of its files it has added, changed and deleted.
---@return luactr.change[]?
---@return luactr.error? code "ENOTSUP" when there is nothing to compare with
function Box:diff()
  local subject = require("luactr.container.subject").of_run(self, running(self), facts())
  return require("luactr.container.changes").list(subject)
end

---@class luactr.process
---@field pid integer inside
---@field host_pid integer outside
---@field parent? integer inside; 0 for PID 1
---@field command string its short name
---@field state string letter as in ps(1)

--- Its processes, with their pids on both sides.
---@return luactr.process[]
function Box:processes()
  return require("luactr.processes").list(running(self))
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
