local check = require "luactr.check"

local function problems_of(t, value)
  local problems = check.problems()
  local result = problems:check(t, value, "x")
  local lines = {}
  for i, problem in ipairs(problems) do
    lines[i] = problem.path .. ": " .. problem.message
  end
  return lines, result
end

local function accepts(t, value, normalized)
  local lines, result = problems_of(t, value)
  assert.are.same({}, lines)
  assert.are.same(normalized, result)
end

local function refuses(t, value, ...)
  local lines = problems_of(t, value)
  assert.are.same({ ... }, lines)
end

describe("luactr.check #unit", function()
  it("normalizes sizes and times", function()
    accepts(check.size(), "1K", 1024)
    accepts(check.time(), "200ms", 0.2)
    accepts(check.integer(), 3.0, 3)
  end)

  it("keeps numbers in their range", function()
    refuses(check.integer { min = 1, max = 9 }, 0, "x: 0 is out of range: 1 to 9")
    refuses(check.integer { min = 1 }, 0, "x: 0 is out of range: at least 1")
    refuses(check.integer(), 1.5, "x: integer expected, got 1.5")
    refuses(check.number(), 0 / 0, "x: number expected, got " .. tostring(0 / 0))
  end)

  it("refuses NUL bytes in strings, but not in binary ones", function()
    refuses(check.string(), "a\0b", "x: contains a NUL byte, which no system call can pass on")
    accepts(check.string { binary = true }, "a\0b", "a\0b")
  end)

  it("refuses empty and overlong strings", function()
    refuses(check.string(), "", "x: is empty")
    refuses(check.string { max = 3 }, "abcd", "x: longer than 3 bytes")
  end)

  it("names the nearest word of an enumeration", function()
    refuses(check.enum { "default", "unconfined" }, "defualt",
      'x: "default", "unconfined" expected, got "defualt", did you mean default?')
  end)

  describe("list()", function()
    local words <const> = check.list(check.string())

    it("gives each element a path", function()
      refuses(words, { "a", 2, "" }, "x[2]: string expected, got 2", "x[3]: is empty")
    end)

    it("refuses holes, names and metatables", function()
      refuses(words, { "a", nil, "c" }, "x: list with a hole: element 2 is nil")
      refuses(words, { "a", b = "c" }, 'x: list expected, but it has the key "b"')
      refuses(words, { [0] = "a" }, "x: list expected, but it has the key 0")
      refuses(words, { [1.5] = "a" }, "x: list expected, but it has the key 1.5")
      refuses(words, setmetatable({}, {}), "x: list of string expected, got table with a metatable")
    end)
  end)

  describe("record()", function()
    local record <const> = check.record {
      { name = "name", type = check.string(), required = true },
      { name = "later", type = check.data(), unsupported = "not supported yet" },
      { name = "size", type = check.size(), default = 7 },
      { name = "limits", type = check.record { { name = "memory", type = check.size() } } },
    }

    it("fills in defaults", function()
      accepts(record, { name = "a" }, { name = "a", size = 7 })
    end)

    it("reports everything at once", function()
      refuses(record, { later = 1, size = "x", nam = 1, memory = 2, [3] = 4 },
        "x.name: is missing: string expected",
        "x.later: not supported yet",
        'x.size: size expected, as "64M" or bytes, got "x"',
        "x[3]: a field has a name",
        "x.memory: unknown field, did you mean limits.memory?",
        "x.nam: unknown field, did you mean name?")
    end)
  end)

  describe("union()", function()
    local union <const> = check.union {
      check.integer { min = 0 },
      check.record { { name = "a", type = check.integer(), required = true } },
    }

    it("takes the first alternative that fits", function()
      accepts(union, 3, 3)
      accepts(union, { a = 1 }, { a = 1 })
    end)

    it("lets the alternative of the value's Lua type speak", function()
      refuses(union, { a = "b" }, 'x.a: integer expected, got "b"')
      refuses(union, -1, "x: -1 is out of range: at least 0")
      refuses(union, "b", 'x: integer or table expected, got "b"')
    end)
  end)

  describe("opaque()", function()
    local opaque <const> = check.opaque("luactr.thing", "thing")

    it("knows its class by the metatable's name", function()
      local thing = setmetatable({}, { __name = "luactr.thing" })
      accepts(opaque, thing, thing)
      refuses(opaque, {}, "x: thing expected, got table")
      refuses(opaque, setmetatable({}, { __name = "other" }), "x: thing expected, got other")
    end)

    it("is not fooled by a protected metatable", function()
      local liar = setmetatable({}, { __metatable = "luactr.thing", __name = "luactr.thing" })
      refuses(opaque, liar, "x: thing expected, got table with a metatable")
    end)
  end)

  describe("with hostile values", function()
    local function bomb() error("a metamethod ran") end
    local trap <const> = setmetatable({}, {
      __index = bomb, __len = bomb, __pairs = bomb, __tostring = bomb, __eq = bomb, __lt = bomb,
      __concat = bomb, __name = 3,
    })
    local types <const> = {
      check.string(), check.integer(), check.size(), check.time(), check.mode(), check.cpu(),
      check.boolean(), check.data(), check["function"](), check.enum { "a" },
      check.list(check.string()), check.map(check.string(), check.string()),
      check.record { { name = "a", type = check.string() } },
      check.union { check.string(), check.list(check.string()) }, check.opaque("a", "a"),
    }

    it("runs no metamethod", function()
      for _, t in ipairs(types) do
        assert.is_true(#problems_of(t, trap) > 0)
        problems_of(t, { trap, a = trap, [trap] = trap })
      end
    end)

    it("survives cycles", function()
      local cycle = {}
      cycle[1], cycle.a, cycle[cycle] = cycle, cycle, cycle
      for _, t in ipairs(types) do
        problems_of(t, cycle)
      end
    end)

    it("reports a bounded number of problems", function()
      local huge = {}
      for i = 1, 70000 do
        huge[i] = false
      end
      for _, t in ipairs(types) do
        assert.is_true(#problems_of(t, huge) <= 50)
      end
      for i = 1, 5000 do
        huge["k" .. i] = i
      end
      for _, t in ipairs(types) do
        assert.is_true(#problems_of(t, huge) <= 50)
      end
    end)
  end)

  describe("describe()", function()
    it("says a type in words", function()
      assert.are.equal("list of string or size",
        check.describe(check.list(check.union { check.string(), check.size() })))
    end)
  end)
end)
