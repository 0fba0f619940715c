-- What each field of a config.json does, seen from inside a container. Several fields share one.

local cjson = require("cjson")
local ctr = require("luactr")
local lfs = require("lfs")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

-- Applets of the only program.
local APPLETS <const> = { "sh", "cat", "id", "ls", "readlink", "uname", "env", "pwd", "hostname",
  "stat", "mkdir", "awk", "ionice", "chmod", "echo", "test", "sleep", "mount", "wc", "grep" }

local function mount(type, target, options, source)
  return { type = type, destination = target, source = source or type, options = options }
end

local function list(...)
  local result = {}
  for i, kind in ipairs { ... } do result[i] = { type = kind } end
  return result
end

describe("config.json #system", function()
  local dir
  local made = 0

  before_each(function()
    world.check()
    dir = support.tmpdir()
    dir:mkdir("rootfs/bin")
    support.copy("/bin/busybox", dir.path .. "/rootfs/bin/busybox")
    for _, name in ipairs(APPLETS) do
      assert(sys.symlink("busybox", dir.path .. "/rootfs/bin/" .. name))
    end
    dir:mkdir("rootfs/etc")
    dir:write("rootfs/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbob:x:7:8::/home/bob:/bin/sh\n")
  end)

  after_each(function()
    dir:close()
    world.check()
  end)

  -- A container with these members of process and linux, and these beside them.
  local function bundle(members)
    local process = { cwd = "/", args = { "sh" }, env = { "PATH=/bin" } }
    local linux = { namespaces = list("mount", "pid", "ipc") }
    for name, value in pairs(members.process or {}) do process[name] = value end
    for name, value in pairs(members.linux or {}) do linux[name] = value end
    local document = { ociVersion = "1.3.0", root = { path = "rootfs" }, process = process,
      linux = linux, mounts = { mount("proc", "/proc"), mount("tmpfs", "/dev",
        { "nosuid", "strictatime", "mode=755" }) } }
    for name, value in pairs(members) do
      if name == "mounts" then
        table.move(value, 1, #value, #document.mounts + 1, document.mounts)
      elseif name ~= "process" and name ~= "linux" then
        document[name] = value
      end
    end
    support.write(dir.path .. "/config.json", cjson.encode(document))
    made = made + 1
    return ctr.oci.bundle(dir.path, { id = support.name("bundle-" .. made) })
  end

  -- What its command prints.
  local function output(members, script)
    members.process = members.process or {}
    members.process.args = members.process.args or { "sh", "-c", script }
    local box <close> = bundle(members)
    box.spec.stdout, box.spec.stderr = { kind = "capture" }, { kind = "stdout" }
    box.spec.stdin = { kind = "null" }
    local result, err = box:run()
    assert(result, tostring(err))
    assert.are.equal(0, result.exit_code, result.stdout)
    return result.stdout
  end

  local function has(text, ...)
    for _, wanted in ipairs { ... } do
      assert.is_truthy(text:find(wanted, 1, true), wanted .. " is not in:\n" .. text)
    end
  end

  it("gives the process its user, groups, umask, variables and directory", function()
    dir:mkdir("rootfs/work")
    local text = output({ process = {
      user = { uid = 7, gid = 8, additionalGids = { 5, 6 }, umask = 63 }, cwd = "/work",
      env = { "PATH=/bin", "A=1", "A=two", "EMPTY=" }, noNewPrivileges = true, oomScoreAdj = 321,
      rlimits = { { type = "RLIMIT_NOFILE", soft = 77, hard = 88 } },
    } }, [[id; umask; env; pwd; cat /proc/self/oom_score_adj; grep -E "NoNew|Cap" /proc/self/status
      grep "open files" /proc/self/limits]])
    has(text, "uid=7(bob) gid=8 groups=5,6", "0077", "A=two\n", "EMPTY=\n", "HOME=/home/bob\n",
      "/work\n", "321\n", "NoNewPrivs:\t1", "CapBnd:\t0000000000000000")
    assert.matches("Max open files%s+77%s+88", text)
    assert.is_nil(text:find("HOSTNAME=", 1, true))
    assert.is_nil(text:find("TERM=", 1, true))
  end)

  it("gives it the five sets of capabilities", function()
    local text = output({ process = { capabilities = {
      bounding = { "CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NOT_YET" },
      permitted = { "CAP_CHOWN", "CAP_KILL" }, effective = { "CAP_CHOWN" },
      inheritable = { "CAP_KILL" }, ambient = { "CAP_KILL" },
    } } }, "cat /proc/self/status")
    -- root's program has all that is bounding, by execve(2)
    has(text, "CapInh:\t0000000000000020", "CapBnd:\t00000000000000a1", "NoNewPrivs:\t0")
  end)

  it("keeps what is ambient for a user who is not root", function()
    local text = output({ process = { user = { uid = 7, gid = 8 }, capabilities = {
      bounding = { "CAP_CHOWN", "CAP_KILL" }, permitted = { "CAP_CHOWN", "CAP_KILL" },
      effective = { "CAP_KILL" }, inheritable = { "CAP_KILL" }, ambient = { "CAP_KILL" },
    } } }, "cat /proc/self/status")
    has(text, "CapInh:\t0000000000000020", "CapPrm:\t0000000000000020",
      "CapEff:\t0000000000000020", "CapAmb:\t0000000000000020")
  end)

  it("sets when it runs, and as which machine", function()
    local text = output({
      process = { scheduler = { policy = "SCHED_BATCH", nice = 3 },
        ioPriority = { class = "IOPRIO_CLASS_BE", priority = 6 } },
      linux = { personality = { domain = "LINUX32" } },
    }, "awk '{ print \"policy\", $41, \"nice\", $19 }' /proc/self/stat; ionice; uname -m")
    has(text, "policy 3 nice 3", "best-effort: prio 6")
    assert.is_nil(text:find("x86_64", 1, true))
  end)

  it("takes the idle class with a level, as the specification's example has it", function()
    has(output({ process = { ioPriority = { class = "IOPRIO_CLASS_IDLE", priority = 4 } } },
      "ionice"), "idle")
  end)

  it("makes the namespaces that are listed, and shares the others", function()
    local function inside(kinds)
      local text = output({ linux = { namespaces = list(table.unpack(kinds)) } },
        "for kind in mnt pid uts ipc net cgroup; do readlink /proc/self/ns/$kind; done")
      local same = {}
      for line in text:gmatch("[^\n]+") do
        local kind = line:match("^%l+")
        same[#same + 1] = sys.readlink("/proc/self/ns/" .. kind) == line and kind or nil
      end
      return table.concat(same, " ")
    end
    assert.are.equal("pid uts ipc net cgroup", inside { "mount" })
    assert.are.equal("", inside { "mount", "pid", "uts", "ipc", "network", "cgroup" })
  end)

  it("joins those that have a path", function()
    local other <close> = bundle { process = { args = { "sh", "-c", "read x" } },
      linux = { namespaces = list("mount", "uts", "network") }, hostname = "theirs" }
    local reader <close>, writer = assert(sys.pipe())
    other.spec.stdin = { kind = "fd", fd = reader }
    assert(other:start())
    local ns = "/proc/" .. other.life.process:pid() .. "/ns/"
    local text = output({ linux = { namespaces = { { type = "mount" },
      { type = "uts", path = ns .. "uts" }, { type = "network", path = ns .. "net" } } },
    }, "hostname; readlink /proc/self/ns/net")
    assert.are.equal("theirs\n" .. sys.readlink(ns .. "net") .. "\n", text)
    local box <close> = bundle { linux = { namespaces = { { type = "mount" },
      { type = "ipc", path = ns .. "net" } } } }
    box.spec.stdin = { kind = "null" }
    local result, err = box:run()
    assert.is_nil(result)
    assert.is_truthy(tostring(err):find(ns .. "net", 1, true), tostring(err))
    writer:close()
    other:wait()
  end)

  it("sets names and kernel parameters of its namespaces", function()
    local text = output({ hostname = "slart", domainname = "far.test", linux = {
      namespaces = list("mount", "uts", "ipc", "network"),
      sysctl = { ["net.ipv4.ip_forward"] = "1", ["kernel.msgmax"] = "8193" },
    } }, [[hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward \
      /proc/sys/kernel/msgmax]])
    assert.are.equal("slart\nfar.test\n1\n8193\n", text)
  end)

  it("sets parameters of a network namespace that has a name, unless it is the host's", function()
    local function in_namespace(of, script)
      return support.run { "unshare", "-m", "sh", "-c", string.format(
        "touch %s/net && mount --bind %s %s/net && exec %s run %s", dir.path, of, dir.path,
        support.luactr_program, script) }
    end
    bundle { process = { args = { "cat", "/proc/sys/net/ipv4/ip_forward" } }, linux = {
      namespaces = { { type = "mount" }, { type = "network", path = dir.path .. "/net" } },
      sysctl = { ["net.ipv4.ip_forward"] = "1" },
    } }
    local recipe = dir:write("box.lua", string.format("return require('luactr').oci.bundle(%q)",
      dir.path))
    local other <close> = ctr.container { rootfs = dir.path .. "/rootfs", stdin = "null",
      command = { "sh", "-c", "while :; do sleep 1; done" } }
    assert(other:start())
    local ns = "/proc/" .. other.life.process:pid() .. "/ns/net"
    local result = in_namespace(ns, recipe)
    assert.are.equal("1\n", result.stdout, result.stderr)
    result = in_namespace("/proc/self/ns/net", recipe)
    assert.are_not.equal(0, result.code)
    has(result.stderr, "it is luactr's own, and sysctl would change the host")
    other:kill "KILL"
    other:wait()
  end)

  it("keeps the host's name in a new namespace where none is said", function()
    local text = output({ linux = { namespaces = list("mount", "uts") } }, "hostname")
    assert.are.equal(assert(sys.gethostname()) .. "\n", text)
  end)

  it("sets the clocks ahead", function()
    local text = output({ linux = { namespaces = list("mount", "time"),
      timeOffsets = { boottime = { secs = 86400000, nanosecs = 5 }, monotonic = { secs = 10 } },
    } }, "cat /proc/uptime /proc/self/timens_offsets 2>&1")
    assert.is_true(tonumber(text:match("^%d+")) >= 86400000, text)
  end)

  it("mounts in the order of the list, with the options that are said and no others", function()
    dir:mkdir("data/sub")
    dir:write("data/file", "text")
    local text = output({ mounts = {
      mount("none", "relative/place", { "bind", "ro", "nodev", "noatime" }, "data"),
      mount("tmpfs", "/t", { "size=64k", "mode=0700", "noexec", "uid=5" }),
      mount("tmpfs", "/t/below", { "ro" }), mount("tmpfs", "/hidden/below"),
      mount("tmpfs", "/hidden"), mount("bind", "/one", {}, "data/file"),
      mount("mqueue", "/mq", { "nosuid", "noexec", "nodev" }),
    } }, [[cat /relative/place/file /one; echo x >/one || exit 1; ls /hidden | wc -l
      stat -c "%a %u" /t; grep -E " /(relative|t|hidden|one|mq)" /proc/self/mounts]])
    has(text, "texttext0\n700 5\n", " /mq mqueue rw,nosuid,nodev,noexec,relatime")
    assert.matches(" /relative/place %S+ ro,nodev,noatime", text)
    assert.matches(" /t tmpfs rw,noexec,relatime,size=64k", text)
    assert.matches(" /t/below tmpfs ro,relatime", text)
    assert.matches(" /one %S+ rw,relatime", text)
    assert.are.equal("x\n", support.read(dir.path .. "/data/file"))
  end)

  it("restricts a mount alone, or by an option with an r the whole tree", function()
    dir:mkdir("tree/sub")
    local script = [[grep -E " /(one|all)" /proc/self/mounts]]
    bundle { process = { args = { "sh", "-c", script } }, mounts = {
      mount("none", "/one", { "rbind", "ro" }, "tree"),
      mount("none", "/all", { "rbind", "rro", "rnosuid" }, "tree"),
    } }
    local recipe = dir:write("box.lua", string.format("return require('luactr').oci.bundle(%q)",
      dir.path))
    support.must { "unshare", "-m", "sh", "-c", string.format(
      "mount -t tmpfs sub %s/tree/sub && exec %s run %s >%s/out", dir.path,
      support.luactr_program, recipe, dir.path) }
    local text = support.read(dir.path .. "/out")
    assert.matches(" /one %S+ ro,relatime", text)
    assert.matches(" /one/sub tmpfs rw,relatime", text)
    assert.matches(" /all %S+ ro,nosuid,relatime", text)
    assert.matches(" /all/sub tmpfs ro,nosuid,relatime", text)
  end)

  it("copies what a tmpfs covers", function()
    dir:write("rootfs/cover/file", "below")
    has(output({ mounts = { mount("tmpfs", "/cover", { "tmpcopyup" }) } }, "cat /cover/file"),
      "below")
  end)

  it("maps the users of a mount's files", function()
    support.needs("idmapped")
    dir:write("mapped/file", "text")
    local mapping = { { containerID = 0, hostID = 1000, size = 10 } }
    local text = output({ mounts = { { destination = "/m", source = "mapped",
      options = { "bind", "idmap" }, uidMappings = mapping, gidMappings = mapping } } },
      "stat -c '%u %g' /m/file")
    assert.are.equal("1000 1000\n", text)
  end)

  it("has the default devices and links, those that are listed, and no others", function()
    local text = output({ linux = { devices = {
      { type = "c", path = "/dev/mine", major = 1, minor = 5, fileMode = 416, uid = 3, gid = 4 },
      { type = "c", path = "/outside", major = 1, minor = 3 },
      { type = "p", path = "/dev/fifo", fileMode = 384 },
    } } }, [[ls /dev; stat -c "%n %t:%T %a %u %g" /dev/mine /outside; stat -c "%F %a" /dev/fifo
      echo x >/outside && echo wrote; readlink /dev/fd; readlink /dev/ptmx]])
    has(text, "fd\nfifo\nfull\nmine\nnull\nptmx\nrandom\nstderr\nstdin\nstdout\ntty\nurandom\n",
      "/dev/mine 1:5 640 3 4", "/outside 1:3 666 0 0", "fifo 600", "wrote\n",
      "/proc/self/fd\npts/ptmx\n")
  end)

  it("hides and protects paths, and makes the root read-only", function()
    dir:write("rootfs/secret/file", "x")
    dir:write("rootfs/notes", "x")
    local text = output({ root = { path = dir.path .. "/rootfs", readonly = true },
      linux = { maskedPaths = { "/secret", "/notes", "/not/there" },
        readonlyPaths = { "/proc/sys", "/not/there" }, rootfsPropagation = "shared" } },
      [[ls /secret | wc -l; cat /notes | wc -c; echo 1 >/file; cat /proc/self/mountinfo]])
    has(text, "0\n0\n", "/file: Read-only file system", " /sys /proc/sys ro,relatime")
    assert.matches(" / ro,%S+ shared:", text)
  end)

  it("filters system calls, with arguments of 64 bits", function()
    local text = output({ linux = { seccomp = {
      defaultAction = "SCMP_ACT_ALLOW", architectures = { "SCMP_ARCH_X86_64" },
      syscalls = {
        { names = { "mkdir", "mkdirat", "no_such_call" }, action = "SCMP_ACT_ERRNO",
          errnoRet = 28 },
        { names = { "fchmodat", "chmod" }, action = "SCMP_ACT_ERRNO", errnoRet = 13,
          args = { { index = 5, value = 1, op = "SCMP_CMP_MASKED_EQ", valueTwo = 2 } } },
      },
    } } }, "mkdir /x 2>&1; chmod 755 /bin/busybox; grep Seccomp: /proc/self/status")
    has(text, "No space left on device", "Seccomp:\t2")
  end)

  it("has users of its own, for whom the host's devices are bound", function()
    local mapping = { { containerID = 0, hostID = 200000, size = 1000 } }
    support.must { "chown", "-R", "200000:200000", dir.path .. "/rootfs" }
    support.must { "chmod", "755", dir.path }
    local text = output({ linux = { namespaces = list("mount", "pid", "ipc", "user"),
      uidMappings = mapping, gidMappings = mapping,
      devices = { { type = "c", path = "/dev/kmsg", major = 1, minor = 11 } },
    } }, "id -u; cat /proc/self/uid_map; ls /dev; stat -c '%t:%T' /dev/kmsg /dev/null")
    assert.matches("^0\n%s+0%s+200000%s+1000\n", text)
    has(text, "kmsg\n", "1:b\n1:3\n")
  end)

  it("shows it its cgroups where it has no namespace of them", function()
    local text = output({ mounts = { mount("sysfs", "/sys", { "ro" }),
      mount("cgroup", "/sys/fs/cgroup", { "ro", "nosuid", "noexec", "nodev" }) } },
      "grep cgroup /proc/self/mounts; ls -d /sys/fs/cgroup/*")
    has(text, " /sys/fs/cgroup")
    for line in text:gmatch("[^\n]* cgroup2? [^\n]*") do assert.matches(" ro,", line) end
  end)

  it("keeps annotations as labels, and an image's stop signal", function()
    local box <close> = bundle { annotations = { ["com.example.key"] = "value", empty = "",
      ["org.opencontainers.image.stopSignal"] = "SIGQUIT" } }
    assert.are.equal("value", box.spec.labels["com.example.key"])
    assert.are.equal("", box.spec.labels.empty)
    assert.are.equal(3, box.spec.stop_signal)
  end)

  it("gives it a terminal of the size that is said", function()
    local box <close> = bundle { process = { terminal = true,
      consoleSize = { height = 25, width = 81 } }, mounts = { mount("devpts", "/dev/pts",
      { "newinstance", "ptmxmode=0666", "mode=0620" }) } }
    local plan = assert(require("luactr.plan").compile(box.spec, require("luactr.host").facts()))
    for _, step in ipairs(plan.steps) do
      if step.op == "console" then
        assert.are.same({ 25, 81 }, { step.rows, step.columns })
        return
      end
    end
    error("no console")
  end)

  it("gives the CPUs of execCPUAffinity to commands that enter", function()
    local box <close> = bundle { process = { execCPUAffinity = { final = "0" },
      args = { "sh", "-c", "read x" } } }
    local reader <close>, writer = assert(sys.pipe())
    box.spec.stdin = { kind = "fd", fd = reader }
    assert(box:start())
    local result = assert(box:exec { command = { "grep", "Cpus_allowed_list", "/proc/self/status" },
      stdout = "capture" })
    assert.matches("Cpus_allowed_list:%s+0\n", result.stdout)
    writer:close()
    box:wait()
  end)

  it("refuses a root that is not there, by its place in config.json", function()
    local box <close> = bundle { root = { path = "nowhere" } }
    box.spec.stdin = { kind = "null" }
    local result, err = box:run()
    assert.is_nil(result)
    assert.are.equal("ENOENT", err.code)
    assert.is_truthy(tostring(err):find("nowhere", 1, true), tostring(err))
    assert.are.equal("correct the path in `root.path`", err.remedy)
  end)

  it("refuses files that are no config.json, whatever they are", function()
    local path = dir.path .. "/config.json"
    local function refused(text)
      local fine, err = pcall(ctr.oci.bundle, dir.path)
      assert.is_false(fine)
      assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
    end
    refused "there is no such file"
    lfs.mkdir(path)
    refused "it is a directory, not a file"
    os.remove(path)
    support.must { "mkfifo", path }
    refused "it is a fifo, not a file"
    os.remove(path)
    support.write(path, ("["):rep(100000))
    refused "it is deeper than 64"
    support.write(path, '{"a": "' .. ("x"):rep(9 << 20) .. '"}')
    refused "it is larger than 8 MiB"
  end)
end)
