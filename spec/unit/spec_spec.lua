local spec = require "luactr.spec"

local root <const> = setmetatable({}, { __name = "luactr.rootfs" })

--- A minimal recipe with the given fields.
local function recipe(fields)
  local raw = { rootfs = root, command = { "/bin/true" } }
  for name, value in pairs(fields or {}) do
    raw[name] = value
  end
  return raw
end

local function problems_of(raw)
  local result, err = spec.check(raw)
  if result then
    return {}
  end
  assert.are.equal("ESPEC", err.code)
  local lines = {}
  for i, problem in ipairs(err.problems) do
    lines[i] = problem.path .. ": " .. problem.message
  end
  return lines
end

local function checked(fields)
  return assert(spec.check(recipe(fields)))
end

describe("luactr.spec #unit", function()
  describe("fields", function()
    it("have a name, a type and a line of help", function()
      local seen = {}
      for _, row in ipairs(spec.fields) do
        assert.is_nil(seen[row.name])
        seen[row.name] = true
        assert.is_table(row.type)
        assert.is_string(row.help)
        assert.is_true(#row.help < 80)
      end
    end)

    it("are found by their path", function()
      assert.are.equal("hostname", spec.field("hostname").name)
      assert.are.equal("memory", spec.field("limits.memory").name)
      assert.is_nil(spec.field("limits.nothing"))
      assert.is_nil(spec.field("nothing"))
    end)
  end)

  describe("check() of safe defaults", function()
    local default = checked()

    it("gives all namespaces but user and time", function()
      assert.are.same({ mount = "new", pid = "new", uts = "new", ipc = "new", network = "new",
        cgroup = "new", user = "auto", time = "host" }, default.namespaces)
    end)

    it("filters system calls, forbids new privileges, has init and no network", function()
      assert.are.equal("default", default.seccomp)
      assert.is_true(default.no_new_privileges)
      assert.is_true(default.init)
      assert.are.equal("none", default.network)
    end)

    it("has a short list of capabilities and nothing ambient", function()
      assert.is_true(#default.capabilities.bounding <= 14)
      assert.are.same({}, default.capabilities.ambient)
      for _, name in ipairs(default.capabilities.bounding) do
        assert.is_not.equal("CAP_SYS_ADMIN", name)
      end
    end)

    it("masks paths", function()
      assert.is_true(#default.masked_paths > 5)
      assert.is_true(#default.readonly_paths > 3)
    end)

    it("remembers which fields were given", function()
      assert.are.same({ rootfs = true, command = true }, default.given)
    end)
  end)

  describe("check() of values", function()
    local cases = {
      { "user", 1000, { uid = 1000, gid = 1000 } },
      { "user", "1000:100", { uid = 1000, gid = 100 } },
      { "user", "0", { uid = 0, gid = 0 } },
      { "user", { uid = 1, gid = 2 }, { uid = 1, gid = 2 } },
      { "user", "4294967294", { uid = 4294967294, gid = 4294967294 } },
      { "user", "www-data", { user = "www-data" } },
      { "user", "app:staff", { user = "app", group = "staff" } },
      { "user", "app:0", { user = "app", group = 0 } },
      { "user", "0:staff", { user = 0, group = "staff" } },
      { "groups", { 1, "29", "audio" }, { 1, 29, "audio", named = true } },
      { "groups", "keep", { keep = true } },
      { "umask", "022", 18 },
      { "stop_timeout", "500ms", 0.5 },
      { "stdout", "capture", { kind = "capture" } },
      { "stderr", "stdout", { kind = "stdout" } },
      { "stdout", { file = "o", append = true }, { kind = "file", file = "o", append = true } },
      { "stdin", 7, { kind = "fd", fd = 7 } },
      { "stdin", "null", { kind = "null" } },
      { "stdin", "three words\0here", { kind = "text", text = "three words\0here" } },
      { "env", { A = "1", B = true, C = false, D = 5 },
        { A = "1", B = true, C = false, D = "5" } },
      { "env", { "A=1", "B", "C=x=y" }, { A = "1", B = true, C = "x=y" } },
      { "sysctl", { ["net.ipv4.ip_forward"] = 1 }, { ["net.ipv4.ip_forward"] = "1" } },
      { "devices", { "/dev/fuse" }, { { path = "/dev/fuse" } } },
      { "labels", { a = "" }, { a = "" } },
      { "personality", "linux32", 8 },
      { "personality", { "linux32", "no_aslr" }, 0x40008 },
      { "stop_signal", "INT", 2 },
      { "stop_signal", "sigkill", 9 },
      { "rlimits", { nofile = 100 }, { NOFILE = { soft = 100, hard = 100 } } },
      { "rlimits", { RLIMIT_AS = "64M" }, { AS = { soft = 64 << 20, hard = 64 << 20 } } },
      { "rlimits", { core = { soft = 0, hard = "unlimited" } },
        { CORE = { soft = 0, hard = -1 } } },
      { "cgroup", "/a//b/./c/", "/a/b/c" },
      { "cgroup", "a/b", "./a/b" },
      { "net_devices", { "eth0", eth1 = "x", eth2 = { name = "n%d" }, eth3 = {}, eth4 = true },
        { eth0 = "eth0", eth1 = "x", eth2 = "n%d", eth3 = "eth3", eth4 = "eth4" } },
      { "rlimits", { cpu = "1.5s" }, { CPU = { soft = 2, hard = 2 } } },
    }
    for i, case in ipairs(cases) do
      it(string.format("normalizes %s (%d)", case[1], i), function()
        assert.are.same(case[3], checked({ [case[1]] = case[2] })[case[1]])
      end)
    end

    it("brings limits to bytes and seconds", function()
      local limits = checked { limits = { cpu = "40%", memory = "64M", wall_time = "2m" } }.limits
      assert.are.same({ cpu = 0.4, memory = 64 << 20, wall_time = 120, optional = false }, limits)
    end)

    it("makes host of what a list of namespaces leaves out, but for mount", function()
      local kinds = checked({ namespaces = { "pid", "network" } }).namespaces
      assert.are.same({ mount = "new", pid = "new", network = "new", uts = "host", ipc = "host",
        cgroup = "host", user = "host", time = "host" }, kinds)
    end)

    it("keeps network and namespaces.network together", function()
      assert.are.equal("host", checked({ network = "host" }).namespaces.network)
      assert.are.equal("host", checked({ namespaces = { network = "host" } }).network)
      assert.are.equal("none", checked().network)
    end)

    it("does not let one recipe change the defaults of the next", function()
      checked { network = "host" }
      assert.are.equal("new", checked().namespaces.network)
    end)
  end)

  describe("check() of capabilities", function()
    local function bounding(value)
      return checked({ capabilities = value }).capabilities.bounding
    end

    it("takes names in any spelling", function()
      assert.are.same({ "CAP_NET_ADMIN", "CAP_KILL" }, bounding { "net_admin", "CAP_KILL" })
    end)

    it("takes none and all", function()
      assert.are.same({}, bounding "none")
      assert.are.same({}, bounding {})
      assert.are.equal("all", bounding "all")
    end)

    it("adds to and drops from the defaults", function()
      local names = table.concat(bounding { add = { "net_admin" }, drop = { "chown" } }, " ")
      assert.matches("CAP_NET_ADMIN", names)
      assert.not_matches("CAP_CHOWN", names)
      assert.matches("CAP_KILL", names)
    end)

    it("takes the five sets", function()
      local sets = checked({ capabilities = { bounding = { "kill" }, ambient = {} } }).capabilities
      assert.are.same({ "CAP_KILL" }, sets.bounding)
      assert.are.same({}, sets.effective)
    end)
  end)

  describe("check() of mistakes", function()
    local cases = {
      { { hostnam = "x" }, "hostnam: unknown field, did you mean hostname?" },
      { { memory = "1G" }, "memory: unknown field, did you mean limits.memory?" },
      { { workdir = "/" }, "workdir: unknown field, did you mean cwd?" },
      { { volumes = {} }, "volumes: unknown field, did you mean mounts?" },
      { { command = "ls -l" }, 'command: list of strings expected, got "ls -l": write ' ..
        '{ "program", "argument" } (there is no shell in between)' },
      { { command = {} }, "command: 1 to 65536 elements expected, got 0" },
      { { command = { "" } }, "command: the program's name is empty" },
      { { command = { "a\0b" } },
        "command[1]: contains a NUL byte, which no system call can pass on" },
      { { rootfs = 3 }, "rootfs: root file system, as ctr.rootfs.dir(path), " ..
        "or a directory's path expected, got 3" },
      { { hostname = ("x"):rep(65) }, "hostname: hostname too long: at most 64 bytes" },
      { { hostname = "x", namespaces = { uts = "host" } },
        "hostname: needs a uts namespace of its own: it would rename the host" },
      { { user = "01" }, 'user: "01" is ambiguous: write the number without leading zeros' },
      { { user = "4294967295" }, "user: a user or group number is at most 4294967294" },
      { { user = "4294967296" }, "user: a user or group number is at most 4294967294" },
      { { user = "18446744073709551616" }, "user: a user or group number is at most 4294967294" },
      { { user = "-1" }, 'user: "-1" is neither a number nor a name' },
      { { user = "0x1" }, 'user: "0x1" is neither a number nor a name' },
      { { user = " 1" }, 'user: " 1" is neither a number nor a name' },
      { { user = "1 " }, 'user: "1 " is neither a number nor a name' },
      { { user = "1:" }, 'user: "" is neither a number nor a name' },
      { { user = ":1" }, 'user: "" is neither a number nor a name' },
      { { user = "1:1:1" }, 'user: "1:1" is neither a number nor a name' },
      { { hostname = "a\nb" }, 'hostname: host name expected, got "a\\x0ab"' },
      { { net_devices = { eth0 = "a/b" } },
        'net_devices.eth0: is no name for a device: "a/b"' },
      { { net_devices = { eth0 = "n%d%d" } },
        'net_devices.eth0: a % is for one %d, of which the kernel makes a number: "n%d%d"' },
      { { net_devices = { ["eth%d"] = true } },
        'net_devices["eth%d"]: a % is for one %d, of which the kernel makes a number: "eth%d"' },
      { { net_devices = { eth0 = "a", eth1 = "a" } },
        'net_devices.eth1: two devices cannot both be called "a"' },
      { { net_devices = { eth0 = ("x"):rep(16) } },
        "net_devices.eth0: a device's name has 1 to 15 bytes" },
      { { net_devices = { eth0 = { nam = "a" } } },
        "net_devices.eth0: name in the container or true expected, got table" },
      { { net_devices = { "eth0" }, network = "host" },
        "net_devices: needs a network namespace other than the host's" },
      { { net_devices = { "eth0" }, restart = "always" },
        "restart: cannot be with net_devices: they went with the first life" },
      { { cgroup = "/a/../b" }, 'cgroup: leads out of where it begins: "/a/../b"' },
      { { cgroup = "/" },
        "cgroup: is the cgroup of the host's own processes: name one below it" },
      { { cgroup = "/a/" .. ("x"):rep(256) },
        "cgroup: has a part that is longer than 255 bytes" },
      { { domainname = "a b" }, 'domainname: domain name expected, got "a b"' },
      { { env = { ["A\nB"] = "x" } }, 'env["A\\x0aB"]: not a variable\'s name: "A\\x0aB"' },
      { { cwd = "/a\nb" }, 'cwd: contains a line break: "/a\\x0ab"' },
      { { masked_paths = { "/a\nb" } }, 'masked_paths[1]: contains a line break: "/a\\x0ab"' },
      { { readonly_paths = { "/a\rb" } }, 'readonly_paths[1]: contains a line break: "/a\\x0db"' },
      { { mounts = { { source = "/a\nb", target = "/x" } } },
        'mounts[1].source: contains a line break: "/a\\x0ab"' },
      { { mounts = { { type = "tmpfs", target = "/x\n" } } },
        'mounts[1].target: contains a line break: "/x\\x0a"' },
      { { landlock = { read = { "/a\nb" } } },
        'landlock.read[1]: contains a line break: "/a\\x0ab"' },
      { { devices = { "/dev/a\nb" } }, 'devices[1]: contains a line break: "/dev/a\\x0ab"' },
      { { rootfs = "/a\nb" }, 'rootfs: contains a line break: "/a\\x0ab"' },
      { { namespaces = { net = "new" } }, "namespaces.net: unknown field, did you mean network?" },
      { { user = "a\nb" }, 'user: "a\\x0ab" is neither a number nor a name' },
      { { user = "a/b" }, 'user: "a/b" is neither a number nor a name' },
      { { umask = 22 }, 'umask: 22 is decimal in Lua, with or without a leading 0: write "022"' },
      { { namespaces = { netwrk = "host" } },
        'namespaces.netwrk: unknown field, did you mean network?' },
      { { clock = {} }, "clock: changes nothing: name monotonic or boottime" },
      { { clock = { realtime = "1h" } }, "clock.realtime: unknown field" },
      { { clock = { boottime = "soon" } },
        'clock.boottime: time expected, as "1.5s", "200ms" or "2m", got "soon"' },
      { { clock = { monotonic = 1 << 40 } },
        "clock.monotonic: time out of range: 1099511627776" },
      { { clock = { monotonic = "1h" }, namespaces = { time = "host" } },
        'clock: needs a time namespace of its own: namespaces.time = "new"' },
      { { namespaces = { mount = "host" } },
        "namespaces.mount: cannot be the host's: a container never mounts there" },
      { { network = "bridge" }, 'network: not supported yet: only "none" and "host"' },
      { { network = "none", namespaces = { network = "host" } },
        'network: "none" contradicts namespaces.network = "host"' },
      { { tty = true, stdout = "capture" },
        "stdout: a tty takes all three streams: leave it out, or say tty = false" },
      { { sysctl = { ["kernel.panic"] = 1 } },
        "sysctl.kernel.panic: is not namespaced: it would change the host" },
      { { sysctl = { ["net.core.x"] = 1 }, network = "host" },
        "sysctl.net.core.x: needs a namespace of its own: network is the host's" },
      { { sysctl = { ["user.max_user_namespaces"] = 1 } },
        "sysctl.user.max_user_namespaces: needs namespaces.user = \"new\", or it is the host's" },
      { { sysctl = { ["../x"] = 1 } }, "sysctl[\"../x\"]: not a sysctl's name" },
      { { rlimits = { nofiles = 1 } }, "rlimits.nofiles: unknown rlimit, did you mean nofile?" },
      { { rlimits = { nofile = { soft = 2, hard = 1 } } },
        "rlimits.nofile: the soft limit is above the hard one" },
      { { capabilities = { "sys_admn" } },
        'capabilities[1]: unknown capability "sys_admn", did you mean CAP_SYS_ADMIN?' },
      { { seccomp = "defualt" },
        'seccomp: unknown profile "defualt", did you mean default?' },
      { { mounts = { { target = "/x" } } }, "mounts[1].source: is missing: a bind has a source" },
      { { mounts = { { type = "tmpfs", target = "x" } } },
        'mounts[1].target: absolute path expected, got "x"' },
      { { mounts = { { type = "file", target = "/x" } } },
        "mounts[1].content: is missing: a file has content" },
      { { mounts = { { type = "tmpfs", target = "/" } } },
        "mounts[1].target: is the root itself: that is rootfs" },
      { { mounts = { { type = "tmpfs", target = "/x", options = { "ro", "nosiud" } } } },
        'mounts[1].options[2]: unknown option "nosiud" of tmpfs, did you mean nosuid?' },
      { { mounts = { { type = "x", target = "/x", options = { ("a"):rep(4e3), ("b"):rep(95) } } } },
        "mounts[1].options: longer than 4095 bytes together, where mount(2) cuts them off" },
      { { env = { A = ("x"):rep(131070) } },
        "env.A: longer than 131071 bytes with its name" },
      { { limits = { output = "1M" } },
        'limits.output: counts captured output: say stdout = "capture"' },
      { { on = { health = print } }, "on.health: needs health = { command = ... } or a check" },
      { { limits = { memory = "64MB" } }, 'limits.memory: "64MB" is ambiguous: ' ..
        "write 64M (powers of 1024) or the bytes" },
      { { limits = { cpu = 0 } }, "limits.cpu: number of CPUs out of range: 0" },
      { { env = { ["A=B"] = "x" } }, 'env["A=B"]: not a variable\'s name: "A=B"' },
      { { env = { A = "x\0" } }, "env.A: contains a NUL byte" },
      { { stop_signal = "TRM" }, 'stop_signal: unknown signal "TRM", did you mean TERM?' },
      { { steps = "x" }, 'steps: function expected, got "x"' },
      { { name = "../x" }, 'name: name of letters, digits, dot, dash and underscore expected, ' ..
        'got "../x"' },
    }
    for i, case in ipairs(cases) do
      it(string.format("says what is wrong (%d: %s)", i, next(case[1])), function()
        assert.are.same({ case[2] }, problems_of(recipe(case[1])))
      end)
    end

    for _, row in ipairs(spec.fields) do
      if row.unsupported then
        it("refuses " .. row.name .. " by name", function()
          assert.are.same({ row.name .. ": not supported yet" },
            problems_of(recipe { [row.name] = {} }))
        end)
      end
    end

    it("wants a table", function()
      assert.are.same({ ": table of fields expected, got nil" }, problems_of(nil))
      assert.are.same({ ": table of fields expected, got 3" }, problems_of(3))
      assert.are.same({ ": table of fields expected, got luactr.rootfs" }, problems_of(root))
    end)

    it("reports all problems at once, in the order of the fields", function()
      assert.are.same({
        "rootfs: is missing: root file system, as ctr.rootfs.dir(path), " ..
          "or a directory's path expected",
        "command: is missing: list of strings expected",
        "readonli: unknown field, did you mean readonly?",
      }, problems_of { readonli = 1 })
    end)
  end)
end)
