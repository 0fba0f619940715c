--- The field `seccomp` as a table: a profile of one's own, or linux.seccomp of an OCI config.json.
--- Pure.
--
--   { base = "default",                    -- its rules follow; "none" where `default` is given
--     default = "EPERM",                   -- where no rule matches
--     unknown = "ENOSYS",                  -- numbers above the newest that luactr knows
--     foreign = "kill_process",            -- the machine's other ABIs
--     architectures = { "x86" },           -- those of them that the rules hold for too
--     skip_unknown = true,                 -- pass over names that no machine has
--     flags = { "log" },                   -- also tsync, wait_kill, spec_allow
--     notify = { mknodat = function(call) ... end },
--     rules = { { names = { "socket", "@mount" }, action = "allow",
--                 args = { { index = 0, op = "==", value = 1, mask = 0xffffffff } } } } }
--
-- The first rule that matches decides: notify, then the own rules, then the base's. A rule matches
-- when all of its conditions hold. Ops: == ~= < <= > >= (without sign), "in" and "not in" with
-- `values`; with a `mask` the other bits of the argument and of the value do not count. Or, in
-- place of rules, a compiled program: { bpf = bytes } or { bpf_file = path }.
local actions = require "luactr.spec.seccomp.actions"
local check = require "luactr.check"
local shape = require "luactr.spec.seccomp.shape"
local syscalls = require "luactr.spec.seccomp.syscalls"

local M = {}

M.PROFILES = { "default", "strict", "unconfined" }

---@class luactr.seccomp a checked profile
---@field base "default"|"strict"|"none"
---@field default? integer action, as the kernel's number
---@field unknown? integer action
---@field foreign integer action
---@field architectures string[] ABIs, of other machines too
---@field flags string[]
---@field rules { names: string[], given: string[], action: integer, args: table[] }[]
---@field handlers? table<string, function> what answers, by system call
---@field listener? { path: string, metadata?: string } who answers instead, from OCI's listenerPath
---@field skipped boolean a name was passed over
---@field bpf? string the program itself
---@field bpf_file? string where it is

-- ---- names and conditions

local function add_names(target, name, at, skip, problems)
  local names = syscalls.expand(name)
  if names then
    return table.move(names, 1, #names, #target + 1, target)
  elseif skip then
    target.skipped = true
    return target
  end
  local kind = name:sub(1, 1) == "@" and "group" or "system call"
  problems:add(at, "unknown %s %s%s", kind, check.show(name), syscalls.hint(name))
end

local function expand(names, at, skip, problems)
  local result = {}
  for i, name in ipairs(names) do
    add_names(result, name, at .. ".names[" .. i .. "]", skip, problems)
  end
  return result
end

local function check_conditions(args, at, problems)
  for i, one in ipairs(args) do
    local many = one.op == "in" or one.op == "not in"
    local wanted, other = many and "values" or "value", many and "value" or "values"
    if not one[wanted] then
      problems:add(string.format("%s.args[%d]", at, i), "%s is missing", wanted)
    elseif one[other] then
      problems:add(string.format("%s.args[%d].%s", at, i, other), "%s goes with %s", one.op, wanted)
    end
  end
  return args
end

local function check_action(raw, at, listener, problems)
  if raw.data and raw.action ~= "trace" or raw.errno and raw.action ~= "errno" then
    return problems:add(at, "errno goes with the action errno, data with trace")
  end
  local value, problem = actions.parse(raw.action, raw.errno or raw.data)
  if not value then
    return problems:add(at .. ".action", "%s", problem)
  elseif value == actions.NOTIFY and not listener then
    return problems:add(at .. ".action",
      "notify needs a handler: notify = { %s = function(call) ... end }", raw.names[1])
  end
  return value
end

local function check_rule(raw, at, profile_of, problems)
  return {
    names = expand(raw.names, at, profile_of.skip_unknown, problems), given = raw.names,
    action = check_action(raw, at, profile_of.listener, problems),
    args = check_conditions(raw.args, at, problems),
  }
end

-- ---- notify

local function add_handlers(result, raw, path, problems)
  for _, name in ipairs(check.sorted_keys(raw.notify) or {}) do
    local one, at = raw.notify[name], check.join(path .. ".notify", name)
    local names = add_names({}, name, at, raw.skip_unknown, problems) or {}
    result.handlers = result.handlers or {}
    for _, call in ipairs(names) do
      result.handlers[call] = one.handler
    end
    result.rules[#result.rules + 1] = {
      names = names, given = { name }, action = actions.NOTIFY,
      args = check_conditions(one.args, at, problems),
    }
  end
end

-- ---- architectures

local ARCHITECTURES <const> = {
  "native", "x86_64", "x86", "x32", "aarch64", "arm", "mips", "mips64", "mips64n32", "mipsel",
  "mipsel64", "mipsel64n32", "ppc", "ppc64", "ppc64le", "s390", "s390x", "parisc", "parisc64",
  "riscv64", "loongarch64", "m68k", "sh", "sheb",
}

--- In the order above. Those of other machines can never be used here, and say nothing.
local function check_architectures(list, path, problems)
  local known, wanted, result = {}, {}, {}
  for _, name in ipairs(ARCHITECTURES) do
    known[name] = true
  end
  for i, name in ipairs(list) do
    local plain = name:gsub("^SCMP_ARCH_", ""):lower()
    wanted[plain] = true
    if not known[plain] then
      local hint = require("luactr.nearest").hint(plain, ARCHITECTURES)
      problems:add(path .. "[" .. i .. "]", "unknown architecture %s%s", check.show(name), hint)
    end
  end
  for _, name in ipairs(ARCHITECTURES) do
    result[#result + 1] = wanted[name] and name or nil
  end
  return result
end

-- ---- a program in place of rules

local function check_program(raw, path, problems)
  for _, name in ipairs { "base", "default", "unknown" } do
    if raw[name] then
      problems:add(path .. "." .. name, "says nothing beside a compiled program")
    end
  end
  if #raw.rules > 0 then
    problems:add(path .. ".rules", "say nothing beside a compiled program")
  elseif raw.bpf and raw.bpf_file then
    problems:add(path .. ".bpf_file", "says the same as bpf")
  end
  local problem = raw.bpf and require("luactr.spec.seccomp.bpf").check(raw.bpf)
  if problem then
    problems:add(path .. ".bpf", "%s", problem)
  end
end

local function check_flags(raw, path, problems)
  for i, name in ipairs(raw.flags) do
    if name == "wait_kill" and next(raw.notify) == nil and not raw.listener then
      problems:add(path .. ".flags[" .. i .. "]",
        "wait_kill is for who waits for an answer: it goes with notify")
    end
  end
  return raw.flags
end

local function finish(raw, path, problems)
  local result = {
    base = raw.base or raw.default and "none" or "default", default = raw.default,
    unknown = raw.unknown, foreign = raw.foreign, rules = {},
    flags = check_flags(raw, path, problems),
    architectures = check_architectures(raw.architectures, path .. ".architectures", problems),
    bpf = raw.bpf, bpf_file = raw.bpf_file, listener = raw.listener,
  }
  if raw.bpf or raw.bpf_file then
    check_program(raw, path, problems)
  elseif result.base == "none" and not raw.default then
    problems:add(path .. ".default", "is missing: without a base nothing else decides")
  end
  add_handlers(result, raw, path, problems)
  for i, one in ipairs(raw.rules) do
    local at = one.at or path .. ".rules[" .. i .. "]"
    result.rules[#result.rules + 1] = check_rule(one, at, raw, problems)
  end
  for _, one in ipairs(result.rules) do
    result.skipped = result.skipped or one.names.skipped or false
    one.names.skipped = nil
  end
  return result
end

--- After a problem elsewhere: what the rules that have the right shape say, for the names in them.
local function check_sound_rules(value, path, problems)
  local rules, skip = rawget(value, "rules"), rawget(value, "skip_unknown") == true
  for i = 1, check.is_plain(rules) and math.min(rawlen(rules), 4096) or 0 do
    local found = check.problems()
    local one = found:check(shape.rule, rawget(rules, i), "")
    if #found == 0 then
      check_rule(one, path .. ".rules[" .. i .. "]", { skip_unknown = skip }, problems)
    end
  end
end

--- Check the table form.
---@param value any
---@param path string
---@param problems luactr.problems
---@return luactr.seccomp?
function M.check(value, path, problems)
  if type(value) == "string" then
    local hint = require("luactr.nearest").hint(value, M.PROFILES)
    return problems:add(path, "unknown profile %s%s", check.show(value), hint)
  elseif not check.is_plain(value) then
    return problems:add(path, "%s or a profile expected, got %s",
      "\"default\", \"strict\", \"unconfined\"", check.show(value))
  end
  local total, raw = problems.total
  local oci = require "luactr.spec.seccomp.oci"
  if oci.is(value) then
    raw = oci.check(value, path, problems)
  else
    raw = problems:check(shape.profile, value, path)
  end
  if problems.total > total or not raw then
    return check_sound_rules(value, path, problems)
  end
  local result = finish(raw, path, problems)
  return problems.total == total and result or nil
end

return M
