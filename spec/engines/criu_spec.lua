-- Containers to files and back by a real CRIU, where the kernel is one that it knows: Debian 12's
-- knows that of the guest (scripts/vm).

local bundle = require("support.bundle")
local engines = require("support.engines")
local support = require("support")
local world = require("support.world")

if not engines.wanted then return end

-- A number that grows, in memory and in a file. CRIU has no use for a /dev/null of the host's.
local COUNT <const> = "exec </dev/null >/dev/null 2>&1; while :; do n=$((n + 1));"
  .. "echo $n >/log/new; mv /log/new /log/count; sleep 0.05; done"

describe("checkpoints by CRIU #engines", function()
  local it = support.it(it, pending, "root", "program:criu", "criu")
  local room

  lazy_setup(function()
    if support.lacks("root", "program:criu", "criu") then return end
    world.check()
    room = engines.room()
  end)

  lazy_teardown(function()
    if not room then return end
    room:close()
    world.check()
  end)

  local function count()
    local file <close> = io.open(room.dir.path .. "/log/count")
    return file and math.tointeger(tonumber(file:read("a"))) or 0
  end

  it("go on where they were, in another process", function()
    local log = room.dir:mkdir("log")
    local box = bundle.new(room, "counts", { "sh", "-c", COUNT }, function(config)
      table.insert(config.mounts, { destination = "/log", type = "bind", source = log,
        options = { "bind" } })
      config.linux.cgroupsPath = "/criu/counts"
      config.linux.resources = { pids = { limit = 50 } }
    end)
    local function must(verb, ...)
      local result = room:run { "sh", "-c", '"$@" </dev/null >/dev/null', "sh", room.runtime,
        "--root", "/run/conformance", verb, ... }
      assert.same({ 0, "" }, { result.code, result.stderr })
    end
    must("run", "--detach", "--bundle", box.path, box.id)
    engines.await("it counts", function() return count() > 3 end)
    must("checkpoint", "--image-path", box.path .. "/images", box.id)
    box:await("stopped")
    local before = count()
    must("delete", box.id)
    must("restore", "--detach", "--bundle", box.path, "--image-path", box.path .. "/images", box.id)
    assert.equal("running", box:state().status)
    engines.await("it goes on", function() return count() > before + 3 end)
    local path = room:must { "cat", ("/proc/%d/cgroup"):format(box:state().pid) }
    assert.matches(":/criu/counts", path, 1, true)
    box:delete()
  end)
end)
