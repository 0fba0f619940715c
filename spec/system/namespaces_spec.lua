-- Namespaces of others, clocks of one's own, and those that a host may refuse, as programs inside
-- see them.
local core = require("luactr.core")
local ctr = require("luactr")
local group = require("support.group")
local support = require("support")
local world = require("support.world")

local sys <const> = core.sys

-- What specs of one file start has names of its own: another suite may run the same file.
local JOINED <const> = "container:" .. support.name "joined"

local it = support.it(it, pending, "root", "program:gcc", "file:/bin/busybox")

describe("luactr.namespaces #system #layout", function()
  local dir

  setup(function()
    dir = support.tmpdir()
    dir:mkdir("root")
    support.copy(support.program "attributes", dir.path .. "/root/attributes")
    support.copy("/bin/busybox", dir.path .. "/root/busybox")
  end)

  teardown(function() dir:close() end)

  before_each(world.check)
  after_each(world.check)

  local function recipe(fields, name)
    fields.rootfs, fields.name = fields.rootfs or dir.path .. "/root", name or support.name "joiner"
    fields.stdout, fields.stderr = "capture", "capture"
    if type(fields.command) == "string" then
      fields.command = { "/busybox", "sh", "-c", fields.command }
    end
    return fields
  end

  local function run(fields)
    return assert(ctr.run(recipe(fields)))
  end

  local function refused(fields)
    local result, err = ctr.run(recipe(fields))
    assert.is_nil(result)
    return err
  end

  -- Until its PID 1 has reaped whom others left behind in its namespace.
  local function assert_alone(other)
    assert.is_true(group.eventually(function() return #other:processes() == 2 end))
  end

  -- A container to join, while `use` runs.
  local function with_other(fields, use)
    fields.command = { "/busybox", "sleep", "1000" }
    local other <close> = ctr.container(recipe(fields, support.name "joined"))
    assert(other:start())
    use(other)
  end

  local function link(kind, process)
    return sys.readlink(("/proc/%s/ns/%s"):format(process or "self", kind))
  end

  local FILES <const> = { pid = "pid", network = "net", ipc = "ipc", uts = "uts",
    cgroup = "cgroup", time = "time", user = "user" }

  -- What of /proc/self/ns a program finds.
  local function inside(namespaces, kind)
    local result = run { namespaces = namespaces,
      command = { "/busybox", "readlink", "/proc/self/ns/" .. FILES[kind] } }
    assert.equal(0, result.exit_code, result.stderr)
    return result.stdout:gsub("\n", "")
  end

  describe("join", function()
    for _, kind in ipairs { "network", "ipc", "uts", "cgroup", "time", "pid", "user" } do
      it("the " .. kind .. " namespace of a container, by name, path and fd", function()
        with_other({ namespaces = { time = "new", user = kind == "user" and "new" or nil } },
          function(other)
          local theirs = link(FILES[kind], other:pid())
          assert.not_equal(link(FILES[kind]), theirs)
          assert.equal(theirs, inside({ [kind] = JOINED }, kind))
          local path = ("/proc/%d/ns/%s"):format(other:pid(), FILES[kind])
          assert.equal(theirs, inside({ [kind] = path }, kind))
          local fd <close> = assert(sys.open(path))
          assert.equal(theirs, inside({ [kind] = fd }, kind))
          assert.equal(theirs, inside({ [kind] = fd:fileno() }, kind))
        end)
      end)
    end

    describe("processes", function()
      local LEAVE_BEHIND <const> = "/busybox cat /proc/1/comm; (/busybox sleep 1000 &)"

      it("which are seen, and those left behind end with the container", function()
        for _, init in ipairs { true, false } do
          with_other({}, function(other)
            local result = run { namespaces = { pid = JOINED }, init = init,
              limits = { pids = 20 }, command = LEAVE_BEHIND .. "; kill -KILL $$" }
            assert.same({ "luactr-init\n", 9 }, { result.stdout, result.signal })
            assert_alone(other)
          end)
        end
      end)

      it("without a cgroup, too", function()
        with_other({}, function(other)
          local result = run { namespaces = { pid = JOINED },
            command = LEAVE_BEHIND .. "; exit 3" }
          assert.equal(3, result.exit_code)
          assert_alone(other)
        end)
      end)

      it("and are counted as they are there", function()
        with_other({}, function()
          local box <close> = ctr.container(recipe { namespaces = { pid = JOINED },
            command = { "/busybox", "sleep", "1000" } })
          assert(box:start())
          local list = box:processes()
          assert.equal(2, #list)
          assert.is_true(list[1].pid > 2 and list[2].parent == list[1].pid)
          box:kill "TERM"
          assert.equal(sys.signals.TERM, box:wait().signal)
        end)
      end)

      it("of a container that joined them itself", function()
        with_other({}, function(other)
          local box <close> = ctr.container(recipe({ namespaces = { pid = JOINED },
            command = { "/busybox", "sleep", "1000" } }, support.name "between"))
          assert(box:start())
          local between = "container:" .. support.name "between"
          assert.equal(link("pid", other:pid()), inside({ pid = between }, "pid"))
        end)
      end)
    end)

    describe("users", function()
      local function mapped(text) return text:gsub("%s+", " ") end

      it("who own what is new, and the files of the root", function()
        with_other({ idmap = "range" }, function(other)
          local theirs = mapped(support.read("/proc/" .. other:pid() .. "/uid_map"))
          local result = run { namespaces = { user = JOINED }, user = 1000,
            limits = { pids = 20 }, clock = { boottime = "1000d" },
            command = "/busybox cat /proc/self/uid_map; /busybox id -u; "
              .. "/busybox stat -c %u /busybox; /busybox cut -d. -f1 /proc/uptime; exit 5" }
          assert.equal(5, result.exit_code, result.stderr)
          local map, user, owner, uptime = result.stdout:match("^([^\n]*)\n(%d+)\n(%d+)\n(%d+)")
          local nobody = support.lacks "idmapped" and "65534" -- whose files cannot be mapped
          assert.same({ theirs, "1000", nobody or "0" }, { mapped(map .. "\n"), user, owner })
          assert.is_true(tonumber(uptime) > 999 * 24 * 60 * 60)
        end)
      end)

      it("and processes, whatever else is shared", function()
        with_other({ idmap = "range" }, function(other)
          local all = {}
          for kind in pairs(FILES) do all[kind] = kind ~= "time" and JOINED or nil end
          local result = run { namespaces = all, init = false,
            command = "/busybox cat /proc/1/comm; (/busybox sleep 1000 &); exit 4" }
          assert.same({ 4, "luactr-init\n" }, { result.exit_code, result.stdout }, result.stderr)
          assert_alone(other)
        end)
      end)

      it("but none who are not there", function()
        with_other({ namespaces = { user = "new" } }, function()
          local err = refused { namespaces = { user = JOINED }, user = 5,
            command = "true" }
          assert.equal("ESPEC", err.code)
          assert.matches("user: user 5 does not exist in the user namespace: the map of the one "
            .. "that is joined", tostring(err))
        end)
      end)

      it("but not those that luactr has", function()
        local err = refused { namespaces = { user = "/proc/self/ns/user" }, command = "true" }
        assert.same({ "EINVAL", "it is the user namespace that luactr is in already" },
          { err.code, err.cause })
      end)

      it("with no map and no promise of the container's own", function()
        for _, fields in ipairs { { idmap = "range" }, { nesting = false } } do
          fields.namespaces = { user = "/proc/self/ns/user" }
          fields.command = "true"
          local fine, err = pcall(refused, fields)
          assert.matches("needs a user namespace of ", fine and tostring(err) or err)
        end
      end)
    end)

    it("several at once, and see what is in them", function()
      with_other({ hostname = "there" }, function()
        local namespaces = { uts = JOINED, network = JOINED }
        local result = run { namespaces = namespaces, command = "/busybox hostname" }
        assert.equal("there\n", result.stdout)
      end)
    end)

    it("a file that a namespace is mounted on", function()
      local script = dir:write("mounted.lua", ([[
local ctr, sys = require "luactr", require "luactr.sys"
local file = %q
assert(sys.unshare "newns")
assert(sys.mount("none", "/", nil, { "rec", "private" }))
assert(sys.clone({ "newuts" }, function()
  assert(sys.sethostname "mounted")
  assert(sys.mount("/proc/" .. sys.getpid() .. "/ns/uts", file, nil, "bind"))
  return 0
end)):wait()
local child = assert(sys.clone({}, function() return 0 end))
child:wait()
local result = assert(ctr.run { rootfs = %q, stdout = "capture",
  namespaces = { uts = "/proc/self/ns/uts" }, command = { "/busybox", "hostname" } })
io.write(result.stdout)
]]):format(dir:write("ns", ""), dir.path .. "/root"))
      local result = support.luactr { script }
      assert.equal(0, result.code, result.stderr)
    end)

    it("nothing that is no namespace, or another kind of it", function()
      local function cause(namespaces) return refused({ command = "true",
        namespaces = namespaces }) end
      local err = cause { network = "/proc/self/ns/uts" }
      assert.equal("it is a namespace of another kind: uts, not net", err.cause)
      assert.equal("EINVAL", err.code)
      assert.matches("no namespace", cause({ ipc = dir:write("plain", "") }).cause)
      assert.matches("does not exist", cause({ ipc = dir.path .. "/none" }).cause)
      assert.matches('no container "none"', cause({ ipc = "container:none" }).cause)
    end)

    it("no container that has ended", function()
      with_other({}, function(other)
        other:kill "KILL"
        other:wait()
        local err = refused { command = "true", namespaces = { ipc = JOINED } }
        assert.same({ "ENOENT", "setns", true }, { err.code, err.op, err.checked })
        assert.is_truthy(err.cause:find("no container", 1, true))
      end)
    end)

    it("no descriptor that is closed by now", function()
      local fd = assert(sys.open("/proc/self/ns/uts"))
      local number = fd:fileno()
      local box = ctr.container(recipe { command = "true", namespaces = { uts = number } })
      fd:close()
      local started, err = box:start()
      assert.is_nil(started)
      assert.equal("EBADF", err.code)
      assert.matches("uts namespace of fd " .. number, tostring(err))
    end)

    it("none for a host name or a kernel parameter, which would be the others', too", function()
      for _, bad in ipairs {
        { "hostname: needs a uts namespace of its own: it would rename others",
          { hostname = "x", namespaces = { uts = JOINED } } },
        { "domainname: needs a uts namespace of its own: it would rename others",
          { domainname = "x", namespaces = { uts = "/proc/self/ns/uts" } } },
        { "sysctl%.net%.ipv4%.ip_forward: needs a namespace of its own: network is another's",
          { sysctl = { ["net.ipv4.ip_forward"] = 1 },
            namespaces = { network = "/proc/self/ns/net" } } },
        { "namespaces%.mount: cannot be another container's",
          { namespaces = { mount = JOINED } } },
        { "namespaces%.ipc", { namespaces = { ipc = "container:../x" } } },
        { "namespaces%.ipc", { namespaces = { ipc = "container:" } } },
        { "namespaces%.ipc", { namespaces = { ipc = "relative/path" } } },
        { "namespaces%.ipc", { namespaces = { ipc = -1 } } },
        { "network: says the same as namespaces%.network",
          { network = "host", namespaces = { network = JOINED } } },
      } do
        bad[2].command = "true"
        local fine, message = pcall(ctr.container, recipe(bad[2]))
        assert.is_false(fine)
        assert.matches(bad[1], tostring(message))
      end
    end)
  end)

  describe("clocks", function()
    local function clocks(fields)
      fields.command = { "/attributes" }
      local text = run(fields).stdout
      return tonumber(text:match("monotonic (%d+)")), tonumber(text:match("boottime (%d+)"))
    end

    it("are ahead or behind inside, and nowhere else", function()
      local monotonic, boottime = clocks { clock = { monotonic = "100d", boottime = "200d" } }
      local day = 24 * 60 * 60
      local monotonic_ahead = (monotonic - sys.clock_gettime "monotonic") / day
      assert.is_true(monotonic_ahead > 99.9 and monotonic_ahead < 100.1)
      local ahead = (boottime - sys.clock_gettime "boottime") / day
      assert.is_true(ahead > 199.9 and ahead < 200.1)
    end)

    it("may be behind", function()
      local now = sys.clock_gettime "monotonic"
      if now < 100 then return pending("the host has only just started") end
      local monotonic = clocks { clock = { monotonic = "-90.5s" } }
      assert.is_true(monotonic < sys.clock_gettime "monotonic" - 90)
    end)

    it("are of a namespace that children are in, too, with init and without", function()
      for _, init in ipairs { true, false } do
        local result = run { clock = { boottime = "1000d" }, init = init,
          command = "/busybox sh -c '/busybox cut -d. -f1 /proc/uptime'" }
        assert.is_true(tonumber(result.stdout) > 999 * 24 * 60 * 60, result.stdout)
      end
    end)

    it("are in a user namespace as well", function()
      local monotonic = clocks { clock = { monotonic = "1000d" }, namespaces = { user = "new" } }
      assert.is_true(monotonic > 999 * 24 * 60 * 60)
    end)

    it("do not go back before 0", function()
      local err = refused { clock = { boottime = "-4000d" }, command = "true" }
      assert.same({ "ERANGE", "time_namespace" }, { err.code, err.op })
      assert.matches("before 0", err.cause)
    end)

    it("need no change for a namespace of its own", function()
      assert.not_equal(link "time", inside({ time = "new" }, "time"))
      assert.equal(link "time", inside({}, "time"))
    end)
  end)

  it("are all new in one word", function()
    for kind in pairs(FILES) do
      assert.not_equal(link(FILES[kind]), inside("all", kind))
    end
  end)

  describe("tried", function()
    it("are new where they can be", function()
      local result = run { namespaces = { time = "try", ipc = "try", user = "try" },
        command = { "/busybox", "readlink", "/proc/self/ns/ipc" } }
      assert.is_nil(result.warnings)
      assert.not_equal(link "ipc", (result.stdout:gsub("\n", "")))
    end)

    -- What a program sees of `tried` kinds where luactr may not make them.
    local function refuse(tried, calls, more)
      local words = { more }
      for _, kind in ipairs(tried) do words[#words + 1] = kind .. " = \"try\"" end
      local script = dir:write("try.lua", ([[
local ctr = require "luactr"
local box = ctr.container { rootfs = %q, stdout = "capture",
  namespaces = { %s }, command = { "/busybox", "sh", "-c",
    "cd /proc/self/ns; for i in ipc net uts time cgroup; do /busybox readlink $i; done" } }
local result = assert(box:run())
io.write(result.stdout, table.concat(result.warnings, "\n"), "\n")
]]):format(dir.path .. "/root", table.concat(words, ", ")))
      local explained = support.luactr { "explain", script, without = calls }
      local result = support.luactr { script, without = calls }
      assert.equal(0, result.code, result.stderr)
      return explained.stdout, result.stdout
    end

    it("are the host's with a warning where the kernel refuses them", function()
      local explained, seen = refuse({ "ipc", "uts", "cgroup", "time" },
        { EPERM = { "unshare" } })
      for _, kind in ipairs { "ipc", "uts", "cgroup", "time" } do
        assert.is_truthy(seen:find(link(kind), 1, true), kind)
        local warning = "namespaces%." .. kind .. ": the host's.*, since luactr may not make one "
          .. "here %(EPERM%)"
        assert.matches(warning, seen)
        assert.matches("warning: " .. warning, explained)
      end
      assert.matches("and so is the host name", seen)
      assert.is_nil(seen:find(link "net", 1, true))
    end)

    it("are tried in a user namespace of the container's own, too", function()
      local _, seen = refuse({ "ipc", "cgroup" }, { EPERM = { "unshare" } }, 'user = "new"')
      assert.is_truthy(seen:find(link "ipc", 1, true), seen)
      assert.matches("namespaces%.ipc: ", seen)
    end)
  end)
end)
