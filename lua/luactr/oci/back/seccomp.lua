--- From a recipe's system call filter back to linux.seccomp. Pure.
--
-- There the rules of a call have no order, and a rule can neither compare an argument twice nor
-- under a mask but for equality. What has one answer all the same is said; a call of which the
-- order of its rules decides is not.
local json = require "luactr.oci.json"

local M = {}

local DATA <const>, ERRNO <const>, TRACE <const> = 0xffff, 0x50000, 0x7ff00000
local MOST <const> = 512 -- entries for a rule

local ACTIONS <const> = {
  [0x7fff0000] = "SCMP_ACT_ALLOW", [0x7ffc0000] = "SCMP_ACT_LOG", [0x7fc00000] = "SCMP_ACT_NOTIFY",
  [0x30000] = "SCMP_ACT_TRAP", [0x80000000] = "SCMP_ACT_KILL_PROCESS",
  [0] = "SCMP_ACT_KILL_THREAD", [ERRNO] = "SCMP_ACT_ERRNO", [TRACE] = "SCMP_ACT_TRACE",
}

--- The action's name, and the number beside it.
local function action_of(action)
  local kind = action & ~DATA
  local has_data = kind == ERRNO or kind == TRACE
  return ACTIONS[has_data and kind or action], has_data and action & DATA or nil
end

-- ---- conditions: alternatives, of which one has to hold

local OPS <const> = { ["<"] = "SCMP_CMP_LT", ["<="] = "SCMP_CMP_LE", [">"] = "SCMP_CMP_GT",
  [">="] = "SCMP_CMP_GE", ["~="] = "SCMP_CMP_NE", ["=="] = "SCMP_CMP_EQ" }

local function equal(index, value, mask)
  if mask == -1 then
    return { index = index, op = "SCMP_CMP_EQ", value = json.unsigned(value) }
  end
  return { index = index, op = "SCMP_CMP_MASKED_EQ", value = json.unsigned(mask),
    valueTwo = json.unsigned(value & mask) }
end

local function among(values, mask, value, bits)
  for _, one in ipairs(values) do
    if (one ~ value) & mask & bits == 0 then
      return true
    end
  end
  return false
end

--- All values but some: bit by bit from the top, the branches in which none of them is.
local function all_but(index, values, mask)
  local list, prefixes, bits = {}, { 0 }, 0
  for shift = 63, 0, -1 do
    local bit = 1 << shift
    if mask & bit ~= 0 then
      local next_prefixes = {}
      bits = bits | bit
      for _, prefix in ipairs(prefixes) do
        for _, branch in ipairs { prefix, prefix | bit } do
          if among(values, mask, branch, bits) then
            next_prefixes[#next_prefixes + 1] = branch
          else
            list[#list + 1] = equal(index, branch, bits)
          end
        end
      end
      prefixes = next_prefixes
    end
  end
  return list
end

local function alternatives(one)
  local mask, values = one.mask or -1, one.values or { one.value }
  if one.op == "not in" or one.op == "~=" and mask ~= -1 then
    return all_but(one.index, values, mask)
  elseif one.op == "in" or one.op == "==" then
    local list = {}
    for i, value in ipairs(values) do
      list[i] = equal(one.index, value, mask)
    end
    return list
  elseif mask == -1 then
    return { { index = one.index, op = OPS[one.op], value = json.unsigned(one.value) } }
  end
end

--- Lists of conditions that all have to hold: one from each list of alternatives. Nil when that
--- cannot be said.
local function combinations(args)
  local lists, seen = { {} }, {}
  for _, one in ipairs(args) do
    local choices, longer = alternatives(one), {}
    if not choices or seen[one.index] or #choices * #lists > MOST then
      return nil
    end
    seen[one.index] = true
    for _, list in ipairs(lists) do
      for _, choice in ipairs(choices) do
        local more = table.move(list, 1, #list, 1, {})
        more[#more + 1] = choice
        longer[#longer + 1] = more
      end
    end
    lists = longer
  end
  return lists
end

-- ---- rules

--- For each name its rules, up to the first without a condition, behind which none is reached.
local function rules_by_name(rules)
  local by_name, names = {}, {}
  for _, rule in ipairs(rules) do
    for _, name in ipairs(rule.names) do
      local list = by_name[name]
      if not list then
        list = {}
        by_name[name], names[#names + 1] = list, name
      end
      if not list[#list] or #list[#list].args > 0 then
        list[#list + 1] = rule
      end
    end
  end
  return by_name, names
end

--- Whether the order of a call's rules is no matter: they all say the same, but for a last one that
--- says what is said without any.
local function has_no_order(list, default)
  local last = list[#list]
  local count = #last.args == 0 and last.action == default and #list - 1 or #list
  for i = 2, count do
    if list[i].action ~= list[1].action then
      return false
    end
  end
  return count <= 1 or #list[count].args > 0, count
end

local function entry(rule, args)
  local action, number = action_of(rule.action)
  return { names = {}, action = action, errnoRet = number, args = #args > 0 and args or nil }
end

--- The entries that a rule becomes, made once for all its names.
local function entries_of(rule, made, syscalls)
  local list = made[rule]
  if list == nil then
    local combined = combinations(rule.args)
    list = combined and {} or false
    for i, args in ipairs(combined or {}) do
      list[i] = entry(rule, args)
      syscalls[#syscalls + 1] = list[i]
    end
    made[rule] = list
  end
  return list
end

local FLAGS <const> = { tsync = "SECCOMP_FILTER_FLAG_TSYNC", log = "SECCOMP_FILTER_FLAG_LOG",
  spec_allow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
  wait_kill = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" }

local function flags_of(profile)
  local flags = {}
  for i, name in ipairs(profile.flags) do
    flags[i] = FLAGS[name]
  end
  return #flags > 0 and flags or nil
end

local function architectures_of(profile)
  local machine = require("luactr.spec.seccomp.syscalls").abis()[1].name
  local list = { "SCMP_ARCH_" .. machine:upper() }
  for _, name in ipairs(profile.architectures) do
    if name ~= "native" and name ~= machine then
      list[#list + 1] = "SCMP_ARCH_" .. name:upper()
    end
  end
  return list
end

local function profile_of(spec)
  local profile = spec.seccomp
  if type(profile) == "string" then
    profile = { base = profile, rules = {}, flags = {}, architectures = {} }
  end
  return profile.base and not (profile.bpf or profile.bpf_file) and not profile.handlers
    and require("luactr.security.seccomp").whole(profile)
end

---@return table? seccomp of config.json
function M.of(spec, b)
  local profile = profile_of(spec)
  if not profile then
    return b:lose("seccomp", "programs and functions are not known there")
  end
  local made, syscalls = {}, {}
  local by_name, names = rules_by_name(profile.rules)
  for _, name in ipairs(names) do
    local fine, count = has_no_order(by_name[name], profile.default)
    for i = 1, fine and count or 0 do
      local rule = by_name[name][i]
      local entries = rule.action ~= profile.default and entries_of(rule, made, syscalls)
      for _, one in ipairs(entries or {}) do
        one.names[#one.names + 1] = name
      end
      fine = fine and (entries or rule.action == profile.default) and true
    end
    if not fine then
      b:lose("seccomp." .. name, "rules with an order, or comparisons, that are not known there")
    end
  end
  local action, number = action_of(profile.default)
  return { defaultAction = action, defaultErrnoRet = number, flags = flags_of(profile),
    architectures = architectures_of(profile), syscalls = syscalls,
    listenerPath = profile.listener and profile.listener.path,
    listenerMetadata = profile.listener and profile.listener.metadata }
end

return M
