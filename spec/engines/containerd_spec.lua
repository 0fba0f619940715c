-- containerd on luactr, by its shim for runc with another BinaryName.

local engines = require("support.engines")
local support = require("support")
local world = require("support.world")

if not engines.wanted then return end

local CONFIGURATION <const> = [[
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "/run/containerd/containerd.sock"
]]

describe("containerd #engines", function()
  local it = support.it(it, pending, "root", "program:containerd")
  local room

  local function arguments(...) return { "ctr", tty = true, ... } end
  local function ctr(...) return room:run(arguments(...)) end
  local function must(...) return room:must(arguments(...)) end

  -- ctr run, with the runtime.
  local function run(...)
    return arguments("run", "--runc-binary=" .. room.runtime, ...)
  end

  lazy_setup(function()
    if support.lacks("root", "program:containerd") then return end
    world.check()
    room = engines.room()
    room:daemon("containerd", { "containerd", "--config",
      room.dir:write("containerd.toml", CONFIGURATION) })
    engines.await("containerd", function() return ctr("version").code == 0 end)
    must("image", "import", room:oci_archive())
  end)

  lazy_teardown(function()
    if not room then return end
    room:close()
    world.check()
  end)

  it("runs a command and gives its output and status", function()
    local result = room:run(run("--rm", engines.image, "once", "sh", "-c",
      "echo out; exit 7"))
    assert.same({ 7, "out\n" }, { result.code, result.stdout })
  end)

  it("leads a task through its life", function()
    room:must(run("-d", engines.image, "life", "sleep", "1000"))
    assert.truthy(must("task", "ls"):find("life%s+%d+%s+RUNNING"))
    assert.equal("in", must("task", "exec", "--exec-id", "one", "life", "echo", "in"))
    must("task", "pause", "life")
    assert.truthy(must("task", "ls"):find("life%s+%d+%s+PAUSED"))
    must("task", "resume", "life")
    assert.truthy(must("task", "metrics", "life"):find("memory", 1, true))
    assert.truthy(must("task", "ps", "life"):find("%d"))
    must("task", "kill", "-s", "KILL", "life")
    engines.await("its end", function() return must("task", "ls"):find("life%s+%d+%s+STOPPED") end)
    must("task", "rm", "life")
    must("container", "rm", "life")
  end)

  it("gives a terminal", function()
    local shell <close> = room:start(run("--rm", "-t", engines.image, "tty", "sh"))
    shell:write("tty; exit 5\n")
    shell:expect("/dev/pts/0")
    assert.equal(5, shell:wait(60).code)
  end)
end)
