--- Start a container: acquire what its plan needs, spawn the init, meet it until the command runs.
--
-- Everything acquired is on one list and closed backwards, after a failure and after the end alike.
local core = require "luactr.core"
local failure = require "luactr.launch.failure"
local run_module = require "luactr.launch.run"
local slots = require "luactr.launch.slots"
local state = require "luactr.state"
local trace = require "luactr.trace"

local sys <const> = core.sys

local M = {}

-- ---- who keeps a container once it runs

---@class luactr.keeper
---@field adopted? boolean luactr goes, and whoever is there then has its process
---@field gate? boolean its command waits until it is started
---@field no_cgroup? boolean it is to have none, and no limits
---@field announce fun(self, box, run): any, luactr.error? before there is more: what whoever cleans
---  up after luactr has to know
---@field spawn fun(self, launch: table, box, run): luactr.process?, any as core.spawn
---@field publish fun(self, box, run, record: table, host): any, luactr.error? writes state.json
---@field created fun(self, box, run): any, luactr.error? after all but the exec, or after that

--- This process itself. A state directory that fails now (a full disk) is no reason to end the
--- container.
local HERE <const> = {
  announce = function() return true end,
  spawn = function(_, launch, _, run) return (run.options.spawn or core.spawn)(launch) end,
  publish = function(_, _, run, record, host)
    state.sweep_once(host)
    run.entry:write(record)
    return true
  end,
  created = function() return true end,
}

local function keeper_of(options)
  return options.life or options.detach and require("luactr.container.detach").MONITOR or HERE
end

-- ---- phases of containers and commands alike

--- The profiles that ship need nothing.
local function prepare_filter(box, _, host)
  if box.encoded and not box.base or type(box.spec.seccomp) ~= "table" then
    return true
  end
  local ready, err = require("luactr.security.program").prepare(box.spec, host)
  return ready, err and require("luactr.source").annotate(err)
end

--- Blocked before the process exists, so that none is lost and none ends luactr half-way.
local function take_signals(box, run)
  if run.options.pod then
    run.signals = run.options.pod.signals -- who comes first passes them on to all
    return true
  end
  if run.options.detach or not run.options.forward_signals and not box.plan.tty then
    return true
  end
  run.signals = run:own(require("luactr.forward").take())
  return run.signals
end

local function spawn(box, run, host)
  local fds, err = slots.open(box, run, host)
  if not fds then
    return nil, err
  end
  local process, message, errno, what = run.keeper:spawn({
    plan = box.encoded, flags = box.plan.flags, fds = fds,
    cgroup = run.cgroup and run.cgroup:fd(), times = trace.enabled, fail = run.options.fail,
  }, box, run)
  if not process then
    return nil, type(message) == "table" and message
      or failure.sys(box, message, errno, what or "clone")
  end
  run.process = run:own(process)
  if box.spec.hooks and box.spec.hooks.poststop then
    table.insert(run.resources, 1, require("luactr.oci.hooks").at_end(box, run))
  end
  for _, fd in ipairs(run.passed) do
    fd:close()
  end
  if run.cgroup then
    run.cgroup:attached()
  elseif run.target then
    run.target:entered()
  end
  return true
end

-- ---- of a container

local function announce(box, run)
  return run.keeper:announce(box, run)
end

--- While the init is at work: readers of state.json learn the pid.
local function publish(box, run, host)
  local pid, membership = run.process:pid(), run.options.pod
  local record = {
    name = box.spec.name, created = sys.clock_gettime("realtime"), command = box.spec.command,
    pid = pid, start = state.start_time(pid), cgroup = box.plan.cgroup and box.plan.cgroup.at,
    labels = next(box.spec.labels) and box.spec.labels, health = box.spec.health and true,
    pod = membership and { name = membership.name, member = membership.member,
      index = membership.index },
    process = require("luactr.container.base").store(box.plan, host),
  }
  return run.keeper:publish(box, run, record, host)
end

-- ---- the way of the init

local function meet_until_end(box, run, host)
  while true do
    if run.notify then
      run.notify:serve_launch(run.process)
    end
    local event, a, b, c, d = run.process:launch()
    if event == "started" then
      return true
    elseif event == "failed" then
      return nil, failure.step(box, run, a, b, c, d)
    elseif event ~= "rendezvous" then
      return nil, failure.sys(box, a, b, "launch")
    end
    local fine, err = require("luactr.launch.meetings").meet(box, run, a, b, host)
    if not fine or run.created then
      return fine, err
    end
  end
end

--- Optional mounts whose source is missing.
local function warn_of_skipped(box, run)
  for number, step in ipairs(box.plan.steps) do
    if step.optional == 1 and run.process:step_skipped(number) then
      run:warn { string.format("%s: there is no %s: nothing is mounted at %s", step.from,
        step.source, step.target) }
    end
  end
end

local function launch(box, run, host)
  local fine, err = meet_until_end(box, run, host)
  if fine and not run.created then
    fine, err = run.keeper:created(box, run)
  end
  if not fine and run.left then
    run.left:close()
  elseif fine and box.spec.hooks and box.spec.hooks.poststart and not run.created then
    require("luactr.oci.hooks").after_start(box, run)
  end
  warn_of_skipped(box, run)
  if trace.enabled then
    trace.steps(box.plan, run.process)
  end
  return fine, err
end

-- ---- the order

--- The order is the design: each line may rely on those above it. The root file system comes before
--- the plan, since a copied one decides its own place.
local function phases_of_container()
  local acquire = require "luactr.launch.acquire"
  return {
    slots.hold,
    acquire.claim, acquire.rootfs,
    prepare_filter, acquire.plan,
    acquire.quotas, acquire.ids,
    announce,
    acquire.scope, acquire.cgroup, acquire.resctrl, acquire.callbacks,
    take_signals, spawn, publish, launch,
  }
end

--- Of a command in a container that runs.
local function phases_of_command()
  local enter = require "luactr.launch.enter"
  return {
    slots.hold,
    enter.target, enter.refuse_handled,
    prepare_filter, enter.plan,
    take_signals, spawn, launch,
  }
end

local function explain(box, host, err)
  -- Without descriptors no module can be read: then the error says less.
  local read, cause = pcall(require, "luactr.cause")
  if read and (err.step or err.op) then
    cause.explain(err, box.plan, host)
  end
  return err
end

---@class luactr.start_options
---@field detach? boolean leave the container to a monitor
---@field interactive? boolean of one: keep stdin open for who attaches
---@field forward_signals? boolean pass on the signals that luactr gets
---@field pod? luactr.pod.membership for a member, which its pod starts
---@field companion? luactr.companion of a detached one with callbacks
---@field host? luactr.host facts in place of those that luactr knows
---@field console? { send_console: fun(self, master: luactr.fd): boolean?, luactr.error? } who takes
---  the terminal
---@field leave? boolean of a command: nobody of luactr's waits for it, see luactr.left
---@field life? luactr.oci.birth the keeper of one that nobody watches over
---@field spawn? function in place of core.spawn, for specs
---@field fail? { step: integer, errno: integer } let a step fail, for specs

--- Start a box, or a command in one. On failure everything is closed again.
---@param box luactr.container|luactr.command
---@param host luactr.host
---@param options? luactr.start_options
---@return luactr.run?
---@return table? error
function M.start(box, host, options)
  local run <close> = run_module.new(options or {})
  run.keeper = keeper_of(run.options)
  for _, phase in ipairs(box.base and phases_of_command() or phases_of_container()) do
    local fine, err = phase(box, run, host)
    if not fine then
      if box.base then
        box:not_started(run, err)
      end
      return nil, explain(box, host, err)
    end
  end
  run.apart = not run.keeper.adopted
    and require("luactr.namespaces").has_fork(box.plan.spec.namespaces)
  run.loose = not run.cgroup and box.plan.spec.namespaces.pid ~= "new"
  run.started, run.started_at = sys.clock_gettime(), sys.clock_gettime("realtime")
  return run
end

return M
