--- config.json: process. Pure.
local T = require "luactr.oci.types"
local check = require "luactr.check"

local SETS <const> = { "bounding", "effective", "permitted", "inheritable", "ambient" }

local function octal(bits)
  return string.format("%04o", bits & 4095)
end

-- ---- one function for each row that is no plain copy

local function terminal(value, b, path)
  b:set("tty", value, path)
end

local function console_size(value, b, path)
  if not b.document.process.terminal or value.height == 0 or value.width == 0 then
    return
  elseif value.height > 0xffff or value.height < 0 or value.width > 0xffff or value.width < 0 then
    return b:problem(path, "a terminal has at most 65535 rows and columns")
  end
  b:set("window", { rows = value.height, columns = value.width }, path)
end

local function user(value, b, path)
  b:set("user", { uid = value.uid or 0, gid = value.gid or 0, look_up = true }, path)
  b:set("groups", value.additionalGids or {}, path .. ".additionalGids")
  if value.umask then
    b:set("umask", octal(value.umask), path .. ".umask")
  end
end

--- As it is given, the last of two of one name; HOME alone is added, see `user`.
local function env(list, b, path)
  local variables = b.raw.env
  for i, entry in ipairs(list) do
    local name, text = entry:match("^([^=]+)=(.*)$")
    if not name then
      b:problem(string.format("%s[%d]", path, i), "\"NAME=value\" expected, got %s",
        check.show(entry))
    else
      variables[name] = text
      b:origin(check.join("env", name), string.format("%s[%d]", path, i))
    end
  end
end

local function args(list, b, path)
  if #list == 0 then
    return b:problem(path, "is empty: the program is missing")
  end
  b:set("command", list, path)
end

local function cwd(value, b, path)
  if value:sub(1, 1) ~= "/" then
    return b:problem(path, "absolute path expected, got %s", check.show(value))
  end
  b:set("cwd", value, path)
end

-- A capability in the one set has to be in the others, too, or the kernel refuses it.
local NEEDS <const> = {
  { "effective", "permitted" }, { "ambient", "permitted" }, { "ambient", "inheritable" },
}

local function without_unfit(sets, b, path)
  for _, needs in ipairs(NEEDS) do
    local set, kept, left, other = sets[needs[1]], {}, {}, {}
    for _, name in ipairs(sets[needs[2]]) do
      other[name] = true
    end
    for _, name in ipairs(set) do
      local list = other[name] and kept or left
      list[#list + 1] = name
    end
    if #left > 0 then
      b:warn("%s.%s: left out, since not %s: %s", path, needs[1], needs[2],
        table.concat(left, ", "))
    end
    sets[needs[1]] = kept
  end
end

--- What the kernel does not know or grant is left out with a warning, as the specification has it.
local function capabilities(value, b, path)
  local sets, sys = { optional = true }, require("luactr.core").sys
  for _, set in ipairs(SETS) do
    local list = {}
    for _, name in ipairs(value[set] or {}) do
      local full = name:upper()
      full = full:find("^CAP_") and full or "CAP_" .. full
      if #full <= 64 and sys.cap_mask { full } then
        list[#list + 1] = full
      else
        b:warn("%s.%s: the capability %s is not known", path, set, check.show(name))
      end
    end
    sets[set] = list
  end
  without_unfit(sets, b, path)
  b:set("capabilities", sets, path)
end

local function rlimit(value, b, path)
  if value == -1 then
    return "unlimited"
  elseif value < 0 then
    return b:problem(path, "is above 2^63 and not RLIM_INFINITY, which is 2^64 - 1")
  end
  return value
end

local function rlimits(list, b, path)
  local result = {}
  for i, one in ipairs(list) do
    local at = string.format("%s[%d]", path, i)
    local name = one.type:match("^RLIMIT_(%u+)$")
    if not name then
      b:problem(at .. ".type", "unknown rlimit %s", check.show(one.type))
    elseif result[name:lower()] then
      b:problem(at .. ".type", "%s is there twice", one.type)
    else
      result[name:lower()] = { soft = rlimit(one.soft, b, at .. ".soft"),
        hard = rlimit(one.hard, b, at .. ".hard") }
      b:origin("rlimits." .. name:lower(), at)
    end
  end
  b:set("rlimits", result, path)
end

local function nanoseconds(value)
  return value and value ~= 0 and value / 1000000000 or nil
end

local function scheduler(value, b, path)
  b:set("scheduler", {
    policy = value.policy, nice = value.nice, priority = value.priority, flags = value.flags,
    runtime = nanoseconds(value.runtime), deadline = nanoseconds(value.deadline),
    period = nanoseconds(value.period),
  }, path)
end

--- The idle class has no levels; the specification's own example names one.
local function io_priority(value, b, path)
  local idle = value.class == "IOPRIO_CLASS_IDLE"
  local priority = not idle and (value.priority or 0) or nil
  b:set("io_priority", { class = value.class, priority = priority }, path)
end

--- For commands that enter, not for the container's own.
local function exec_affinity(value, b, path)
  local cpus = {
    initial = value.initial ~= "" and value.initial or nil,
    final = value.final ~= "" and value.final or nil,
  }
  if next(cpus) then
    b:set(b.of_command and "cpu_affinity" or "exec_cpu_affinity", cpus, path)
  end
end

local set_rows <const> = {}
for i, name in ipairs(SETS) do
  set_rows[i] = { name = name, type = T.texts, field = "capabilities." .. name }
end

return {
  { name = "terminal", type = T.boolean, field = "tty", to = terminal },
  { name = "consoleSize", field = "window", to = console_size, type = T.object {
    { name = "height", type = T.uint64, required = true, field = "window.rows" },
    { name = "width", type = T.uint64, required = true, field = "window.columns" },
  } },
  { name = "user", field = "user", to = user, type = T.object {
    { name = "uid", type = T.uint32, field = "user.uid" },
    { name = "gid", type = T.uint32, field = "user.gid" },
    { name = "umask", type = T.uint32, field = "umask" },
    { name = "additionalGids", type = T.list(T.uint32), field = "groups" },
    { name = "username", type = T.text, ignored = "of Windows" },
  } },
  { name = "args", type = T.texts, required = true, field = "command", to = args },
  { name = "commandLine", type = T.text, ignored = "of Windows" },
  { name = "env", type = T.texts, field = "env", to = env },
  { name = "cwd", type = T.text, required = true, field = "cwd", to = cwd },
  { name = "capabilities", type = T.object(set_rows), field = "capabilities", to = capabilities },
  { name = "rlimits", field = "rlimits", to = rlimits, type = T.list(T.object {
    { name = "type", type = T.text, required = true, field = "rlimits.NAME" },
    { name = "soft", type = T.uint64, required = true, field = "rlimits.NAME.soft" },
    { name = "hard", type = T.uint64, required = true, field = "rlimits.NAME.hard" },
  }) },
  { name = "noNewPrivileges", type = T.boolean, field = "no_new_privileges" },
  { name = "apparmorProfile", type = T.text, field = "apparmor" },
  { name = "selinuxLabel", type = T.text, field = "selinux" },
  { name = "oomScoreAdj", type = T.int64, field = "oom_score_adj" },
  { name = "scheduler", field = "scheduler", since = 1, to = scheduler, type = T.object {
    { name = "policy", type = T.text, required = true, field = "scheduler.policy" },
    { name = "nice", type = T.int32, field = "scheduler.nice" },
    { name = "priority", type = T.int32, field = "scheduler.priority" },
    { name = "flags", type = T.texts, field = "scheduler.flags" },
    { name = "runtime", type = T.uint64, field = "scheduler.runtime" },
    { name = "deadline", type = T.uint64, field = "scheduler.deadline" },
    { name = "period", type = T.uint64, field = "scheduler.period" },
  } },
  { name = "ioPriority", field = "io_priority", since = 1, to = io_priority, type = T.object {
    { name = "class", type = T.text, required = true, field = "io_priority.class" },
    { name = "priority", type = T.int32, field = "io_priority.priority" },
  } },
  { name = "execCPUAffinity", field = "exec_cpu_affinity", since = 2, to = exec_affinity,
    type = T.object {
      { name = "initial", type = T.text, field = "exec_cpu_affinity.initial" },
      { name = "final", type = T.text, field = "exec_cpu_affinity.final" },
    } },
}
