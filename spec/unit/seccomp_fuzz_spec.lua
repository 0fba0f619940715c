-- Profiles at random: whatever a recipe gives, nothing raises; what is compiled says what the rules
-- say; and a program is refused here exactly when the kernel refuses it.
local bpf = require("support.bpf")
local check = require("luactr.check")
local core = require("luactr.core")
local inside = require("support.inside")
local profiles = require("luactr.spec.seccomp")
local seccomp = require("luactr.security.seccomp")
local support = require("support")
local syscalls = require("luactr.spec.seccomp.syscalls")
local validator = require("luactr.spec.seccomp.bpf")

local random = math.random

local function pick(list)
  return list[random(#list)]
end

local NAMES <const> = { "read", "write", "openat", "socket", "clone", "ioctl", "mseal", "stat64",
  "socketcall", "@mount", "@swap", "@aio", "file_setattr", "getpid" }
local ACTIONS <const> = { "allow", "EPERM", "ENOSYS", "trap", "kill", "kill_thread", "log" }
local OPS <const> = { "==", "~=", "<", "<=", ">", ">=", "in", "not in" }

-- Few bits, so that comparisons meet: 0, 1, all, halves, neighbours.
local VALUES <const> = { 0, 1, 2, 5, -1, 0xffffffff, 0x100000000, 0x100000001, 0x100000005,
  math.mininteger, math.maxinteger, 0x80000000, 0x7fffffff, -0x80000000 }

local function value()
  return random(4) == 1 and random(0) or pick(VALUES)
end

local function condition()
  local one = { index = random(0, 5), op = pick(OPS) }
  if one.op:find("in", 1, true) then
    one.values = {}
    for i = 1, random(6) do one.values[i] = value() end
  else
    one.value = value()
  end
  local masks = { 0xff, 0xffffffff, 0xf0f0, -1, 0x100000000, 0, value() }
  one.mask = masks[random(3 * #masks)]
  return one
end

local function profile()
  local rules = {}
  for i = 1, random(0, 8) do
    local names, args = {}, {}
    for k = 1, random(4) do names[k] = pick(NAMES) end
    for k = 1, pick { 0, 0, 1, 1, 2, 4 } do args[k] = condition() end
    rules[i] = { names = names, action = pick(ACTIONS), args = args }
  end
  return { default = pick(ACTIONS), unknown = random(2) == 1 and pick(ACTIONS) or nil,
    foreign = pick(ACTIONS), rules = rules,
    architectures = random(2) == 1 and { "x86", "x32", "arm" } or nil }
end

---- what the rules say, without a compiler

local function holds(c, argument, bits)
  local mask = c.mask or -1
  local function meant(number)
    return bits == 32 and number < 0 and number >= -0x80000000 and number & 0xffffffff or number
  end
  local function equal(number) return argument & mask == meant(number) & mask end
  local given, wanted = argument & mask, meant(c.value or 0) & mask
  if c.op == "==" then return equal(c.value) end
  if c.op == "~=" then return not equal(c.value) end
  if c.op == "<" then return math.ult(given, wanted) end
  if c.op == "<=" then return not math.ult(wanted, given) end
  if c.op == ">" then return math.ult(wanted, given) end
  if c.op == ">=" then return not math.ult(given, wanted) end
  local found = false
  for _, number in ipairs(c.values) do found = found or equal(number) end
  return found == (c.op == "in")
end

local function matches(rule, name, arguments, bits)
  local named = false
  for _, one in ipairs(rule.names) do named = named or one == name end
  for _, c in ipairs(named and rule.args or {}) do
    named = named and holds(c, arguments[c.index + 1], bits)
  end
  return named
end

local function expected(checked, abi, number, arguments)
  local name = abi.names[number]
  for _, rule in ipairs(checked.rules) do
    if matches(rule, name, arguments, abi.bits) then return rule.action end
  end
  return number > abi.newest and checked.unknown or checked.default
end

local function one_of(list, fallback)
  return random(2) == 1 and pick(list) or fallback
end

-- A call that the rules speak of, with arguments that they compare.
local function random_call(raw, abi)
  local arguments, name = {}, nil
  for i = 1, 6 do arguments[i] = value() end
  for _, rule in ipairs(raw.rules) do
    for _, c in ipairs(rule.args) do
      if random(2) == 1 then
        arguments[c.index + 1] = one_of(c.values or { c.value }, value()) + random(-1, 1)
      end
    end
    name = random(2) == 1 and pick(rule.names) or name
  end
  if abi.bits == 32 then
    for i = 1, 6 do arguments[i] = arguments[i] & 0xffffffff end
  end
  local number = name and abi.numbers[name] or random(0, abi.newest + 3)
  return number, arguments
end

local function compare(raw)
  local problems = check.problems()
  local checked = assert(profiles.check(raw, "seccomp", problems), problems[1])
  local program, why = seccomp.compile(checked)
  if not program then return assert(why[1].message:find("too long")) end
  assert(not validator.check(program), validator.check(program))
  local abis = syscalls.abis()
  for _ = 1, 30 do
    local abi = pick(abis)
    local number, arguments = random_call(raw, abi)
    local wanted = expected(checked, abi, number, arguments)
    if abi ~= abis[1] and not raw.architectures then
      wanted = abi.name == "x32" and number >= 0x40000000 and checked.unknown or checked.foreign
      if abi.name == "x32" and number < 0x40000000 then wanted = nil end
    elseif abi.name == "x32" and number < 0x40000000 then
      wanted = nil -- a number of x86-64
    end
    local found = bpf.run(program, { nr = number, arch = abi.audit, table.unpack(arguments) })
    assert(not wanted or found == wanted, ("%s %d: 0x%x, not 0x%x"):format(abi.name, number, found,
      wanted or 0))
  end
end

---- hostile tables

local KEYS <const> = { "base", "default", "unknown", "foreign", "rules", "names", "action", "args",
  "index", "op", "value", "values", "mask", "notify", "handler", "flags", "architectures", "bpf",
  "bpf_file", "errno", "data", "skip_unknown", "defaultAction", "syscalls", "errnoRet", "valueTwo",
  "listenerPath", 1, 2, 3, "uname" }

local function junk(depth)
  local kind = depth > 4 and random(6) or random(9)
  if kind == 1 then return pick(NAMES) end
  if kind == 2 then return pick(ACTIONS) end
  if kind == 3 then return value() end
  if kind == 4 then return pick { true, false, 0.5, 0 / 0, 1 / 0, "", "SCMP_ACT_ERRNO", "in" } end
  if kind == 5 then return junk end
  if kind == 6 then return ("\xff\0@"):rep(random(0, 3)) end
  local made = {}
  for _ = 1, random(0, 5) do made[pick(KEYS)] = junk(depth + 1) end
  return made
end

---- programs

local CODES <const> = { 0x20, 0x06, 0x16, 0x05, 0x15, 0x1d, 0x25, 0x35, 0x45, 0x04, 0x0c, 0x34,
  0x3c, 0x54, 0x64, 0x74, 0x84, 0x94, 0x00, 0x01, 0x80, 0x81, 0x07, 0x87, 0x60, 0x61, 0x02, 0x03,
  0x28, 0x30, 0x40, 0xb1, 0x0e, 0xa4, 0xffff }

local function random_program()
  local rows, count = {}, random(8)
  for i = 1, count do
    rows[i] = string.pack("<I2I1I1I4", pick(CODES), random(0, 3), random(0, 3),
      pick { 0, 0, 1, 2, 4, 12, 15, 16, 31, 32, 60, 64, random(0, 0xffffffff) })
  end
  if random(4) > 1 then rows[count + 1] = string.pack("<I2I1I1I4", 6, 0, 0, 0x7fff0000) end
  return table.concat(rows)
end

local ALLOW <const> = string.pack("<I2I1I1I4", 6, 0, 0, 0x7fff0000)

describe("seccomp profiles #unit #fuzz", function()
  it("compile to what they say", function()
    support.fuzz(function() compare(profile()) end)
  end)

  it("never raise, whatever the table", function()
    support.fuzz(function()
      local problems = check.problems()
      local checked = profiles.check(junk(0), "seccomp", problems)
      assert(checked or #problems > 0)
      if checked then seccomp.compile(checked) end
    end)
  end)

  -- An instruction in front allows everything, so that what the kernel takes does nothing.
  it("are refused as programs exactly where the kernel refuses them", function()
    local sys = core.sys
    support.fuzz(function()
      local programs = {}
      for i = 1, 40 do programs[i] = ALLOW .. random_program() end
      inside({}, function()
        assert(sys.no_new_privs())
        for _, program in ipairs(programs) do
          local taken, refused = sys.seccomp(program), validator.check(program)
          assert((taken ~= nil) == (refused == nil), ("%s: %s"):format(refused,
            program:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
        end
      end)
    end)
  end)
end)
