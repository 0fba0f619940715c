local corpus = require("support.corpus")
local plan = require("luactr.core").plan
local support = require("support")

describe("core.plan under a fuzzer #fuzz", function()
  it("encodes a well-formed plan or names the problem", function()
    local encoded, refused = 0, 0
    support.fuzz(function()
      local done, made = pcall(plan.encode, corpus.random_steps(), corpus.slots)
      if done then
        encoded = encoded + 1
        assert(plan.check(made:bytes()), "not well-formed")
        plan.check(corpus.mutate(made:bytes())) -- must not crash; small changes may be well-formed
      else
        refused = refused + 1
        assert(made:find("step %d+") or made:find("plan: "), made)
      end
    end)
    assert.is_true(encoded > 0 and refused > 0)
  end)

  it("tells a plan of a recipe that was changed from one that was not", function()
    local plans, refused = {}, 0
    for i, recipe in ipairs(corpus.plans()) do
      plans[i] = plan.encode(recipe.steps, recipe.slots):bytes()
      assert(plan.check(plans[i]), recipe.name)
    end
    assert.is_true(#plans > 4)
    support.fuzz(function()
      local changed = corpus.mutate(plans[math.random(#plans)])
      if not plan.check(changed) then refused = refused + 1 end
    end)
    assert.is_true(refused > 0)
  end)

  it("survives a collector that changes the steps while they are read", function()
    support.fuzz(function()
      local steps = corpus.random_steps()
      local victim = steps[1]
      if type(victim) == "table" then
        -- the userdata for the plan is made between the two walks: a cycle may run there
        setmetatable({}, { __gc = function()
          for key in pairs(victim) do
            if key ~= "op" then victim[key] = corpus.text() end
          end
        end })
      end
      collectgarbage("incremental", 1000, 1000)
      local done, made = pcall(plan.encode, steps, corpus.slots)
      collectgarbage("generational")
      if done then assert(plan.check(made:bytes()), "not well-formed") end
    end)
  end)
end)
