--- Start a container: acquire what its plan needs, spawn the init, meet it until the command runs.
--
-- Everything acquired is on one list and closed backwards, after a failure and after the end alike.
local core = require "luactr.core"
local state = require "luactr.state"
local stdio = require "luactr.container.stdio"
local trace = require "luactr.trace"

local sys <const> = core.sys

local M = {}

---@class luactr.run one life of a container, from start to the end of its resources
---@field resources { close: fun(self) }[]
---@field held table<string, luactr.fd> by slot: the descriptors that the recipe names
---@field passed { close: fun(self) }[] what the container got; closed once it has it
---@field process luactr.process
---@field scope? luactr.scope.handle
---@field cgroup? luactr.cgroup
---@field id_maps? luactr.idmap.maps with the ids of this life
---@field memory? luactr.rootfs.memory what its root writes to
---@field server? luactr.rootfs.fuse the program that serves its root
---@field target? luactr.target the container that a command enters
---@field captures table<string, luactr.capture> by stream
---@field logs table<string, luactr.fd> a monitor's ends of the streams that it logs or feeds
---@field relay? luactr.relay
---@field notify? luactr.notify
---@field callbacks? luactr.callbacks
---@field health? luactr.health
---@field signals? luactr.signals
---@field apart boolean its first process is outside of its pid namespace
---@field loose boolean neither a pid namespace nor a cgroup holds its processes together
---@field left? luactr.left the command, if it is this process's own child
---@field created? boolean all is done but the exec, which somebody else says when to do
---@field owner integer pid of the process that started it: a fork of it has copies of all handles
---@field warnings string[] what of the recipe is carried out in part only
---@field started number monotonic
---@field started_at number seconds since the epoch
local Run = {}
Run.__index = Run

function Run:own(resource)
  self.resources[#self.resources + 1] = resource
  return resource
end

--- Close all, last acquired first. Idempotent.
function Run:close()
  for i = #self.resources, 1, -1 do
    self.resources[i]:close()
    self.resources[i] = nil
  end
end

--- Let go of all, which somebody else closes.
function Run:disown()
  for i = #self.resources, 1, -1 do
    local resource = self.resources[i]
    if resource.disown then
      resource:disown()
    end
  end
  self:close()
end

--- Leaving M.start by an error, returned or raised, closes what there is already.
function Run:__close()
  if not self.started then
    self:close()
  end
end

function Run:pass(fd)
  self.passed[#self.passed + 1] = self:own(fd)
  return fd
end

function Run:warn(warnings)
  table.move(warnings, 1, #warnings, #self.warnings + 1, self.warnings)
end

-- ---- errors

local function failure(box, fields)
  local E = require "luactr.error"
  fields.message = box.base and string.format("cannot run a command in %q", box.id)
    or string.format("cannot start %q", box.id)
  fields.where = fields.where or box.spec.where
  return E.new(fields)
end

local function sys_failure(box, message, errno, op, path)
  local action = message:match("^(.*): ") -- the text of the errno follows on a line of its own
  return failure(box, { op = op, path = path, errno = errno, action = action or message })
end

--- The record of a failed step, told with the plan that it was a step of.
local function step_failure(box, index, op, errno, aux, server)
  local step = box.plan.steps[index] or { op = op }
  if op == "gate" and aux == "source" then -- the exec would not find it
    index, op, aux = #box.plan.steps, "exec", nil
    step = box.plan.steps[index]
  end
  local source, said = require "luactr.source", step.from ~= "default" and step.from
  local complaint = op == "fuse" and server and server:complaint()
  return failure(box, {
    op = op, errno = errno, step = index, steps = #box.plan.steps, aux = aux,
    action = require("luactr.explain").sentence(step),
    cause = complaint or nil, checked = complaint and true or nil,
    path = step.file or step.target or step.path or step.source,
    where = step.where or source.where(box.spec.where, said),
  })
end

-- ---- the fds that the plan wants

local function not_taken(box, name, errno)
  local closed = errno == sys.errno.EBADF or nil
  return nil, failure(box, { op = "open", path = name, errno = errno, checked = closed,
    action = "take the " .. name, cause = closed and "it is closed" })
end

--- Copies of the descriptors that the recipe names, before luactr opens any of its own: the number
--- of one that is closed by now would be that of the next that is opened.
local function hold_descriptors(box, run)
  local given = {}
  for _, stream in ipairs(stdio.STREAMS) do
    given[stream] = box.spec[stream].fd
  end
  for number, where in pairs(box.spec.fds) do
    given["fd " .. number] = where.fd
  end
  for kind, to in pairs(box.spec.namespaces) do
    if type(to) == "table" and to.fd then
      given[require("luactr.namespaces.join").slot(kind, to)] = to.fd
    end
  end
  for name, fd in pairs(given) do
    if math.type(fd) and not sys.stat(fd) then -- the first copy would have its number
      return not_taken(box, name, sys.errno.EBADF)
    end
  end
  run.held = {}
  for name, fd in pairs(given) do
    local copy, _, errno = sys.dup(fd)
    if not copy then
      return not_taken(box, name, errno)
    end
    run.held[name] = run:pass(copy)
  end
  return true
end

--- The fd for each slot of the plan, in the order of the slots.
local function open_slots(box, run, host)
  local opened = run.cgroup and run.cgroup:attach_fds() or {}
  if run.scope and run.scope.unit.named then
    local fd, message, errno = run.scope:attach_fd()
    if not fd then
      return nil, sys_failure(box, message, errno, "open")
    end
    opened[require("luactr.cgroup.scope").SLOT] = run:pass(fd)
  end
  opened.gate = run.gate
  for _, stream in ipairs(stdio.STREAMS) do
    if box.slots[stream] then
      local fd, message, errno = stdio.open(run, stream, box.spec[stream])
      if not fd then
        return nil, sys_failure(box, message, errno, "open", box.spec[stream].file)
      end
      opened[stream] = fd
    end
  end
  for number in pairs(box.spec.fds) do
    opened["fd " .. number] = run.held["fd " .. number]
  end
  for i, mount in ipairs(box.spec.mounts) do
    if mount.source and type(mount.source) ~= "string" then
      opened[require("luactr.mount.kinds").slot(i)] = mount.source
    end
  end
  if box.plan.trees then
    local trees, fields = require("luactr.idmap.trees").open(box.plan.trees, run)
    if not trees then
      return nil, failure(box, fields)
    end
    for slot, fd in pairs(trees) do
      opened[slot] = fd
    end
  end
  if box.plan.joins then
    local namespaces, fields = require("luactr.container.join").open(box.plan.joins, run, host)
    if not namespaces then
      fields.where = require("luactr.source").where(box.spec.where, fields.from)
      return nil, failure(box, fields)
    end
    for slot, fd in pairs(namespaces) do
      opened[slot] = fd
    end
  end
  for slot, fd in pairs(run.target and run.target.fds or {}) do
    opened[slot] = fd
  end
  local fds = {}
  for i, name in ipairs(box.plan.slots) do
    fds[i] = opened[name]
  end
  return fds
end

-- ---- the plan, made once for a box

--- The profiles that ship need nothing.
local function prepare_filter(box, _, host)
  if box.encoded and not box.base or type(box.spec.seccomp) ~= "table" then
    return true
  end
  local ready, err = require("luactr.security.program").prepare(box.spec, host)
  return ready, err and require("luactr.source").annotate(err)
end

local function encode(box, plan)
  box.plan, box.slots = plan, {}
  for _, name in ipairs(plan.slots) do
    box.slots[name] = true
  end
  box.encoded = core.plan.encode(plan.steps, plan.slots)
  return true
end

--- The users that a joined container has now.
local function with_maps(host, run)
  return setmetatable({ maps_of = function(to)
    return require("luactr.container.join").maps(to, run, host)
  end }, { __index = host })
end

local function compile(box, run, host)
  if type(box.spec.namespaces.user) == "table" then
    host = with_maps(host, run)
  elseif box.encoded then
    return true
  end
  local life = run.options.life
  box.spec.id, box.spec.gate, box.spec.adopted = box.id, life and life.gate, life ~= nil
  box.spec.no_cgroup = life and life.request.no_cgroup
  local plan, err = require("luactr.plan").compile(box.spec, host)
  if not plan then
    return nil, require("luactr.source").annotate(err)
  end
  return encode(box, plan)
end

--- Anew for each start: the container may have another life by then.
local function compile_command(box, run, host)
  local plan, err =
    require("luactr.plan").enter(box.spec, host, run.target, run.options.leave)
  if not plan then
    return nil, require("luactr.source").annotate(err)
  end
  return encode(box, plan)
end

--- The container that a command enters.
local function enter(box, run, host)
  local place, fields = box:place()
  if place then
    run.target, fields = require("luactr.container.target").open(place, box.base, host)
  end
  if not run.target then
    fields.op = fields.op or "enter"
    return nil, failure(box, fields)
  end
  box.spec.rootfs.path = run.target.root
  return run:own(run.target)
end

--- Who answers a filter's calls is a function of the program that started the container.
local function refuse_handled(box)
  local profile = box.spec.seccomp
  if type(profile) == "table" and profile.handled then
    return nil, failure(box, { op = "enter", errno = sys.errno.EOPNOTSUPP, checked = true,
      cause = "functions of the program that started it answer its system calls",
      remedy = "run the command from there, or give it a filter of its own: seccomp = ..." })
  end
  return true
end

-- ---- what has to exist before the process

local function claim(box, run, host)
  local entry, err = state.claim(host, box.id)
  run.entry = entry and run:own(entry)
  return entry, err
end

local function prepare_rootfs(box, run)
  if not box.spec.rootfs.prepare then
    return true
  end
  local resource, err = box.spec.rootfs:prepare(run.entry.path)
  run:warn(resource and resource.warnings or {})
  return resource and run:own(resource), err
end

local function set_quotas(box, _, host)
  if not box.plan.quotas then
    return true
  end
  local done, fields = require("luactr.container.quota").set(box.plan.quotas, host)
  if done then
    return true
  end
  fields.where = require("luactr.source").where(box.spec.where, fields.from)
  return nil, failure(box, fields)
end

--- What has to be known of it by whoever cleans up after luactr, before there is more.
local function announce(box, run, host)
  local life = run.options.life
  if life then
    return life:announce(box, run, host)
  end
  return true
end

--- In the group of its pod, whose name may be another one than before.
local function enter_pod(compiled, pod)
  compiled.id = string.format("%s/%s", pod.group.id, pod.member)
  compiled.path = require("luactr.cgroup.compile").TOP .. "/" .. compiled.id
  compiled.at = compiled.path
end

--- systemd's scope, in which the cgroup will be.
local function open_scope(box, run)
  local unit = box.plan.scope
  if not unit then
    return true
  elseif run.options.detach then
    return nil, failure(box, { code = "ENOTSUP", op = "scope", checked = true,
      cause = "systemd removes a scope with its last process, and the monitor could not tell how "
        .. "it ended", remedy = "run it in the foreground, from a unit of systemd's" })
  end
  local scope, err = require("luactr.cgroup.systemd").start(unit, box.plan.spec.limits)
  run.scope = scope and run:own(scope)
  return scope, err and err:wrap(string.format("cannot start %q", box.id))
end

local function open_cgroup(box, run, host)
  run:warn(box.plan.warnings)
  if not box.plan.cgroup or #box.plan.cgroup.places == 0 then
    return true
  end
  if run.options.pod then
    enter_pod(box.plan.cgroup, run.options.pod)
  end
  local cgroup, err = require("luactr.cgroup").open(box.plan.cgroup, run.scope)
  local is_chosen = box.plan.spec.cgroup or run.scope or run.options.life
  if not cgroup and err.code == "EEXIST" and not is_chosen then
    cgroup, err = require("luactr.cgroup").open_beside(box.plan.cgroup)
  end
  if not cgroup then
    return nil, err
  end
  run.cgroup = run:own(cgroup)
  run:warn(err) -- beside a handle: limits that the kernel refused
  if run.id_maps and host.privileged then
    require("luactr.cgroup.owner").give(cgroup, box.plan, run.id_maps)
  end
  return true
end

local function open_resctrl(box, run, host)
  if not box.plan.spec.resctrl then
    return true
  end
  local group, fields = require("luactr.resctrl").open(box.plan.spec.resctrl, box.id, host.resctrl,
    run.entry.directory)
  run.resctrl = group and run:own(group)
  return group, fields and failure(box, fields)
end

--- What the recipe has callbacks for.
local function watch_events(box, run)
  if not box.spec.on then
    return true
  end
  local callbacks, err = require("luactr.container.callbacks").open(box, run)
  run.callbacks = callbacks and run:own(callbacks)
  if err then
    err.where = require("luactr.source").where(box.spec.where, err.from)
  end
  return callbacks, err
end

--- A range of ids that is no other container's, where the maps want one.
local function take_ids(box, run, host)
  local maps = box.plan.id_maps
  run.id_maps = maps
  if not (maps and maps.range) then
    return true
  end
  local allocation, fields = require("luactr.idmap.pool").take(host, maps.range)
  if not allocation then
    return nil, failure(box, fields)
  end
  run.id_maps = require("luactr.idmap").placed(maps, run:own(allocation).first)
  return true
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

local function spawner(run)
  return run.options.spawn or run.options.detach and require("luactr.container.detach").spawn
    or core.spawn
end

local function spawn(box, run, host)
  local fds, err = open_slots(box, run, host)
  if not fds then
    return nil, err
  end
  local process, message, errno, what = spawner(run) ({
    plan = box.encoded, flags = box.plan.flags, fds = fds,
    cgroup = run.cgroup and run.cgroup:fd(), times = trace.enabled, fail = run.options.fail,
  }, box, run)
  if not process then
    return nil, type(message) == "table" and message
      or sys_failure(box, message, errno, what or "clone")
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

--- While the init is at work. Readers of state.json learn the pid; a state directory that fails now
--- (a full disk) is no reason to end the container.
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
  if run.options.life then
    return run.options.life:publish(box, run, record)
  end
  state.sweep_once(host)
  if run.options.detach then
    return require("luactr.container.detach").publish(box, run, record)
  end
  run.entry:write(record)
  return true
end

-- ---- meetings with the init

local function write_id_maps(box, run)
  local done, fields = require("luactr.idmap.write").maps(run.process:pid(), run.id_maps)
  return done, fields and failure(box, fields)
end

local function take_console(_, run, fd)
  local life = run.options.life
  local console = run.options.console or life and life.request.console_socket and life
  if console then
    return console:send_console(fd)
  end
  run.relay = run:own(require("luactr.terminal").relay(fd))
  return true
end

local function take_listener(box, run, fd)
  local profile, notify = box.spec.seccomp, require "luactr.notify"
  if not profile.listener and box.plan.gate then
    local done, message, errno = require("luactr.notify.apart").begin(fd, profile.handlers,
      run.entry.path .. "/callbacks.log")
    return done, not done and sys_failure(box, message, errno, "fork")
  elseif not profile.listener then
    run.notify = run:own(notify.new(fd, profile.handlers))
    return true
  end
  local done, message, errno = notify.forward(fd, profile.listener, box.id, run.process:pid())
  fd:close()
  return done, not done and sys_failure(box, message, errno, "connect", profile.listener.path)
end

--- For a root that a program serves.
local function serve(box, run, fd)
  local device <close> = fd
  local server, fields = require("luactr.rootfs.fuse").serve(device, box.plan.steps,
    run.id_maps, run.entry.path)
  if not server then
    return nil, failure(box, fields)
  end
  table.insert(run.resources, 1, server) -- it ends by itself, after all that uses its mount
  run.server = server
  return true
end

local function take_left(_, run, fd)
  run.left = require("luactr.container.left").new(fd)
  return true
end

local function enter_resctrl(box, run)
  local done, fields = run.resctrl:enter(run.process:pid())
  return done, fields and failure(box, fields)
end

local function move_devices(box, run)
  local done, fields =
    require("luactr.network.devices").move(box.plan.spec.net_devices, run.process:pid())
  if done then
    return true
  end
  fields.where = require("luactr.source").where(box.spec.where, fields.from)
  return nil, failure(box, fields)
end

local function run_hooks(box, run, _, host)
  return require("luactr.oci.hooks").before_root(box, run, host)
end

--- All is done but the exec.
local function finish_start(box, run, _, host)
  if not box.plan.gate then
    return require("luactr.oci.hooks").before_command(box, run, host)
  end
  run.created = true
  return run.options.life:created(box, run)
end

local MEETINGS <const> = { -- by the names of plan.h
  hooks = { meet = run_hooks, answer = true },
  start = { meet = finish_start, answer = true },
  resctrl = { meet = enter_resctrl, answer = true },
  network = { meet = move_devices, answer = true },
  id_maps = { meet = write_id_maps, answer = true },
  console = { meet = take_console },
  listener = { meet = take_listener },
  fuse = { meet = serve, answer = true },
  left = { meet = take_left },
}

local function meet(box, run, number, fd, host)
  for name, wanted in pairs(core.plan.rendezvous) do
    local row = wanted == number and MEETINGS[name]
    if row then
      local fine, err = row.meet(box, run, fd, host)
      if fine and row.answer then
        run.process:answer(number)
      end
      return fine, err
    end
  end
  return true
end

local function meet_until_end(box, run, host)
  while true do
    if run.notify then
      run.notify:serve_launch(run.process)
    end
    local event, a, b, c, d = run.process:launch()
    if event == "started" then
      return true
    elseif event == "failed" then
      return nil, step_failure(box, a, b, c, d, run.server)
    elseif event ~= "rendezvous" then
      return nil, sys_failure(box, a, b, "launch")
    end
    local fine, err = meet(box, run, a, b, host)
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
  local life = fine and not run.created and run.options.life
  if life then
    fine, err = life:created(box, run)
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

--- The order is the design: each line may rely on those above it. The root file system comes before
--- the plan, since a copied one decides its own place.
local PHASES <const> = {
  hold_descriptors, claim, prepare_rootfs, prepare_filter, compile, set_quotas, take_ids,
  announce, open_scope, open_cgroup,
  open_resctrl, watch_events, take_signals, spawn, publish, launch,
}

--- Those of a command in a container that runs.
local ENTERING <const> = {
  hold_descriptors, enter, refuse_handled, prepare_filter, compile_command, take_signals, spawn,
  launch,
}

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
---@field spawn? function who makes the process, in place of core.spawn: see luactr.oci.restore
---@field console? { send_console: fun(self, master: luactr.fd): boolean?, luactr.error? } who takes
---  the terminal of a command
---@field leave? boolean of a command: nobody of luactr's waits for it, see luactr.left
---@field life? luactr.oci.birth of one that nobody watches over
---@field fail? { step: integer, errno: integer } let a step fail, for specs

--- Start a box, or a command in one. On failure everything is closed again.
---@param box luactr.container|luactr.command
---@param host luactr.host
---@param options? luactr.start_options
---@return luactr.run?
---@return table? error
function M.start(box, host, options)
  local run <close> = setmetatable({
    resources = {}, passed = {}, captures = {}, logs = {}, warnings = {}, options = options or {},
    owner = sys.getpid(),
  }, Run)
  for _, phase in ipairs(box.base and ENTERING or PHASES) do
    local fine, err = phase(box, run, host)
    if not fine then
      if box.base then
        box:not_started(run, err)
      end
      return nil, explain(box, host, err)
    end
  end
  run.apart = not run.options.life
    and require("luactr.namespaces").has_fork(box.plan.spec.namespaces)
  run.loose = not run.cgroup and box.plan.spec.namespaces.pid ~= "new"
  run.started, run.started_at = sys.clock_gettime(), sys.clock_gettime("realtime")
  return run
end

return M
