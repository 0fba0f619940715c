local bpf = require("support.bpf")
local core = require("luactr.core")
local seccomp = require("luactr.security.seccomp")
local support = require("support")

local MACHINE <const> = support.run({ "uname", "-m" }).stdout:match("%S+")
local ARCH <const> = ({ x86_64 = 0xc000003e, aarch64 = 0xc00000b7 })[MACHINE]
local I386 <const> = 0x40000003
local EPERM <const>, ENOSYS <const> = "errno 1", "errno 38"

local function number(name)
  return (assert(core.seccomp.resolve(name)))
end

-- A call by name and arguments.
local function call(name, ...)
  return { nr = number(name), arch = ARCH, ... }
end

describe("luactr.security.seccomp #unit", function()
  describe("default profile", function()
    local program = core.seccomp.default()

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
      -- ioctl: all but TIOCSTI and TIOCLINUX
      { "ioctl", "allow", 0, 0x5401 }, { "ioctl", "allow", 0, 0x5413 },
      { "ioctl", "allow", 0, 0x541e }, { "ioctl", "allow", 0, 0x5416 },
      { "ioctl", "allow", 0, 0 }, { "ioctl", "allow", 0, -1 },
      { "ioctl", "allow", 0, 0x5410 }, { "ioctl", "allow", 0, 0x80045430 - 0x100000000 },
      { "ioctl", EPERM, 0, 0x5412 }, { "ioctl", EPERM, 0, 0x541c },
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
      local newest = core.seccomp.newest()
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
          local nr = core.seccomp.resolve(name)
          if nr and not rule.args then
            assert.equal(words[rule.action], verdict { nr = nr, arch = ARCH }, name)
          end
        end
      end
    end)

    it("is short: the kernel translates it at each start", function()
      assert.is_true(#program / 8 <= 300, #program / 8 .. " instructions")
    end)

    it("is searched, not walked", function()
      for _, name in ipairs { "read", "write", "futex", "openat", "statx" } do
        local _, count = bpf.run(program, call(name))
        assert.is_true(count <= 20, name .. " takes " .. count .. " instructions")
      end
    end)
  end)

  describe("the builder", function()
    it("finds each of many ranges", function()
      local newest = core.seccomp.newest()
      local builder <close> = assert(core.seccomp.builder("EPERM", "kill", "ENOSYS"))
      for nr = 0, newest, 2 do assert(builder:add("allow", nr, {})) end
      local program = assert(builder:export())
      for nr = 0, newest do
        local expected = nr % 2 == 0 and "allow" or EPERM
        assert.equal(expected, (bpf.verdict(program, { nr = nr, arch = ARCH })))
      end
      assert.equal(ENOSYS, (bpf.verdict(program, { nr = newest + 1, arch = ARCH })))
      assert.equal("kill", (bpf.verdict(program, { nr = 4, arch = I386 })))
    end)

    it("refuses two opinions on a number", function()
      local builder <close> = assert(core.seccomp.builder("EPERM", "kill"))
      assert(builder:add("allow", 1, {}))
      assert(builder:add("allow", 1, {}))
      assert.is_nil((builder:add("ENOSYS", 1, {})))
      assert.is_nil((builder:add("allow", 1, { { index = 0, op = "==", value = 1 } })))
      assert.is_nil((builder:add("allow", core.seccomp.newest() + 1, {})))
    end)

    it("is closed", function()
      local builder = assert(core.seccomp.builder("EPERM", "kill"))
      builder:close()
      builder:close()
      assert.has_error(function() builder:export() end)
    end)
  end)

  describe("compile()", function()
    local function compile(profile)
      local program, problems = seccomp.compile(profile)
      assert.is_nil(problems)
      return function(...) return (bpf.verdict(program, call(...))) end
    end

    local function problems_of(profile)
      local program, problems = seccomp.compile(profile)
      assert.is_nil(program)
      local lines = {}
      for i, problem in ipairs(problems) do lines[i] = problem.path .. ": " .. problem.message end
      return table.concat(lines, "\n")
    end

    it("refuses what is not allowed", function()
      local verdict = compile { rules = { { names = { "read", "write" }, action = "allow" } } }
      assert.same({ "allow", EPERM }, { verdict("read"), verdict("close") })
    end)

    it("takes a list of what is refused", function()
      local verdict = compile { default = "allow", rules = {
        { names = { "chdir" }, action = "EACCES" } } }
      assert.same({ "errno 13", "allow" }, { verdict("chdir"), verdict("read") })
    end)

    it("lets a rule replace the base profile's", function()
      local verdict = compile { base = "default", rules = {
        { names = { "unshare" }, action = "allow" }, { names = { "read" }, action = "kill" } } }
      assert.same({ "allow", "kill", "allow", EPERM },
        { verdict("unshare"), verdict("read"), verdict("write"), verdict("mount") })
    end)

    local BIG <const> = 0x100000000
    local comparisons = {
      { op = "==", value = 5, allowed = { 5 }, refused = { 4, BIG | 5 } },
      { op = "==", value = 5, mask = 0xffffffff, allowed = { 5, BIG | 5 }, refused = { 4 } },
      { op = "~=", value = 5, allowed = { 4, BIG | 5 }, refused = { 5 } },
      { op = "~=", value = 5, mask = 0xffffffff, allowed = { 4 }, refused = { 5, BIG | 5 } },
      { op = "<", value = 5, allowed = { 4 }, refused = { 5, BIG } },
      { op = ">=", value = 5, allowed = { 5, BIG }, refused = { 4 } },
      { op = "in", values = { 1, 9 }, allowed = { 1, 9 }, refused = { 5, 0, BIG | 1 } },
      { op = "not in", values = { 1, 2, 7 }, mask = 0xff, allowed = { 0, 3, 4, 5, 6, 8, 0x109 },
        refused = { 1, 2, 7, 0x101 } },
    }
    for _, c in ipairs(comparisons) do
      it("compares with " .. c.op .. (c.mask and " and a mask" or ""), function()
        local argument = { index = 2, op = c.op, value = c.value, values = c.values, mask = c.mask }
        local verdict = compile { rules = {
          { names = { "lseek" }, action = "allow", args = { argument } } } }
        for _, value in ipairs(c.allowed) do
          assert.equal("allow", verdict("lseek", 0, 0, value), value)
        end
        for _, value in ipairs(c.refused) do
          assert.equal(EPERM, verdict("lseek", 0, 0, value), value)
        end
      end)
    end

    it("needs all conditions of a rule", function()
      local verdict = compile { rules = { { names = { "lseek" }, action = "allow",
        args = {
          { index = 0, op = "in", values = { 1, 2 } },
          { index = 1, op = "==", value = 3 },
        } } } }
      assert.same({ "allow", EPERM, EPERM },
        { verdict("lseek", 2, 3), verdict("lseek", 2, 4), verdict("lseek", 3, 3) })
    end)

    it("knows calls that are younger than the library", function()
      local verdict = compile { rules = { { names = { "file_setattr" }, action = "allow" } } }
      assert.equal("allow", verdict("file_setattr"))
    end)

    it("passes over calls of other machines", function()
      local verdict = compile { rules = { { names = { "socketcall", "read" }, action = "allow" } } }
      assert.equal("allow", verdict("read"))
    end)

    it("names an unknown system call and the nearest known one", function()
      local text = problems_of { rules = { { names = { "read", "opeanat" }, action = "allow" } } }
      assert.equal("seccomp.rules[1].names[2]: "
        .. 'unknown system call "opeanat", did you mean openat?', text)
    end)

    local wrong = {
      ["unknown action \"alow\", did you mean allow?"] =
        { rules = { { names = { "read" }, action = "alow" } } },
      ["seccomp.ruls: unknown field"] = { ruls = {} },
      ["value is missing"] = { rules = { { names = { "read" }, action = "allow",
        args = { { index = 0, op = "==" } } } } },
      ["one argument twice"] = { rules = { { names = { "read" }, action = "allow",
        args = { { index = 0, op = ">", value = 1 }, { index = 0, op = "<", value = 9 } } } } },
      ["too many values"] = { rules = { { names = { "read" }, action = "allow",
        args = { { index = 0, op = "not in", values = { 0, 0xffffff } } } } } },
    }
    for message, profile in pairs(wrong) do
      it("says " .. message, function()
        assert.is_truthy(problems_of(profile):find(message, 1, true))
      end)
    end

    it("compiles equal profiles once", function()
      local function profile() return { rules = { { names = { "getpid" }, action = "allow" } } } end
      local first, second = seccomp.compile(profile()), seccomp.compile(profile())
      assert.equal(first, second)
    end)
  end)
end)
