--- Seccomp profiles as programs: the rules of a checked profile and of its base, by ABI. Pure.
--
-- luactr compiles them itself, by luactr.security.filter: libseccomp can neither test one argument
-- twice in a rule nor compare with "not equal" under a mask, takes rules in an order of its own,
-- and would have to be loaded. What a profile may say is in luactr.spec.seccomp.
local filter = require "luactr.security.filter"
local syscalls = require "luactr.spec.seccomp.syscalls"

local M = {}

local ALL_BITS <const> = -1
local X32 <const>, X32_BIT <const> = "x32", 0x40000000

M.FLAGS = { tsync = 1, log = 2, spec_allow = 4, new_listener = 8, wait_kill = 32 }

-- ---- the base

local checked_bases <const> = {}

--- A profile that ships, checked.
---@param name "default"|"strict"
---@return luactr.seccomp
function M.base(name)
  if not checked_bases[name] then
    local problems = require("luactr.check").problems()
    local raw = require("luactr.security." .. name .. "_profile")
    checked_bases[name] = require("luactr.spec.seccomp").check(raw, name, problems)
    assert(#problems == 0, problems[1] and problems[1].path .. ": " .. problems[1].message)
  end
  return checked_bases[name]
end

--- Rules in the order of their weight, and what decides where none matches.
local function with_base(profile)
  if profile.base == "none" then
    return profile
  end
  local base = M.base(profile.base)
  local rules = table.move(profile.rules, 1, #profile.rules, 1, {})
  table.move(base.rules, 1, #base.rules, #rules + 1, rules)
  return setmetatable({
    rules = rules, default = profile.default or base.default,
    unknown = profile.unknown or base.unknown,
  }, { __index = profile })
end

--- A checked profile with the rules and answers of its base.
M.whole = with_base

-- ---- rules by number

--- Conditions as the back end takes them. Registers of a narrow ABI come with zeros above: there -1
--- is 0xffffffff.
local function conditions(args, abi)
  local result = {}
  for i, one in ipairs(args) do
    local values = {}
    for k, value in ipairs(one.values or { one.value }) do
      local is_small_negative = value < 0 and value >= -0x80000000
      values[k] = abi.bits == 32 and is_small_negative and value & 0xffffffff or value
    end
    result[i] = { index = one.index, op = one.op, values = values, mask = one.mask or ALL_BITS }
  end
  return result
end

local function add_rule(by_number, number, rule)
  local list = by_number[number] or {}
  by_number[number] = list
  local last = list[#list]
  if not last or #last.args > 0 then -- behind a rule without conditions none is reached
    list[#list + 1] = rule
  end
end

--- For an ABI: number to its rules.
local function rules_of(profile, abi)
  local by_number = {}
  for i, one in ipairs(profile.rules) do
    local rule = { action = one.action, args = conditions(one.args, abi), index = i }
    for _, name in ipairs(one.names) do
      local number = abi.numbers[name]
      if number then
        add_rule(by_number, number, rule)
      end
    end
  end
  return by_number
end

-- ---- ranges

local function key_of(rules)
  local indices = {}
  for i, rule in ipairs(rules) do
    indices[i] = rule.index
  end
  return table.concat(indices, ",")
end

local function range_of(number, rules, default)
  if not rules then
    return { first = number, action = default }
  elseif #rules[1].args == 0 then
    return { first = number, action = rules[1].action }
  end
  return { first = number, rules = rules, key = key_of(rules) }
end

local function add_range(ranges, range)
  local last = ranges[#ranges]
  if not last or last.action ~= range.action or last.key ~= range.key then
    ranges[#ranges + 1] = range
  end
end

local function add_ranges(ranges, profile, abi, from)
  local by_number = rules_of(profile, abi)
  for number = from, abi.newest do
    add_range(ranges, range_of(number, by_number[number], profile.default))
  end
  add_range(ranges, { first = abi.newest + 1, action = profile.unknown or profile.default })
end

--- x32 shares its AUDIT_ARCH with x86-64; where it is not wanted its numbers are either unknown or
--- another ABI's, never the default's business: a list of what is refused would not hold there.
local function add_x32(ranges, profile, wanted)
  local x32 = syscalls.abi(X32)
  if x32 and wanted then
    add_ranges(ranges, profile, x32, X32_BIT)
  elseif x32 then
    add_range(ranges, { first = X32_BIT, action = profile.unknown or profile.foreign })
  end
end

local function abis_of(profile)
  local wanted = { [syscalls.abis()[1].name] = true }
  for _, name in ipairs(profile.architectures) do
    wanted[name] = true
  end
  local result = {}
  for _, abi in ipairs(syscalls.abis()) do
    if wanted[abi.name] and abi.name ~= X32 then
      local ranges = {}
      add_ranges(ranges, profile, abi, 0)
      if #result == 0 then
        add_x32(ranges, profile, wanted[X32])
      end
      result[#result + 1] = { audit = abi.audit, default = profile.default, ranges = ranges }
    end
  end
  return result
end

-- ---- compile

-- What a program does not depend on: who answers, the names of groups.
local WITHOUT_EFFECT <const> = { handlers = true, listener = true, given = true, flags = true }

--- A text that is equal for profiles with equal programs.
---@param value any
---@return string
function M.fingerprint(value)
  if type(value) ~= "table" then
    return string.format("%q", value)
  end
  local parts = {}
  for _, key in ipairs(require("luactr.check").sorted_keys(value) or {}) do
    if not WITHOUT_EFFECT[key] then
      parts[#parts + 1] = string.format("[%q]=%s", key, M.fingerprint(value[key]))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local compiled <const> = {} -- programs by fingerprint

--- Let compile() find a program that was compiled before.
---@param key string of M.fingerprint
---@param program string
function M.remember(key, program)
  compiled[key] = program
end

--- The BPF program of a checked profile.
---@param profile luactr.seccomp
---@return string? program
---@return luactr.problem[]? problems
function M.compile(profile)
  if profile.bpf then
    return profile.bpf
  end
  local key = M.fingerprint(profile)
  if compiled[key] then
    return compiled[key]
  end
  local whole = with_base(profile)
  local program, problem = filter.compile { foreign = whole.foreign, abis = abis_of(whole) }
  compiled[key] = program
  return program, problem and { { path = "seccomp", message = "is too long: " .. problem } }
end

return M
