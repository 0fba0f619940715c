--- The `p` of a recipe's `steps = function(p) ... end`: one method for each step kind, arguments in
--- the order of plan.h. Pure: it writes the list that plan.compile puts after the mounts.
local units = require "luactr.units"

local M = {}

-- Kinds that a recipe cannot place, and who says the same: they meet the parent, take its fds,
-- hand over to the payload, or belong to the payload alone.
local RESERVED <const> = {
  rendezvous = "luactr alone", parent_death_signal = "luactr alone", propagation = "luactr alone",
  open_tree = "mounts", unmount = "box:unmount",
  cgroup_attach = "limits", setns = "namespaces", time_namespace = "clock",
  fork = "namespaces",
  unshare = "namespaces", root_bind = "rootfs", fuse = "rootfs",
  root_tmpfs = "rootfs", console = "tty", pivot_root = "rootfs", chroot = "rootfs", init = "init",
  leave = "luactr alone",
  guard_terminal = "luactr alone", gate = "luactr alone",
  setsid = "luactr alone", controlling_tty = "tty", dup = "stdin, stdout and stderr",
  setrlimit = "rlimits", umask = "umask", personality = "personality", setgroups = "groups",
  setresgid = "user", setresuid = "user", capbset_drop = "capabilities", capset = "capabilities",
  cap_ambient = "capabilities", securebits = "securebits", no_new_privs = "no_new_privileges",
  sched_setaffinity = "cpu_affinity", set_mempolicy = "memory_policy", setpriority = "nice",
  sched_setattr = "scheduler", ioprio_set = "io_priority", core_scheduling = "core_scheduling",
  tsc = "tsc", session_keyring = "keyring", exec_label = "apparmor and selinux",
  landlock_create_ruleset = "landlock", landlock_path = "landlock",
  landlock_port = "landlock", landlock_restrict_self = "landlock",
  chdir = "cwd", seccomp = "seccomp", exec = "command",
}

--- Whether a recipe may place steps of this kind.
---@param name string
---@return boolean
function M.may_place(name)
  return not RESERVED[name]
end

--- Whether an argument is permission bits, which recipes write in octal. The mode of mknod also has
--- the type of the node.
local function is_octal(kind, argument)
  return argument.name == "mode" and kind.name ~= "mknod"
end

local function is_list_of_strings(value)
  if type(value) ~= "table" then
    return false
  end
  for _, text in ipairs(value) do
    if type(text) ~= "string" or text:find("\0", 1, true) then
      return false
    end
  end
  return true
end

local function is_text(value)
  return type(value) == "string" and not value:find("\0", 1, true)
end

local CHECKS <const> = { -- by the argument types of plan.h
  s = function(v) return is_text(v), "string" end,
  p = function(v) return is_text(v) and v ~= "", "path" end,
  u = function(v) return math.type(v) == "integer" and v >= 0 and v < 1 << 32, "number" end,
  d = function(v) return math.type(v) == "integer" and v >= 0, "fd number" end,
  n = function(v) return type(v) == "table", "list of numbers" end,
  i = function(v) return math.type(v) == "integer", "integer" end,
  b = function(v) return type(v) == "string", "string" end,
  v = function(v) return is_list_of_strings(v), "list of strings" end,
}

local function checked(kind, argument, value)
  if value == nil and argument.type:find("%u") then
    return nil
  end
  if is_octal(kind, argument) then
    local bits, problem = units.mode(value)
    return bits or error(string.format("%s: %s: %s", kind.name, argument.name, problem), 3)
  end
  if type(value) == "number" then
    value = math.tointeger(value) or value
  elseif type(value) == "boolean" and argument.type:lower() == "u" then
    value = value and 1 or 0
  end
  local fits, wanted = CHECKS[argument.type:lower()](value)
  if not fits then
    error(string.format("%s: %s: %s expected, got %s", kind.name, argument.name, wanted,
      math.type(value) or type(value)), 3)
  end
  return value
end

local function method(kind)
  return function(self, ...)
    local step = { op = kind.name, from = "steps" }
    if select("#", ...) > #kind.args then
      error(string.format("%s takes %d arguments", kind.name, #kind.args), 2)
    end
    for i, argument in ipairs(kind.args) do
      step[argument.name] = checked(kind, argument, (select(i, ...)))
    end
    local caller = debug.getinfo(2, "Sl")
    step.where = { file = caller.short_src, line = caller.currentline }
    self[#self + 1] = step
    return self
  end
end

local function names(kinds)
  local list = {}
  for _, kind in ipairs(kinds) do
    if not RESERVED[kind.name] then
      list[#list + 1] = kind.name
    end
  end
  return list
end

--- A recorder for the step kinds that luactr.core declares.
---@param kinds { name: string, args: { name: string, type: string }[] }[]
---@return table recorder a list that grows by method calls
function M.recorder(kinds)
  local methods = {}
  for _, kind in ipairs(kinds) do
    methods[kind.name] = not RESERVED[kind.name] and method(kind) or nil
  end
  return setmetatable({}, {
    __index = function(_, name)
      local found = methods[name]
      if found or type(name) ~= "string" then
        return found
      elseif RESERVED[name] then
        error(string.format("a recipe cannot place %s: that is for %s", name, RESERVED[name]), 2)
      end
      error("unknown step " .. name .. require("luactr.nearest").hint(name, names(kinds)), 2)
    end,
  })
end

--- Run a recipe's function and return what it recorded.
---@param build fun(p: table)
---@param kinds table
---@return table[]? steps
---@return string? problem
function M.record(build, kinds)
  local recorder = M.recorder(kinds)
  local fine, problem = pcall(build, recorder)
  if not fine then
    return nil, tostring(problem)
  end
  return table.move(recorder, 1, #recorder, 1, {})
end

return M
