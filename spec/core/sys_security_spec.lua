local inside = require("support.inside")
local support = require("support")
local without = require("support.without")
local sys = require("luactr.sys")
local world = require("support.world")

local UNAME <const> = { x86_64 = 63, aarch64 = 160 } -- the number of uname(2)

local function fails(errno, _, message, number)
  assert.equal(errno, sys.errname(number), message)
end

-- A filter that refuses one system call with EPERM. struct sock_filter: code, two jumps, k.
local function refuse(number)
  local LOAD <const>, EQUAL <const>, RETURN <const> = 0x20, 0x15, 0x06
  local ALLOW <const>, EPERM <const> = 0x7fff0000, 0x00050001
  local row = "<I2BBI4"
  return row:pack(LOAD, 0, 0, 0) .. row:pack(EQUAL, 0, 1, number) .. row:pack(RETURN, 0, 0, EPERM)
    .. row:pack(RETURN, 0, 0, ALLOW)
end

local function has(list, name)
  for _, entry in ipairs(list) do
    if entry == name then return true end
  end
  return false
end

describe("luactr.sys security #core #layout", function()
  before_each(world.check)
  after_each(world.check)

  describe("capabilities", function()
    it("have names and numbers", function()
      assert.equal(1 << 21 | 1, sys.cap_mask { "CAP_CHOWN", "sys_admin" })
      assert.same({ "CAP_CHOWN", "CAP_SYS_ADMIN" }, sys.cap_names(1 << 21 | 1))
      assert.same({ "CAP_63" }, sys.cap_names(1 << 63))
      assert.same({ nil, "CAP_NOPE" }, { sys.cap_mask { "CAP_CHOWN", "CAP_NOPE" } })
      assert.is_nil(sys.cap_mask { ("x"):rep(200) })
      assert.is_nil(sys.cap_mask { "" })
      assert.is_true(sys.last_cap() >= 40)
    end)

    it("are given up by name", function()
      support.needs("root")
      inside({}, function()
        local before = sys.capget()
        assert.is_true(has(before.effective, "CAP_SYS_ADMIN"))
        assert(sys.capset { effective = { "chown" }, inheritable = { "CAP_KILL" } })
        local now = sys.capget()
        assert.same({ "CAP_CHOWN" }, now.effective)
        assert.same({ "CAP_KILL" }, now.inheritable)
        assert.same(before.permitted, now.permitted)
        assert.same({ effective = 1, permitted = sys.cap_mask(before.permitted),
          inheritable = 1 << 5 }, sys.cap_masks())
        assert(sys.capset { effective = 0, permitted = 0, inheritable = 0 })
        fails("EPERM", sys.capset { permitted = { "chown" } })
        fails("EPERM", sys.capbset_drop { "chown" })
        fails("EPERM", sys.cap_ambient { "chown" })
      end)
    end)

    it("are bounded", function()
      support.needs("root")
      inside({}, function()
        assert.is_true(has(sys.get_capbset(), "CAP_CHOWN"))
        assert(sys.capbset_drop { "CAP_CHOWN" })
        assert.is_false(has(sys.get_capbset(), "CAP_CHOWN"))
      end)
    end)

    it("are ambient where they are inheritable", function()
      support.needs("root")
      inside({}, function()
        assert(sys.capset { inheritable = { "CAP_KILL", "CAP_CHOWN" } })
        assert(sys.cap_ambient { "CAP_KILL" })
        assert(sys.cap_ambient { "CAP_CHOWN" })
        assert.same({ "CAP_CHOWN" }, sys.get_cap_ambient())
      end)
    end)

    it("of other processes can be read", function()
      assert.is_table(sys.capget(1).permitted)
      fails("ESRCH", sys.capget(0x7ffffff0))
    end)

    it("that are unknown raise", function()
      assert.error_matches(function() sys.capset { effective = { "chwon" } } end, "'chwon'")
      assert.error_matches(function() sys.capset { efective = {} } end, "unknown key 'efective'")
      assert.error(function() sys.capbset_drop({ 5 }) end)
    end)
  end)

  describe("prctl", function()
    it("switches once and for all, or back", function()
      inside({}, function()
        assert.is_false(sys.get_no_new_privs())
        assert(sys.no_new_privs())
        assert.is_true(sys.get_no_new_privs())
        assert(sys.dumpable(false))
        assert.is_false(sys.get_dumpable())
        assert(sys.dumpable(true))
        assert.is_true(sys.get_dumpable())
        assert(sys.keep_capabilities(true))
        assert.is_true(sys.get_keep_capabilities())
      end)
    end)

    it("locks the securebits", function()
      support.needs("root")
      inside({}, function()
        assert(sys.securebits { "noroot", "noroot_locked", "keep_caps_locked" })
        assert.equal(sys.SECBIT_NOROOT | sys.SECBIT_NOROOT_LOCKED | sys.SECBIT_KEEP_CAPS_LOCKED,
          sys.get_securebits())
        fails("EPERM", sys.securebits(0))
        fails("EPERM", sys.keep_capabilities(true))
      end)
    end)

    it("sets the personality", function()
      local ASK <const>, ADDR_NO_RANDOMIZE <const> = 0xffffffff, 0x40000
      inside({}, function()
        local before = sys.personality(ADDR_NO_RANDOMIZE)
        assert.equal(before, sys.personality(ASK) & ~ADDR_NO_RANDOMIZE)
      end)
    end)
  end)

  describe("seccomp()", function()
    it("refuses a system call #unemulated", function()
      local number = UNAME[sys.uname().machine] or pending("the number of uname is not known here")
      inside({}, function()
        assert(sys.no_new_privs())
        assert(sys.seccomp(refuse(number)))
        fails("EPERM", sys.uname())
        assert.equal(sys.getpid(), sys.gettid())
      end)
    end)

    it("returns a listener if asked #unemulated", function()
      inside({}, function()
        assert(sys.no_new_privs())
        local listener <close> = assert(sys.seccomp(refuse(9999), "new_listener"))
        assert.is_number(listener:fileno())
      end)
    end)

    it("needs no_new_privs or privilege, and a filter #unemulated", function()
      support.needs("root")
      inside({}, function()
        fails("EINVAL", sys.seccomp(("<I2BBI4"):pack(0xffff, 0, 0, 0)))
        assert(sys.capset { effective = {}, permitted = {} })
        fails("EACCES", sys.seccomp(refuse(9999)))
      end)
      assert.error(function() sys.seccomp("seven b") end)
      assert.error(function() sys.seccomp("") end)
      assert.error(function() sys.seccomp(refuse(1):rep(20000)) end)
    end)
  end)

  describe("probe() #unemulated", function()
    it("knows a call that everybody has", function()
      assert.is_true(sys.probe("openat2"))
      assert.is_true(sys.probe("memfd_create"))
    end)

    it("knows a call that is hidden", function()
      without({ "openat2", EPERM = { "keyctl" } }, function()
        fails("ENOSYS", sys.probe("openat2"))
        assert.is_true(sys.probe("keyctl")) -- refused, but there
        assert.is_true(sys.probe("seccomp_filter"))
      end)
    end)

    it("changes nothing", function()
      -- what does not change by itself, as memory does
      local function status()
        local fields = {}
        for _, name in ipairs { "Name", "Umask", "Seccomp", "Seccomp_filters", "NoNewPrivs",
          "Threads", "Cpus_allowed", "Mems_allowed", "FDSize" } do
          local text = support.read("/proc/self/status")
          fields[name] = text:match("%f[%w_]" .. name .. ":\t([^\n]*)")
        end
        return fields
      end
      inside({}, function()
        local before = status()
        for _, name in ipairs { "clone3", "set_mempolicy", "sched_setattr", "execveat", "keyctl",
          "core_scheduling", "seccomp_filter", "seccomp_tsync", "mount_setattr", "move_mount" } do
          sys.probe(name)
        end
        assert.same(before, status())
      end)
    end)

    it("raises on a name that it does not know", function()
      assert.error_matches(function() sys.probe("openat3") end, "unknown probe")
    end)
  end)

  describe("landlock", function()
    it("takes file access away", function()
      local abi, message = sys.landlock_abi()
      if not abi then pending(message) end
      inside({}, function()
        local rules <close> = assert(sys.landlock_create_ruleset { "read_file", "read_dir" })
        local proc <close> = assert(sys.open("/proc", "path"))
        assert(sys.landlock_add_rule(rules, proc, { "read_file", "read_dir" }))
        assert(sys.no_new_privs())
        assert(sys.landlock_restrict_self(rules))
        assert(sys.open("/proc/version")):close()
        fails("EACCES", sys.open("/etc/passwd"))
      end)
    end)

    it("takes ports and signals to others away", function()
      local abi = sys.landlock_abi() or 0
      if abi < 6 then pending("needs Landlock ABI 6, this kernel has " .. abi) end
      inside({}, function()
        local rules <close> = assert(sys.landlock_create_ruleset(0, "bind_tcp", "signal"))
        assert(sys.landlock_add_port(rules, 8080, "bind_tcp"))
        assert(sys.no_new_privs())
        assert(sys.landlock_restrict_self(rules, abi >= 7 and "log_same_exec_off" or nil))
        fails("EPERM", sys.kill(sys.getppid(), 0))
        assert(sys.kill(sys.getpid(), 0))
      end)
    end)

    it("takes a port's number only", function()
      local rules <close> = assert(sys.memfd_create("x"))
      assert.error(function() sys.landlock_add_port(rules, 65536, "bind_tcp") end)
      assert.error(function() sys.landlock_add_port(rules, -1, "bind_tcp") end)
      assert.error(function() sys.landlock_add_port(rules, 1, "accept_tcp") end)
    end)

    it("fails with the errno of the system call", function()
      local abi, message = sys.landlock_abi()
      if not abi then pending(message) end
      fails("ENOMSG", sys.landlock_create_ruleset(0))
      fails("EBADF", sys.landlock_add_port(9999, 80, "bind_tcp"))
      fails("EINVAL", sys.landlock_create_ruleset(1 << 62))
      fails("EBADF", sys.landlock_add_rule(9999, 9998, "read_file"))
      fails("EBADF", sys.landlock_restrict_self(9999))
    end)
  end)
end)
