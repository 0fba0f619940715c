-- Docker on luactr: containers, commands, builds, restarts and networks.

local engines = require("support.engines")
local support = require("support")
local world = require("support.world")

if not engines.wanted then return end

describe("docker #engines", function()
  local it = support.it(it, pending, "root", "program:dockerd", "program:containerd")
  local room

  local function docker(...) return room:run(room:docker(...)) end
  local function must(...) return room:must(room:docker(...)) end
  local function inspect(name, format) return must("inspect", "-f", format, name) end

  lazy_setup(function()
    if support.lacks("root", "program:dockerd", "program:containerd") then return end
    world.check()
    room = engines.room()
    room:start_docker()
  end)

  lazy_teardown(function()
    if not room then return end
    room:close()
    world.check()
  end)

  it("has the runtime as its default one", function()
    assert.equal("own", must("info", "-f", "{{.DefaultRuntime}}"))
  end)

  it("runs a command and gives its output and status", function()
    local result = docker("run", "--rm", engines.image, "sh", "-c",
      "echo out; echo err >&2; exit 7")
    assert.same({ 7, "out\n", "err\n" }, { result.code, result.stdout, result.stderr })
  end)

  it("tells a command that is not there from one that it may not run", function()
    assert.equal(127, docker("run", "--rm", engines.image, "/nothing").code)
    assert.equal(126, docker("run", "--rm", engines.image, "/etc/passwd").code)
  end)

  it("gives a terminal, with its size", function()
    local shell <close> = room:start(room:docker("run", "--rm", "-it", engines.image, "sh"))
    shell:write("until [ \"$(stty size)\" = '31 97' ]; do sleep 0.1; done; tty; exit 5\n")
    shell:expect("/dev/pts/0")
    assert.equal(5, shell:wait(60).code)
  end)

  it("leads a container through its life", function()
    must("run", "-d", "--name", "life", engines.image, "sh", "-c",
      'echo out; trap "exit 3" TERM; while :; do sleep 0.1; done')
    engines.await("its output", function() return must("logs", "life") == "out" end)
    must("pause", "life")
    assert.equal("paused", inspect("life", "{{.State.Status}}"))
    must("unpause", "life")
    assert.truthy(must("top", "life"):find("sh -c", 1, true))
    must("stop", "-t", "60", "life")
    assert.equal("exited 3", inspect("life", "{{.State.Status}} {{.State.ExitCode}}"))
    must("start", "life")
    must("restart", "-t", "60", "life")
    assert.equal("running", inspect("life", "{{.State.Status}}"))
    must("kill", "life")
    assert.equal("137", must("wait", "life"))
    must("rm", "life")
  end)

  it("runs commands beside the container's own, as whom and where it is told", function()
    must("run", "-d", "--name", "exec", engines.image, "sleep", "1000")
    local result = docker("exec", "exec", "sh", "-c", "echo in; exit 7")
    assert.same({ 7, "in\n" }, { result.code, result.stdout })
    assert.equal("b\n/tmp\n1000", must("exec", "-e", "A=b", "-w", "/tmp", "-u", "app", "exec",
      "sh", "-c", "echo $A; pwd; id -u"))
    assert.truthy(docker("exec", "exec", "/nothing").code >= 126)
    local shell <close> = room:start(room:docker("exec", "-it", "exec", "sh"))
    shell:write("tty; exit 6\n")
    shell:expect("/dev/pts/%d")
    assert.equal(6, shell:wait(60).code)
    must("rm", "-f", "exec")
  end)

  it("learns a container's health", function()
    must("run", "-d", "--name", "health", "--health-cmd", "test -e /tmp/ok", "--health-interval=1s",
      "--health-retries=1", engines.image, "sleep", "1000")
    local function becomes(wanted)
      engines.await(wanted, function()
        return inspect("health", "{{.State.Health.Status}}") == wanted
      end)
    end
    becomes("unhealthy")
    must("exec", "health", "touch", "/tmp/ok")
    becomes("healthy")
    must("rm", "-f", "health")
  end)

  it("reads meters, and changes limits", function()
    must("run", "-d", "--name", "meters", "--memory=64m", "--memory-swap=64m", "--pids-limit=50",
      engines.image, "sleep", "1000")
    local function stats()
      return must("stats", "--no-stream", "--format", "{{.PIDs}} of {{.MemUsage}}", "meters")
    end
    assert.truthy(stats():find("^1 of .*/ 64MiB$"))
    must("update", "--memory=32m", "--memory-swap=32m", "meters")
    assert.truthy(stats():find("/ 32MiB$"))
    must("rm", "-f", "meters")
  end)

  it("tells of a container that used too much memory", function()
    docker("run", "--name", "greedy", "--memory=16m", "--memory-swap=16m", engines.image, "sh",
      "-c", "a=$(dd if=/dev/zero bs=1M count=64 | tr '\\0' x); echo ${#a}")
    assert.equal("true 137", inspect("greedy", "{{.State.OOMKilled}} {{.State.ExitCode}}"))
    must("rm", "greedy")
  end)

  it("starts a container again when it ends", function()
    must("run", "-d", "--restart=on-failure:2", "--name", "again", engines.image, "sh", "-c",
      "exit 3")
    engines.await("the last start", function()
      return inspect("again", "{{.RestartCount}} {{.State.Status}}") == "2 exited"
    end)
    must("rm", "again")
  end)

  it("builds an image", function()
    room.dir:write("context/Dockerfile", "FROM " .. engines.image
      .. "\nRUN echo built > /built\nRUN grep built /built\nCMD cat /built\n")
    must("build", "-t", "built", room.dir.path .. "/context")
    assert.equal("built", must("run", "--rm", "built"))
  end)

  it("joins containers by a network, with names and ports", function()
    must("network", "create", "lan")
    must("run", "-d", "--network=lan", "--name", "server", "-p", "8081:80", engines.image, "httpd",
      "-f", "-p", "80", "-h", "/etc")
    local accounts = "root:x:0:\napp:x:1000:"
    assert.equal(accounts, must("run", "--rm", "--network=lan", engines.image, "wget", "-qO-",
      "http://server/group"))
    assert.equal(accounts, room:must { "busybox", "wget", "-qO-", "http://127.0.0.1:8081/group" })
    assert.equal(accounts, must("run", "--rm", "--network=container:server", engines.image, "wget",
      "-qO-", "http://127.0.0.1/group"))
    must("rm", "-f", "server")
    must("network", "rm", "lan")
  end)

  it("sets what a container may do", function()
    local printed = must("run", "--rm", "--read-only", "--tmpfs=/tmp", "--init",
      "--volume=" .. room.dir.path .. ":/host:ro", "--cap-drop=ALL", "--cap-add=CHOWN",
      "--security-opt=no-new-privileges", "--ulimit=nofile=100:200", "--hostname=inside",
      "--user=app", "--sysctl=net.ipv4.ip_forward=0", engines.image, "sh", "-c",
      engines.look)
    assert.equal(engines.seen, printed)
  end)
end)
