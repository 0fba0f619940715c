--- A filter in words, for `explain`: what its rules say, in the order that they are asked in. Pure.
local actions = require "luactr.spec.seccomp.actions"

local M = {}

local WIDTH <const> = 88

--- Words in lines, those after the first with an indent.
local function wrap(lines, head, words, tail)
  local line, indent = head, (" "):rep(#head)
  for _, word in ipairs(words) do
    if #line + 1 + #word > WIDTH and line ~= indent then
      lines[#lines + 1] = line
      line = indent
    end
    line = line .. " " .. word
  end
  lines[#lines + 1] = line .. tail
end

-- ---- conditions

local function number(value)
  if value >= 0 and value < 10 then
    return tostring(value)
  end
  return string.format("0x%x", value)
end

local function condition(one)
  local argument = "args[" .. one.index .. "]"
  if one.mask then
    argument = string.format("(%s & %s)", argument, number(one.mask))
  end
  if not one.values then
    return string.format("%s %s %s", argument, one.op, number(one.value))
  end
  local values = {}
  for i, value in ipairs(one.values) do
    values[i] = number(value)
  end
  return string.format("%s %s {%s}", argument, one.op, table.concat(values, ", "))
end

local function conditions(args)
  local parts = {}
  for i, one in ipairs(args) do
    parts[i] = condition(one)
  end
  return #parts > 0 and " if " .. table.concat(parts, " and ") or ""
end

-- ---- rules

local function add_rules(lines, rules)
  for _, rule in ipairs(rules) do
    wrap(lines, string.format("%-12s", actions.text(rule.action)), rule.given or rule.names,
      conditions(rule.args))
  end
end

--- A long list that ships: how many calls have which answer, and the conditions in full.
local function add_base(lines, base)
  local counts, order, conditional = {}, {}, {}
  for _, rule in ipairs(base.rules) do
    if #rule.args > 0 then
      conditional[#conditional + 1] = rule
    else
      if not counts[rule.action] then
        counts[rule.action], order[#order + 1] = 0, rule.action
      end
      counts[rule.action] = counts[rule.action] + #rule.names
    end
  end
  for _, action in ipairs(order) do
    lines[#lines + 1] = string.format("%-12s %d names", actions.text(action), counts[action])
  end
  add_rules(lines, conditional)
end

local function add_rest(lines, profile, base)
  local default = profile.default or base.default
  local unknown = profile.unknown or base.unknown or default
  lines[#lines + 1] = string.format("%-12s all others; %s numbers that luactr does not know",
    actions.text(default), actions.text(unknown))
  local open = #profile.architectures > 0
    and " but " .. table.concat(profile.architectures, ", ") or ""
  lines[#lines + 1] = string.format("%-12s other ABIs%s", actions.text(profile.foreign), open)
end

---@param profile luactr.seccomp|"default"|"strict"
---@return string[] lines
function M.lines(profile)
  local lines, seccomp = {}, require "luactr.security.seccomp"
  if type(profile) == "string" then
    profile = setmetatable({ base = profile, rules = {} }, { __index = seccomp.base(profile) })
  end
  if profile.bpf then
    return { "a program that was compiled elsewhere" }
  end
  add_rules(lines, profile.rules)
  local base = profile.base ~= "none" and seccomp.base(profile.base)
  if base then
    local before = #lines > 0 and "then " or ""
    lines[#lines + 1] = before .. "the profile \"" .. profile.base .. "\":"
    add_base(lines, base)
  end
  add_rest(lines, profile, base or profile)
  return lines
end

return M
