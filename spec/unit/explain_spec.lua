local calls = require "luactr.explain.calls"
local core = require "luactr.core"
local explain = require "luactr.explain"
local sentences = require "luactr.explain.sentences"

local sys <const> = core.sys

local one <const> = { inside = 0, outside = 1000, count = 1 }

local function plan(steps, phases)
  return {
    id = "web", flags = sys.CLONE_NEWNS | sys.CLONE_NEWPID, steps = steps, tty = false,
    phases = phases or { { title = "Give up privileges", first = 1 } },
    warnings = { "no swap" }, slots = {},
    id_maps = { uid = { one }, gid = { one }, setgroups = "deny" },
  }
end

describe("luactr.explain #unit", function()
  local cases = {
    { { op = "mount", source = "proc", target = "/proc", type = "proc",
        flags = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC },
      'mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL)', "mount proc on /proc" },
    { { op = "mount", source = "overlay", target = "/", type = "overlay", flags = 0,
        data = "lowerdir=/a" },
      'mount("overlay", "/", "overlay", 0, "lowerdir=/a")', "mount overlay on / (lowerdir=/a)" },
    { { op = "bind", source = "/a", target = "/b", recursive = 1, set = sys.MOUNT_ATTR_RDONLY,
        clear = 0 },
      'tree = open_tree("/a", OPEN_TREE_CLONE|AT_RECURSIVE), '
        .. 'mount_setattr(tree, AT_RECURSIVE, MOUNT_ATTR_RDONLY), move_mount(tree, "/b")',
      "bind /a on /b" },
    { { op = "mkdir", path = "/x", mode = 493 }, 'mkdir("/x", 0755)', "make the directory /x" },
    { { op = "write", path = "/x", content = 'a"b\n' .. ("x"):rep(50) },
      'write("/x", "a\\"b\\n' .. ("x"):rep(36) .. '"...)', "write to /x" },
    { { op = "mknod", path = "/dev/null", mode = 438, device = sys.makedev(1, 3) },
      'mknod("/dev/null", 0666, makedev(1, 3))', "make the device /dev/null" },
    { { op = "bind_node", source = "/dev/fuse", path = "/dev/fuse" },
      'tree = open_tree("/dev/fuse", OPEN_TREE_CLONE), mount_setattr(tree, '
        .. 'MOUNT_ATTR_NOSUID|MOUNT_ATTR_NOEXEC), move_mount(tree, "/dev/fuse")',
      "bind the host's device /dev/fuse on /dev/fuse" },
    { { op = "unshare", flags = sys.CLONE_NEWCGROUP }, "unshare(CLONE_NEWCGROUP)",
      "unshare(CLONE_NEWCGROUP)" },
    { { op = "parent_death_signal", signal = 9 }, "prctl(PR_SET_PDEATHSIG, SIGKILL)",
      "ask to die with luactr" },
    { { op = "setrlimit", resource = sys.rlimits.NOFILE, soft = 10, hard = -1 },
      "setrlimit(RLIMIT_NOFILE, {10, RLIM_INFINITY})" },
    { { op = "capset", effective = 1, permitted = 1, inheritable = 0 },
      "capset(effective = permitted = CAP_CHOWN)", "set capabilities" },
    { { op = "capbset_drop", keep = 0 }, "prctl(PR_CAPBSET_DROP, all but 0)" },
    { { op = "seccomp", filter = ("x"):rep(80), flags = 0 },
      "seccomp(SECCOMP_SET_MODE_FILTER, 0, {10 instructions})", "install the seccomp filter" },
    { { op = "exec", file = "/bin/sh", argv = { "/bin/sh", "-c", "x y" }, env = { "A=1" } },
      'execve("/bin/sh", {"/bin/sh", "-c", "x y"}, {"A=1"})', "exec /bin/sh" },
    { { op = "rendezvous", number = core.plan.rendezvous.id_maps },
      "wait for the parent: id_maps", "wait for luactr outside" },
    { { op = "sysctl", key = "net.ipv4.ip_forward", value = "1" },
      'write("/proc/sys/net/ipv4/ip_forward", "1")', "set sysctl net.ipv4.ip_forward to 1" },
  }
  for _, case in ipairs(cases) do
    it("tells " .. case[1].op, function()
      assert.are.equal(case[2], calls.call(case[1]))
      if case[3] then
        assert.are.equal(case[3], explain.sentence(case[1]))
      end
    end)
  end

  it("has a row for each step kind of the C module", function()
    for _, kind in ipairs(core.plan.steps) do
      assert.is_function(calls.calls[kind.name], kind.name)
    end
  end)

  it("names unknown bits as a number", function()
    assert.are.equal("MS_RDONLY|0x80000000", calls.flags("MS_", sys.MS_RDONLY | 1 << 31))
    assert.are.equal("0", calls.flags("MS_", 0))
  end)

  it("never fails on a sentence", function()
    for _, kind in ipairs(core.plan.steps) do
      if kind.name ~= "unshare" and kind.name ~= "setns" then
        local step = { op = kind.name, type = "proc", target = "/", bits = 0, groups = {},
          resource = 0, soft = 0, hard = 0, mask = 0, persona = 0 }
        assert.is_string(sentences.sentence(step))
      end
    end
  end)

  describe("text()", function()
    local described = plan({
      { op = "setsid", from = "default" },
      { op = "sethostname", name = "x", from = "hostname" },
      { op = "mkdir", path = "/x", mode = 493, from = "steps",
        where = { file = "web.lua", line = 9 } },
    }, { { title = "Give up privileges", first = 1 }, { title = "Take a name", first = 2 } })
    local lines <const> = { hostname = "web.lua:14" }
    local text = explain.text(described, function(path) return lines[path] end)

    it("numbers the steps, names the line, and aligns both", function()
      assert.matches("    1  default     setsid()", text, 1, true)
      assert.matches('    2  web.lua:14  sethostname("x", 1)', text, 1, true)
      assert.matches('    3  web.lua:9   mkdir("/x", 0755)', text, 1, true)
    end)

    it("groups them under headings", function()
      assert.matches("Give up privileges\n    1", text, 1, true)
      assert.matches("\n\nTake a name\n    2", text, 1, true)
    end)

    it("tells the clone flags, the id maps and the warnings", function()
      assert.matches("clone3(CLONE_NEWNS|CLONE_NEWPID)", text, 1, true)
      assert.matches('write("/proc/PID/uid_map", "0 1000 1\\n")', text, 1, true)
      assert.matches("warning: no swap", text, 1, true)
    end)

    it("tells which mounts luactr opens itself", function()
      local mapped = plan { { op = "root_bind", source = "/r", detached = "tree:rootfs",
        from = "rootfs" } }
      mapped.trees = { { slot = "tree:rootfs", source = "/r", recursive = true, map = true } }
      local printed = explain.text(mapped)
      assert.matches('tree:rootfs = open_tree("/r", OPEN_TREE_CLONE|AT_RECURSIVE), '
        .. "mount_setattr(MOUNT_ATTR_IDMAP)", printed, 1, true)
      assert.matches('root = move_mount(tree:rootfs, "/")', printed, 1, true)
    end)

    it("tells who writes the maps, and what is not known before the start", function()
      local mapped = plan { { op = "setsid", from = "default" } }
      mapped.id_maps = { uid = { one }, gid = { one }, range = 65536 }
      assert.matches('write("/proc/PID/uid_map", "0 FREE 65536\\n")', explain.text(mapped), 1,
        true)
      mapped.id_maps = { uid = { one }, gid = { one, one },
        helpers = { uid = "/usr/bin/newuidmap", gid = "/usr/bin/newgidmap" } }
      assert.matches("/usr/bin/newgidmap PID 0 1000 1 0 1000 1\n", explain.text(mapped), 1, true)
    end)
  end)

  describe("text() of a cgroup", function()
    local described = plan { { op = "cgroup_attach", procs = "cgroup:memory", from = "limits" } }
    described.cgroup = {
      path = "luactr/web",
      places = {
        { version = 1, mount = "/sys/fs/cgroup/memory", parent = "", name = "memory",
          controllers = { "memory" } },
        { version = 2, mount = "/sys/fs/cgroup/unified", parent = "/up", controllers = { "io" } },
      },
      writes = {
        { controller = "memory", version = 1, file = "memory.limit_in_bytes", text = "64",
          from = "limits.memory" },
        { controller = "io", version = 2, file = "io.weight", text = "5", from = "limits.io" },
      },
    }
    local text = explain.text(described)

    it("tells each write with its file and value", function()
      assert.matches('limits.memory  write("/sys/fs/cgroup/memory/luactr/web/memory.limit_in_bytes"'
        .. ', "64")', text, 1, true)
      assert.matches('write("/sys/fs/cgroup/unified/up/luactr/web/io.weight", "5")', text, 1, true)
    end)

    it("tells the same as data", function()
      assert.are.same({ controller = "io", version = 2, text = "5", from = "limits.io",
        where = "limits.io", file = "/sys/fs/cgroup/unified/up/luactr/web/io.weight" },
        explain.json(described).cgroup.writes[2])
    end)

    it("tells how the container gets into it", function()
      assert.matches('write("/sys/fs/cgroup/memory/luactr/web/tasks", "0")', text, 1, true)
      assert.matches("CLONE_NEWPID|CLONE_INTO_CGROUP)", text, 1, true)
    end)
  end)

  describe("of a filter", function()
    local function filtered(seccomp)
      local checked = assert(require("luactr.spec").check { command = { "/x" }, seccomp = seccomp,
        rootfs = setmetatable({}, { __name = "luactr.rootfs" }) })
      return explain.text(plan { { op = "seccomp", filter = "", flags = 2, from = "seccomp",
        profile = checked.seccomp } })
    end

    it("tells the rules in words", function()
      local text = filtered { default = "EACCES", unknown = "ENOSYS", architectures = { "x86" },
        notify = { uname = print }, rules = {
          { names = { "@mount", "ptrace" }, action = "kill" },
          { names = { "socket" }, action = "errno", errno = 28, args = {
            { index = 0, op = "in", values = { 1, 38 }, mask = 0xff },
            { index = 1, op = "~=", value = 2 } } } } }
      for _, line in ipairs {
        "seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, {0 instructions})",
        "  notify       uname", "  kill         @mount ptrace",
        "  ENOSPC       socket if (args[0] & 0xff) in {1, 0x26} and args[1] ~= 2",
        "  EACCES       all others; ENOSYS numbers that luactr does not know",
        "  kill         other ABIs but x86",
      } do
        assert.is_truthy(text:find(line, 1, true), line .. "\n" .. text)
      end
    end)

    it("counts what the profiles that ship say", function()
      for _, name in ipairs { "default", "strict" } do
        local text = filtered(name)
        assert.matches("\n +the profile \"" .. name .. "\":\n +allow +%d+ names", text)
        assert.matches("allow +clone if %(args%[0%] & 0x7e020000%) == 0", text)
      end
    end)

    it("tells the same as data", function()
      local data = explain.json(plan { { op = "seccomp", filter = "", flags = 0, from = "seccomp",
        profile = "strict" } })
      assert.equal('the profile "strict":', data.steps[1].details[1])
      assert.is_nil(data.steps[1].arguments.profile)
    end)

    it("says so when it was compiled elsewhere", function()
      assert.matches("a program that was compiled elsewhere",
        filtered { bpf = string.pack("<I2I1I1I4", 6, 0, 0, 0x7fff0000) })
    end)
  end)

  describe("json()", function()
    it("is plain data", function()
      local data = explain.json(plan {
        { op = "seccomp", filter = "\xff\xfe", flags = 0, from = "seccomp" },
      })
      assert.are.same({ "CLONE_NEWNS", "CLONE_NEWPID" }, data.clone)
      assert.are.same({
        number = 1, op = "seccomp", from = "seccomp", where = "seccomp",
        arguments = { filter = "2 bytes", flags = 0 },
        call = "seccomp(SECCOMP_SET_MODE_FILTER, 0, {0 instructions})",
      }, data.steps[1])
    end)
  end)
end)
