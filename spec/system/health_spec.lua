-- `health`: checks of a container that runs, and what comes of them.
local ctr = require("luactr")
local loop = require("luactr.loop")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

local function shell(script, fields)
  fields.rootfs = ctr.rootfs.host { "sh", "sleep", "cat", "touch", "rm" }
  fields.stdin, fields.stdout = "null", "null"
  fields.command = { "sh", "-c", script }
  fields.limits = { wall_time = 60 }
  return ctr.container(fields)
end

describe("health #system #layout", function()
  before_each(world.check)
  after_each(function()
    loop.close()
    world.check()
  end)

  it("goes from starting to healthy to unhealthy and back", function()
    local seen, fine = {}, true
    local box <close> = shell("exec sleep 1000", {
      health = { check = function() return fine, "says so" end, interval = 0.01, retries = 2 },
      on = { health = function(box, event)
        seen[#seen + 1] = event.from .. " " .. event.state
        assert.equal("says so", event.message)
        assert.equal(event.state, box:health().state)
        fine = event.state == "unhealthy"
        if #seen == 3 then box:kill() end
      end },
    })
    local result = assert(box:run())
    assert.equal("killed", result.reason)
    assert.is_nil(result.callback_errors)
    -- how many more there are until it has ended is a matter of luck
    assert.same({ "starting healthy", "healthy unhealthy", "unhealthy healthy" },
      table.move(seen, 1, 3, 1, {}))
  end)

  it("is shown by stats and inspect", function()
    local name, seen = support.name("health"), nil
    local box <close> = shell("exec sleep 1000", { name = name,
      health = { check = function() return true end, interval = 0.01 },
      on = { health = function(box)
        seen = { box:stats().health, ctr.find(name):inspect().health.state }
        box:kill()
      end },
    })
    assert(box:run())
    assert.same({ "healthy", "healthy" }, seen)
  end)

  it("is waited for", function()
    local checks = 0
    local function check()
      checks = checks + 1
      return checks == 3
    end
    local box <close> = shell("exec sleep 1000", { health = { check = check, interval = 0.01 } })
    assert(box:start())
    assert.is_true(box:wait_healthy(60))
    assert.equal(3, checks)
  end)

  it("is not waited for in vain", function()
    local health = { check = function() return false, "ill" end, interval = 0.01 }
    local box <close> = shell("exec sleep 1000", { health = health })
    assert(box:start())
    local _, err
    repeat _, err = box:wait_healthy(0.1) until err.code ~= "ETIMEDOUT" or err.cause
    assert.same({ "ETIMEDOUT", "ill" }, { err.code, err.cause })
    local short <close> = shell("exit 0", { health = health })
    assert(short:start())
    _, err = short:wait_healthy(60)
    assert.same({ "ESRCH", "it has ended" }, { err.code, err.cause })
  end)

  it("takes an error and silence for failures", function()
    local messages = {}
    for _, check in ipairs {
      function() error("broken", 0) end,
      function() ctr.sleep(1000) end,
    } do
      local box <close> = shell("exec sleep 1000", {
        health = { check = check, interval = 0.01, timeout = 0.05, retries = 1 },
        on = { health = function(box, event)
          messages[#messages + 1] = event.state .. ": " .. event.message
          box:kill()
        end },
      })
      assert(box:run())
    end
    assert.same({ "unhealthy: broken", "unhealthy: no answer in 0.05s" }, messages)
  end)

  it("is checked by a command in the container", function()
    local seen = {}
    local box <close> = shell("touch /tmp/ok; exec sleep 1000", {
      mounts = { ctr.tmpfs "/tmp" },
      health = { command = { "sh", "-c", "cat /tmp/ok && echo fine" }, interval = 0.02,
        retries = 1, start_period = 60 }, -- the first check may come before the file
      on = { health = function(box, event)
        seen[#seen + 1] = event.state .. " " .. event.message:match("%S+$")
        if event.state == "unhealthy" then return box:kill() end
        assert(box:exec { command = { "rm", "/tmp/ok" } })
      end },
    })
    local result = assert(box:run())
    assert.equal("killed", result.reason)
    assert.same({ "healthy fine", "unhealthy directory" }, seen)
  end)
end)
