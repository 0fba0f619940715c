-- What a container may do: its filter, its capabilities, its limits, its descriptors, as the
-- program inside finds them.
local core = require("luactr.core")
local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root", "program:gcc")

describe("luactr.security #system", function()
  local dir, calls

  setup(function()
    dir = support.tmpdir()
    calls = dir:mkdir("root") .. "/calls"
    support.copy(support.program "calls", calls)
    support.copy("/bin/busybox", dir.path .. "/root/busybox")
  end)

  teardown(function() dir:close() end)

  before_each(world.check)
  after_each(world.check)

  local function run(fields)
    fields.rootfs, fields.name = dir.path .. "/root", support.name("security")
    fields.stdout, fields.stderr = "capture", "capture"
    return assert(ctr.run(fields))
  end

  -- One system call; with all capabilities, so that a refusal is the filter's.
  local function call(name, fields)
    fields = fields or { capabilities = "all" }
    fields.command = { "/calls", name }
    local result = run(fields)
    return result.signal and "signal " .. core.sys.signame(result.signal)
      or result.stdout:match("%S+")
  end

  describe("the default filter", function()
    local cases = {
      ["socket(AF_ALG)"] = "EPERM", ["socket(AF_VSOCK)"] = "EPERM",
      ["socket(AF_PACKET)"] = "EPERM", ["socket(AF_UNIX)"] = "ok", ["socket(AF_INET)"] = "ok",
      keyctl = "EPERM", io_uring_setup = "EPERM", bpf = "EPERM", perf_event_open = "EPERM",
      userfaultfd = "EPERM", open_by_handle_at = "EPERM", mount = "EPERM",
      ["unshare(CLONE_NEWUSER)"] = "EPERM", ["clone(CLONE_NEWUSER)"] = "EPERM",
      clone3 = "ENOSYS", fork = "ok", ptrace = "ok",
      ["ioctl(TIOCSTI)"] = "EPERM", ["ioctl(TIOCSTI, high bits)"] = "EPERM",
      ["personality(ADDR_NO_RANDOMIZE)"] = "EPERM",
      ["9999"] = "ENOSYS", x32 = "ENOSYS",
    }
    for name, expected in pairs(cases) do
      it(("answers %s with %s"):format(name, expected), function()
        assert.equal(expected, call(name))
      end)
    end

    it("kills a caller of another ABI", function()
      support.needs "int80"
      assert.equal("signal SYS", call("int 0x80"))
    end)

    it("is on without new privileges and without no_new_privs", function()
      assert.equal("EPERM", call("keyctl", {}))
      assert.equal("EPERM", call("keyctl", { no_new_privileges = false }))
      assert.equal("EPERM", call("keyctl", { user = 1000 }))
    end)
  end)

  describe("the strict filter", function()
    local cases = {
      keyctl = "EPERM", ["socket(AF_VSOCK)"] = "EPERM", ["socket(AF_UNIX)"] = "EPERM",
      ["socket(AF_INET)"] = "EPERM", ["socket(AF_ALG)"] = "EPERM", socketpair = "ok",
      flock = "EPERM", ["fcntl(F_SETLK)"] = "EPERM", ["fcntl(F_OFD_SETLK)"] = "EPERM",
      ["fcntl(F_SETLEASE)"] = "EPERM", ["fcntl(F_SETLEASE, high bits)"] = "EPERM",
      ["fcntl(F_GETFL)"] = "ok", io_uring_setup = "EPERM", ptrace = "EPERM",
      ["ioctl(TIOCSTI, high bits)"] = "EPERM", ["clone(CLONE_NEWUSER)"] = "EPERM",
      clone3 = "ENOSYS", fork = "ok", x32 = "ENOSYS", ["9999"] = "ENOSYS",
    }
    for name, expected in pairs(cases) do
      it(("answers %s with %s"):format(name, expected), function()
        assert.equal(expected, call(name, { capabilities = "all", seccomp = "strict" }))
      end)
    end

    it("leaves room for the steps behind it", function()
      assert.equal("EPERM", call("keyctl", { seccomp = "strict", no_new_privileges = false,
        user = "1000:100" }))
    end)

    it("refuses what is allowed without it", function()
      for _, name in ipairs { "flock", "fcntl(F_SETLK)", "fcntl(F_OFD_SETLK)",
        "fcntl(F_SETLEASE)" } do
        assert.equal("ok", call(name))
      end
    end)

    it("kills a caller of another ABI", function()
      support.needs "int80"
      assert.equal("signal SYS", call("int 0x80", { seccomp = "strict" }))
    end)
  end)

  it("leaves calls alone when unconfined", function()
    assert.equal("ok", call("unshare(CLONE_NEWUSER)", { seccomp = "unconfined" }))
  end)

  it("takes a recipe's own profile", function()
    local profile = { base = "default", rules = {
      { names = { "unshare" }, action = "allow" },
      { names = { "ptrace" }, action = "EXDEV" },
    } }
    assert.equal("ok", call("unshare(CLONE_NEWUSER)", { seccomp = profile }))
    assert.equal("EXDEV", call("ptrace", { seccomp = profile }))
    assert.equal("EPERM", call("keyctl", { seccomp = profile }))
  end)

  it("answers with each action", function()
    local actions = { trap = "signal SYS", kill_process = "signal SYS", kill_thread = "signal SYS",
      EXDEV = "EXDEV", log = "ok", allow = "ok", trace = "ENOSYS" }
    for action, expected in pairs(actions) do
      local profile = { rules = { { names = { "socketpair" }, action = action } } }
      assert.equal(expected, call("socketpair", { seccomp = profile }), action)
    end
  end)

  it("lets no other ABI round a list of what is refused", function()
    support.needs "int80"
    local profile = { default = "allow", rules = { { names = { "ptrace" }, action = "EPERM" } } }
    assert.equal("EPERM", call("ptrace", { seccomp = profile }))
    assert.equal("signal SYS", call("int 0x80", { seccomp = profile }))
    assert.equal("signal SYS", call("x32", { seccomp = profile }))
  end)

  it("holds another ABI to the same rules", function()
    support.needs "int80"
    local expected = { ["int 0x80: keyctl"] = "EPERM", ["int 0x80: mount"] = "EPERM",
      ["int 0x80: socket(AF_ALG)"] = "EPERM", ["int 0x80: socketcall(AF_ALG)"] = "EPERM",
      ["int 0x80: socket(AF_UNIX)"] = "ok", ["int 0x80"] = "ok" }
    for name, answer in pairs(expected) do
      assert.equal(answer, call(name, { capabilities = "all",
        seccomp = { architectures = { "x86" } } }), name)
    end
  end)

  -- Two containers that see the same file: whether one can tell what the other does to it.
  it("keeps the strict ones from whispering through locks", function()
    local shared = dir:mkdir("shared")
    support.write(shared .. "/file", "")
    for seccomp, expected in pairs { default = "EAGAIN", strict = "EPERM" } do
      local function fields(command)
        return { rootfs = dir.path .. "/root", seccomp = seccomp, stdout = "capture",
          command = command, mounts = { ctr.bind(shared, "/shared", { ro = true }) } }
      end
      local holder <close> = ctr.container(fields { "/calls", "hold a lock" })
      assert(holder:start())
      local result
      local deadline = core.sys.clock_gettime() + 60
      repeat
        result = assert(ctr.run(fields { "/calls", "try a lock" }))
      until result.stdout ~= "ok\n" or core.sys.clock_gettime() > deadline
      assert.equal(expected, result.stdout:match("%S+"), seccomp)
    end
  end)

  it("opens another ABI by name", function()
    support.needs "int80"
    assert.equal("ok", call("int 0x80", { seccomp = { architectures = { "x86" } } }))
    local refused = { architectures = { "x86" }, rules = { { names = { "getpid" },
      action = "kill" } } }
    assert.equal("signal SYS", call("int 0x80", { seccomp = refused }))
  end)

  it("takes linux.seccomp of an OCI config.json, a compiled program and flags", function()
    local oci = { defaultAction = "SCMP_ACT_ALLOW", syscalls = {
      { names = { "socketpair" }, action = "SCMP_ACT_ERRNO", errnoRet = 28 } } }
    assert.equal("ENOSPC", call("socketpair", { seccomp = oci }))
    local all = { bpf = string.pack("<I2I1I1I4", 6, 0, 0, 0x7fff0000) }
    assert.equal("ok", call("unshare(CLONE_NEWUSER)", { seccomp = all }))
    local flags = { "log", "tsync", "spec_allow" }
    assert.equal("EPERM", call("keyctl", { seccomp = { flags = flags } }))
  end)

  -- The fields of /proc/self/status inside.
  local function status(fields)
    fields.command = { "/busybox", "cat", "/proc/self/status" }
    local found = {}
    for name, value in run(fields).stdout:gmatch("(%w+):\t([^\n]*)") do found[name] = value end
    return found
  end

  local function names(mask)
    return core.sys.cap_names(tonumber(mask, 16))
  end

  describe("capabilities", function()
    it("are the short list", function()
      local found = status {}
      local expected = { "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
        "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
        "CAP_SETFCAP" }
      for _, set in ipairs { "CapPrm", "CapEff", "CapBnd" } do
        assert.same(expected, names(found[set]), set)
      end
      assert.same({ {}, {} }, { names(found.CapInh), names(found.CapAmb) })
    end)

    it("are added and dropped by name", function()
      local found = status { capabilities = { add = { "NET_ADMIN" }, drop = { "CAP_CHOWN" } } }
      local list = table.concat(names(found.CapEff), " ")
      assert.matches("CAP_NET_ADMIN", list)
      assert.is_nil(list:find("CAP_CHOWN"))
    end)

    it("are none", function()
      local found = status { capabilities = "none" }
      assert.same({ {}, {}, {} }, { names(found.CapPrm), names(found.CapEff), names(found.CapBnd) })
    end)

    it("are all", function()
      assert.same(core.sys.capget().permitted, names(status({ capabilities = "all" }).CapPrm))
    end)

    it("are nothing for another user", function()
      local found = status { user = "1000:100" }
      assert.same({ {}, {} }, { names(found.CapPrm), names(found.CapEff) })
      assert.equal("1000\t1000\t1000\t1000", found.Uid)
      assert.equal("100\t100\t100\t100", found.Gid)
    end)

    it("reach another user as ambient ones", function()
      local list = { "CAP_NET_BIND_SERVICE" }
      local found = status { user = 1000, capabilities = { bounding = list, effective = list,
        permitted = list, inheritable = list, ambient = list } }
      assert.same({ list, list }, { names(found.CapEff), names(found.CapAmb) })
    end)
  end)

  it("sets no_new_privs and a filter", function()
    local found = status {}
    assert.same({ "1", "2" }, { found.NoNewPrivs, found.Seccomp })
    found = status { no_new_privileges = false, seccomp = "unconfined" }
    assert.same({ "0", "0" }, { found.NoNewPrivs, found.Seccomp })
  end)

  it("drops luactr's groups, takes the recipe's", function()
    assert.equal("", (status({}).Groups:gsub("%s", "")))
    assert.equal("5 20", (status({ groups = { 20, 5 } }).Groups:gsub("%s+$", "")))
  end)

  it("sets the umask", function()
    assert.equal("0022", status({}).Umask)
    assert.equal("0077", status({ umask = "0077" }).Umask)
  end)

  it("passes three descriptors and no more", function()
    local leak <close> = assert(core.sys.open("/dev/null"))
    assert(core.sys.set_cloexec(leak, false))
    local result = run { command = { "/busybox", "ls", "/proc/self/fd" } }
    assert.equal("0\n1\n2\n3\n", result.stdout) -- 3 is ls's own
  end)

  it("sets limits", function()
    local result = run { rlimits = { nofile = { soft = 32, hard = 64 }, core = 0, as = "1G" },
      command = { "/busybox", "cat", "/proc/self/limits" } }
    local function limit(name)
      return { result.stdout:match("Max " .. name .. "%s+(%S+)%s+(%S+)") }
    end
    assert.same({ "32", "64" }, limit("open files"))
    assert.same({ "0", "0" }, limit("core file size"))
    assert.same({ "1073741824", "1073741824" }, limit("address space"))
  end)

  it("is a session of its own", function()
    local result = run { command = { "/busybox", "sh", "-c", "cut -d' ' -f1,5,6 /proc/$$/stat" } }
    local pid, group, session = result.stdout:match("(%d+) (%d+) (%d+)")
    assert.same({ pid, pid }, { group, session })
  end)
end)
