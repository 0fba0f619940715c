-- What OCI's specification demands of any runtime, through the command line that engines use. It
-- runs on another one, too: LUACTR_ENGINES_RUNTIME=/usr/sbin/runc. docs/oci.md has what those fail.

local bundle = require("support.bundle")
local engines = require("support.engines")
local support = require("support")
local world = require("support.world")

if not engines.wanted then return end

describe("a runtime of OCI bundles #engines", function()
  local it = support.it(it, pending, "root")
  local room
  local count = 0

  lazy_setup(function()
    if support.lacks("root") then return end
    world.check()
    room = engines.room()
  end)

  lazy_teardown(function()
    if not room then return end
    room:close()
    world.check()
  end)

  local function new(argv, change)
    count = count + 1
    return bundle.new(room, "box" .. count, argv, change)
  end

  local function sh(script, change) return new({ "sh", "-c", script }, change) end

  -- What a script in a container prints.
  local function prints(expected, script, change)
    local result = sh(script, change):run()
    assert.same({ 0, expected, "" }, { result.code, result.stdout, result.stderr })
  end

  -- A container that is not made: an error, and nothing left.
  local function refused(change)
    local box = new({ "true" }, change)
    local result = box:create()
    assert.not_equal(0, result.code)
    assert.not_equal("", result.stderr)
    assert.is_nil(box:state())
  end

  -- One that sleeps, created and started.
  local function running(change)
    local box = new({ "sleep", "1000" }, change)
    assert.equal("", box:create().stderr)
    assert.equal(0, box:start().code)
    return box
  end

  describe("through its life", function()
    it("tells its state", function()
      local box = new({ "sleep", "1000" }, function(config)
        config.annotations = { ["a.b"] = "c" }
      end)
      assert.equal(0, box:create().code)
      local state = box:state()
      assert.same({ box.id, "created", box.path, "c" },
        { state.id, state.status, state.bundle, state.annotations["a.b"] })
      assert.truthy(state.ociVersion:find("^%d+%.%d+%.%d+"))
      assert.truthy(state.pid > 0)
      assert.equal(0, box:start().code)
      assert.equal("running", box:state().status)
      assert.equal(0, box:call("kill", box.id, "KILL").code)
      box:await("stopped")
      assert.equal(0, box:call("delete", box.id).code)
      assert.is_nil(box:state())
    end)

    it("does not run the program before its start", function()
      local box = sh("echo ran; sleep 1000")
      assert.equal(0, box:create().code)
      assert.equal("", support.read(box.path .. "/out"))
      assert.equal(0, box:start().code)
      engines.await("the program", function()
        return support.read(box.path .. "/out") == "ran\n"
      end)
      assert.not_equal(0, box:start().code)
      assert.equal("running", box:state().status)
      box:delete()
    end)

    it("refuses an id that is used, and leaves its container alone", function()
      local box = running()
      local pid = box:state().pid
      assert.not_equal(0, box:create().code)
      assert.equal(pid, box:state().pid)
      box:delete()
    end)

    it("refuses to delete what runs or was created, and what is not there", function()
      local box = new { "sleep", "1000" }
      assert.not_equal(0, box:call("delete", box.id).code)
      box:create()
      box:start()
      assert.not_equal(0, box:call("delete", box.id).code)
      assert.equal("running", box:state().status)
      box:delete()
    end)

    it("sends signals to what lives alone", function()
      local box = sh("trap 'exit 5' USR1; echo ready; while :; do sleep 0.1; done")
      box:create()
      box:start()
      engines.await("its trap", function() return support.read(box.path .. "/out") == "ready\n" end)
      assert.equal(0, box:call("kill", box.id, "USR1").code)
      box:await("stopped")
      assert.not_equal(0, box:call("kill", box.id, "TERM").code)
      assert.equal("stopped", box:state().status)
      assert.not_equal(0, box:start().code)
      assert.equal(0, box:call("delete", box.id).code)
      assert.not_equal(0, box:call("kill", "nobody", "TERM").code)
    end)

    it("kills what was created and never started", function()
      local box = new { "sleep", "1000" }
      box:create()
      assert.equal(0, box:call("kill", box.id, "KILL").code)
      box:await("stopped")
      assert.equal(0, box:call("delete", box.id).code)
    end)

    it("keeps to the configuration of its creation", function()
      local box = sh("echo first; sleep 1000")
      box:create()
      room.dir:write(box.id .. "/config.json", "{}")
      assert.equal(0, box:start().code)
      engines.await("the program", function()
        return support.read(box.path .. "/out") == "first\n"
      end)
      box:delete()
    end)

    it("writes its process's number into a file", function()
      local box = new { "sleep", "1000" }
      box:create("--pid-file", box.path .. "/pid")
      assert.equal(("%d"):format(box:state().pid), support.read(box.path .. "/pid"))
      box:delete()
    end)

    it("gives the program's status in the foreground", function()
      assert.equal(3, sh("exit 3"):run().code)
    end)
  end)

  describe("and its configuration", function()
    local REFUSED <const> = {
      ["no file"] = function() return false end,
      ["half a file"] = function() return "{" end,
      ["no version"] = function(config) config.ociVersion = nil end,
      ["a root that is not there"] = function(config) config.root.path = "missing" end,
      ["a relative directory"] = function(config) config.process.cwd = "tmp" end,
      ["no program"] = function(config) config.process.args = nil end,
      ["a program that is not there"] = function(config) config.process.args = { "/missing" } end,
      ["a text for a list"] = function(config)
        config.process.capabilities.bounding = "CAP_KILL"
      end,
      ["an unknown namespace"] = function(config)
        table.insert(config.linux.namespaces, { type = "world" })
      end,
      ["a namespace twice"] = function(config)
        table.insert(config.linux.namespaces, { type = "pid" })
      end,
      ["a file for a namespace"] = function(config)
        config.linux.namespaces[2].path = "/etc/passwd"
      end,
      ["a namespace of another type"] = function(config)
        config.linux.namespaces[2].path = "/proc/self/ns/uts"
      end,
      ["an unknown rlimit"] = function(config)
        config.process.rlimits = { { type = "RLIMIT_X", soft = 1, hard = 1 } }
      end,
    }

    for name, change in pairs(REFUSED) do
      it("refuses " .. name, function() refused(change) end)
    end

    it("takes properties that it does not know", function()
      prints("ok\n", "echo ok", function(config)
        config.unknown = { 1 }
        config.process.unknown = "x"
        config.linux.unknown = { a = { b = true } }
      end)
    end)
  end)

  describe("for a program", function()
    it("sets arguments, environment, directory and user", function()
      prints("/tmp b 1000 1000 5,1000 0027\n",
        "echo $PWD $A $(id -u) $(id -g) $(id -G | tr ' ' '\\n' | sort -n | paste -sd,) $(umask)",
        function(config)
          config.process.cwd = "/tmp"
          config.process.env = { "PATH=/bin", "A=b" }
          config.process.user = { uid = 1000, gid = 1000, additionalGids = { 5 }, umask = 23 }
        end)
    end)

    it("sets capabilities, each set by itself", function()
      prints("CapInh:\t0000000000000001\nCapPrm:\t0000000000000001\nCapEff:\t0000000000000001\n"
        .. "CapBnd:\t0000000000000421\nCapAmb:\t0000000000000001\n", "grep Cap /proc/self/status",
        function(config)
          config.process.user = { uid = 1000, gid = 1000 } -- root's exec takes all that is bounding
          local two <const> = { "CAP_CHOWN", "CAP_KILL" }
          config.process.capabilities = { permitted = two, effective = two,
            bounding = { "CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE" },
            inheritable = { "CAP_CHOWN" }, ambient = { "CAP_CHOWN" } }
        end)
    end)

    it("sets rlimits and the score of the OOM killer", function()
      prints("100 200\n300\n", "echo $(ulimit -Sn) $(ulimit -Hn); cat /proc/self/oom_score_adj",
        function(config)
          config.process.rlimits = { { type = "RLIMIT_NOFILE", soft = 100, hard = 200 } }
          config.process.oomScoreAdj = 300
        end)
    end)

    it("sets no_new_privs when it is told to", function()
      prints("NoNewPrivs:\t1\n", "grep NoNewPrivs /proc/self/status")
      prints("NoNewPrivs:\t0\n", "grep NoNewPrivs /proc/self/status", function(config)
        config.process.noNewPrivileges = false
      end)
    end)

    it("makes a terminal", function()
      local box = sh("stty size; tty", function(config)
        config.process.terminal = true
        config.process.consoleSize = { height = 31, width = 97 }
      end)
      local shell <close> = room:start { room.runtime, "--root", "/run/conformance", "run",
        "--bundle", box.path, box.id, tty = { rows = 31, columns = 97 } }
      shell:expect("31 97\r\n/dev/pts/0\r\n")
      assert.equal(0, shell:wait(60).code)
    end)

    it("filters system calls", function()
      prints("mkdir: can't create directory '/tmp/x': Bad message\nkept\n",
        "mkdir /tmp/x 2>&1; echo kept", function(config)
          config.linux.seccomp = { defaultAction = "SCMP_ACT_ALLOW",
            architectures = { "SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64" },
            syscalls = { { names = { "mkdir", "mkdirat" }, action = "SCMP_ACT_ERRNO",
              errnoRet = 74 } } }
        end)
    end)
  end)

  describe("for files", function()
    it("mounts in the order of the list, with options", function()
      prints("rw,nosuid,nodev,noexec,relatime\n7\nro\n",
        "grep ' /mnt ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1-5; cat /mnt/in/file;"
        .. "touch /mnt/in/x 2>/dev/null || echo ro", function(config)
          room.dir:write("source/file", "7\n")
          table.insert(config.mounts, { destination = "/mnt", type = "tmpfs", source = "tmpfs",
            options = { "nosuid", "nodev", "noexec", "size=1m" } })
          table.insert(config.mounts, { destination = "/mnt/in", type = "bind",
            source = room.dir.path .. "/source", options = { "rbind", "ro" } })
        end)
    end)

    it("makes the root read-only when it is told to", function()
      prints("touch: /x: Read-only file system\n", "touch /x 2>&1 || :", function(config)
        config.root.readonly = true
      end)
      prints("", "touch /y; rm /y")
    end)

    it("takes the root by an absolute path", function()
      prints("ok\n", "echo ok", function(config) config.root.path = room.dir.path .. "/root" end)
    end)

    it("hides paths, and makes others read-only", function()
      prints("0\n0\nro\n", "ls /home | wc -l; wc -c </etc/group;"
        .. "touch /etc/x 2>/dev/null || echo ro", function(config)
          config.linux.maskedPaths = { "/home", "/etc/group", "/missing" }
          config.linux.readonlyPaths = { "/etc", "/missing" }
        end)
    end)

    it("has the default devices and links", function()
      prints("1:3 666\n1:5 666\n1:7 666\n1:8 666\n1:9 666\n5:0 666\n",
        "cd /dev; stat -c '%t:%T %a' null zero full random urandom tty")
      prints("/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n",
        "for name in fd stdin stdout stderr ptmx; do readlink /dev/$name; done")
    end)

    it("makes further devices", function()
      prints("a:e5 640 1:2\n", "stat -c '%t:%T %a %u:%g' /dev/own", function(config)
        config.linux.devices = { { path = "/dev/own", type = "c", major = 10, minor = 229,
          fileMode = 416, uid = 1, gid = 2 } }
      end)
    end)

    it("propagates mounts as it is told to", function()
      local function optional(kind, pattern)
        local result = sh("grep ' / / ' /proc/self/mountinfo || sed -n 1p /proc/self/mountinfo",
          function(config) config.linux.rootfsPropagation = kind end):run()
        assert.truthy(result.stdout:find(pattern), result.stdout .. result.stderr)
      end
      optional("private", "^%d+ %d+ %S+ %S+ %S+ %S+ %-")
      optional("shared", "shared:")
      optional("unbindable", "unbindable")
    end)
  end)

  describe("for namespaces", function()
    it("makes those of the list, and keeps the others", function()
      local list <const> = "cd /proc/self/ns; for kind in *; do readlink $kind; done"
      local inside = sh(list):run().stdout
      local outside = room:must { "sh", "-c", list }
      for kind, same in pairs { pid = false, net = false, ipc = false, uts = false, mnt = false,
        cgroup = true, user = true } do
        local pattern = kind .. ":%[(%d+)%]"
        assert.equal(same, inside:match(pattern) == outside:match(pattern), kind)
      end
    end)

    it("joins others by their paths", function()
      local other = running()
      local pid = other:state().pid
      local expected = room:must { "sh", "-c",
        ("cd /proc/%d/ns; readlink net; readlink uts"):format(pid) }
      prints(expected .. "\nconformance\n",
        "cd /proc/self/ns; readlink net; readlink uts; hostname", function(config)
          config.hostname = nil
          config.linux.namespaces[2].path = ("/proc/%d/ns/net"):format(pid)
          config.linux.namespaces[4].path = ("/proc/%d/ns/uts"):format(pid)
        end)
      other:delete()
    end)

    it("sets names and sysctls in them", function()
      prints("named\n42\n", "hostname; cat /proc/sys/net/ipv4/ip_default_ttl", function(config)
        config.hostname = "named"
        config.linux.sysctl = { ["net.ipv4.ip_default_ttl"] = "42" }
      end)
    end)

    it("maps users", function()
      prints("         0     100000      10000\n0\n", "cat /proc/self/uid_map; id -u",
        function(config)
          table.insert(config.linux.namespaces, { type = "user" })
          local maps = { { containerID = 0, hostID = 100000, size = 10000 } }
          config.linux.uidMappings, config.linux.gidMappings = maps, maps
        end)
    end)
  end)

  describe("for cgroups", function()
    -- The first of these files that is there, in the container's cgroup of a controller.
    local function setting(box, controller, ...)
      local point, version = support.controller(controller)
      local pid = box:state().pid
      for _, name in ipairs { ... } do
        local result = room:run { "sh", "-c", ([[
          path=$(sed -n 's/^[0-9]*:%s://p' /proc/%d/cgroup | head -n 1); cat "%s$path/%s"]])
          :format(version == 2 and "" or controller, pid, point, name) }
        if result.code == 0 then return (result.stdout:gsub("\n$", "")) end
      end
    end

    it("sets limits below the path that it is told", function()
      for _, controller in ipairs { "memory", "pids", "cpu" } do
        if support.lacks("controller:" .. controller) then return end
      end
      local box = running(function(config)
        config.linux.cgroupsPath = "/conformance/box"
        config.linux.resources = { memory = { limit = 67108864 }, pids = { limit = 50 },
          cpu = { shares = 1024, quota = 50000, period = 100000 } }
      end)
      assert.equal("67108864", setting(box, "memory", "memory.max", "memory.limit_in_bytes"))
      assert.equal("50", setting(box, "pids", "pids.max"))
      assert.truthy(setting(box, "cpu", "cpu.max", "cpu.cfs_quota_us"):find("^50000"))
      local path = room:must { "cat", ("/proc/%d/cgroup"):format(box:state().pid) }
      assert.truthy(path:find(":/conformance/box"), path)
      box:delete()
      assert.equal("", room:must { "find", "/sys/fs/cgroup", "-path", "*/conformance/box" })
    end)

    it("changes them", function()
      support.needs("controller:pids")
      local box = running(function(config) config.linux.resources = { pids = { limit = 50 } } end)
      assert.equal(0, box:call("update", "--pids-limit", "20", box.id).code)
      assert.equal("20", setting(box, "pids", "pids.max"))
      box:delete()
    end)

    support.it(it, pending, "devices")("lets a program use the devices that it may", function()
      prints("ok\nOperation not permitted\n", "echo ok >/dev/null && echo ok; "
        .. "cat /dev/own 2>&1 | sed 's/.*: //'", function(config)
        config.linux.devices = { { path = "/dev/own", type = "c", major = 10, minor = 229 } }
        config.linux.resources = { devices = { { allow = false, access = "rwm" } } }
      end)
    end)

    it("freezes all, and lets them go on", function()
      local box = running(function(config) config.linux.cgroupsPath = "/conformance/frozen" end)
      assert.equal(0, box:call("pause", box.id).code)
      assert.equal("paused", box:state().status)
      assert.equal(0, box:call("resume", box.id).code)
      assert.equal("running", box:state().status)
      box:delete()
    end)
  end)

  describe("for hooks", function()
    local KINDS <const> = { "prestart", "createRuntime", "createContainer", "startContainer",
      "poststart", "poststop" }

    -- A script of the host and the container: it appends its words to a file in the bundle.
    local function hook(name, script)
      return { { path = "/bin/sh", args = { "sh", "-c", script, name },
        env = { "PATH=/bin:/usr/bin" } } }
    end

    it("runs them in their order", function()
      local box
      box = sh("echo program >>/log/order; sleep 1000", function(config)
        local log = room.dir:mkdir("log" .. count)
        table.insert(config.mounts, { destination = "/log", type = "bind", source = log,
          options = { "bind" } })
        config.hooks = {}
        for _, kind in ipairs(KINDS) do
          local path = kind == "startContainer" and "/log" or log
          config.hooks[kind] = hook(kind, "cat >/dev/null; echo $0 >>" .. path .. "/order")
        end
      end)
      local order = room.dir.path .. "/log" .. count .. "/order"
      assert.equal("", box:create().stderr)
      assert.truthy(support.read(order):find("^prestart\ncreateRuntime\ncreateContainer\n"))
      assert.equal(0, box:start().code)
      engines.await("the program", function() return support.read(order):find("program") end)
      local sorted = support.read(order)
      assert.truthy(sorted:find("startContainer.*program"), sorted)
      assert.truthy(sorted:find("poststart"), sorted)
      box:delete()
      assert.truthy(support.read(order):find("poststop\n$"))
    end)

    it("gives them the state", function()
      local box = new({ "sleep", "1000" }, function(config)
        config.annotations = { colour = "blue" }
        config.hooks = { createRuntime = hook("x", "cat >" .. room.dir.path .. "/state") }
      end)
      box:create()
      local state = assert(require("cjson").decode(support.read(room.dir.path .. "/state")))
      assert.same({ box.id, box.path, "blue", box:state().pid },
        { state.id, state.bundle, state.annotations.colour, state.pid })
      box:delete()
    end)

    it("does not need them to read it", function()
      local box = new({ "sleep", "1000" }, function(config)
        config.annotations = { long = ("x"):rep(200000) }
        config.hooks = { createRuntime = hook("x", "exec <&-; true") }
      end)
      assert.equal(0, box:create().code)
      box:delete()
    end)

    it("makes no container when one before its start fails", function()
      for _, kind in ipairs { "prestart", "createRuntime", "createContainer" } do
        refused(function(config) config.hooks = { [kind] = hook(kind, "exit 7") } end)
      end
    end)

    it("stops one that takes too long", function()
      refused(function(config)
        config.hooks = { createRuntime = hook("x", "sleep 1000") }
        config.hooks.createRuntime[1].timeout = 1
      end)
    end)

    it("does not start the program when one in the container fails", function()
      local box = sh("echo ran", function(config)
        config.hooks = { startContainer = hook("x", "exit 7") }
      end)
      box:create()
      assert.not_equal(0, box:start().code)
      assert.equal("", support.read(box.path .. "/out"))
      box:delete()
    end)
  end)
end)
