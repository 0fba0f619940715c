--- Seccomp profiles: check one, expand its conditions to what libseccomp can test, compile it.
--
-- A profile:
--   { base = "default",                              -- rules of the default profile follow
--     default = "EPERM",                             -- where no rule matches
--     unknown = "ENOSYS",                            -- numbers above the newest that luactr knows
--     foreign = "kill",                              -- other ABIs of the machine
--     rules = { { names = { "socket" }, action = "allow",
--                 args = { { index = 0, op = "==", value = 1, mask = 0xffffffff } } } } }
-- An action is "allow", "log", "trap", "kill" (the process), "kill_thread" or an errno's name. The
-- conditions of a rule must all hold. Ops: == ~= < <= > >=, "in" and "not in" with `values`; with a
-- `mask` (== ~= in, not in) the argument's other bits do not count.
local check = require "luactr.check"

local M = {}

local MAX_ALTERNATIVES <const> = 4096 -- rules that one rule may expand to

local function seccomp()
  return require("luactr.core").seccomp
end

-- ---- shape

local ACTIONS <const> = { allow = true, log = true, trap = true, kill = true, kill_thread = true }

local action = check.string {
  what = "action (allow, log, trap, kill, kill_thread or an errno's name)", max = 32,
  convert = function(name)
    if ACTIONS[name] or require("luactr.core").sys.errno[name] then
      return name
    end
    local known = { "allow", "log", "trap", "kill", "kill_thread", "EPERM", "ENOSYS", "EACCES" }
    return nil, "unknown action " .. check.show(name) .. require("luactr.nearest").hint(name, known)
  end,
}

local number = check.integer {}

local condition = check.record {
  { name = "index", type = check.integer { min = 0, max = 5 }, required = true },
  { name = "op", type = check.enum { "==", "~=", "<", "<=", ">", ">=", "in", "not in" },
    required = true },
  { name = "value", type = number },
  { name = "values", type = check.list(number, { min = 1, max = 64 }) },
  { name = "mask", type = number },
}

local rule = check.record {
  { name = "names", type = check.list(check.string { max = 64 }, { min = 1 }), required = true },
  { name = "action", type = action, required = true },
  { name = "args", type = check.list(condition, { max = 6 }), default = {} },
}

local profile_type = check.record {
  { name = "base", type = check.enum { "default" } },
  { name = "default", type = action },
  { name = "unknown", type = action },
  { name = "foreign", type = action, default = "kill" },
  { name = "rules", type = check.list(rule), default = {} },
}

-- ---- conditions

local ALL_BITS <const> = -1

-- Alternatives that together say "none of these values": one of the bits that all values share is
-- different, or the bits in which they differ form another pattern. libseccomp knows no masked
-- "not equal", and an unmasked one is blind to the upper half of the argument.
local function none_of(index, values, mask)
  local differing = 0
  for _, value in ipairs(values) do
    differing = differing | ((value ~ values[1]) & mask)
  end
  local list = {}
  for bit = 0, 63 do
    local one = 1 << bit
    if mask & ~differing & one ~= 0 then
      list[#list + 1] = { index = index, op = "&", mask = one, value = ~values[1] & one }
    end
  end
  local taken = {}
  for _, value in ipairs(values) do
    taken[value & differing] = true
  end
  -- counts through all patterns of the bits in `differing`, from 0 back to 0
  local pattern = 0
  repeat
    if not taken[pattern] then
      list[#list + 1] = { index = index, op = "&", mask = differing, value = pattern }
    end
    pattern = (pattern - differing) & differing
  until pattern == 0 or #list > MAX_ALTERNATIVES
  return list
end

local function one_of(index, values, mask)
  local list = {}
  for i, value in ipairs(values) do
    list[i] = { index = index, op = "&", mask = mask, value = value & mask }
  end
  return list
end

--- Alternatives for one condition, each a comparison that libseccomp has; or a problem.
local function alternatives(c)
  local many = c.op == "in" or c.op == "not in"
  local values = many and c.values or { c.value }
  if #values == 0 then
    return nil, many and "values is missing" or "value is missing"
  elseif c.op == "==" or c.op == "in" then
    return one_of(c.index, values, c.mask or ALL_BITS)
  elseif c.op == "~=" or c.op == "not in" then
    return none_of(c.index, values, c.mask or ALL_BITS)
  elseif c.mask then
    return nil, "a mask goes with ==, ~=, in and not in"
  end
  return { { index = c.index, op = c.op, value = c.value } }
end

--- Every combination of the conditions' alternatives: a list of lists.
local function combinations(conditions)
  local lists = { {} }
  for _, c in ipairs(conditions) do
    local found, problem = alternatives(c)
    if not found then
      return nil, problem
    end
    local longer = {}
    for _, list in ipairs(lists) do
      for _, alternative in ipairs(found) do
        local copy = table.move(list, 1, #list, 1, {})
        copy[#copy + 1] = alternative
        longer[#longer + 1] = copy
      end
      if #longer > MAX_ALTERNATIVES then
        return nil, "too many values to compare with"
      end
    end
    lists = longer
  end
  return lists
end

-- ---- compile

local function known_names()
  local names = {}
  for _, known in ipairs(require("luactr.security.default_profile").rules) do
    table.move(known.names, 1, #known.names, #names + 1, names)
  end
  return names
end

local function add_name(builder, one, name, lists, problems, at)
  local call, message, errno = seccomp().resolve(name)
  if errno then
    return problems:add(at, "%s", message)
  elseif call == nil then
    local hint = require("luactr.nearest").hint(name, known_names())
    return problems:add(at, "unknown system call %s%s", check.show(name), hint)
  end
  -- false: a system call of other machines, which cannot be made here
  for _, conditions in ipairs(call and lists or {}) do
    local fine, why = builder:add(one.action, call, conditions)
    if not fine then
      return problems:add(at, "%s: one argument twice, or another rule says otherwise?", why)
    end
  end
end

local function add_rule(builder, profile, one, problems, at)
  local lists, problem = combinations(one.args)
  if not lists then
    return problems:add(at .. ".args", "%s", problem)
  elseif one.action == profile.default then
    lists = {} -- what the default says needs no rule; the names are looked up all the same
  end
  for i, name in ipairs(one.names) do
    add_name(builder, one, name, lists, problems, at .. ".names[" .. i .. "]")
  end
end

--- Names that the profile's own rules decide: the base says nothing more about them.
local function named(rules)
  local set = {}
  for _, one in ipairs(rules) do
    for _, name in ipairs(one.names) do
      set[name] = true
    end
  end
  return set
end

local function with_base(profile)
  if not profile.base then
    profile.default = profile.default or "EPERM"
    return profile
  end
  local base = require "luactr.security.default_profile"
  local own = named(profile.rules)
  for _, one in ipairs(base.rules) do
    local names = {}
    for _, name in ipairs(one.names) do
      names[#names + 1] = not own[name] and name or nil
    end
    table.insert(profile.rules, { names = names, action = one.action, args = one.args or {} })
  end
  profile.default = profile.default or base.default
  profile.unknown = profile.unknown or base.unknown
  return profile
end

local function build(profile, problems)
  local builder <close>, message =
    seccomp().builder(profile.default, profile.foreign, profile.unknown)
  if not builder then
    return problems:add("seccomp", "cannot compile the profile: %s", message)
  end
  for i, one in ipairs(profile.rules) do
    add_rule(builder, profile, one, problems, "seccomp.rules[" .. i .. "]")
  end
  if #problems > 0 then
    return nil
  end
  local program, why = builder:export()
  return program or problems:add("seccomp", "cannot compile the profile: %s", why)
end

--- A text that is equal for equal profiles.
local function fingerprint(value)
  if type(value) ~= "table" then
    return string.format("%q", value)
  end
  local parts = {}
  for _, key in ipairs(check.sorted_keys(value) or {}) do
    parts[#parts + 1] = string.format("[%q]=%s", key, fingerprint(value[key]))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local compiled <const> = {} -- programs by fingerprint: compiling takes milliseconds

--- The BPF program of a profile.
---@param raw table
---@return string? program
---@return luactr.problem[]? problems
function M.compile(raw)
  local key = fingerprint(raw)
  if compiled[key] then
    return compiled[key]
  end
  local problems = check.problems()
  local profile = problems:check(profile_type, raw, "seccomp")
  local program = profile and #problems == 0 and build(with_base(profile), problems)
  compiled[key] = program or nil
  return program or nil, #problems > 0 and problems or nil
end

return M
