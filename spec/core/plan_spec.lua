local core = require("luactr.core")
local plan = core.plan

-- A well-formed value for each type of argument.
local VALUES <const> = {
  s = "text", S = "text", p = "/path", u = 7, U = 7, i = -7, d = 3, b = "by\0tes",
  v = { "a", "", "c" }, n = { 0, 4294967295 }, f = "slot", F = "slot",
}

local function step(kind)
  local made = { op = kind.name }
  for _, arg in ipairs(kind.args) do made[arg.name] = VALUES[arg.type] end
  return made
end

local function encode(...)
  return plan.encode({ ... }, { "other", "slot" })
end


-- The message, behind the position of the call that it blames.
local function raises(message, ...)
  local done, problem = pcall(...)
  assert.is_false(done)
  assert.equal(message, (problem:gsub("^[^ ]+:%d+: ", "")))
end

local function refuses(message, ...)
  raises(message, encode, ...)
end

describe("core.plan #core", function()
  describe("steps", function()
    it("lists every kind with the names and types of its arguments", function()
      local by_name = {}
      for _, kind in ipairs(plan.steps) do by_name[kind.name] = kind end
      assert.same({ name = "symlink", args = { { name = "link", type = "p" },
        { name = "path", type = "p" } } }, by_name.symlink)
      assert.same({}, by_name.pivot_root.args)
      assert.equal("exec", plan.steps[#plan.steps].name)
    end)

    it("uses only types that a spec knows", function()
      for _, kind in ipairs(plan.steps) do
        for _, arg in ipairs(kind.args) do assert.is_not_nil(VALUES[arg.type], kind.name) end
      end
    end)
  end)

  it("numbers the meetings of parent and init", function()
    assert.equal(1, plan.rendezvous.id_maps)
    assert.equal(3, plan.rendezvous.console)
  end)

  describe("encode()", function()
    for _, kind in ipairs(plan.steps) do
      it("makes a well-formed plan of " .. kind.name, function()
        local made = encode(step(kind), step(kind))
        assert.equal(2, made:count())
        assert.equal(2, #made)
        assert.equal(made:size(), #made:bytes())
        assert.is_true(plan.check(made:bytes()))
      end)
    end

    it("gives the same bytes for the same steps", function()
      local list = {}
      for i, kind in ipairs(plan.steps) do list[i] = step(kind) end
      assert.equal(plan.encode(list, { "slot" }):bytes(), plan.encode(list, { "slot" }):bytes())
    end)

    it("takes a list without steps, and none for the slots", function()
      assert.equal(0, plan.encode({}):count())
    end)

    it("ignores keys that it does not know", function()
      local with = encode { op = "pivot_root", from = "rootfs", [1] = {} }
      assert.equal(encode({ op = "pivot_root" }):bytes(), with:bytes())
    end)

    it("carries strings and bytes unchanged", function()
      local bytes = encode({ op = "file", path = "/x", content = "a\0b", mode = 420 }):bytes()
      assert.is_not_nil(bytes:find("/x\0", 1, true))
      assert.is_not_nil(bytes:find("a\0b", 1, true))
    end)

    it("takes true and false for a flag", function()
      local function bind(recursive)
        return encode({ op = "root_bind", source = "/x", recursive = recursive }):bytes()
      end
      assert.equal(bind(1), bind(true))
      assert.equal(bind(0), bind(false))
    end)

    it("takes a float that is an integer", function()
      assert.equal(encode({ op = "umask", mask = 18 }):bytes(),
        encode({ op = "umask", mask = 18.0 }):bytes())
    end)

    it("names step, argument and problem", function()
      local ok = { op = "pivot_root" }
      refuses("step 3 (mount): target: string expected, got nil", ok, ok,
        { op = "mount", source = "x" })
      refuses("step 1 (umask): mask: integer expected, got string", { op = "umask", mask = "18" })
      refuses("step 1 (umask): mask: integer expected, got number", { op = "umask", mask = 1.5 })
      refuses("step 1 (exec): argv: list expected, got string",
        { op = "exec", file = "x", argv = "x" })
      refuses("step 1 (exec): argv: [2]: string expected, got number",
        { op = "exec", file = "x", argv = { "x", 2 }, env = {} })
      refuses("step 1 (setgroups): groups: [1]: integer expected, got string",
        { op = "setgroups", groups = { "7" } })
      refuses("step 1 (dup): fd: name of a slot expected, got number",
        { op = "dup", fd = 1, number = 1 })
      refuses("step 1 (dup): fd: no slot is called 'stdout'",
        { op = "dup", fd = "stdout", number = 1 })
    end)

    it("refuses what is not a step", function()
      refuses("step 1: table expected, got string", "mount")
      refuses("step 1: op: string expected, got nil", { "mount" })
      refuses("step 2: no step is called 'mont'", { op = "pivot_root" }, { op = "mont" })
    end)

    it("refuses numbers out of range", function()
      for _, number in ipairs { -1, 1 << 32, math.mininteger, math.maxinteger } do
        refuses("step 1 (umask): mask: number out of range", { op = "umask", mask = number })
      end
      refuses("step 1 (dup): number: number out of range",
        { op = "dup", fd = "slot", number = 1024 })
      refuses("step 1 (setgroups): groups: number out of range",
        { op = "setgroups", groups = { -1 } })
    end)

    it("takes any 64-bit number where that has a meaning", function()
      encode { op = "setrlimit", resource = 1, soft = -1, hard = math.mininteger }
      encode { op = "capbset_drop", keep = math.maxinteger }
    end)

    it("refuses a NUL byte inside of text, and an empty path", function()
      local problem = "a NUL byte inside, or an empty path"
      refuses("step 1 (chdir): path: " .. problem, { op = "chdir", path = "/a\0b" })
      refuses("step 1 (chdir): path: " .. problem, { op = "chdir", path = "" })
      refuses("step 1 (sethostname): name: " .. problem, { op = "sethostname", name = "a\0" })
      refuses("step 1 (exec): env: " .. problem,
        { op = "exec", file = "x", argv = {}, env = { "A=\0" } })
    end)

    it("refuses what is too long", function()
      encode { op = "chdir", path = ("x"):rep(4095) }
      refuses("step 1 (chdir): path: path longer than 4095 bytes",
        { op = "chdir", path = ("x"):rep(4096) })
      encode { op = "sethostname", name = ("x"):rep(131071) }
      refuses("step 1 (sethostname): name: too long",
        { op = "sethostname", name = ("x"):rep(131072) })
      refuses("step 1 (file): content: too long",
        { op = "file", path = "x", content = ("x"):rep(16 << 20), mode = 0 })
    end)

    it("refuses a plan that is too long", function()
      local list = {}
      for i = 1, 65537 do list[i] = { op = "pivot_root" } end
      raises("plan: too long", plan.encode, list)
    end)

    it("refuses slots that are no names, or too many", function()
      raises("slots[1]: string expected, got number", plan.encode, {}, { 1 })
      raises("slots[3]: 'a' stands there twice", plan.encode, {}, { "a", "b", "a" })
      local names = {}
      for i = 1, 257 do names[i] = "slot" .. i end
      raises("slots: at most 256, got 257", plan.encode, {}, names)
    end)

    it("reads tables without their metamethods", function()
      local tricky = setmetatable({ op = "umask" }, { __index = { mask = 18 } })
      refuses("step 1 (umask): mask: integer expected, got nil", tricky)
    end)

    it("refuses arguments that are no tables", function()
      assert.has_error(function() plan.encode() end)
      assert.has_error(function() plan.encode({}, "slots") end)
    end)
  end)

  describe("check()", function()
    local bytes = encode({ op = "exec", file = "x", argv = { "x" }, env = {} },
      { op = "dup", fd = "slot", number = 1 }):bytes()

    it("refuses a plan that is cut off or longer than it says", function()
      for length = 0, #bytes - 1 do assert.is_false(plan.check(bytes:sub(1, length))) end
      assert.is_false(plan.check(bytes .. "\0"))
    end)

    it("refuses a slot that is not passed and a kind that does not exist", function()
      local none = plan.encode({ { op = "dup", fd = "a", number = 1 } }, { "a" }):bytes()
      assert.is_true(plan.check(none))
      assert.is_false(plan.check(none:sub(1, 16) .. "\0\0\0\0" .. none:sub(21)))
      local kind_at = 40
      assert.is_false(plan.check(none:sub(1, kind_at) .. "\xff\0\0\0" .. none:sub(kind_at + 5)))
    end)
  end)
end)
