local core = require("luactr.core")
local inside = require("support.inside")
local launch = require("support.launch")
local lfs = require("lfs")
local support = require("support")
local system = require("system")
local world = require("support.world")

local sys = core.sys
local it = support.it(it, pending, "root", "file:" .. launch.busybox)

local SHELL <const> = { op = "exec", file = launch.busybox, argv = { "sh", "-c", "exit 7" },
  env = {} }

local function shell(command)
  return { op = "exec", file = launch.busybox, argv = { "sh", "-c", command }, env = {} }
end

local function start(steps, options)
  return assert(launch.start(steps, options or {}))
end

local function alive(pid)
  local file <close> = io.open("/proc/" .. pid .. "/stat")
  return file ~= nil and not file:read("a"):find("%) Z ")
end

describe("core.spawn #core #layout #spawn", function()
  before_each(world.check)
  after_each(world.check)

  describe("without an init", function()
    it("becomes the program, and tells how it ended", function()
      local process <close> = start { "exit 7" }
      assert.equal("started", process:launch())
      local ended = process:wait()
      assert.equal(7, ended.code)
      assert.equal(7, ended.init_code)
      assert.is_nil(ended.signal)
      assert.is_false(ended.core_dumped)
      assert.is_true(ended.max_rss > 0)
      assert.is_true(ended.user_seconds >= 0 and ended.system_seconds >= 0)
    end)

    it("tells the signal that ended it", function()
      -- not PID 1 of a namespace, which ignores it
      local ended = launch.run({ "kill -TERM $$" }, { flags = launch.flags.mount })
      assert.equal(15, ended.signal)
      assert.equal(15, ended.init_signal)
      assert.is_nil(ended.code)
    end)

    it("ends well after a list without exec", function()
      local ended = launch.run { { op = "sethostname", name = "x" } }
      assert.same({ "started" }, ended.event)
      assert.equal(0, ended.code)
    end)
  end)

  describe("with an init", function()
    it("gives the payload's status and its own", function()
      local ended = launch.run { { op = "init" }, "exit 7" }
      assert.same({ 7, 7 }, { ended.code, ended.init_code })
      ended = launch.run { { op = "init" }, "kill -KILL $$" }
      assert.same({ 9, 137 }, { ended.signal, ended.init_code })
    end)

    it("counts the payload's time and memory, not the init's", function()
      local ended = launch.run { { op = "init" },
        "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done" }
      assert.is_true(ended.user_seconds + ended.system_seconds > 0.005)
      assert.is_true(ended.max_rss > 300 * 1024)
    end)
  end)

  describe("launch()", function()
    it("says which step failed, and how", function()
      local cases = {
        { { op = "mount", source = "x", target = "/proc", type = "nosuchfs", flags = 0 },
          "mount", "ENODEV", "" },
        { { op = "root_bind", source = "/no/such/dir", recursive = 1 },
          "root_bind", "ENOENT", "source" },
        { { op = "chdir", path = "/no/such/dir" }, "chdir", "ENOENT", "" },
        { { op = "exec", file = "/no/such/program", argv = { "x" }, env = {} },
          "exec", "ENOENT", "" },
        { { op = "exec", file = "/etc/passwd", argv = { "x" }, env = {} }, "exec", "EACCES", "" },
        { { op = "setresuid", uid = 4294967295 }, "setresuid", "EINVAL", "" },
      }
      for _, init in ipairs { false, true } do
        for _, case in ipairs(cases) do
          local steps = launch.join(launch.private, init and { { op = "init" } } or {},
            { case[1], SHELL })
          local ended = launch.run(steps)
          assert.same({ "failed", init and 3 or 2, case[2], sys.errno[case[3]], case[4] },
            ended.event)
          assert.equal(125, ended.init_code)
        end
      end
    end)

    it("has no more to say after the end of the launch", function()
      local process <close> = start { SHELL }
      assert.equal("started", process:launch())
      local _, message, errno = process:launch()
      assert.equal(sys.errno.ESRCH, errno, message)
    end)

    it("tells an init that was killed half way from one that ended well", function()
      local process <close> = start { { op = "sethostname", name = "x" },
        { op = "rendezvous", number = 1 }, { op = "init" }, SHELL }
      assert.same({ "rendezvous", 1 }, { process:launch() })
      process:signal(9)
      assert.same({ "failed", 2, "rendezvous", sys.errno.EOWNERDEAD, "killed" },
        { process:launch() })
      assert.equal(9, process:wait().init_signal)
    end)

    it("fails with the injected errno at the step that was asked for", function()
      local steps = launch.join(launch.private, { { op = "sethostname", name = "x" },
        { op = "init" }, { op = "umask", mask = 18 }, SHELL })
      for number = 1, #steps do
        local ended = launch.run(steps, { fail = { step = number, errno = sys.errno.EXDEV } })
        assert.same({ "failed", number, steps[number].op, sys.errno.EXDEV, "" }, ended.event)
      end
    end)
  end)

  describe("a rendezvous", function()
    it("waits for the parent's answer", function()
      local process <close> = start { { op = "rendezvous", number = 1 },
        { op = "rendezvous", number = 4 }, { op = "init" }, SHELL }
      assert.same({ "rendezvous", 1 }, { process:launch() })
      assert.is_nil(process:wait(0.05))
      assert.is_true(process:answer(1))
      assert.same({ "rendezvous", 4 }, { process:launch() })
      assert.is_true(process:answer(4))
      assert.equal("started", process:launch())
      assert.equal(7, process:wait().code)
    end)

    it("ends the launch when the parent says something else", function()
      local process <close> = start { { op = "rendezvous", number = 1 }, { op = "init" }, SHELL }
      assert.equal("rendezvous", (process:launch()))
      process:answer(2)
      assert.same({ "failed", 1, "rendezvous", sys.errno.EOWNERDEAD, "killed" },
        { process:launch() })
    end)
  end)

  describe("settle()", function()
    it("knows that only PID 1 is left", function()
      local process <close> = start { { op = "init" }, "true & wait; exit 7" }
      assert.equal("started", process:launch())
      assert.is_true(process:settle())
      assert.is_true(process:settle(0))
      assert.equal(7, process:wait().code)
      assert.is_true(process:settle())
    end)

    it("does not know what PID 1 takes with it", function()
      local process <close> = start { { op = "init" }, "sleep 60 & exit 7" }
      assert.equal("started", process:launch())
      assert.is_false(process:settle())
      assert.equal(7, process:wait().code)
    end)

    it("does not know of others without an init, and of one that was killed", function()
      local bare <close> = start { "exit 7" }
      bare:launch()
      assert.is_false(bare:settle())
      local killed <close> = start { { op = "init" }, "sleep 60" }
      assert.equal("started", killed:launch())
      assert.is_true(killed:signal(9))
      assert.is_false(killed:settle())
      assert.equal(9, killed:wait().init_signal)
    end)

    it("gives up after its time", function()
      local process <close> = start { { op = "init" }, "sleep 60" }
      process:launch()
      assert.same({ nil, "timeout" }, { process:settle(0.05) })
    end)
  end)

  describe("wait()", function()
    it("gives up after its time", function()
      local process <close> = start { { op = "init" }, "sleep 60" }
      process:launch()
      local started = system.monotime()
      assert.same({ nil, "timeout" }, { process:wait(0.05) })
      assert.same({ nil, "timeout" }, { process:wait(0) })
      assert.is_true(system.monotime() - started >= 0.05)
    end)

    it("gives the same answer again", function()
      local process <close> = start { { op = "init" }, SHELL }
      process:launch()
      assert.same(process:wait(), process:wait(0))
    end)
  end)

  describe("close()", function()
    it("kills the init and all below it", function()
      local reader <close>, writer = assert(sys.pipe())
      local process = start({ { op = "init" }, { op = "dup", fd = "out", number = 1 },
        "sleep 60 & sleep 60 & echo up; wait" }, { slots = { out = writer } })
      writer:close()
      process:launch()
      assert.equal("up\n", reader:read())
      process:close()
      assert.equal("", reader:read()) -- nobody holds the other end any more
      process:close()
      assert.equal("process (closed)", tostring(process))
      assert.has_error(function() process:pid() end)
    end)

    it("ends a launch at a rendezvous", function()
      local process = start { { op = "rendezvous", number = 1 }, SHELL }
      process:launch()
      local pid = process:pid()
      process:close()
      assert.is_false(alive(pid))
    end)

    it("is what the collector does", function()
      local pid = start({ { op = "init" }, "sleep 60" }):pid()
      collectgarbage()
      collectgarbage()
      assert.is_false(alive(pid))
    end)

    it("in a fork leaves the process to its parent", function()
      local process <close> = start { { op = "init" }, "sleep 60" }
      process:launch()
      local child <close> = assert(sys.clone({}, function() process:close() end))
      child:wait()
      assert.is_nil(process:wait(0.05))
      assert.is_true(alive(process:pid()))
    end)
  end)

  describe("signal()", function()
    it("goes to the init, which forwards it", function()
      local process <close> = start { { op = "init" }, "sleep 60" }
      process:launch()
      assert.is_true(process:signal(15))
      assert.equal(15, process:wait().signal)
    end)

    it("fails when the process is gone", function()
      local process <close> = start { SHELL }
      process:launch()
      process:wait()
      local _, message, errno = process:signal(15)
      assert.equal(sys.errno.ESRCH, errno, message)
    end)
  end)

  it("gives integers to poll", function()
    local process <close> = start { { op = "init" }, "sleep 60" }
    for _, method in ipairs { "pid", "pidfd", "syncfd" } do
      assert.equal("integer", math.type(process[method](process)))
    end
    assert.matches("^process %d+$", tostring(process))
  end)

  it("notes when each step was begun", function()
    local process <close> = start({ { op = "sethostname", name = "x" }, { op = "init" }, SHELL },
      { times = true })
    process:launch()
    local first, second, third = process:step_time(1), process:step_time(2), process:step_time(3)
    assert.is_true(first <= second and second <= third)
    assert.is_true(math.abs(system.monotime() - third) < 120)
    assert.is_nil((process:step_time(4)))
  end)

  it("passes exactly the slots, each where a step wants it", function()
    local reader, writer <close> = assert(sys.pipe())
    local _ <close> = reader
    local stray <close> = assert(sys.open("/dev/null"))
    sys.set_cloexec(stray, false)
    local ended = launch.shell("/tmp", "cd /proc/self/fd; for f in *; do echo $f; done",
      {}, { { op = "dup", fd = "pipe", number = 5 }, { op = "dup", fd = "pipe", number = 40 } },
      { slots = { pipe = writer } })
    local seen = {}
    for name in ended.output:gmatch("%d+") do seen[tonumber(name)] = true end
    -- 0 is the shell's own: the directory that it lists
    assert.same({ true, true, true, true }, { seen[1], seen[2], seen[5], seen[40] })
    seen[0], seen[1], seen[2], seen[5], seen[40] = nil, nil, nil, nil, nil
    seen[3] = nil -- the directory again, when 0 is taken
    assert.is_nil((next(seen)), ended.output)
  end)

  it("works when the standard fds of the caller are closed", function()
    local dir <close> = support.tmpdir()
    local script = dir:write("script.lua", [[
      local core = require("luactr.core")
      local sys = core.sys
      for fd = 0, 2 do sys.adopt(fd):close() end
      local out = assert(sys.open(arg[1], sys.O_WRONLY))
      local plan = core.plan.encode({
        { op = "init" }, { op = "dup", fd = "out", number = 1 },
        { op = "exec", file = "/bin/busybox", argv = { "echo", "fine" }, env = {} },
      }, { "out" })
      local process <close> = assert(core.spawn { plan = plan, flags = sys.CLONE_NEWPID,
        fds = { out } })
      assert(process:launch() == "started")
      os.exit(process:wait().code)
    ]])
    local target = dir:write("out", "")
    local ran = support.run { "lua5.4", script, target, env = {
      LUA_CPATH = support.build .. "/lib/?.so", LD_PRELOAD = os.getenv("LD_PRELOAD") or "",
    } }
    assert.equal(0, ran.code, ran.stderr)
    assert.equal("fine\n", support.read(target))
  end)

  it("gives the payload no signal that the caller blocks or ignores", function()
    local dir <close> = support.tmpdir()
    local script = dir:write("script.lua", [[
      local core = require("luactr.core")
      local plan = core.plan.encode({
        { op = "init" }, { op = "dup", fd = "out", number = 1 },
        { op = "exec", file = "/bin/busybox", env = {},
          argv = { "grep", "-E", "Sig(Blk|Ign)|^Umask", "/proc/self/status" } },
      }, { "out" })
      local process <close> = assert(core.spawn { plan = plan, flags = core.sys.CLONE_NEWPID,
        fds = { 1 } })
      assert(process:launch() == "started")
      process:wait()
    ]])
    local ran = support.run { "sh", "-c", "trap '' INT QUIT USR1 PIPE; umask 077; exec lua5.4 "
      .. script, env = { LUA_CPATH = support.build .. "/lib/?.so",
      LD_PRELOAD = os.getenv("LD_PRELOAD") or "" } }
    assert.equal("Umask:\t0022\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
      ran.stdout)
  end)

  -- Map root inside to this user, and run a shell there, with or without a /proc.
  local USER_NAMESPACE <const> = [[
    local core = require("luactr.core")
    local sys = core.sys
    local target = arg[2] == "proc" and "/proc" or "/elsewhere"
    local plan = core.plan.encode({
      { op = "rendezvous", number = 1 },
      { op = "propagation", flags = sys.MS_REC | sys.MS_PRIVATE },
      { op = "root_tmpfs", stage = arg[1], data = "mode=0755" },
      { op = "bind", source = "/bin/busybox", target = "/bin/busybox", recursive = 0, set = 0,
        clear = 0 },
      { op = "mount", source = "x", target = target, flags = 0,
        type = arg[2] == "proc" and "proc" or "tmpfs" },
      { op = "pivot_root" },
      { op = "oom_score_adj", value = 500 },
      { op = "init" },
      { op = "dup", fd = "out", number = 1 },
      { op = "exec", file = "/bin/busybox", env = {}, argv = { "sh", "-c", "id -u; mkdir /x; " ..
        "stat -c %u /x; cat /proc/self/uid_map; grep -E 'Cap(Inh|Amb)' /proc/self/status" } },
    }, { "out" })
    local process <close> = assert(core.spawn { plan = plan, fds = { 1 },
      flags = sys.CLONE_NEWUSER | sys.CLONE_NEWPID | sys.CLONE_NEWNS | sys.CLONE_NEWNET })
    local event, number = process:launch()
    assert(event == "rendezvous" and number == 1)
    for _, file in ipairs { "setgroups deny", "uid_map 0 " .. sys.getuid() .. " 1",
                            "gid_map 0 " .. sys.getgid() .. " 1" } do
      local name, text = file:match("^(%S+) (.*)$")
      local map <close> = assert(io.open("/proc/" .. process:pid() .. "/" .. name, "w"))
      assert(map:write(text))
    end
    process:answer(1)
    print(process:launch())
    process:wait()
  ]]

  local function user_namespace(user, kind)
    local dir <close> = support.tmpdir()
    local script = dir:write("script.lua", USER_NAMESPACE)
    local stage = dir:mkdir("stage")
    support.must { "chmod", "755", dir.path }
    return support.run { "lua5.4", script, stage, kind, user = user, env = {
      LUA_CPATH = support.build .. "/lib/?.so", LD_PRELOAD = os.getenv("LD_PRELOAD") or "" } }
  end

  for name, user in pairs { ["as root"] = 0, ["as anybody"] = support.stranger } do
    local it_as = user == 0 and it or support.it(it, pending, "stranger")

    it_as("writes to procfs in a user namespace that has none, " .. name, function()
      local ran = user_namespace(user, "none")
      assert.equal("started\n", ran.stdout:match("started\n"), ran.stdout .. ran.stderr)
    end)

    it_as("makes a container in a user namespace " .. name, function()
      local ran = user_namespace(user, "proc")
      assert.equal("started\n", ran.stdout:match("started\n"), ran.stderr)
      local output = ran.stdout:gsub("started\n", "")
      assert.matches("^0\n0\n%s+0%s+" .. user .. "%s+1\n", output)
      assert.matches("CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n", ran.stdout)
    end)
  end

  local FAMILIES <const> = {
    ["PID 1 and the payload"] = { init = true, flags = launch.flags.all },
    ["a reaper and the payload"] = { init = true, flags = launch.flags.mount },
    ["the payload"] = { init = false, flags = launch.flags.mount },
  }

  for name, family in pairs(FAMILIES) do
    it("takes " .. name .. " along when the caller is killed", function()
      world.adopt_orphans()
      local reader <close>, writer = assert(sys.pipe())
      local caller <close> = assert(sys.clone({}, function()
        local process = start(launch.join(family.init and { { op = "init" } } or {},
          { { op = "setresuid", uid = 1000 }, { op = "dup", fd = "out", number = 1 },
            shell("echo up; exec sleep 60") }), { slots = { out = writer }, flags = family.flags })
        process:launch()
        sys.nanosleep(60)
      end))
      writer:close()
      assert.equal("up\n", reader:read())
      caller:signal("KILL")
      caller:wait()
      assert.equal("", reader:read())
    end)
  end

  it("survives no caller that is killed at a rendezvous", function()
    world.adopt_orphans()
    local reader <close>, writer = assert(sys.pipe())
    local caller <close> = assert(sys.clone({}, function()
      local process = start({ { op = "rendezvous", number = 1 }, SHELL },
        { slots = { out = writer } })
      process:launch()
      writer:write("up")
      sys.nanosleep(60)
    end))
    writer:close()
    assert.equal("up", reader:read())
    caller:signal("KILL")
    caller:wait()
    assert.equal("", reader:read())
  end)

  it("puts the process into a cgroup v2 at birth", function()
    support.needs("layout:v2")
    local name = support.name "spawn" -- another suite may run the same file
    local path = "/sys/fs/cgroup/" .. name
    assert(lfs.mkdir(path))
    local cgroup <close> = assert(sys.open(path, sys.O_RDONLY | sys.O_DIRECTORY))
    local process <close> = start({ { op = "init" }, "sleep 60" }, { cgroup = cgroup })
    process:launch()
    local own = support.read("/proc/" .. process:pid() .. "/cgroup")
    assert.matches("0::/" .. name .. "\n", own, 1, true)
    process:close()
    assert.is_true(os.remove(path))
  end)

  describe("on a kernel that", function()
    it("has no clone3 clones the old way", function()
      inside({}, function()
        local CLONE3 <const>, ERRNO <const>, ALLOW <const> = 435, 0x50000, 0x7fff0000
        local function insn(code, jt, jf, k) return string.pack("<I2BBI4", code, jt, jf, k) end
        assert(sys.no_new_privs(true))
        assert(sys.seccomp(insn(0x20, 0, 0, 0) .. insn(0x15, 0, 1, CLONE3) ..
          insn(6, 0, 0, ERRNO | sys.errno.ENOSYS) .. insn(6, 0, 0, ALLOW)))
        local ended = launch.shell("/tmp", "echo $$; exit 7")
        assert.same({ "2\n", 7 }, { ended.output, ended.code })
        local process <close> = start { { op = "init" }, "sleep 60" }
        process:launch()
        process:signal(15)
        assert.equal(15, process:wait().signal)
      end)
    end)

    it("executes no memfd takes the installed init", function()
      support.needs("file:/proc/sys/vm/memfd_noexec")
      local dir <close> = support.tmpdir()
      local script = dir:write("script.lua", [[
        local core = require("luactr.core")
        local plan = core.plan.encode { { op = "init" },
          { op = "exec", file = "/bin/busybox", argv = { "sh", "-c", "exit 7" }, env = {} } }
        local process, message = core.spawn { plan = plan, flags = core.sys.CLONE_NEWPID }
        if not process then print(message) os.exit(1) end
        assert(process:launch() == "started")
        os.exit(process:wait().code)
      ]])
      local directory = core.init_path
      repeat directory = directory:match("^(.*)/") until lfs.attributes(directory)
      local function run(prepare)
        return support.run { "unshare", "-mpf", "--mount-proc", "sh", "-c",
          "echo 2 >/proc/sys/vm/memfd_noexec && mount -t tmpfs tmpfs " .. directory .. " && " ..
          prepare .. "exec lua5.4 " .. script,
          env = { LUA_CPATH = support.build .. "/lib/?.so",
            LD_PRELOAD = os.getenv("LD_PRELOAD") or "" } }
      end
      assert.equal("spawn: Permission denied\n", run("").stdout)
      local ran = run(("mkdir -p %s && cp %s %s && "):format(core.init_path:match("^(.*)/"),
        support.build .. "/luactr-init", core.init_path))
      assert.equal(7, ran.code, ran.stdout .. ran.stderr)
    end)
  end)

  it("fails when namespaces can't be made", function()
    local process, message, errno = launch.start({ SHELL },
      { flags = sys.CLONE_NEWUSER | sys.CLONE_FS })
    assert.is_nil(process)
    assert.equal(sys.errno.EINVAL, errno)
    assert.matches("^spawn: ", message)
  end)

  it("refuses arguments of wrong types", function()
    local plan = core.plan.encode({ SHELL }, { "a" })
    local cases = {
      { 7, "table expected" },
      { {}, "luactr.plan expected" },
      { { plan = "x" }, "luactr.plan expected" },
      { { plan = plan }, "fds: 1 expected, one for each slot of the plan, got 0" },
      { { plan = plan, fds = { 1, 2 } }, "fds: 1 expected" },
      { { plan = plan, fds = 1 }, "fds: list expected, got number" },
      { { plan = plan, fds = { "x" } }, "luactr.fd expected" },
      { { plan = plan, fds = { -1 } }, "not a file descriptor" },
      { { plan = plan, fds = { 1 }, flags = "x" }, "flags: integer expected, got string" },
      { { plan = plan, fds = { 1 }, cgroup = {} }, "luactr.fd expected" },
      { { plan = plan, fds = { 1 }, fail = 1 }, "table expected" },
    }
    for _, case in ipairs(cases) do
      assert.error_matches(function() core.spawn(case[1]) end, case[2], 1, true)
    end
  end)

  it("leaks nothing over many launches", function()
    for _ = 1, 30 do
      local ended = launch.run { { op = "init" }, SHELL }
      assert.equal(7, ended.code)
      launch.run { { op = "init" }, { op = "chdir", path = "/no/such" }, SHELL }
    end
  end)
end)
