-- What the steps make of a process: namespaces, attributes, terminal; and what PID 1 does.

local launch = require("support.launch")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root", "file:" .. launch.busybox)

local null <const> = {
  { op = "mknod", path = "/dev/null", mode = 0x2000 | 438, device = 1 << 8 | 3 },
}

describe("the init's process #core #spawn", function()
  local dir

  before_each(function()
    world.check()
    dir = support.tmpdir()
  end)

  after_each(function()
    dir:close()
    world.check()
  end)

  local function inside(...) return launch.inside(dir, ...) end

  local function failure(before) return launch.failure(dir, before) end

  local function fails(errno, aux, step)
    local number = #launch.root("") + 1
    assert.same({ "failed", number, step.op, sys.errno[errno], aux }, failure { step })
  end

  ---- namespaces and procfs

  it("names the host and its domain, and brings up the loopback device", function()
    local output = inside("hostname; cat /proc/sys/kernel/domainname; ip -o link show lo", {
      { op = "sethostname", name = "inside" }, { op = "setdomainname", name = "example" },
      { op = "loopback_up" },
    }, {}, { flags = launch.flags.all | sys.CLONE_NEWNET })
    assert.matches("^inside\nexample\n1: lo: <LOOPBACK,UP,LOWER_UP>", output)
  end)

  it("unshares", function()
    local own = require("lfs").symlinkattributes("/proc/self/ns/net", "target")
    local output = inside("readlink /proc/self/ns/net",
      { { op = "unshare", flags = sys.CLONE_NEWNET } })
    assert.matches("^net:%[%d+%]\n$", output)
    assert.not_equal(own .. "\n", output)
  end)

  it("joins namespaces by fd", function()
    local holder <close> = assert(launch.start({ { op = "sethostname", name = "joined" },
      { op = "init" }, "sleep 60" }, {}))
    assert.equal("started", (holder:launch()))
    local ns <close> = assert(sys.open("/proc/" .. holder:pid() .. "/ns/uts"))
    local ended = launch.run(launch.join({ { op = "setns", ns = "uts", flags = sys.CLONE_NEWUTS } },
      launch.output, { "hostname" }), { flags = 0, slots = { uts = ns } })
    assert.equal("joined\n", ended.output)
  end)

  it("writes sysctls and the score through procfs of its own", function()
    local output = inside("cat /proc/sys/kernel/domainname " ..
      "/proc/sys/net/ipv4/conf/lo/forwarding /proc/self/oom_score_adj", {
      { op = "sysctl", key = "kernel.domainname", value = "a" },
      { op = "sysctl", key = "kernel/domainname", value = "written" },
      { op = "sysctl", key = "net/ipv4/conf/lo/forwarding", value = "1" },
      { op = "oom_score_adj", value = 321 },
    }, {}, { flags = launch.flags.all | sys.CLONE_NEWNET })
    assert.equal("written\n1\n321\n", output)
    fails("ENOENT", "target", { op = "sysctl", key = "no.such.key", value = "1" })
    for _, key in ipairs { "../../proc/version", "/etc/passwd" } do
      local event = failure { { op = "sysctl", key = key, value = "1" } }
      assert.same({ "failed", "sysctl", "target" }, { event[1], event[3], event[5] })
    end
  end)

  it("does not care what is mounted on the container's /proc", function()
    local output = inside("hostname", {
      { op = "mount", source = "trap", target = "/proc", type = "tmpfs", flags = 0 },
      { op = "file", path = "/proc/sys/kernel/hostname", content = "", mode = 420 },
      { op = "sysctl", key = "kernel.hostname", value = "real" },
    })
    assert.equal("real\n", output)
  end)

  ---- the payload's attributes

  it("sets limits, umask, ids, groups and directory", function()
    local output = inside("ulimit -n; ulimit -Hn; umask; id -u; id -g; " ..
      "grep Groups /proc/self/status; pwd",
      { { op = "mkdir", path = "/home/me", mode = 493 } }, {
      { op = "setrlimit", resource = 7, soft = 100, hard = 200 },
      { op = "umask", mask = 63 },
      { op = "setgroups", groups = { 7, 8 } },
      { op = "setresgid", gid = 1001 },
      { op = "setresuid", uid = 1000 },
      { op = "chdir", path = "/home/me" },
    })
    assert.equal("100\n200\n0077\n1000\n1001\nGroups:\t7 8 \n/home/me\n", output)
  end)

  it("takes -1 for no limit", function()
    local output = inside("ulimit -c; ulimit -Hc", {},
      { { op = "setrlimit", resource = 4, soft = -1, hard = -1 } })
    assert.equal("unlimited\nunlimited\n", output)
  end)

  it("leaves exactly the capabilities it was told to, across a change of user", function()
    local kill, bind = 1 << 5, 1 << 10
    local output = inside("grep -E 'Cap|NoNew' /proc/self/status", {}, {
      { op = "capbset_drop", keep = kill | bind },
      { op = "setresuid", uid = 1000 },
      { op = "capset", effective = kill | bind, permitted = kill | bind, inheritable = bind },
      { op = "cap_ambient", set = bind },
      { op = "no_new_privs" },
    })
    local sets = {}
    for name, set in output:gmatch("(%w+):%s*(%x+)") do sets[name] = tonumber(set, 16) end
    assert.same({ CapInh = bind, CapPrm = bind, CapEff = bind, CapAmb = bind,
      CapBnd = kill | bind, NoNewPrivs = 1 }, sets)
  end)

  it("filters system calls, in a filter that allows next to nothing", function()
    -- sock_filter: code, jt, jf, k. mkdir (x86-64: 83) gives EPERM; all else is allowed.
    local function insn(code, jt, jf, k) return string.pack("<I2BBI4", code, jt, jf, k) end
    local filter = insn(0x20, 0, 0, 0) .. insn(0x15, 0, 1, 83) .. insn(6, 0, 0, 0x50001) ..
      insn(6, 0, 0, 0x7fff0000)
    local output = inside("mkdir /x 2>&1; grep Seccomp: /proc/self/status", {},
      { { op = "no_new_privs" }, { op = "seccomp", filter = filter, flags = 0 } })
    if sys.uname().machine == "x86_64" then
      assert.matches("Operation not permitted", output)
    end
    assert.matches("Seccomp:\t2\n", output)
    local ended = launch.run { { op = "seccomp", filter = "odd", flags = 0 }, "true" }
    assert.same({ "failed", 1, "seccomp", sys.errno.EINVAL, "configure" }, ended.event)
  end)

  it("finds the program along the path, and says why it can't run it", function()
    local function exec(file, path)
      local ended = launch.run(launch.join(launch.output,
        { { op = "exec", file = file, argv = { "echo", "ran" }, env = {}, path = path } }))
      return ended.event[1] == "started" and ended.output or sys.errname(ended.event[4])
    end
    dir:write("bin/tool", "#!/bin/busybox sh\necho tool\n", "755")
    dir:write("locked/tool", "#!/bin/busybox sh\n", "644")
    dir:write("text/tool", "no program\n", "755")
    local bin, locked, text = dir.path .. "/bin", dir.path .. "/locked", dir.path .. "/text"
    assert.equal("ran\n", exec("busybox", "/no/such:/bin"))
    assert.equal("ran\n", exec("busybox"))
    assert.equal("tool\n", exec("tool", locked .. ":" .. bin))
    assert.equal("EACCES", exec("tool", locked .. ":/bin"))
    assert.equal("ENOENT", exec("tool", "/no/such:" .. launch.busybox))
    assert.equal("ENOENT", exec("tool", ""))
    assert.equal("ENOENT", exec("", "/bin"))
    assert.equal("ENOEXEC", exec("tool", text .. ":" .. bin))
    assert.equal("ENOEXEC", exec(text .. "/tool"))
  end)

  it("starts no program without argv[0]", function()
    local ended = launch.run { { op = "exec", file = launch.busybox, argv = {}, env = {} } }
    assert.same({ "failed", 1, "exec", sys.errno.EINVAL, "" }, ended.event)
  end)

  it("gives the payload the environment of the plan and no other", function()
    local ended = launch.run(launch.join(launch.output, { { op = "exec", file = launch.busybox,
      argv = { "env" }, env = { "A=1", "B=two words" } } }))
    assert.equal("A=1\nB=two words\n", ended.output)
  end)

  it("leaves the host as it was, whichever step fails", function()
    local terminal = { op = "mount", source = "devpts", target = "/dev/pts", type = "devpts",
      flags = 0, data = "newinstance,ptmxmode=0666,mode=0620" }
    local steps = launch.join(launch.root(dir:mkdir("stage")), null, {
      terminal,
      { op = "sethostname", name = "x" }, { op = "loopback_up" },
      { op = "mkdir", path = "/a/b", mode = 493 },
      { op = "file", path = "/a/file", content = "x", mode = 420, mount = 1 },
      { op = "symlink", link = "file", path = "/a/link" },
      { op = "mask", path = "/a/b" }, { op = "mask", path = "/a/file" },
      { op = "readonly", path = "/a" },
      { op = "pivot_root" },
      { op = "sysctl", key = "kernel.domainname", value = "x" },
      { op = "oom_score_adj", value = 500 },
      { op = "init" }, { op = "setsid" },
      { op = "setrlimit", resource = 7, soft = 64, hard = 64 }, { op = "umask", mask = 18 },
      { op = "setgroups", groups = {} }, { op = "setresgid", gid = 1 },
      { op = "capbset_drop", keep = 0 }, { op = "setresuid", uid = 1 },
      { op = "chdir", path = "/a" }, { op = "no_new_privs" }, "exit 3",
    })
    local options = { flags = launch.flags.all | sys.CLONE_NEWNET }
    assert.equal(3, launch.run(steps, options).code)
    for number, step in ipairs(steps) do
      options.fail = { step = number, errno = sys.errno.EXDEV }
      local event = launch.run(steps, options).event
      assert.same({ "failed", number, step.op or "exec", sys.errno.EXDEV, "" }, event)
    end
  end)

  ---- terminal

  local function with_terminal(command, rows, columns)
    local steps = launch.join(launch.root(dir:mkdir("stage")), {
      { op = "mount", source = "devpts", target = "/dev/pts", type = "devpts", flags = 0,
        data = "newinstance,ptmxmode=0666,mode=0620" },
      { op = "console", rows = rows, columns = columns },
    }, launch.enter, { { op = "setsid" }, { op = "controlling_tty" }, command })
    local process = assert(launch.start(steps, {}))
    local event, number, master = process:launch()
    assert.same({ "rendezvous", 3 }, { event, number })
    return process, master
  end

  it("makes a terminal of the container's own and hands over its master", function()
    local process <close>, master = with_terminal(
      "stty size; readlink /proc/self/fd/0; [ -c /dev/console ] && tty", 11, 33)
    assert.same({ 11, 33 }, { sys.window_size(master) })
    assert.equal("started", (process:launch()))
    local text = ""
    repeat
      local part = master:read()
      text = text .. (part or "")
    until not part or part == ""
    master:close()
    assert.equal("11 33\r\n/dev/pts/0\r\n/dev/pts/0\r\n", text)
    assert.equal(0, process:wait().code)
  end)

  it("puts the payload into the terminal's foreground", function()
    local process <close>, master = with_terminal("echo ready; sleep 60", 24, 80)
    process:launch()
    local text = ""
    while not text:find("ready\r\n", 1, true) do -- a terminal may give a line in parts
      text = text .. assert(master:read())
    end
    assert.is_number(sys.tcgetpgrp(master))
    master:write("\3") -- Ctrl-C
    assert.equal(2, process:wait(120).signal)
    master:close()
  end)

  it("takes no pts directory that is not devpts", function()
    local event = failure { { op = "mkdir", path = "/dev/pts", mode = 493 },
      { op = "console", rows = 1, columns = 1 } }
    assert.same({ "console", sys.errno.ENODEV, "verify" }, { event[3], event[4], event[5] })
  end)

  ---- PID 1

  it("reaps orphans and kills what is left at the end", function()
    local output = inside([[
      for i in 1 2 3 4 5; do (sh -c 'exit 3' & ); done
      (sleep 60 &)
      look() { ps -o stat= | grep -c Z; ps -o args= | grep -c '^sleep'; }
      i=0; while [ $i -lt 600 ] && [ "$(look)" != "$(printf '0\n1')" ]; do
        sleep 0.1; i=$((i + 1))
      done
      look]], null)
    assert.equal("0\n1\n", output)
  end)

  it("forwards every signal that can be, however it is meant", function()
    for _, name in ipairs { "HUP", "USR1", "USR2", "WINCH", "TSTP", "TTIN", "CONT", "TERM" } do
      local reader <close>, writer = assert(sys.pipe())
      local process <close> = assert(launch.start(launch.join({ { op = "init" },
        { op = "dup", fd = "out", number = 1 } },
        { ("trap 'echo got; exit 5' %s; echo up; while :; do sleep 0.01; done"):format(name) }),
        { slots = { out = writer } }))
      writer:close()
      process:launch()
      assert.equal("up\n", reader:read())
      process:signal(sys.signals[name])
      assert.equal("got\n", reader:read(), name)
      assert.equal(5, process:wait().code, name)
    end
  end)

  it("keeps as PID 1 next to nothing: rights, descriptors, memory", function()
    local process <close> = assert(launch.start(launch.join(launch.root(dir:mkdir("stage")),
      launch.enter, { "sleep 60" }), {}))
    assert.equal("started", (process:launch()))
    local proc = "/proc/" .. process:pid()
    launch.await_shed(process)
    local pss = tonumber(support.read(proc .. "/smaps_rollup"):match("\nPss:%s*(%d+)"))
    local status = support.read(proc .. "/status")
    assert.equal(1 << 5, tonumber(status:match("CapEff:%s*(%x+)"), 16))
    assert.equal(1 << 5, tonumber(status:match("CapPrm:%s*(%x+)"), 16))
    assert.is_true(pss <= 64, pss .. " KiB")
    local count = 0
    for name in require("lfs").dir(proc .. "/fd") do
      if name ~= "." and name ~= ".." then count = count + 1 end
    end
    assert.equal(1, count)
  end)

  it("cannot be looked into or killed from inside", function()
    local output = inside("kill -9 1; kill -STOP 1; ls /proc/1/fd 2>&1; readlink /proc/1/exe; " ..
      "echo alive", {}, { { op = "setresuid", uid = 1000 } })
    assert.matches("alive\n$", output)
    assert.is_nil(output:find("memfd"))
  end)
end)
