--- From a checked spec to the list of steps that the init carries out. Pure: the host comes in as
--- facts, nothing is opened, made or changed. `explain` prints the result, luactr.core encodes it.
local M = {}

local function core()
  return require("luactr.core")
end

-- ---- the phases that need no contributor of their own

local function attach_cgroup(_, _, plan)
  local steps = {}
  for _, slot in ipairs(plan.cgroup and plan.cgroup.attach or {}) do
    steps[#steps + 1] = { op = "cgroup_attach", procs = slot, from = "limits" }
  end
  return steps
end

-- What the host has mounted below the root is read-only from the start; the root itself only once
-- all targets are made in it.
local function root(spec, host, plan)
  local steps, err = spec.rootfs:steps(host, spec)
  for _, step in ipairs(steps or {}) do
    if step.opened then
      plan.trees = plan.trees or {}
      plan.trees[#plan.trees + 1] = step.opened
    end
  end
  local map = spec.rootfs.idmap
  if steps and (map or plan.id_maps and plan.id_maps.foreign and host.privileged) then
    steps, err = require("luactr.idmap").root(steps, map, plan, host)
  end
  if steps and spec.readonly == "recursive" then
    local bit = core().sys.MOUNT_ATTR_RDONLY
    steps[#steps + 1] = { op = "mount_setattr", target = "/", set = bit, clear = 0, recursive = 1,
      from = "readonly" }
    steps[#steps + 1] = { op = "mount_setattr", target = "/", set = 0, clear = bit, recursive = 0,
      from = "readonly" }
  end
  return steps, err
end

local PROPAGATION <const> = { shared = "MS_SHARED", unbindable = "MS_UNBINDABLE" }

-- All mounts are private or, for slave, cut off in one direction already. The others have to wait
-- for pivot_root, which refuses a shared root.
local function propagation(spec)
  local recursive, word = spec.propagation:match("^(r?)(%l+)$")
  local flag = PROPAGATION[word]
  return flag and { op = "mount_setattr", target = "/", set = 0, clear = 0,
    recursive = recursive == "r" and 1 or 0, propagation = core().sys[flag], from = "propagation" }
end

local function own_steps(spec)
  if not spec.steps then
    return {}
  end
  local steps, problem = require("luactr.steps").record(spec.steps, core().plan.steps)
  return steps, problem and { { path = "steps", message = problem } }
end

local function hidden_paths(spec)
  local steps = {}
  for i, path in ipairs(spec.masked_paths) do
    steps[i] = { op = "mask", path = path, from = "masked_paths" }
  end
  for _, path in ipairs(spec.readonly_paths) do
    steps[#steps + 1] = { op = "readonly", path = path, from = "readonly_paths" }
  end
  return steps
end

local function console(spec, host, plan)
  if not spec.tty then
    return {}
  end
  local window = spec.window or host.window or { rows = 24, columns = 80 }
  return { { op = "console", rows = window.rows, columns = window.columns, uid = spec.user.uid,
    gid = spec.user.gid, beside = plan.target and 1 or nil, from = "tty" } }
end

local function enter_root(spec, host)
  local steps = { { op = host.initramfs and "chroot" or "pivot_root", from = "rootfs" } }
  if spec.readonly then
    steps[2] = { op = "mount_setattr", target = "/", set = core().sys.MOUNT_ATTR_RDONLY, clear = 0,
      recursive = 0, from = "readonly" }
  end
  steps[#steps + 1] = propagation(spec)
  return steps
end

-- user.max_user_namespaces of the container's own user namespace; in there only who has
-- CAP_SYS_RESOURCE may change it back.
local function no_nesting(spec)
  if spec.namespaces.user ~= "new" then
    return nil, "needs a user namespace of the container's own: idmap = \"auto\""
  end
  for _, name in ipairs(spec.capabilities.bounding) do
    if name:upper() == "CAP_SYS_RESOURCE" then
      return nil, "could be undone with CAP_SYS_RESOURCE: leave that out of capabilities"
    end
  end
  return { op = "sysctl", key = "user.max_user_namespaces", value = "0", from = "nesting" }
end

local function sysctl(spec)
  local steps = {}
  for key, value in pairs(spec.sysctl) do
    steps[#steps + 1] = { op = "sysctl", key = key, value = value, from = "sysctl." .. key }
  end
  table.sort(steps, function(a, b) return a.key < b.key end)
  if not spec.nesting then
    local step, problem = no_nesting(spec)
    if not step then
      return nil, { { path = "nesting", message = problem } }
    end
    steps[#steps + 1] = step
  end
  return steps
end

local function oom_score_adj(spec)
  if not spec.oom_score_adj then
    return {}
  end
  return { { op = "oom_score_adj", value = spec.oom_score_adj, from = "oom_score_adj" } }
end

local function initial_cpus(spec)
  local affinity = spec.cpu_affinity
  return affinity and affinity.initial and require("luactr.security.scheduling").initial(spec) or {}
end

--- Of PID 1 already, so that all that comes later has it, too.
local function core_scheduling(spec)
  return spec.core_scheduling and { { op = "core_scheduling", from = "core_scheduling" } } or {}
end

local function stay_as_init(spec)
  return spec.init and { { op = "init", from = "init" } } or {}
end

local function hostname(spec)
  local uts = spec.namespaces.uts
  return uts == "new" and spec.hostname or type(uts) == "table" and uts.hostname or nil
end

local function environment(spec, host)
  local defaults = {
    PATH = core().plan.default_path,
    HOME = spec.user.home or spec.user.uid == 0 and "/root" or "/",
    HOSTNAME = hostname(spec),
    TERM = spec.tty and (host.environment.TERM or "xterm") or nil,
  }
  for name, value in pairs(spec.env) do
    if value == true then
      value = host.environment[name]
    end
    defaults[name] = value or nil
  end
  local list = {}
  for name, value in pairs(defaults) do
    list[#list + 1] = name .. "=" .. value
  end
  table.sort(list)
  return list, defaults.PATH
end

--- What most containers do not have loads nothing.
local function network_devices(spec, host)
  if spec.net_devices then
    return require("luactr.network").wait_for_devices(spec, host)
  end
  return {}
end

local function resctrl(spec, host)
  if spec.resctrl then
    return require("luactr.resctrl").wait(host)
  end
  return {}
end

local HOOKS_OF_THE_ROOT <const> = { "prestart", "create_runtime", "create_container" }

--- The parent has programs run that want to see the container's mounts, by the paths of the host.
local function wait_for_hooks(spec)
  for _, kind in ipairs(HOOKS_OF_THE_ROOT) do
    if spec.hooks and spec.hooks[kind] then
      return { { op = "rendezvous", number = core().plan.rendezvous.hooks,
        from = "hooks." .. kind } }
    end
  end
  return {}
end

local function start_payload(spec, host, plan)
  local list, path = environment(spec, host)
  path = path or core().plan.default_path
  if plan.gate then -- where the program is looked for, too
    plan.gate.path = path
  end
  local argv = spec.command
  if spec.argv0 then
    argv = table.move(argv, 2, #argv, 2, { spec.argv0 })
  end
  return { { op = "exec", file = spec.command[1], argv = argv, env = list,
    path = path, from = "command" } }
end

-- ---- the order, which is the design

--- A phase: its heading in `explain`, and where its steps come from: `steps` here, or the function
--- `call` (default "steps") of the contributor `module`, loaded by the first plan that gets there.
---
--- Why this order. The cgroup comes first, so that no work escapes the limits, and before its
--- namespace, which is rooted where the process is then. The id maps come before anything that
--- needs a privilege. Propagation comes before the first mount, and
--- cuts the ties of all that was not opened by then. The recipe's own steps see all
--- mounts, and come before the masks, so that they cannot undo these. Hooks see all of that from
--- the old root, which their paths are of. The console needs the
--- container's devpts and the old root's view at once. sysctl comes after pivot_root, when no path
--- leads out any more. What the payload does after the init has an order and reasons of its own, in
--- luactr.security.process.
local PHASES <const> = {
  { name = "initial cpus", title = "Choose the CPUs of the start", steps = initial_cpus },
  { name = "cgroup", title = "Enter the cgroup", steps = attach_cgroup },
  { name = "resctrl", title = "Wait for a group of resctrl", steps = resctrl },
  { name = "join", title = "Join namespaces of others", module = "luactr.namespaces",
    call = "join" },
  { name = "identity maps", title = "Wait for the user and group maps",
    module = "luactr.namespaces", call = "wait_for_id_maps" },
  { name = "parent", title = "Die with luactr", module = "luactr.namespaces",
    call = "die_with_parent" },
  { name = "cgroup namespace", title = "See the cgroup as the root of all",
    module = "luactr.namespaces", call = "unshare_cgroup" },
  { name = "clocks", title = "Set the clocks", module = "luactr.namespaces", call = "time" },
  { name = "fork", title = "Go on in the pid namespace", module = "luactr.namespaces",
    call = "fork" },
  { name = "identity", title = "Take a name", module = "luactr.namespaces", call = "identity" },
  { name = "network", title = "Network", module = "luactr.namespaces", call = "loopback" },
  { name = "network devices", title = "Wait for network devices", steps = network_devices },
  { name = "early sources", title = "Open what stays connected with the host",
    module = "luactr.mount", call = "early_sources" },
  { name = "propagation", title = "Keep mounts to ourselves", module = "luactr.namespaces",
    call = "propagation" },
  { name = "root", title = "Build the root", steps = root },
  { name = "mounts", title = "Mount into the root", module = "luactr.mount" },
  { name = "own steps", title = "The recipe's own steps", steps = own_steps },
  { name = "masks", title = "Hide what is not the container's business", steps = hidden_paths },
  { name = "hooks", title = "Wait for the hooks", steps = wait_for_hooks },
  { name = "console", title = "Open a terminal", steps = console },
  { name = "enter", title = "Enter the root", steps = enter_root },
  { name = "sysctl", title = "Set kernel parameters", steps = sysctl },
  { name = "oom", title = "Choose who dies first", steps = oom_score_adj },
  { name = "core scheduling", title = "Share no core with others", steps = core_scheduling },
  { name = "init", title = "Stay as PID 1, go on in a child", steps = stay_as_init },
  { name = "process", title = "Give up privileges", module = "luactr.security.process" },
  { name = "exec", title = "Become the program", steps = start_payload },
}

M.phases = PHASES

--- What is left of them for a command that enters a container. PID 1 is the container's: the init
--- of the command stays outside of its pid namespace and its cgroups, so that it outlives whatever
--- ends the command, and reaps it. Only then can PID 1 end, too.
local ENTERING <const> = {
  { name = "initial cpus", title = "Choose the CPUs of the start", steps = initial_cpus },
  { name = "join", title = "Enter the container", module = "luactr.namespaces", call = "enter" },
  { name = "console", title = "Open a terminal", steps = console },
  { name = "init", title = "Stay outside, go on in a child",
    steps = function(_, _, plan)
      return { { op = plan.leaves and "leave" or "init", cgroup = plan.target.unified,
        from = "command" } }
    end },
  { name = "cgroup", title = "Enter the cgroup", steps = attach_cgroup },
  { name = "cgroup namespace", title = "See the cgroup as the root of all",
    module = "luactr.namespaces", call = "enter_cgroup_namespace" },
  { name = "oom", title = "Choose who dies first", steps = oom_score_adj },
  { name = "core scheduling", title = "Share no core with others", steps = core_scheduling },
  { name = "process", title = "Give up privileges", module = "luactr.security.process" },
  { name = "exec", title = "Become the program", steps = start_payload },
}

-- The phases that are about a root of the container's own; see rootfs.none().
local OF_A_ROOT <const> = {
  ["early sources"] = true, propagation = true, root = true, mounts = true, ["own steps"] = true,
  masks = true, console = true, enter = true,
}

-- ---- compile

--- An error object from whatever a contributor returned: one already, or a list of problems.
local function failure(spec, phase, err)
  if type(err) ~= "table" or err.code then
    return err or "phase " .. phase .. " failed"
  end
  return require("luactr.spec").refusal(err, spec.where)
end

--- A terminal of its own is for a recipe that leaves all three streams alone, on a terminal.
local function wants_tty(spec, host)
  if spec.tty ~= "auto" or spec.rootfs.bare then
    return spec.tty == true
  end
  return host.terminal and spec.stdin.kind == "inherit" and spec.stdout.kind == "inherit"
    and spec.stderr.kind == "inherit" or false
end

--- All that there are to give: the kernel's in a user namespace of our own, luactr's elsewhere.
local function all_capabilities(sets, host, namespaces)
  local all = (1 << (host.last_cap + 1)) - 1
  local names = core().sys.cap_names(namespaces.user == "host" and all & host.capabilities or all)
  local result = {}
  for set, list in pairs(sets) do
    result[set] = list == "all" and names or list
  end
  return result
end

--- Who may not become anybody else stays who it is, unless the recipe says otherwise.
local function settle_bare_user(settled, spec, host)
  if spec.rootfs.bare and not spec.given.user and not host.privileged then
    settled.user = settled.namespaces.user ~= "host" and spec.user
      or { uid = host.uid, gid = host.gid }
  end
end

--- Users and groups by name are a fact of the host, like all that has to be read.
local function settle_user(settled, spec, host)
  if not (spec.user.user or spec.user.group or spec.user.look_up or spec.groups.named) then
    return true
  end
  local user, groups = host.accounts(spec)
  if not user then
    return nil, groups
  end
  settled.user, settled.groups = user, groups
  return true
end

--- The spec with everything decided that depends on the host; contributors see no "auto".
local function settle(spec, host, target)
  local settled = setmetatable({}, { __index = spec })
  settled.id = spec.id or spec.name or "container"
  settled.hostname = spec.hostname
  if spec.hostname == nil then
    settled.hostname = settled.id:sub(1, 64)
  end
  settled.tty = wants_tty(spec, host)
  local warnings
  if target then
    settled.namespaces, warnings = target.namespaces, {}
  else
    settled.namespaces, warnings = require("luactr.namespaces").settle(spec, host)
  end
  if spec.capabilities.bounding == "all" then
    settled.capabilities = all_capabilities(spec.capabilities, host,
      settled.namespaces)
  end
  settle_bare_user(settled, spec, host)
  local fine, problems = settle_user(settled, spec, host)
  if not fine then
    return nil, failure(spec, "user", problems)
  end
  return settled, warnings
end

local function contribute(phase, spec, host, plan)
  if phase.steps then
    return phase.steps(spec, host, plan)
  end
  return require(phase.module)[phase.call or "steps"](spec, host, plan)
end

--- Where a step comes from: the path that its contributor named, if the recipe spoke of it at all.
local function origin(given, from)
  return from and given[from:match("^[%w_]+")] and from or "default"
end

--- Settle each step's `from`, and collect the slots that the steps name, once each.
local function finish_steps(plan)
  local given, slots, known = plan.spec.given, plan.slots, {}
  local fd_arguments = core().plan.fd_arguments
  for _, step in ipairs(plan.steps) do
    step.from = origin(given, step.from)
    local argument = fd_arguments[step.op]
    local slot = argument and step[argument]
    if slot and not known[slot] then
      known[slot] = true
      slots[#slots + 1] = slot
    end
  end
end

local function add_phase(plan, phase, steps)
  if #steps > 0 then
    plan.phases[#plan.phases + 1] = { title = phase.title, first = #plan.steps + 1 }
    table.move(steps, 1, #steps, #plan.steps + 1, plan.steps)
  end
end

--- Where its cgroup is; systemd may have to be asked where its own are.
local function place_of(plan, spec, host)
  if not spec.scope then
    return spec.group or spec.cgroup or spec.id
  end
  local scope = require "luactr.cgroup.scope"
  local unit, err = scope.unit(spec.scope, spec.id, host)
  plan.scope = unit
  return unit and unit.path .. "/" .. scope.INSIDE, err
end

-- For one that stays where luactr is: whatever needs a controller is an error.
local NO_CGROUPS <const> = { controllers = {}, hierarchies = {},
  disabled = "it is to have no cgroup" }

local function compile_cgroup(plan, spec, host)
  local id, err = place_of(plan, spec, host)
  if not id then
    return nil, err
  end
  local layout = spec.no_cgroup and NO_CGROUPS or host.cgroup
  if plan.scope then
    layout = require("luactr.cgroup.scope").layout(layout, plan.scope)
  end
  local compiled, problems = require("luactr.cgroup").compile(spec.limits, layout, id,
    spec.on and spec.on.pressure ~= nil)
  if not compiled then
    return nil, failure(spec, "cgroup", problems)
  end
  plan.cgroup = compiled
  if plan.scope and plan.scope.named then
    compiled.attach[#compiled.attach + 1] = require("luactr.cgroup.scope").SLOT
  end
  for _, warning in ipairs(compiled.warnings or {}) do
    plan.warnings[#plan.warnings + 1] = warning
  end
  return true
end

local function has_quota(spec)
  for _, mount in ipairs(spec.mounts) do
    if mount.quota then
      return true
    end
  end
  return spec.rootfs.quota ~= nil
end

local function compile_quotas(plan, spec)
  if not has_quota(spec) then
    return true
  end
  local quotas, problem = require("luactr.spec.quota").list(spec)
  plan.quotas = quotas
  return not problem, problem and failure(spec, "quotas", { problem })
end

local function compile_id_maps(plan, spec, host)
  if spec.namespaces.user == "host" then
    return true
  end
  local maps, problems = require("luactr.idmap").compile(spec, host)
  plan.id_maps = maps
  return maps, problems and failure(spec, "identity maps", problems)
end

---@class luactr.plan
---@field id string
---@field flags integer clone flags
---@field slots string[] names of the fds that the parent passes
---@field steps table[] `op`, its arguments, `from` (path in the spec or "default")
---@field phases { title: string, first: integer }[] where in the steps each part begins
---@field cgroup? table what luactr.cgroup compiled from the limits
---@field id_maps? luactr.idmap.maps
---@field trees? luactr.idmap.tree[] mounts that the parent opens
---@field quotas? table[] of luactr.spec.quota
---@field scope? luactr.scope.unit of systemd's
---@field joins? luactr.namespaces.join[] namespaces that the parent opens
---@field tty boolean
---@field warnings string[]
---@field apart? boolean its process is not in its cgroup: see luactr.pod.namespaces
---@field gate? table the step at which it waits until it is started, if that is luactr's no more
---@field has_landlock? boolean rules are made, which the process has to enter
---@field target? luactr.target the container that a command enters
---@field leaves? boolean the command is to be luactr's own child, and to outlive it
---@field spec luactr.spec with all that depended on the host decided

local function add_phases(plan, phases, spec, host)
  for _, phase in ipairs(phases) do
    local steps, problem = {}, nil
    if not (OF_A_ROOT[phase.name] and spec.rootfs.bare) then
      steps, problem = contribute(phase, spec, host, plan)
    end
    if not steps then
      return nil, failure(spec, phase.name, problem)
    end
    add_phase(plan, phase, steps)
  end
  local most = core().plan.max_steps
  if #plan.steps > most then
    local message = string.format("%d steps, at most %d", #plan.steps, most)
    return nil, failure(spec, "steps", { { path = "", message = message } })
  end
  finish_steps(plan)
  return plan
end

local function new_plan(spec, warnings)
  return { id = spec.id, slots = {}, steps = {}, phases = {}, warnings = warnings, tty = spec.tty,
    spec = spec }
end

--- Compile what a command in a running container is to be.
---@param spec luactr.spec of luactr.spec.exec
---@param host table facts as of luactr.host
---@param target luactr.target
---@param leaves? boolean nobody of luactr's waits for it
---@return luactr.plan?
---@return table? error
function M.enter(spec, host, target, leaves)
  local settled, err = settle(spec, host, target)
  if not settled then
    return nil, err
  end
  local plan = new_plan(settled, err)
  plan.flags, plan.target, plan.id_maps, plan.leaves = 0, target, target.id_maps, leaves
  plan.cgroup = { attach = target.attach }
  return add_phases(plan, ENTERING, settled, host)
end

--- Compile a checked spec for a host.
---@param spec luactr.spec from spec.check
---@param host table facts as of luactr.host
---@return luactr.plan?
---@return table? error
function M.compile(spec, host)
  local settled, err = settle(spec, host)
  if not settled then
    return nil, err
  end
  spec = settled
  local plan = new_plan(spec, err)
  local fine
  fine, err = compile_cgroup(plan, spec, host)
  if not fine then
    return nil, err
  end
  fine, err = compile_quotas(plan, spec)
  if not fine then
    return nil, err
  end
  local namespaces = require "luactr.namespaces"
  plan.flags = namespaces.flags(spec.namespaces)
  if namespaces.has_joins(spec.namespaces) then
    plan.joins = require("luactr.namespaces.join").list(spec)
  end
  fine, err = compile_id_maps(plan, spec, host)
  if not fine then
    return nil, err
  end
  if plan.id_maps and plan.id_maps.foreign then
    -- luactr's stage is closed to that root, and the host's files are nobody's there
    host = setmetatable({ stage = "/", foreign = true }, { __index = host })
  end
  return add_phases(plan, PHASES, spec, host)
end

return M
