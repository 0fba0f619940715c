-- Docker Swarm on luactr, with this machine as its only node.

local engines = require("support.engines")
local support = require("support")
local world = require("support.world")

if not engines.wanted then return end

local REPLICAS <const> = 3

describe("swarm #engines", function()
  local it = support.it(it, pending, "root", "program:dockerd", "program:containerd")
  local room

  local function must(...) return room:must(room:docker(...)) end

  -- The ids of the tasks' containers that run with these words in their environment.
  local function running(variable)
    local ids = {}
    for id in must("ps", "-q", "--no-trunc"):gmatch("%x+") do
      local environment = must("inspect", "-f", "{{.Config.Env}}", id)
      if environment:find(variable, 1, true) then ids[#ids + 1] = id end
    end
    return ids
  end

  local function all_run(variable)
    engines.await(REPLICAS .. " tasks with " .. variable, function()
      return #running(variable) == REPLICAS
    end)
  end

  lazy_setup(function()
    if support.lacks("root", "program:dockerd", "program:containerd") then return end
    world.check()
    room = engines.room()
    room:start_docker()
    must("swarm", "init", "--advertise-addr", "127.0.0.1")
    must("service", "create", "--detach", "--name", "web", "--replicas", REPLICAS,
      "--env", "V=one", "--restart-delay", "0s", "--stop-grace-period", "1s", engines.image,
      "sleep", "1000")
  end)

  lazy_teardown(function()
    if not room then return end
    room:close()
    world.check()
  end)

  it("runs a service of three replicas", function()
    all_run("V=one")
  end)

  it("replaces a task that is killed", function()
    all_run("V=one")
    local victim = running("V=one")[1]
    must("kill", victim)
    all_run("V=one")
    for _, id in ipairs(running("V=one")) do assert.not_equal(victim, id) end
  end)

  it("updates task after task", function()
    must("service", "update", "--detach", "--update-parallelism", "1", "--update-delay", "0s",
      "--env-rm", "V", "--env-add", "V=two", "web")
    all_run("V=two")
    engines.await("the end of the old tasks", function() return #running("V=one") == 0 end)
  end)

  it("scales down, and removes the service", function()
    must("service", "scale", "--detach", "web=1")
    engines.await("one task", function() return #running("V=") == 1 end)
    must("service", "rm", "web")
    engines.await("no task", function() return #running("V=") == 0 end)
    must("swarm", "leave", "--force")
  end)
end)
