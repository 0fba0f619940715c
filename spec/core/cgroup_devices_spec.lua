-- The device program of cgroup v2 against the meaning of the rules.

local core = require("luactr.core")
local machine = require("support.device_program")
local support = require("support")

local cgroup, sys = core.cgroup, core.sys

local function run(text, type, major, minor, bits)
  local program = assert(cgroup.device_program(text))
  return machine.run(program, { type = type, major = major, minor = minor, bits = bits }) == 1
end

local MKNOD <const>, READ <const>, WRITE <const> = 1, 2, 4

describe("luactr.core.cgroup.device_program() #core #layout", function()
  it("refuses everything without rules", function()
    assert.is_false(run("", "c", 1, 3, READ))
  end)

  it("allows what a rule names, and no other node, type or access", function()
    local rule = "allow c 1:3 rw"
    assert.is_true(run(rule, "c", 1, 3, READ | WRITE))
    assert.is_false(run(rule, "c", 1, 3, READ | MKNOD))
    assert.is_false(run(rule, "c", 1, 5, READ))
    assert.is_false(run(rule, "c", 2, 3, READ))
    assert.is_false(run(rule, "b", 1, 3, READ))
  end)

  it("takes a star for any number", function()
    assert.is_true(run("allow c 136:* rwm", "c", 136, 7, READ | WRITE | MKNOD))
    assert.is_true(run("allow b *:* m", "b", 8, 16, MKNOD))
  end)

  it("lets the last rule decide", function()
    assert.is_false(run("allow a\ndeny b *:* rwm", "b", 8, 0, READ))
    assert.is_true(run("allow a\ndeny b *:* rwm", "c", 8, 0, READ))
    assert.is_true(run("deny c 1:3 rwm\nallow a", "c", 1, 3, READ))
  end)

  it("adds up what several rules allow of one node", function()
    assert.is_true(run("allow c 1:3 r\nallow c 1:3 w", "c", 1, 3, READ | WRITE))
    assert.is_false(run("allow c 1:3 rw\ndeny c 1:3 w", "c", 1, 3, READ | WRITE))
    assert.is_true(run("allow c 1:3 rw\ndeny c 1:3 w", "c", 1, 3, READ))
  end)

  for _, text in ipairs {
    "allow", "allow c", "allow c 1:3", "permit c 1:3 rwm", "allow d 1:3 rwm", "allow c 1:3 x",
    "allow c 1:3 rwm more", "allow a 1:3 rwm", "allow c 1 rwm", "allow c :3 rwm", "allow c 1: rwm",
    "allow c 1:3:5 rwm", "allow c -1:3 rwm", "allow c 4294967295:3 rwm", "allow cc 1:3 rwm",
    "allow c *x:3 rwm",
  } do
    it("does not take " .. text, function()
      local program, _, errno = cgroup.device_program(text)
      assert.is_nil(program)
      assert.are.equal("EINVAL", sys.errname(errno))
    end)
  end

  it("has room for a bounded number of rules", function()
    assert.is_string(cgroup.device_program(("deny c 1:3 rwm\n"):rep(96)))
    local _, _, errno = cgroup.device_program(("deny c 1:3 rwm\n"):rep(97))
    assert.are.equal("ENOSPC", sys.errname(errno))
  end)

  it("means what the rules mean #fuzz", function()
    local ACCESS <const> = { "r", "w", "m", "rw", "rm", "wm", "rwm" }
    local function number() return math.random(3) == 1 and "*" or math.random(2) end
    local function random_rule()
      if math.random(8) == 1 then return { allow = math.random(2) == 1, type = "a" } end
      return { allow = math.random(2) == 1, type = math.random(2) == 1 and "b" or "c",
        major = number(), minor = number(), access = ACCESS[math.random(#ACCESS)] }
    end
    local function line(rule)
      local verb = rule.allow and "allow" or "deny"
      if rule.type == "a" then return verb .. " a" end
      return ("%s %s %s:%s %s"):format(verb, rule.type, rule.major, rule.minor, rule.access)
    end
    support.fuzz(function()
      local rules, lines = {}, {}
      for i = 1, math.random(0, 6) do
        rules[i] = random_rule()
        lines[i] = line(rules[i])
      end
      local text = table.concat(lines, "\n")
      local program = cgroup.device_program(text)
      for bits = 1, 7 do
        local access = { type = math.random(2) == 1 and "b" or "c", major = math.random(2),
          minor = math.random(2), bits = bits }
        assert.are.equal(machine.allows(rules, access), machine.run(program, access) == 1, text)
      end
    end)
  end)
end)
