--- From a checked recipe back to config.json's process: what the value of each row of
--- luactr.oci.rows.process is. Pure.
local json = require "luactr.oci.json"

local M = {}

local function core()
  return require("luactr.core")
end

local function given(list)
  return #list > 0 and list or nil
end

function M.terminal(spec)
  return spec.tty == true or nil
end

function M.consoleSize(spec)
  return spec.window and { height = spec.window.rows, width = spec.window.columns }
end

--- By name, who that is depends on the container's files.
function M.user(spec, b)
  local user = { uid = spec.user.uid, gid = spec.user.gid, umask = spec.umask }
  if spec.user.user or spec.user.group then
    b:lose("user", "a name, where there are numbers only")
    user.uid, user.gid = math.tointeger(spec.user.user) or 0, math.tointeger(spec.user.group) or 0
  end
  local groups = {}
  for i, group in ipairs(spec.groups) do
    if math.type(group) then
      groups[#groups + 1] = group
    else
      b:lose("groups[" .. i .. "]", "a name, where there are numbers only")
    end
  end
  if spec.groups.keep then
    b:lose("groups", "luactr's own are not known")
  end
  user.additionalGids = given(groups)
  return user
end

function M.args(spec)
  return spec.command
end

function M.cwd(spec)
  return spec.cwd
end

--- What a recipe's container has by itself is written down.
function M.env(spec, b)
  local variables = {
    PATH = core().plan.default_path,
    HOME = not spec.user.look_up and (spec.user.uid == 0 and "/root" or "/") or nil,
    HOSTNAME = b.hostname, TERM = spec.tty == true and "xterm" or nil,
  }
  for name, value in pairs(spec.env) do
    if value == true then
      b:lose("env." .. name, "luactr's own value is not known")
    end
    variables[name] = type(value) == "string" and value or nil
  end
  local list = {}
  for name, value in pairs(variables) do
    list[#list + 1] = name .. "=" .. value
  end
  table.sort(list)
  return given(list)
end

function M.capabilities(spec)
  local sets = {}
  for _, name in ipairs { "bounding", "effective", "permitted", "inheritable", "ambient" } do
    local list = spec.capabilities[name]
    sets[name] = list == "all" and core().sys.cap_names((1 << 41) - 1) or given(list)
  end
  return next(sets) and sets
end

function M.rlimits(spec)
  local list = {}
  for _, name in ipairs(require("luactr.check").sorted_keys(spec.rlimits)) do
    local limit = spec.rlimits[name]
    list[#list + 1] = { type = "RLIMIT_" .. name, soft = json.unsigned(limit.soft),
      hard = json.unsigned(limit.hard) }
  end
  return given(list)
end

function M.noNewPrivileges(spec)
  return spec.no_new_privileges or nil
end

function M.apparmorProfile(spec)
  return spec.apparmor
end

function M.selinuxLabel(spec)
  return spec.selinux
end

function M.oomScoreAdj(spec)
  return spec.oom_score_adj
end

-- ---- scheduling: names for the kernel's numbers

local POLICIES <const> = { [0] = "SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", nil,
  "SCHED_IDLE", "SCHED_DEADLINE" }

local FLAGS <const> = { "SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM",
  "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS" }

local function some(number)
  return number ~= 0 and number or nil
end

function M.scheduler(spec)
  local s, flags = spec.scheduler, {}
  if not s then
    return spec.nice and { policy = POLICIES[0], nice = spec.nice }
  end
  for i, name in ipairs(FLAGS) do
    flags[#flags + 1] = s.flags & 1 << (i - 1) ~= 0 and name or nil
  end
  return { policy = POLICIES[s.policy], nice = some(s.nice), priority = some(s.priority),
    flags = given(flags), runtime = some(s.runtime), deadline = some(s.deadline),
    period = some(s.period) }
end

local CLASSES <const> = { "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE" }

function M.ioPriority(spec)
  local priority = spec.io_priority
  return priority and { class = CLASSES[priority.class], priority = priority.priority }
end

function M.execCPUAffinity(spec)
  local cpus = spec.exec_cpu_affinity
  return cpus and { initial = cpus.initial and table.concat(cpus.initial, ","),
    final = cpus.final and table.concat(cpus.final, ",") }
end

return M
