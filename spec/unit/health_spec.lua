-- luactr.health: the state of a container's health; luactr.spec.health: the field.
local check = require("luactr.check")
local health = require("luactr.health")
local spec = require("luactr.spec.health")

local CONFIG <const> = { retries = 2, start_period = 10, interval = 30, start_interval = 1 }

--- The states after checks as in "+-+", one each second from `age` on.
local function states(outcomes, age)
  local one, list = health.new(), {}
  for outcome in outcomes:gmatch(".") do
    health.step(one, CONFIG, { fine = outcome == "+", time = 0, age = age })
    age = age + 1
    list[#list + 1] = one.state:sub(1, 1)
  end
  return table.concat(list)
end

describe("luactr.health #unit", function()
  for _, case in ipairs {
    { "is healthy at the first success", "+", 0, "h" },
    { "counts no failure in the start period", "-----", 0, "sssss" },
    { "counts failures after it", "---", 9, "ssu" },
    { "counts failures in the start period after a success", "+--", 0, "hhu" },
    { "is unhealthy after failures in a row only", "+-+-+--", 20, "hhhhhhu" },
    { "gets well again", "+--+", 20, "hhuh" },
  } do
    it(case[1], function() assert.equal(case[4], states(case[2], case[3])) end)
  end

  it("tells from which state, when there is another", function()
    local one = health.new()
    local function step(fine)
      return health.step(one, CONFIG, { fine = fine, time = 7, age = 20 })
    end
    assert.equal("starting", step(true))
    assert.is_nil(step(false))
    assert.equal("healthy", step(false))
    assert.is_nil(step(false))
    assert.equal("unhealthy", step(true))
    assert.equal(5, one.checks)
    assert.same({ fine = true, time = 7 }, one.last)
  end)

  it("looks more often until the first success", function()
    local one = health.new()
    assert.equal(1, health.pause(one, CONFIG))
    health.step(one, CONFIG, { fine = true, time = 0, age = 0 })
    assert.equal(30, health.pause(one, CONFIG))
  end)
end)

describe("luactr.spec.health #unit", function()
  local function checked(value)
    local problems = check.problems()
    return spec.health(value, "health", problems), problems
  end

  it("has defaults", function()
    assert.same({ command = { "true" }, interval = 30, start_interval = 1, timeout = 30,
      retries = 3, start_period = 0 }, (checked { command = { "true" } }))
    assert.equal(0.5, checked { check = print, interval = "500ms" }.start_interval)
  end)

  for _, case in ipairs {
    { {}, "health: a command or a check expected, and not both" },
    { { command = { "x" }, check = print }, "health: a command or a check expected, and not both" },
    { { command = "x" }, 'health.command: list of strings expected, got "x": write { "program", '
      .. '"argument" } (there is no shell in between)' },
    { { check = print, interval = 0 }, "health.interval: more than 0 expected" },
    { { check = print, timeout = 0 }, "health.timeout: more than 0 expected" },
    { { check = print, retries = 0 }, "health.retries: 0 is out of range: 1 to 1000" },
    { { check = print, intervall = 1 }, "health.intervall: unknown field, did you mean interval?" },
  } do
    it("refuses: " .. case[2], function()
      local _, problems = checked(case[1])
      assert.equal(case[2], problems[1].path .. ": " .. problems[1].message)
    end)
  end
end)
