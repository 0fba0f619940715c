local plan = require("luactr.core").plan
local support = require("support")

local SLOTS <const> = { "stdin", "stdout", "cgroup:/sys/fs/cgroup" }
local random = math.random

local function pick(list)
  return list[random(#list)]
end

local function text()
  local length = pick { 0, 1, random(40), random(5000), 4095, 4096, random(200000) }
  return (pick { "a", "/", "../", "\0", "\xff", "x." }):rep(length):sub(1, length)
end

local INTERESTING <const> = { 0, 1, -1, 1023, 1024, 1 << 31, (1 << 32) - 1, 1 << 32,
  math.mininteger, math.maxinteger }

local function number()
  return random(3) == 1 and random(0) or pick(INTERESTING)
end

local function list(value)
  local made = {}
  for i = 1, pick { 0, 1, random(8), random(300) } do made[i] = value() end
  if random(20) == 1 then made[random(10)] = pick { {}, false, 1.5, "x" } end
  return made
end

-- A value that is right for the type, most of the time.
local GOOD <const> = {
  s = text, S = text, p = function() return "/" .. text() end, b = text,
  u = function() return random(0, (1 << 32) - 1) end, U = number, i = number,
  d = function() return random(0, 1023) end,
  v = function() return list(function() return (text():gsub("%z", "")) end) end,
  n = function() return list(function() return random(0, (1 << 32) - 1) end) end,
  f = function() return pick(SLOTS) end, F = function() return pick(SLOTS) end,
}

local function anything()
  return pick { text, number, function() return nil end, function() return {} end,
    function() return 1.5 end, function() return 0 / 0 end, function() return print end,
    function() return true end, function() return list(text) end,
    function() return list(number) end }()
end

local function random_step()
  if random(200) == 1 then return anything() or false end
  local kind = pick(plan.steps)
  local made = { op = random(200) == 1 and text() or kind.name }
  for _, arg in ipairs(kind.args) do
    if random(50) == 1 then
      made[arg.name] = anything()
    else
      made[arg.name] = GOOD[arg.type]()
    end
  end
  return made
end

local function random_steps()
  local steps = {}
  for i = 1, random(0, 12) do steps[i] = random_step() end
  return steps
end

-- Bytes of a plan with some of them changed.
local function mutate(bytes)
  local parts = bytes
  for _ = 1, random(4) do
    local at = random(#parts)
    parts = parts:sub(1, at - 1) .. string.char(random(0, 255)) .. parts:sub(at + 1)
  end
  if random(8) == 1 then parts = parts:sub(1, random(#parts)) end
  return parts
end

describe("core.plan under a fuzzer #fuzz", function()
  it("encodes a well-formed plan or names the problem", function()
    local encoded, refused = 0, 0
    support.fuzz(function()
      local steps = random_steps()
      local done, made = pcall(plan.encode, steps, SLOTS)
      if done then
        encoded = encoded + 1
        assert(plan.check(made:bytes()), "not well-formed")
        plan.check(mutate(made:bytes())) -- must not crash; small changes may be well-formed
      else
        refused = refused + 1
        assert(made:find("step %d+") or made:find("plan: "), made)
      end
    end)
    assert.is_true(encoded > 0 and refused > 0)
  end)

  it("survives a collector that changes the steps while they are read", function()
    support.fuzz(function()
      local steps = random_steps()
      local victim = steps[1]
      if type(victim) == "table" then
        -- the userdata for the plan is made between the two walks: a cycle may run there
        setmetatable({}, { __gc = function()
          for key in pairs(victim) do
            if key ~= "op" then victim[key] = text() end
          end
        end })
      end
      collectgarbage("incremental", 1000, 1000)
      local done, made = pcall(plan.encode, steps, SLOTS)
      collectgarbage("generational")
      if done then assert(plan.check(made:bytes()), "not well-formed") end
    end)
  end)
end)
