-- luactr.spec.on: the field `on`.
local check = require("luactr.check")
local on = require("luactr.spec.on")

local function checked(value)
  local problems = check.problems()
  local result = on.on(value, "on", problems)
  return result, problems
end

describe("luactr.spec.on #unit", function()
  it("takes functions by the names of events", function()
    local result, problems = checked { start = print, exit = print, oom = print }
    assert.equal(0, #problems)
    assert.same({ start = print, exit = print, oom = print }, result)
  end)

  for _, case in ipairs {
    { "a function", print, { { resource = "memory", stall = 0.3 } }, 2 },
    { "a table that names nothing", { call = print, window = "4s" },
      { { resource = "memory", stall = 0.6 } }, 4 },
    { "a table", { call = print, io = "50ms", memory = 1, window = 10 },
      { { resource = "memory", stall = 1.0 }, { resource = "io", stall = 0.05 } }, 10 },
  } do
    it("takes as pressure " .. case[1], function()
      local result, problems = checked { pressure = case[2] }
      assert.equal(0, #problems)
      assert.same(case[3], result.pressure.triggers)
      assert.equal(case[4], result.pressure.window)
      assert.equal(print, result.pressure.call)
    end)
  end

  for _, case in ipairs {
    { { exti = print }, "on.exti: unknown field, did you mean exit?" },
    { { start = "echo" }, 'on.start: function expected, got "echo"' },
    { { pressure = { memory = 1 } }, "on.pressure.call: is missing: function expected" },
    { { pressure = { call = print, window = "20s" } },
      "on.pressure.window: 0.5s to 10s expected" },
    { { pressure = { call = print, cpu = "3s" } },
      "on.pressure.cpu: more than 0 and at most the window expected" },
    { { pressure = { call = print, memory = 0 } },
      "on.pressure.memory: more than 0 and at most the window expected" },
  } do
    it("refuses: " .. case[2], function()
      local result, problems = checked(case[1])
      assert.equal(1, #problems, result)
      assert.equal(case[2], problems[1].path .. ": " .. problems[1].message)
    end)
  end
end)
