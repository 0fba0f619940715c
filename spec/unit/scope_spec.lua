-- Scopes of systemd's: what a recipe and config.json say of them, and what systemd is told.

local check = require("luactr.check")
local gvariant = require("luactr.spec.gvariant")
local plan_of = require("luactr.cgroup.scope")
local scope = require("luactr.spec.scope")

describe("luactr.spec.gvariant #unit", function()
  it("reads values with their types", function()
    for text, expected in pairs {
      ["true"] = { "b", true }, ["5"] = { "i", 5 }, ["-5"] = { "i", -5 }, ["1.5"] = { "d", 1.5 },
      ["uint64 5000000"] = { "t", 5000000 }, ["uint64 18446744073709551615"] = { "t", -1 },
      ["byte 255"] = { "y", 255 }, ["int64 -1"] = { "x", -1 }, ["'a b'"] = { "s", "a b" },
      ['"it\'s"'] = { "s", "it's" }, ["'a\\'b\\n'"] = { "s", "a'b\n" }, [" 'x' "] = { "s", "x" },
      ["['a', 'b']"] = { "as", { "a", "b" } }, ["@as []"] = { "as", {} },
      ["@ay [1, 2]"] = { "ay", { 1, 2 } },
      ["('a', uint32 1)"] = { "(su)", { "a", 1 } }, ["<'a'>"] = { "v", { "s", "a" } },
      ["[('/dev/sda', uint64 9)]"] = { "a(st)", { { "/dev/sda", 9 } } },
      ["objectpath '/a'"] = { "o", "/a" },
    } do
      assert.same(expected, (assert(gvariant.parse(text))))
    end
  end)

  it("tells what is none, and where", function()
    for text, problem in pairs {
      [""] = "a value expected at character 1", ["nonsense"] = "a value expected",
      ["'a"] = "a string without its end", ["5 6"] = "nothing more expected at character 2",
      ["[]"] = "an empty array needs its type", ["[1, 'a']"] = "an array of i has a s",
      ["uint64 -1"] = "-1 is no value of this type", ["byte 256"] = "256 is no value",
      ["uint64 18446744073709551616"] = "no value of this type", ["5000000000"] = "no value",
      ["uint64 'x'"] = "a s where t", ["[1"] = "',' or ']' expected",
      [("["):rep(20)] = "too deep", [("<"):rep(9) .. "1"] = "too deep",
    } do
      local value, found = gvariant.parse(text)
      assert.is_nil(value, text)
      assert.matches(problem, found, 1, true)
    end
  end)

  it("raises for nothing that it is given #fuzz", function()
    local parts <const> = { "[", "]", "(", ")", "<", ">", ",", "'", '"', "\\", "@", "a", "s", "1",
      "-", ".", "e5", "uint64 ", "true", " ", "\0", "\xff", "byte " }
    require("support").fuzz(function()
      local text = {}
      for i = 1, math.random(12) do text[i] = parts[math.random(#parts)] end
      gvariant.parse(table.concat(text))
    end)
  end)
end)

describe("luactr.spec.scope #unit", function()
  local function checked(value)
    local problems = check.problems()
    local result = scope.check(value, "scope", problems)
    return result, problems[1] and problems[1].path .. ": " .. problems[1].message
  end

  it("takes properties in their order, seconds as microseconds", function()
    local result = assert(checked { properties = { TimeoutStopSec = "1.5",
      CollectMode = "'inactive'", RuntimeMaxUSec = "uint64 5" } })
    assert.same({ { "CollectMode", { "s", "inactive" } }, { "RuntimeMaxUSec", { "t", 5 } },
      { "TimeoutStopUSec", { "t", 1500000 } } }, result.properties)
    assert.same({}, assert(checked(true)).properties)
  end)

  it("refuses names of no unit, values that are none, and what is luactr's to say", function()
    for problem, value in pairs {
      ["scope.slice: name of a unit"] = { slice = "a" },
      ["scope.name: name of a unit"] = { name = "../x.scope" },
      ["scope.properties.A: a value expected"] = { properties = { A = "?" } },
      ["scope.properties.PIDs: luactr itself says"] = { properties = { PIDs = "[uint32 1]" } },
      ["scope.properties.Slice: luactr itself says"] = { properties = { Slice = "'a.slice'" } },
      ["scope.nam: unknown field"] = { nam = "x.scope" },
    } do
      local _, found = checked(value)
      assert.is_truthy((found or "nothing"):find(problem, 1, true), found)
    end
  end)

  it("reads OCI's cgroupsPath", function()
    for text, expected in pairs {
      ["machine.slice:libpod:abc"] = { slice = "machine.slice", name = "libpod-abc.scope" },
      ["::abc"] = { name = "abc.scope" }, [":docker:a:b"] = { name = "docker-a:b.scope" },
      ["a.slice:x:y+z"] = { slice = "a.slice", name = "x-y\\x2bz.scope" },
      ["::abc.scope"] = { name = "abc.scope" },
    } do
      assert.same(expected, (assert(scope.parse(text))))
    end
    for text, problem in pairs {
      ["/a/b"] = '"slice:prefix:name" is expected, got "/a/b"', ["a:b"] = "is expected",
      ["a:b:c"] = "first part is a slice", ["::x.slice"] = '"x.slice" is a slice',
    } do
      local value, found = scope.parse(text)
      assert.is_nil(value)
      assert.matches(problem, found, 1, true)
    end
  end)
end)

describe("luactr.cgroup.scope #unit", function()
  local asked

  local function host(uid, stranger)
    return { uid = uid, stranger = stranger or false, systemd = function(user)
      asked = user
      return { control_group = user and "/user.slice/user@1.service" or "", version = 252 }
    end }
  end

  local function unit(value, uid, stranger)
    value.properties = {}
    return assert(plan_of.unit(value, "web", host(uid or 0, stranger)))
  end

  it("names the scope and its place", function()
    assert.equal("/system.slice/luactr-web.scope", unit({}).path)
    assert.equal("/a.slice/a-b.slice/a-b-c.slice/x.scope",
      unit({ slice = "a-b-c.slice", name = "x.scope" }).path)
    assert.equal("/x.scope", unit({ slice = "-.slice", name = "x.scope" }).path)
    assert.equal("/user.slice/user@1.service/app.slice/luactr-web.scope", unit({}, 1000).path)
  end)

  it("asks the user's systemd for who is not the host's root", function()
    for _, case in ipairs { { 0, false, nil, false }, { 1000, false, nil, true },
      { 0, true, nil, true }, { 0, true, false, false }, { 0, false, true, true } } do
      unit({ user = case[3] }, case[1], case[2])
      assert.equal(case[4], asked)
    end
  end)

  it("hands on why systemd does not answer", function()
    local found, err = plan_of.unit({ properties = {} }, "web",
      { uid = 0, systemd = function() return nil, "why" end })
    assert.same({ nil, "why" }, { found, err })
  end)

  it("has properties for limits", function()
    for _, case in ipairs {
      { { cpu = 0.5 }, "CPUQuotaPerSecUSec", { "t", 500000 } },
      { { cpu = 1 / 3 }, "CPUQuotaPerSecUSec", { "t", 333334 } },
      { { cpu = -1 }, "CPUQuotaPerSecUSec", { "t", -1 } },
      { { cpu_period = 0.05 }, "CPUQuotaPeriodUSec", { "t", 50000 } },
      { { cpu_weight = 50 }, "CPUWeight", { "t", 50 } },
      { { cpu_shares = 2 }, "CPUWeight", { "t", 1 } },
      { { cpu_shares = 1024 }, "CPUWeight", { "t", 39 } },
      { { cpu_shares = 262144 }, "CPUWeight", { "t", 10000 } },
      { { memory = 1 << 20 }, "MemoryMax", { "t", 1 << 20 } },
      { { memory_high = 5 }, "MemoryHigh", { "t", 5 } },
      { { memory_low = 5 }, "MemoryLow", { "t", 5 } },
      { { swap = 0 }, "MemorySwapMax", { "t", 0 } },
      { { swap = -1 }, "MemorySwapMax", { "t", -1 } },
      { { pids = 9 }, "TasksMax", { "t", 9 } },
      { { cpus = "0-2,9" }, "AllowedCPUs", { "ay", "\7\2" } },
      { { mems = "8" }, "AllowedMemoryNodes", { "ay", "\0\1" } },
      { { io = { weight = 7 } }, "IOWeight", { "t", 7 } },
    } do
      assert.same({ { case[2], case[3] } }, plan_of.properties(case[1], 252))
    end
    assert.same({}, plan_of.properties({ wall_time = 5, io = {} }, 252))
  end)

  it("has a user's processes where his systemd may have them", function()
    local v1 = { version = 1, parent = "/v1" }
    local v2 = { version = 2, mount = "/cg", granted = {} }
    local layout = { controllers = { cpu = v1, memory = v2, core = v2 }, hierarchies = { v1, v2 },
      cpus = "0-3" }
    assert.equal(layout, plan_of.layout(layout, {}))
    local changed = plan_of.layout(layout, { delegated = "cpu memory\n", top = "/user" })
    local home = changed.controllers.memory
    assert.same({ "/user", "/cg", true, true, nil },
      { home.parent, home.mount, home.granted.memory, home.granted.core, home.granted.io })
    assert.equal(home, changed.controllers.core)
    assert.equal(home, changed.hierarchies[2])
    assert.same({ v1, v1, "0-3" },
      { changed.controllers.cpu, changed.hierarchies[1], changed.cpus })
    assert.is_nil(v2.parent)
  end)

  it("leaves out what an old systemd does not know", function()
    assert.same({ { "TasksMax", { "t", 9 } } },
      plan_of.properties({ cpus = "0", pids = 9 }, 243))
  end)
end)
