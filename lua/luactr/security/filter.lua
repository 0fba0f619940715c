--- The compiler's back end: what a filter decides, as a BPF program. Pure.
--
-- A filter is { foreign = action, abis = { one for each ABI, see M.compile } }. The program is
-- written from its end to its beginning, so that each jump knows how far its target is. It looks at
-- the ABI, then searches the number among ranges of equal verdicts: most calls are allowed or
-- refused whatever their arguments, in long runs of numbers, and a short program is what the kernel
-- translates fast at each start. BPF compares 32 bits, so the two halves of an argument are looked
-- at one after the other.
local M = {}

local MAX_INSTRUCTIONS <const> = 4096 -- BPF_MAXINSNS
local FARTHEST <const> = 255 -- what a conditional jump reaches
local LOW <const> = 0xffffffff

local LOAD <const>, AND <const>, RETURN <const>, JUMP <const> = 0x20, 0x54, 0x06, 0x05
local EQUAL <const>, GREATER <const>, NOT_LESS <const> = 0x15, 0x25, 0x35

-- struct seccomp_data
local NUMBER_AT <const>, ARCH_AT <const>, ARGUMENTS_AT <const> = 0, 4, 16

-- ---- writing backwards; a position is counted from the end of the program

---@class luactr.filter.writer
local Writer = {}
Writer.__index = Writer

function Writer:put(code, k, jt, jf)
  local at = #self.code + 1
  self.code[at] = string.pack("<I2I1I1I4", code, jt or 0, jf or 0, k & LOW)
  return at
end

function Writer:distance(target)
  return #self.code - target
end

--- Make a target reachable by the conditional jump that will follow at once.
function Writer:near(target)
  if self:distance(target) <= FARTHEST - 1 then -- the other target may need a jump as well
    return target
  end
  return self:put(JUMP, self:distance(target))
end

function Writer:branch(test, k, yes, no)
  yes = self:near(yes)
  no = self:near(no)
  return self:put(test, k, self:distance(yes), self:distance(no))
end

--- A return, one that stands near already if there is one.
function Writer:answer(action)
  local known = self.answers[action]
  if not known or self:distance(known) > FARTHEST // 2 then
    known = self:put(RETURN, action)
    self.answers[action] = known
  end
  return known
end

--- Go on at a target that does not follow: for code whose end is not a branch.
function Writer:load(offset, mask, target)
  if self:distance(target) ~= 0 then
    self:put(JUMP, self:distance(target))
  end
  if mask ~= LOW then
    self:put(AND, mask)
  end
  return self:put(LOAD, offset)
end

-- ---- conditions: each function writes code that goes on at `yes` or at `no`

local function halves(value)
  return value >> 32, value & LOW
end

local function offsets(index)
  local low = ARGUMENTS_AT + 8 * index
  return low + 4, low
end

--- One of several values: those with the same upper half are looked at together.
local function one_of(w, c, yes, no)
  local high_at, low_at = offsets(c.index)
  local high_mask, low_mask = halves(c.mask)
  local groups, order = {}, {}
  for _, value in ipairs(c.values) do
    local high, low = halves(value & c.mask)
    if not groups[high] then
      groups[high], order[#order + 1] = {}, high
    end
    table.insert(groups[high], low)
  end
  local starts = {}
  for _, high in ipairs(order) do
    local target = no
    for _, low in ipairs(groups[high]) do
      target = w:branch(EQUAL, low, yes, target)
    end
    starts[high] = w:load(low_at, low_mask, target)
  end
  if high_mask == 0 then
    return starts[0]
  end
  local target = no
  for _, high in ipairs(order) do
    target = w:branch(EQUAL, high, starts[high], target)
  end
  return w:load(high_at, high_mask, target)
end

--- argument > value or argument >= value, by `test` on the lower half.
local function above(test)
  return function(w, c, yes, no)
    local high_at, low_at = offsets(c.index)
    local high_mask, low_mask = halves(c.mask)
    local high, low = halves(c.values[1] & c.mask)
    local lower = w:load(low_at, low_mask, w:branch(test, low, yes, no))
    local equal = w:branch(EQUAL, high, lower, no)
    return w:load(high_at, high_mask, w:branch(GREATER, high, yes, equal))
  end
end

local function negated(condition)
  return function(w, c, yes, no) return condition(w, c, no, yes) end
end

local CONDITIONS <const> = {
  ["=="] = one_of, ["in"] = one_of, ["~="] = negated(one_of), ["not in"] = negated(one_of),
  [">"] = above(GREATER), [">="] = above(NOT_LESS),
  ["<="] = negated(above(GREATER)), ["<"] = negated(above(NOT_LESS)),
}

-- ---- one system call: its rules in order, else the default

local function verdict(w, rules, otherwise)
  local target = w:answer(otherwise)
  for i = #rules, 1, -1 do
    local yes = w:answer(rules[i].action)
    if #rules[i].args == 0 then
      target = yes
    else
      local no = target
      for k = #rules[i].args, 1, -1 do
        local c = rules[i].args[k]
        yes = CONDITIONS[c.op](w, c, yes, no)
      end
      target = yes
    end
  end
  return target
end

-- ---- all system calls of an ABI: ranges with one verdict, searched by halves

local function leaf(w, range, abi)
  if range.action then
    return w:answer(range.action)
  end
  w.blocks[range.key] = w.blocks[range.key] or verdict(w, range.rules, abi.default)
  return w.blocks[range.key]
end

local function search(w, ranges, first, last, abi)
  if first == last then
    return leaf(w, ranges[first], abi)
  end
  local middle = (first + last + 1) // 2
  local right = search(w, ranges, middle, last, abi)
  local left = search(w, ranges, first, middle - 1, abi)
  return w:branch(NOT_LESS, ranges[middle].first, right, left)
end

---@class luactr.filter.abi
---@field audit integer AUDIT_ARCH
---@field default integer action where no rule of a call matches
---@field ranges table[] { first = number, action = } or { first =, rules =, key = }: ascending

--- The program.
---@param filter { foreign: integer, abis: luactr.filter.abi[] }
---@return string? program
---@return string? problem
function M.compile(filter)
  local w = setmetatable({ code = {}, answers = {} }, Writer)
  local target = w:answer(filter.foreign)
  for i = #filter.abis, 1, -1 do
    local abi = filter.abis[i]
    w.blocks = {}
    local start = w:load(NUMBER_AT, LOW, search(w, abi.ranges, 1, #abi.ranges, abi))
    target = w:branch(EQUAL, abi.audit, start, target)
  end
  w:load(ARCH_AT, LOW, target)
  if #w.code > MAX_INSTRUCTIONS then
    return nil, string.format("%d instructions, the kernel takes %d", #w.code, MAX_INSTRUCTIONS)
  end
  local program, count = {}, #w.code
  for i = 1, count do
    program[i] = w.code[count + 1 - i]
  end
  return table.concat(program)
end

return M
