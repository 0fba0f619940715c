-- The field `restart`: its words, and what they come to.

local restart = require "luactr.spec.restart"
local spec = require "luactr.spec"

describe("restart #unit", function()
  local function policy(value)
    local checked, err = spec.check { rootfs = "/", command = { "x" }, restart = value }
    return checked and checked.restart, err and err.problems
  end

  it("is no, on-failure, on-failure:N, always, or podman's unless-stopped", function()
    for value, expected in pairs {
      no = "no", ["on-failure"] = "on-failure", ["on-failure:3"] = "on-failure:3",
      always = "always", ["unless-stopped"] = "always",
    } do
      assert.equal(expected, (policy(value)))
    end
    assert.equal("no", (policy(nil)))
  end)

  it("is nothing else", function()
    for _, value in ipairs { "", "yes", "always:3", "no:1", "on-failure:", "on-failure:0",
      "on-failure:-1", "on-failure:1.5", "on-failure:x", "on-failure: 3", "on-failure:3\n",
      "on-failure:1000001", "on-failure:99999999999999999999", true, 3, {} } do
      local _, problems = policy(value)
      assert.equal("restart", problems[1].path)
      assert.matches('expected, got', problems[1].message)
    end
  end)

  it("is taken apart", function()
    assert.same({ policy = "on-failure", most = 7 }, restart.parse("on-failure:7"))
    assert.same({ policy = "always" }, restart.parse("always"))
  end)
end)
