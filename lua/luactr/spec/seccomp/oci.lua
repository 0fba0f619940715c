--- linux.seccomp of an OCI config.json, as a profile of luactr's own shape. Pure.
local actions = require "luactr.spec.seccomp.actions"
local check = require "luactr.check"

local M = {}

local COMPARISONS <const> = {
  SCMP_CMP_NE = "~=", SCMP_CMP_LT = "<", SCMP_CMP_LE = "<=", SCMP_CMP_EQ = "==",
  SCMP_CMP_GE = ">=", SCMP_CMP_GT = ">", SCMP_CMP_MASKED_EQ = "==",
}

local FLAGS <const> = {
  SECCOMP_FILTER_FLAG_TSYNC = "tsync", SECCOMP_FILTER_FLAG_LOG = "log",
  SECCOMP_FILTER_FLAG_SPEC_ALLOW = "spec_allow",
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = "wait_kill",
}

-- A uint64. Above the largest integer of Lua, JSON's numbers come as floats: 2^64 - 1 as 2^64.
local number = check.custom("number of 64 bits", function(value, path, problems)
  local whole = type(value) == "number" and math.tointeger(value)
  if type(value) == "number" and not whole and value >= 2.0 ^ 63 and value <= 2.0 ^ 64 then
    whole = value == 2.0 ^ 64 and -1 or math.tointeger(value - 2.0 ^ 64)
  end
  return whole or problems:add(path, "number of 64 bits expected, got %s", check.show(value))
end)
local word = check.string { what = actions.WHAT, max = 32 }
local errno = check.integer { min = 0, max = 0xffff }

-- Of what it does not know the specification wants nothing said.
local function open(fields)
  return check.record(fields, { open = true })
end

local argument = open {
  { name = "index", type = check.integer { min = 0, max = 5 }, required = true },
  { name = "value", type = number, required = true },
  { name = "valueTwo", type = number },
  { name = "op", type = check.enum(check.sorted_keys(COMPARISONS)), required = true },
}

local syscall = open {
  { name = "names", type = check.list(check.string { max = 64 }, { min = 1 }), required = true },
  { name = "action", type = word, required = true },
  { name = "errnoRet", type = errno },
  { name = "args", type = check.list(argument, { max = 32 }), default = {} },
}

local flag = check.enum(check.sorted_keys(FLAGS), {
  convert = function(name) return FLAGS[name] end,
})

local path = check.string { what = "absolute path", pattern = "^/", max = 4095 }

local fields <const> = {
  { name = "defaultAction", type = word, required = true },
  { name = "defaultErrnoRet", type = errno },
  { name = "architectures", type = check.list(check.string { max = 32 }), default = {} },
  { name = "flags", type = check.list(flag, { max = 8 }), default = {} },
  { name = "listenerPath", type = path },
  { name = "listenerMetadata", type = check.string { empty = true } },
  { name = "syscalls", type = check.list(syscall), default = {} },
}

--- The names that it knows, for `luactr oci features`.
M.operators, M.flags = check.sorted_keys(COMPARISONS), check.sorted_keys(FLAGS)

M.fields = fields

-- Handlers are not of OCI's: a recipe for containers of engines may add them to a filter of theirs.
local config = open(table.move(fields, 1, #fields, 2,
  { { name = "notify", type = require("luactr.spec.seccomp.shape").notify, default = {} } }))

--- Whether a table has OCI's shape.
function M.is(value)
  return rawget(value, "defaultAction") ~= nil or rawget(value, "syscalls") ~= nil
end

local function condition(one)
  if one.op == "SCMP_CMP_MASKED_EQ" then
    return { index = one.index, op = "==", mask = one.value, value = one.valueTwo or 0 }
  end
  return { index = one.index, op = COMPARISONS[one.op], value = one.value }
end

--- One argument twice means either, everywhere else all must hold: so it is in the other runtimes.
local function condition_lists(args)
  local all, each, seen, twice = {}, {}, {}, false
  for i, one in ipairs(args) do
    all[i] = condition(one)
    each[i] = { all[i] }
    twice = twice or seen[one.index]
    seen[one.index] = true
  end
  return twice and each or { all }
end

--- An errno is for actions that tell one.
local function check_errno(name, errno_of, at, problems)
  local action = actions.OCI[name] or name
  if errno_of and action ~= "errno" and action ~= "trace" then
    problems:add(at, "goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not with %s", name)
  end
  return action
end

local function add_syscall(rules, one, at, problems)
  local action = check_errno(one.action, one.errnoRet, at .. ".errnoRet", problems)
  for _, list in ipairs(condition_lists(one.args)) do
    rules[#rules + 1] = {
      names = one.names, action = action, args = list, at = at,
      errno = action == "errno" and one.errnoRet or nil,
      data = action == "trace" and one.errnoRet or nil,
    }
  end
end

--- Names that no machine has are passed over, and numbers that nobody knew when the profile was
--- written are unknown to it as to an old kernel: so it is in the other runtimes.
---@return table? raw as the own shape's record gives it
function M.check(value, at, problems)
  local total = problems.total
  local given = problems:check(config, value, at)
  if problems.total > total then
    return nil
  end
  local default, problem = actions.parse(given.defaultAction, given.defaultErrnoRet)
  if not default then
    return problems:add(at .. ".defaultAction", "%s", problem)
  end
  local rules = {}
  check_errno(given.defaultAction, given.defaultErrnoRet, at .. ".defaultErrnoRet", problems)
  for i, one in ipairs(given.syscalls) do
    add_syscall(rules, one, at .. ".syscalls[" .. i .. "]", problems)
  end
  return {
    base = "none", default = default, foreign = actions.parse "kill_process",
    unknown = not actions.lets_pass(default) and actions.parse "ENOSYS" or nil,
    architectures = given.architectures, flags = given.flags, skip_unknown = true, rules = rules,
    notify = given.notify, listener = given.listenerPath and
      { path = given.listenerPath, metadata = given.listenerMetadata },
  }
end

return M
