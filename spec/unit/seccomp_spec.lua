local bpf = require("support.bpf")
local core = require("luactr.core")
local check = require("luactr.check")
local profiles = require("luactr.spec.seccomp")
local seccomp = require("luactr.security.seccomp")
local support = require("support")

local MACHINE <const> = support.run({ "uname", "-m" }).stdout:match("%S+")
local ARCH <const> = ({ x86_64 = 0xc000003e, aarch64 = 0xc00000b7 })[MACHINE]
local I386 <const> = 0x40000003
local EPERM <const>, ENOSYS <const> = "errno 1", "errno 38"

local syscalls = require("luactr.spec.seccomp.syscalls")

local NEWEST <const> = syscalls.abis()[1].newest

local function number(name)
  return (assert(syscalls.abis()[1].numbers[name], name))
end

-- A call by name and arguments.
local function call(name, ...)
  return { nr = number(name), arch = ARCH, ... }
end

describe("luactr.security.seccomp #unit", function()
  describe("default profile", function()
    local program = core.seccomp.builtin("default")

    local function verdict(...)
      return (bpf.verdict(program, ...))
    end

    local cases = {
      -- what programs do
      { "read", "allow" }, { "openat", "allow" }, { "execve", "allow" }, { "exit_group", "allow" },
      { "futex", "allow" }, { "fchmodat2", "allow" }, { "mseal", "allow" },
      { "setresuid", "allow" },
      { "ptrace", "allow" }, { "chroot", "allow" },
      -- kernel code that only root could reach
      { "mount", EPERM }, { "unshare", EPERM, 0x10000000 }, { "setns", EPERM }, { "bpf", EPERM },
      { "fsopen", EPERM }, { "open_tree", EPERM }, { "perf_event_open", EPERM },
      { "userfaultfd", EPERM }, { "io_uring_setup", EPERM }, { "io_uring_enter", EPERM },
      { "keyctl", EPERM }, { "add_key", EPERM }, { "request_key", EPERM },
      { "open_by_handle_at", EPERM }, { "kexec_load", EPERM }, { "init_module", EPERM },
      { "finit_module", EPERM }, { "syslog", EPERM }, { "reboot", EPERM }, { "swapon", EPERM },
      { "statmount", EPERM }, { "open_tree_attr", EPERM },
      -- clone: threads and forks, no namespaces
      { "clone", "allow", 0x3d0f00 }, { "clone", "allow", 17 },
      { "clone", EPERM, 0x10000000 }, { "clone", EPERM, 0x20000 },
      { "clone", EPERM, 0x40000000 | 17 },
      { "clone3", ENOSYS },
      -- socket families, whatever the upper half says
      { "socket", "allow", 1, 1, 0 }, { "socket", "allow", 2 }, { "socket", "allow", 10 },
      { "socket", "allow", 16 }, { "socket", "allow", 0x100000001 },
      { "socket", EPERM, 38 }, { "socket", EPERM, 40 }, { "socket", EPERM, 17 },
      { "socket", EPERM, 0 },
      { "socket", EPERM, 0x100000026 }, { "socketpair", EPERM, 40 }, { "socketpair", "allow", 1 },
      -- ioctl: all but TIOCSTI, TIOCLINUX and TIOCSETD
      { "ioctl", "allow", 0, 0x5401 }, { "ioctl", "allow", 0, 0x5413 },
      { "ioctl", "allow", 0, 0x541e }, { "ioctl", "allow", 0, 0x5416 },
      { "ioctl", "allow", 0, 0 }, { "ioctl", "allow", 0, -1 },
      { "ioctl", "allow", 0, 0x5410 }, { "ioctl", "allow", 0, 0x80045430 - 0x100000000 },
      { "ioctl", EPERM, 0, 0x5412 }, { "ioctl", EPERM, 0, 0x541c }, { "ioctl", EPERM, 0, 0x5423 },
      { "ioctl", EPERM, 0, 0x100005412 }, { "ioctl", EPERM, 0, 0x541c - 0x100000000 },
      -- personality: what uname shows, not what weakens address space layout
      { "personality", "allow", 0 }, { "personality", "allow", 0xffffffff },
      { "personality", "allow", 8 },
      { "personality", EPERM, 0x40000 }, { "personality", EPERM, 0x400000 },
    }
    for _, case in ipairs(cases) do
      local name, expected = case[1], case[2]
      local arguments = table.move(case, 3, #case, 1, {})
      local words = table.concat(arguments, ", ")
      it(("answers %s(%s) with %s"):format(name, words, expected), function()
        assert.equal(expected, verdict(call(name, table.unpack(arguments))))
      end)
    end

    it("answers numbers above the newest known one with ENOSYS", function()
      local newest = NEWEST
      for _, nr in ipairs { newest + 1, 9999, 0x40000000, 0x40000000 + 39, 0xffffffff } do
        assert.equal(ENOSYS, verdict { nr = nr, arch = ARCH })
      end
      assert.equal("allow", verdict { nr = newest, arch = ARCH })
    end)

    it("kills callers of another ABI", function()
      for _, nr in ipairs { 1, 4, 20, 120 } do
        assert.equal("kill", verdict { nr = nr, arch = I386 })
      end
    end)

    it("decides about every system call that this machine's headers name", function()
      local named = {}
      for _, rule in ipairs(require("luactr.security.default_profile").rules) do
        for _, name in ipairs(rule.names) do
          assert.is_nil(named[name], name .. " is named twice")
          named[name] = true
        end
      end
      local headers = io.open("/usr/include/" .. MACHINE .. "-linux-gnu/asm/unistd_64.h")
      if not headers then return pending("no kernel headers") end
      for line in headers:lines() do
        local name = line:match("^#define __NR_(%S+)")
        assert(not name or named[name], name)
      end
    end)

    it("says for each number what the profile says", function()
      for _, rule in ipairs(require("luactr.security.default_profile").rules) do
        local words = { allow = "allow", ENOSYS = ENOSYS, EPERM = EPERM }
        for _, name in ipairs(rule.names) do
          local nr = syscalls.abis()[1].numbers[name]
          if nr and not rule.args then
            assert.equal(words[rule.action], verdict { nr = nr, arch = ARCH }, name)
          end
        end
      end
    end)

    it("is short: the kernel translates it at each start", function()
      assert.is_true(#program / 8 <= 150, #program / 8 .. " instructions")
    end)

    it("is searched, not walked", function()
      for _, name in ipairs { "read", "write", "futex", "openat", "statx" } do
        local _, count = bpf.run(program, call(name))
        assert.is_true(count <= 20, name .. " takes " .. count .. " instructions")
      end
    end)
  end)

  -- A profile as a recipe gives it, checked and compiled.
  local function program_of(profile)
    local problems = check.problems()
    local checked = profiles.check(profile, "seccomp", problems)
    assert.same({}, table.move(problems, 1, #problems, 1, {}))
    return assert(seccomp.compile(checked))
  end

  local function compile(profile)
    local program = program_of(profile)
    return function(...) return (bpf.verdict(program, call(...))) end
  end

  local function problems_of(profile)
    local problems = check.problems()
    assert.is_nil(profiles.check(profile, "seccomp", problems))
    local lines = {}
    for i, problem in ipairs(problems) do lines[i] = problem.path .. ": " .. problem.message end
    return table.concat(lines, "\n")
  end

  describe("compile()", function()
    it("refuses what is not allowed", function()
      local verdict = compile { default = "EPERM", rules = {
        { names = { "read", "write" }, action = "allow" } } }
      assert.same({ "allow", EPERM }, { verdict("read"), verdict("close") })
    end)

    it("takes a list of what is refused", function()
      local verdict = compile { default = "allow", rules = {
        { names = { "chdir" }, action = "EACCES" } } }
      assert.same({ "errno 13", "allow" }, { verdict("chdir"), verdict("read") })
    end)

    it("puts own rules before the base profile's, which is the default one", function()
      for _, base in ipairs { "default", false } do
        local verdict = compile { base = base or nil, rules = {
          { names = { "unshare" }, action = "allow" }, { names = { "read" }, action = "kill" },
          { names = { "socket" }, action = "allow",
            args = { { index = 0, op = "==", value = 17 } } } } }
        assert.same({ "allow", "kill", "allow", EPERM },
          { verdict("unshare"), verdict("read"), verdict("write"), verdict("mount") })
        assert.same({ "allow", "allow", EPERM },
          { verdict("socket", 17), verdict("socket", 1), verdict("socket", 38) })
      end
    end)

    local actions = {
      allow = "allow", log = "log", trap = "trap", kill = "kill", kill_process = "kill",
      kill_thread = "kill_thread", trace = "trace 0", ENOSPC = "errno 28", errno = EPERM,
      SCMP_ACT_KILL_PROCESS = "kill", SCMP_ACT_TRAP = "trap",
    }
    for action, expected in pairs(actions) do
      it("knows the action " .. action, function()
        local verdict = compile { default = "allow", rules = {
          { names = { "getpid" }, action = action } } }
        assert.same({ expected, "allow" }, { verdict("getpid"), verdict("getppid") })
      end)
    end

    it("takes an errno by name or number, and a tracer's number", function()
      local verdict = compile { default = "allow", rules = {
        { names = { "read" }, action = "errno", errno = "ENOSPC" },
        { names = { "write" }, action = "errno", errno = 5 },
        { names = { "open" }, action = "trace", data = 7 } } }
      assert.same({ "errno 28", "errno 5", "trace 7" },
        { verdict("read"), verdict("write"), verdict("open") })
    end)

    local BIG <const> = 0x100000000
    local comparisons = {
      { op = "==", value = 5, allowed = { 5 }, refused = { 4, BIG | 5 } },
      { op = "==", value = 5, mask = 0xffffffff, allowed = { 5, BIG | 5 }, refused = { 4 } },
      { op = "==", value = BIG, mask = BIG, allowed = { BIG, BIG | 7 }, refused = { 0, 2 * BIG } },
      { op = "~=", value = 5, allowed = { 4, BIG | 5 }, refused = { 5 } },
      { op = "~=", value = 5, mask = 0xffffffff, allowed = { 4 }, refused = { 5, BIG | 5 } },
      { op = "<", value = 5, allowed = { 4 }, refused = { 5, BIG } },
      { op = "<", value = BIG, allowed = { 0, BIG - 1 }, refused = { BIG, -1 } },
      { op = "<=", value = BIG | 5, allowed = { BIG | 5, 9 }, refused = { BIG | 6, -1 } },
      { op = ">", value = BIG | 5, allowed = { BIG | 6, 2 * BIG, -1 }, refused = { BIG | 5, 9 } },
      { op = ">=", value = 5, allowed = { 5, BIG }, refused = { 4 } },
      { op = ">", value = 5, mask = 0xff, allowed = { 6, 0x106 }, refused = { 0x105, BIG } },
      { op = "in", values = { 1, 9 }, allowed = { 1, 9 }, refused = { 5, 0, BIG | 1 } },
      { op = "in", values = { 1, BIG | 1, BIG | 2 }, allowed = { 1, BIG | 1, BIG | 2 },
        refused = { 2, BIG, 0 } },
      { op = "not in", values = { 1, 2, 7 }, mask = 0xff, allowed = { 0, 3, 4, 5, 6, 8, 0x109 },
        refused = { 1, 2, 7, 0x101 } },
      { op = "not in", values = { 0, 0xffffff }, allowed = { 1, BIG }, refused = { 0, 0xffffff } },
    }
    for _, c in ipairs(comparisons) do
      it(("compares with %s%s %s"):format(c.op, c.mask and " and a mask" or "",
        c.value or table.concat(c.values, ",")), function()
        local argument = { index = 2, op = c.op, value = c.value, values = c.values, mask = c.mask }
        local verdict = compile { default = "EPERM", rules = {
          { names = { "lseek" }, action = "allow", args = { argument } } } }
        for _, value in ipairs(c.allowed) do
          assert.equal("allow", verdict("lseek", 0, 0, value), value)
        end
        for _, value in ipairs(c.refused) do
          assert.equal(EPERM, verdict("lseek", 0, 0, value), value)
        end
      end)
    end

    it("needs all conditions of a rule, also two of one argument", function()
      local verdict = compile { default = "EPERM", rules = { { names = { "lseek" },
        action = "allow", args = {
          { index = 0, op = "in", values = { 1, 2 } },
          { index = 1, op = ">=", value = 3 }, { index = 1, op = "<", value = 5 },
        } } } }
      assert.same({ "allow", "allow", EPERM, EPERM, EPERM },
        { verdict("lseek", 2, 3), verdict("lseek", 1, 4), verdict("lseek", 2, 5),
          verdict("lseek", 3, 3), verdict("lseek", 1, 2) })
    end)

    it("lets the first rule that matches decide", function()
      local verdict = compile { default = "EPERM", rules = {
        { names = { "lseek" }, action = "ENOSPC", args = { { index = 0, op = "==", value = 1 } } },
        { names = { "lseek" }, action = "trap", args = { { index = 0, op = "<", value = 5 } } },
        { names = { "lseek" }, action = "allow" },
        { names = { "lseek" }, action = "kill" } } }
      assert.same({ "errno 28", "trap", "trap", "allow" },
        { verdict("lseek", 1), verdict("lseek", 0), verdict("lseek", 4), verdict("lseek", 5) })
    end)

    it("knows systemd's groups", function()
      local verdict = compile { default = "allow", rules = {
        { names = { "@mount", "@swap" }, action = "EPERM" },
        { names = { "@system-service" }, action = "trap" } } }
      assert.same({ EPERM, EPERM, "trap", "trap", "allow" }, { verdict("mount"), verdict("swapon"),
        verdict("openat"), verdict("socket"), verdict("keyctl") == "trap" and "allow" })
    end)

    it("finds each of many ranges, however far its answer", function()
      local rules, even = {}, {}
      for nr = 0, NEWEST do
        local name = syscalls.abis()[1].names[nr]
        if name and nr % 2 == 0 then
          even[#even + 1] = name
        elseif name then
          rules[#rules + 1] = { names = { name }, action = "errno", errno = nr + 1,
            args = { { index = 1, op = ">", value = nr << 31 } } }
        end
      end
      rules[#rules + 1] = { names = even, action = "allow" }
      local program = program_of { default = "EPERM", unknown = "ENOSYS", rules = rules }
      for nr = 0, NEWEST do
        if syscalls.abis()[1].names[nr] then
          local odd = nr % 2 == 1
          assert.equal(odd and "errno " .. nr + 1 or "allow",
            (bpf.verdict(program, { nr = nr, arch = ARCH, 0, (nr << 31) + 1 })))
          assert.equal(odd and EPERM or "allow",
            (bpf.verdict(program, { nr = nr, arch = ARCH, 0, nr << 31 })))
        end
      end
      assert.equal(ENOSYS, (bpf.verdict(program, { nr = NEWEST + 1, arch = ARCH })))
      assert.equal("kill", (bpf.verdict(program, { nr = 4, arch = I386 })))
      assert.is_nil(require("luactr.spec.seccomp.bpf").check(program))
    end)

    it("says what is too long", function()
      local rules = {}
      for i = 1, 100 do
        local name, values = syscalls.abis()[1].names[i], {}
        for k = 1, 40 do values[k] = i * 100 + k end
        rules[i] = { names = { name }, action = "allow",
          args = { { index = 0, op = "in", values = values } } }
      end
      local problems = check.problems()
      local checked = profiles.check({ default = "EPERM", rules = rules }, "seccomp", problems)
      local program, found = seccomp.compile(checked)
      assert.is_nil(program)
      assert.matches("is too long: %d+ instructions, the kernel takes 4096", found[1].message)
    end)

    it("passes over calls of other machines", function()
      local verdict = compile { default = "EPERM", rules = {
        { names = { "socketcall", "breakpoint", "read" }, action = "allow" } } }
      assert.equal("allow", verdict("read"))
    end)

    it("passes over unknown names when told to", function()
      local verdict = compile { default = "EPERM", skip_unknown = true, rules = {
        { names = { "frobnicate", "read" }, action = "allow" } } }
      assert.equal("allow", verdict("read"))
    end)

    it("compiles equal profiles once", function()
      local function profile()
        return { default = "kill", rules = { { names = { "getpid" }, action = "allow" } } }
      end
      assert.equal(program_of(profile()), program_of(profile()))
    end)
  end)

  if MACHINE == "x86_64" then
    describe("other ABIs", function()
      local profile = { default = "allow", rules = { { names = { "ptrace" }, action = "EPERM" } } }
      local X32_PTRACE <const> = 0x40000000 | 521

      it("are closed, x32 too, which shares its architecture with x86-64", function()
        local program = program_of(profile)
        assert.equal("kill", (bpf.verdict(program, { nr = 26, arch = I386 })))
        assert.equal("kill", (bpf.verdict(program, { nr = X32_PTRACE, arch = ARCH })))
        assert.equal("kill", (bpf.verdict(program, { nr = 0x40000000, arch = ARCH })))
      end)

      it("have the same rules when named", function()
        profile.architectures = { "x86", "SCMP_ARCH_X32", "mips" }
        local program = program_of(profile)
        assert.equal(EPERM, (bpf.verdict(program, { nr = 26, arch = I386 })))
        assert.equal("allow", (bpf.verdict(program, { nr = 20, arch = I386 })))
        assert.equal(EPERM, (bpf.verdict(program, { nr = X32_PTRACE, arch = ARCH })))
        assert.equal("allow", (bpf.verdict(program, { nr = 0x40000000, arch = ARCH })))
        assert.equal(EPERM, (bpf.verdict(program, call("ptrace"))))
      end)

      it("compare 32 bits, where -1 has zeros above", function()
        local program = program_of { default = "EPERM", architectures = { "x86" }, rules = {
          { names = { "personality" }, action = "allow",
            args = { { index = 0, op = "==", value = -1 } } } } }
        assert.equal("allow", (bpf.verdict(program, { nr = 136, arch = I386, 0xffffffff })))
        assert.equal(EPERM, (bpf.verdict(program, call("personality", 0xffffffff))))
      end)

      it("have what 32-bit programs need in the default profile", function()
        local program = program_of { architectures = { "x86" } }
        for name, expected in pairs { mmap2 = "allow", fstat64 = "allow", mount = EPERM,
          socketcall = EPERM, clock_gettime64 = "allow" } do
          local nr = syscalls.abi("x86").numbers[name]
          assert.equal(expected, (bpf.verdict(program, { nr = nr, arch = I386 })), name)
        end
        assert.equal("allow", (bpf.verdict(program, { nr = 359, arch = I386, 1 })))
        assert.equal(EPERM, (bpf.verdict(program, { nr = 359, arch = I386, 38 })))
      end)
    end)
  end

  describe("the strict profile", function()
    local program = core.seccomp.builtin("strict")
    local cases = {
      { "read", "allow" }, { "openat", "allow" }, { "execve", "allow" }, { "fork", "allow" },
      { "clone", "allow", 0x3d0f00 }, { "clone", EPERM, 0x10000000 }, { "clone3", ENOSYS },
      { "keyctl", EPERM }, { "add_key", EPERM }, { "request_key", EPERM },
      { "socket", EPERM, 1 }, { "socket", EPERM, 2 }, { "socket", EPERM, 40 },
      { "socketpair", "allow", 1 }, { "socketpair", EPERM, 40 },
      { "flock", EPERM }, { "fcntl", "allow", 3, 0 }, { "fcntl", "allow", 3, 1030 },
      { "fcntl", EPERM, 3, 6 }, { "fcntl", EPERM, 3, 7 }, { "fcntl", EPERM, 3, 37 },
      { "fcntl", EPERM, 3, 38 }, { "fcntl", EPERM, 3, 1024 }, { "fcntl", EPERM, 3, 1026 },
      { "fcntl", EPERM, 3, 0x100000006 },
      { "io_uring_setup", EPERM }, { "io_uring_enter", EPERM }, { "io_setup", EPERM },
      { "ptrace", EPERM }, { "process_vm_readv", EPERM }, { "pidfd_getfd", EPERM },
      { "sched_setaffinity", EPERM }, { "inotify_init1", EPERM }, { "userfaultfd", EPERM },
      { "ioctl", EPERM, 0, 0x100005412 }, { "ioctl", "allow", 0, 0x5401 },
      { "prctl", "allow", 38 }, { "prctl", EPERM, 22 }, { "prlimit64", EPERM, 5 },
    }
    for _, case in ipairs(cases) do
      local name, expected = case[1], case[2]
      local arguments = table.move(case, 3, #case, 1, {})
      it(("answers %s(%s) with %s"):format(name, table.concat(arguments, ", "), expected),
        function()
          assert.equal(expected, (bpf.verdict(program, call(name, table.unpack(arguments)))))
        end)
    end

    it("allows nothing that the default profile refuses", function()
      local default = core.seccomp.builtin("default")
      for nr = 0, NEWEST do
        if (bpf.verdict(program, { nr = nr, arch = ARCH })) == "allow" then
          assert.equal("allow", (bpf.verdict(default, { nr = nr, arch = ARCH })), nr)
        end
      end
    end)
  end)

  describe("OCI's shape", function()
    local oci = {
      defaultAction = "SCMP_ACT_ERRNO", defaultErrnoRet = 13,
      architectures = { "SCMP_ARCH_X86_64", "SCMP_ARCH_S390X" },
      flags = { "SECCOMP_FILTER_FLAG_LOG" },
      syscalls = {
        { names = { "read", "no_such_call" }, action = "SCMP_ACT_ALLOW" },
        { names = { "mkdir" }, action = "SCMP_ACT_ERRNO", errnoRet = 28 },
        { names = { "chdir" }, action = "SCMP_ACT_TRACE", errnoRet = 9 },
        { names = { "clone" }, action = "SCMP_ACT_ALLOW", args = {
          { index = 0, value = 2114060288, valueTwo = 0, op = "SCMP_CMP_MASKED_EQ" } } },
        { names = { "lseek" }, action = "SCMP_ACT_ALLOW", args = {
          { index = 0, value = 1, op = "SCMP_CMP_EQ" }, { index = 0, value = 3,
            op = "SCMP_CMP_EQ" } } },
        { names = { "dup2" }, action = "SCMP_ACT_ALLOW", args = {
          { index = 0, value = 1, op = "SCMP_CMP_GE" }, { index = 1, value = 3,
            op = "SCMP_CMP_NE" } } },
      },
    }

    it("is a profile as others", function()
      local verdict = compile(oci)
      assert.same({ "allow", "errno 28", "trace 9", "errno 13" },
        { verdict("read"), verdict("mkdir"), verdict("chdir"), verdict("write") })
      assert.same({ "allow", "errno 13" }, { verdict("clone", 17), verdict("clone", 0x10000000) })
      assert.same({ "allow", "allow", "errno 13" },
        { verdict("lseek", 1), verdict("lseek", 3), verdict("lseek", 2) })
      assert.same({ "allow", "errno 13", "errno 13" },
        { verdict("dup2", 1, 4), verdict("dup2", 0, 4), verdict("dup2", 1, 3) })
      assert.equal(ENOSYS, (bpf.verdict(program_of(oci), { nr = NEWEST + 1, arch = ARCH })))
    end)

    it("has numbers of 64 bits without sign, as JSON gives them", function()
      for given, argument in pairs { [2.0 ^ 64] = -1, [2.0 ^ 63] = math.mininteger,
        [4294967295.0] = 4294967295, [7] = 7 } do
        local verdict = compile { defaultAction = "SCMP_ACT_ERRNO", syscalls = {
          { names = { "lseek" }, action = "SCMP_ACT_ALLOW", args = {
            { index = 1, value = given, op = "SCMP_CMP_EQ" } } } } }
        assert.same({ "allow", EPERM }, { verdict("lseek", 0, argument), verdict("lseek", 0, 5) })
      end
      assert.matches("args%[1%].value: number of 64 bits expected, got 0.5", problems_of {
        defaultAction = "SCMP_ACT_ERRNO", syscalls = { { names = { "lseek" },
          action = "SCMP_ACT_ALLOW", args = {
            { index = 1, value = 0.5, op = "SCMP_CMP_EQ" } } } } })
    end)

    it("has its own names in problems", function()
      assert.matches('seccomp.syscalls%[1%]%.action: unknown action "SCMP_ACT_ALOW", did you mean '
        .. "SCMP_ACT_ALLOW", problems_of { defaultAction = "SCMP_ACT_KILL",
          syscalls = { { names = { "read" }, action = "SCMP_ACT_ALOW" } } })
      assert.matches("seccomp.syscalls%[1%]%.args%[1%]%.op: ", problems_of {
        defaultAction = "SCMP_ACT_KILL", syscalls = { { names = { "read" },
          action = "SCMP_ACT_ALLOW", args = { { index = 0, value = 1, op = "=" } } } } })
      assert.matches("seccomp.flags%[1%]: ",
        problems_of { defaultAction = "SCMP_ACT_KILL", flags = { "TSYNC" } })
      assert.matches('seccomp.defaultAction: unknown action "DENY"',
        problems_of { defaultAction = "DENY" })
    end)
  end)

  describe("a compiled program", function()
    local function instruction(code, k, jt, jf)
      return string.pack("<I2I1I1I4", code, jt or 0, jf or 0, k or 0)
    end
    local RETURN <const> = instruction(0x06, 0x7fff0000)

    it("is taken as it is", function()
      assert.equal(RETURN, program_of { bpf = RETURN })
    end)

    local refused = {
      ["is no BPF program: 7 bytes"] = RETURN:sub(1, 7),
      ["has 4097 instructions, the kernel takes 4096"] = RETURN:rep(4097),
      ["does not end with a return"] = instruction(0x20, 0),
      ["instruction 0 loads from offset 64"] = instruction(0x20, 64) .. RETURN,
      ["instruction 1 loads from offset 2,"] =
        instruction(0x20, 0) .. instruction(0x20, 2) .. RETURN,
      ["instruction 0 has the code 0x28, which seccomp does not take"] =
        instruction(0x28, 0) .. RETURN,
      ["instruction 0 jumps past the end"] = instruction(0x15, 1, 1, 0) .. RETURN,
      ["instruction 0 divides by 0"] = instruction(0x34, 0) .. RETURN,
      ["instruction 0 shifts by 32 bits"] = instruction(0x64, 32) .. RETURN,
      ["instruction 0 uses memory word 16 of 16"] = instruction(0x02, 16) .. RETURN,
      ["instruction 0 reads memory word 3 before it is written"] = instruction(0x60, 3) .. RETURN,
    }
    for message, program in pairs(refused) do
      it("is refused when it " .. message, function()
        assert.is_truthy(problems_of({ bpf = program }):find(message, 1, true))
      end)
    end

    it("stands alone", function()
      local text = problems_of { bpf = RETURN, default = "allow", bpf_file = "/x",
        rules = { { names = { "read" }, action = "allow" } } }
      assert.matches("seccomp.default: says nothing beside a compiled program", text)
      assert.matches("seccomp.rules: say nothing", text)
    end)
  end)

  describe("problems", function()
    it("name an unknown system call and the nearest known one", function()
      local text = problems_of { rules = { { names = { "read", "opeanat" }, action = "allow" } } }
      assert.equal("seccomp.rules[1].names[2]: "
        .. 'unknown system call "opeanat", did you mean openat?', text)
    end)

    local wrong = {
      ['seccomp: unknown profile "defualt", did you mean default?'] = "defualt",
      ["profile expected, got 7"] = 7,
      ["unknown action \"alow\", did you mean allow?"] =
        { rules = { { names = { "read" }, action = "alow" } } },
      ['unknown errno "ENOSPACE", did you mean ENOSPC?'] =
        { rules = { { names = { "read" }, action = "errno", errno = "ENOSPACE" } } },
      ["errno goes with the action errno, data with trace"] =
        { rules = { { names = { "read" }, action = "allow", errno = 1 } } },
      ['unknown group "@file_system", did you mean @file-system?'] =
        { rules = { { names = { "@file_system" }, action = "allow" } } },
      ["seccomp.ruls: unknown field, did you mean rules?"] = { ruls = {} },
      ["seccomp.default: is missing: without a base nothing else decides"] = { base = "none" },
      ["value is missing"] = { rules = { { names = { "read" }, action = "allow",
        args = { { index = 0, op = "==" } } } } },
      ["values is missing"] = { rules = { { names = { "read" }, action = "allow",
        args = { { index = 0, op = "in", value = 3 } } } } },
      ['seccomp.rules[1].args[1].op: '] = { rules = { { names = { "read" }, action = "allow",
        args = { { index = 0, op = "=", value = 1 } } } } },
      ["seccomp.rules[1].args[1].index: 6 is out of range: 0 to 5"] = { rules = { {
        names = { "read" }, action = "allow", args = { { index = 6, op = "==", value = 1 } } } } },
      ['seccomp.architectures[1]: unknown architecture "x68", did you mean x86?'] =
        { architectures = { "x68" } },
      ["seccomp.flags[1]: "] = { flags = { "wait" } },
      ["notify needs a handler: notify = { mknod = function(call) ... end }"] =
        { rules = { { names = { "mknod" }, action = "notify" } } },
      ['seccomp.notify.unmae: unknown system call "unmae", did you mean uname?'] =
        { notify = { unmae = function() end } },
      ["seccomp.notify.uname: function(call) or { handler =, args = } expected, got 5"] =
        { notify = { uname = 5 } },
      ["seccomp.notify.uname.handler: "] = { notify = { uname = { args = {} } } },
      ["seccomp.flags[2]: wait_kill is for who waits for an answer: it goes with notify"] =
        { flags = { "log", "wait_kill" } },
    }
    for message, profile in pairs(wrong) do
      it("say " .. message, function()
        local text = problems_of(profile)
        assert.is_truthy(text:find(message, 1, true), text)
      end)
    end

    it("are all named at once", function()
      local text = problems_of { default = "denny", rules = {
        { names = { "raed" }, action = "allow" }, { names = {}, action = "allow" },
        { names = { "write" }, action = "al" } } }
      for _, at in ipairs { "default", "rules[1].names[1]", "rules[2].names", "rules[3].action" } do
        assert.is_truthy(text:find("seccomp." .. at .. ":", 1, true), at)
      end
    end)
  end)

  describe("groups", function()
    it("have members that exist", function()
      for name in pairs(require("luactr.spec.seccomp.groups")) do
        for _, member in ipairs(syscalls.expand(name)) do
          assert.is_true(syscalls.exists(member), name .. ": " .. member)
        end
      end
    end)
  end)
end)
