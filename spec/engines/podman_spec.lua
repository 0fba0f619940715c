-- podman on luactr: a container's life, commands, terminals, pods and Kubernetes' files.

local engines = require("support.engines")
local support = require("support")
local world = require("support.world")

if not engines.wanted then return end

local LOOP <const> = 'trap "exit 3" TERM; echo out; echo err >&2; while :; do sleep 0.1; done'

local DEPLOYMENT <const> = [[
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: server
        image: localhost/box:1
        command: [httpd, -f, -p, "8080", -h, /etc]
        resources: {limits: {memory: 64Mi, cpu: 500m}}
      - name: client
        image: localhost/box:1
        command: [sleep, "1000"]
        securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true}
        env: [{name: WHO, value: client}]
]]

local POD <const> = [[
apiVersion: v1
kind: Pod
metadata: {name: site}
spec:
  restartPolicy: Never
  volumes:
  - {name: pages, hostPath: {path: %s, type: Directory}}
  initContainers:
  - name: writer
    image: localhost/box:1
    command: [sh, -c, "echo made >/pages/index.html"]
    volumeMounts: [{name: pages, mountPath: /pages}]
  containers:
  - name: server
    image: localhost/box:1
    command: [sh, -c, "exec httpd -f -p 8080 -h /pages 2>&1"]
    volumeMounts: [{name: pages, mountPath: /pages, readOnly: true}]
    securityContext: {capabilities: {drop: [all]}, allowPrivilegeEscalation: false}
]]

-- What plays the pause program of pods.
local CONFIGURATION <const> = [[
[engine]
infra_image = "localhost/pause:1"
]]

describe("podman #engines", function()
  local it = support.it(it, pending, "root", "program:podman")
  local room

  local function arguments(...)
    return { env = room.env, tty = { rows = 31, columns = 97 },
      "podman", "--runtime", room.runtime, ... }
  end

  local function podman(...) return room:run(arguments(...)) end

  -- What it prints when it succeeds.
  local function must(...) return room:must(arguments(...)) end

  lazy_setup(function()
    if support.lacks("root", "program:podman") then return end
    world.check()
    room = engines.room()
    room.env = { CONTAINERS_CONF = room.dir:write("containers.conf", CONFIGURATION) }
    for _, image in ipairs { engines.image, "localhost/pause:1" } do
      must("import", "--change", "ENV PATH=/bin", "--change", 'CMD ["sleep", "1000"]', room.archive,
        image)
    end
  end)

  lazy_teardown(function()
    if not room then return end
    room:close()
    world.check()
  end)

  it("runs a command and gives its output and status", function()
    local result = podman("run", "--rm", "--network=none", engines.image, "sh", "-c",
      "echo out; echo err >&2; exit 7")
    assert.same({ 7, "out\n", "err\n" }, { result.code, result.stdout, result.stderr })
  end)

  it("tells a command that is not there from one that it may not run", function()
    assert.equal(127, podman("run", "--rm", "--network=none", engines.image, "/nothing").code)
    assert.equal(126, podman("run", "--rm", "--network=none", engines.image, "/etc/passwd").code)
  end)

  it("gives a terminal, with its size", function()
    local shell <close> = room:start(arguments("run", "--rm", "-it", "--network=none",
      engines.image, "sh"))
    shell:write("until [ \"$(stty size)\" = '31 97' ]; do sleep 0.1; done; tty; exit 5\n")
    shell:expect("/dev/pts/0")
    assert.equal(5, shell:wait(60).code)
  end)

  it("leads a container through its life", function()
    must("run", "-d", "--name", "life", "--network=none", engines.image, "sh", "-c", LOOP)
    local function status(format) return must("inspect", "-f", format, "life") end
    engines.await("its output", function() return must("logs", "life") == "out" end)
    must("pause", "life")
    assert.equal("paused", status("{{.State.Status}}"))
    must("unpause", "life")
    assert.truthy(must("top", "life", "pid", "args"):find("sh -c", 1, true))
    must("stop", "-t", "60", "life")
    assert.equal("exited 3", status("{{.State.Status}} {{.State.ExitCode}}"))
    must("start", "life")
    engines.await("its output", function() return must("logs", "life") == "out\nout" end)
    must("restart", "-t", "60", "life")
    assert.equal("running", status("{{.State.Status}}"))
    must("kill", "-s", "KILL", "life")
    assert.equal("137", must("wait", "life"))
    must("rm", "life")
  end)

  it("runs commands beside the container's own, as whom and where it is told", function()
    must("run", "-d", "--name", "exec", "--network=none", engines.image, "sleep", "1000")
    local result = podman("exec", "exec", "sh", "-c", "echo in; exit 7")
    assert.same({ 7, "in\n" }, { result.code, result.stdout })
    assert.equal("b\n/tmp\n1000", must("exec", "-e", "A=b", "-w", "/tmp", "-u", "app", "exec",
      "sh", "-c", "echo $A; pwd; id -u"))
    assert.equal(127, podman("exec", "exec", "/nothing").code)
    must("exec", "-d", "exec", "touch", "/tmp/detached")
    engines.await("the detached command", function()
      return podman("exec", "exec", "test", "-e", "/tmp/detached").code == 0
    end)
    local shell <close> = room:start(arguments("exec", "-it", "exec", "sh"))
    shell:write("tty; exit 6\n")
    shell:expect("/dev/pts/%d")
    assert.equal(6, shell:wait(60).code)
    must("rm", "-f", "-t", "0", "exec")
  end)

  it("learns a container's health", function()
    must("run", "-d", "--name", "health", "--network=none", "--health-cmd", "test -e /tmp/ok",
      "--health-interval=disable", engines.image, "sleep", "1000")
    assert.equal(1, podman("healthcheck", "run", "health").code)
    must("exec", "health", "touch", "/tmp/ok")
    assert.equal(0, podman("healthcheck", "run", "health").code)
    must("rm", "-f", "-t", "0", "health")
  end)

  it("reads meters, and changes limits", function()
    must("run", "-d", "--name", "meters", "--network=none", "--memory=64m", "--pids-limit=50",
      engines.image, "sleep", "1000")
    local limit, pids = must("stats", "--no-stream", "--format", "{{.MemLimit}} {{.PIDS}}",
      "meters"):match("(%d+)%S* (%d+)")
    assert.same({ 67108864, "1" }, { tonumber(limit), pids })
    must("update", "--memory=32m", "meters")
    assert.truthy(must("exec", "meters", "sh", "-c", "cd /sys/fs/cgroup; "
      .. "cat memory.max memory/memory.limit_in_bytes 2>&1; true"):find("33554432", 1, true))
    must("rm", "-f", "-t", "0", "meters")
  end)

  it("needs no more than half a megabyte for a small program", function()
    must("run", "--rm", "--network=none", "--memory=512k", engines.image, "true")
  end)

  it("sets what a container may do", function()
    local printed = must("run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp",
      "--volume=" .. room.dir.path .. ":/host:ro", "--cap-drop=ALL", "--cap-add=CHOWN",
      "--security-opt=no-new-privileges", "--ulimit=nofile=100:200", "--ulimit=nproc=99:99",
      "--hostname=inside", "--user=app", engines.image, "sh", "-c",
      engines.look)
    assert.equal(engines.seen, printed)
  end)

  it("lets containers share a pod's namespaces", function()
    must("pod", "create", "--name", "pod", "--network=none")
    must("run", "-d", "--pod", "pod", "--name", "pod-a", engines.image, "httpd", "-f", "-p", "80",
      "-h", "/etc")
    must("run", "-d", "--pod", "pod", "--name", "pod-b", engines.image, "sleep", "1000")
    engines.await("the other container's server", function()
      return podman("exec", "pod-b", "wget", "-qO-", "http://127.0.0.1/group").stdout
        == "root:x:0:\napp:x:1000:\n"
    end)
    must("pod", "rm", "-f", "-t", "0", "pod")
  end)

  it("plays a Deployment of Kubernetes", function()
    local path = room.dir:write("web.yml", DEPLOYMENT)
    must("play", "kube", "--network=none", path)
    engines.await("the server", function()
      return podman("exec", "web-pod-0-client", "wget", "-qO-",
        "http://127.0.0.1:8080/group").stdout == "root:x:0:\napp:x:1000:\n"
    end)
    assert.equal("1000 client", must("exec", "web-pod-0-client", "sh", "-c", "echo $(id -u) $WHO"))
    must("play", "kube", "--down", path)
    assert.equal("", must("ps", "-aq"))
  end)

  it("plays a Pod of Kubernetes, with one that comes before its others", function()
    local path = room.dir:write("site.yml", POD:format(room.dir:mkdir("pages")))
    must("kube", "play", "--network=none", path)
    engines.await("the server", function()
      return podman("exec", "site-server", "wget", "-qO-", "http://127.0.0.1:8080/").stdout
        == "made\n"
    end)
    assert.equal("ro\n0000000000000000", must("exec", "site-server", "sh", "-c",
      "touch /pages/x 2>/dev/null || echo ro; sed -n 's/^CapBnd:.//p' /proc/1/status"))
    must("kube", "down", path)
    assert.equal("", must("ps", "-aq"))
  end)

  it("runs containers of somebody without rights", function()
    support.needs("stranger", "program:newuidmap")
    room:must { "sh", "-c", "useradd --uid 4000 --home-dir /run/home --create-home roomer"
      .. " && chmod 755 \"$0\" && mkdir -m 700 /run/runtime && chown roomer /run/runtime",
      room.dir.path }
    local function theirs(...)
      return room:must { "setpriv", "--reuid=4000", "--regid=4000", "--clear-groups", "env",
        "HOME=/run/home", "XDG_RUNTIME_DIR=/run/runtime", "podman", "--runtime", room.runtime, ... }
    end
    theirs("import", "--change", "ENV PATH=/bin", room.archive, engines.image)
    assert.equal("0 4000", theirs("run", "--rm", "--network=none", engines.image, "sh", "-c",
      "echo $(id -u) $(awk '$1 == 0 { print $2 }' /proc/self/uid_map)"))
    theirs("run", "-d", "--name=own", "--network=none", engines.image, "sleep", "1000")
    assert.equal("1000", theirs("exec", "-u", "app", "own", "id", "-u"))
    theirs("rm", "-f", "-t", "0", "own")
  end)

  it("joins containers by a network, with names and ports", function()
    support.needs("file:/usr/lib/podman/netavark", "program:iptables")
    must("network", "create", "lan")
    must("run", "-d", "--name", "server", "--network=lan", "-p", "8081:80", engines.image, "httpd",
      "-f", "-p", "80", "-h", "/etc")
    engines.await("the server by its name", function()
      return podman("run", "--rm", "--network=lan", engines.image, "wget", "-qO-",
        "http://server/group").stdout == "root:x:0:\napp:x:1000:\n"
    end)
    engines.await("the server by its port", function()
      return room:run({ "busybox", "wget", "-qO-", "http://127.0.0.1:8081/group" }).stdout
        == "root:x:0:\napp:x:1000:\n"
    end)
    must("rm", "-f", "-t", "0", "server")
    must("network", "rm", "lan")
  end)
end)
