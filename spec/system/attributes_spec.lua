-- Priorities, CPUs, memory nodes, keys and the like, as the program inside finds them; and that
-- nothing of the kind comes from the process that luactr runs in.
local core = require("luactr.core")
local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local sys <const> = core.sys

local it = support.it(it, pending, "root", "program:gcc", "file:/bin/busybox")

describe("luactr.security.scheduling #system", function()
  local dir

  setup(function()
    dir = support.tmpdir()
    dir:mkdir("root")
    local built = support.run { "gcc", "-O1", "-static", "-o", dir.path .. "/root/attributes",
      "spec/support/attributes.c" }
    assert.equal(0, built.code, built.stderr)
    support.copy("/bin/busybox", dir.path .. "/root/busybox")
  end)

  teardown(function() dir:close() end)

  before_each(world.check)
  after_each(world.check)

  local function recipe(fields)
    fields.rootfs, fields.name = dir.path .. "/root", support.name("attributes")
    fields.stdout, fields.stderr = "capture", "capture"
    fields.command = fields.command or { "/attributes" }
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

  -- What attributes.c prints; numbers as such.
  local function inside(fields)
    local result, found = run(fields), {}
    assert.equal(0, result.exit_code, result.stderr)
    for name, value in result.stdout:gmatch("([%w_]+) ([^\n]*)") do
      found[name] = math.tointeger(tonumber(value)) or value
    end
    return found
  end

  local function file(path, fields)
    fields.command = { "/busybox", "cat", path }
    return run(fields).stdout
  end

  describe("nice and the scheduler", function()
    it("take effect", function()
      assert.equal(7, inside({ nice = 7 }).nice)
      assert.equal(-5, inside({ nice = -5 }).nice)
      local batch = inside { scheduler = { policy = "SCHED_BATCH", nice = 3 } }
      assert.same({ 3, 3 }, { batch.policy, batch.nice })
      assert.equal(5, inside({ scheduler = "idle" }).policy)
    end)

    it("reach a user without rights", function()
      assert.equal(-5, inside({ nice = -5, user = 1000 }).nice)
    end)

    it("are in place before a filter that refuses them", function()
      local profile = { base = "default", rules = { { names = { "setpriority" },
        action = "EPERM" } } }
      assert.equal(4, inside({ nice = 4, no_new_privileges = false, seccomp = profile }).nice)
    end)

    it("have real-time policies, or the reason why not", function()
      local result, err = ctr.run(recipe { scheduler = { policy = "fifo", priority = 10 } })
      if result then
        assert.matches("policy 1\n", result.stdout)
      else
        assert.equal("EPERM", err.code)
        assert.matches("real%-time", err.cause)
      end
    end)
  end)

  it("sets the disk priority", function()
    assert.equal(2 << 13 | 6, inside({ io_priority = { class = "best_effort", priority = 6 } })
      .io_priority)
    assert.equal(3 << 13, inside({ io_priority = "IOPRIO_CLASS_IDLE" }).io_priority)
  end)

  describe("cpu_affinity", function()
    it("is what the program finds", function()
      assert.matches("\nCpus_allowed_list:\t0\n", file("/proc/self/status", { cpu_affinity = "0" }))
      local both = { cpu_affinity = { initial = "0", final = { 0 } } }
      assert.matches("\nCpus_allowed_list:\t0\n", file("/proc/self/status", both))
    end)

    it("is refused for CPUs that are not there, also beside others that are", function()
      for _, cpus in ipairs { "8000", "0,8000" } do
        local err = refused { cpu_affinity = cpus }
        assert.same({ "EINVAL", "sched_setaffinity" }, { err.code, err.op })
        assert.matches("the host has 0", err.cause)
      end
    end)
  end)

  describe("memory_policy", function()
    local lacking = support.lacks("file:/proc/self/numa_maps")
    if lacking then return pending("needs NUMA") end

    it("is what the program finds", function()
      local maps = file("/proc/self/numa_maps", { memory_policy = { mode = "bind", nodes = "0" } })
      assert.matches("^%x+ bind:0 ", maps)
      assert.matches("^%x+ default ", file("/proc/self/numa_maps", {}))
    end)

    it("is refused for nodes that are not there", function()
      local err = refused { memory_policy = { mode = "MPOL_BIND", nodes = "1000" } }
      assert.same({ "EINVAL", "set_mempolicy" }, { err.code, err.op })
      assert.matches("memory nodes 0", err.cause)
    end)
  end)

  it("has a core to itself, or the reason why not", function()
    local result, err = ctr.run(recipe { core_scheduling = true })
    if result then return assert.equal(0, result.exit_code) end
    assert.equal("core_scheduling", err.op)
    assert.is_truthy(err.cause and err.remedy)
  end)

  it("forbids the time stamp counter", function()
    if sys.uname().machine ~= "x86_64" then return pending("not x86-64") end
    if support.run({ support.program "attributes", "forbidden-rdtsc" }).code == 0 then
      return pending("the machine that this one runs on does not hold to CR4.TSD")
    end
    assert.equal(0, run({ command = { "/attributes", "rdtsc" } }).exit_code)
    local result = run { command = { "/attributes", "rdtsc" }, tsc = false }
    assert.equal(sys.signals.SEGV, result.signal)
  end)

  describe("the session keyring", function()
    local function keyring(fields)
      fields.seccomp = "unconfined"
      return inside(fields).keyring
    end

    it("is new for each container that could reach one", function()
      local one, other = keyring {}, keyring {}
      assert.is_true(one > 0 and other > 0)
      assert.not_equal(one, other)
      assert.not_equal(keyring { keyring = "inherit" }, one)
    end)

    it("is luactr's by word", function()
      assert.equal(keyring { keyring = "inherit" }, keyring { keyring = "inherit" })
    end)

    it("is out of reach of the default filter", function()
      assert.equal(-1, inside({}).keyring)
    end)
  end)

  describe("securebits", function()
    it("are set by name", function()
      local found = inside { securebits = { "noroot", "SECBIT_NOROOT_LOCKED" } }
      assert.equal(3, found.securebits)
    end)

    it("may forbid ambient capabilities, and still let the recipe's through", function()
      local list = { "CAP_NET_BIND_SERVICE" }
      local fields = { user = 1000, securebits = { "no_cap_ambient_raise", "keep_caps_locked" },
        capabilities = { bounding = list, effective = list, permitted = list, inheritable = list,
          ambient = list } }
      assert.equal(64 | 32, inside(fields).securebits)
      assert.matches("\nCapAmb:\t0000000000000400\n", file("/proc/self/status", fields))
      assert.matches("\nCapPrm:\t0000000000000400\n", file("/proc/self/status", fields))
    end)

    it("keep root from having all", function()
      local status = file("/proc/self/status", { securebits = { "noroot" } })
      assert.matches("\nCapEff:\t0000000000000000\n", status)
    end)
  end)

  it("sets the personality", function()
    assert.equal(40000, inside({ personality = "no_aslr" }).personality) -- hexadecimal
    local result = run { personality = { "linux32", "no_aslr" },
      command = { "/busybox", "uname", "-m" } }
    assert.matches("^i?%w*[68]6\n$", (result.stdout:gsub("armv8l", "i686")))
  end)

  it("gives another name to the program", function()
    assert.equal("other", inside({ argv0 = "other" }).argv0)
    local result = run { argv0 = "echo", command = { "/busybox", "applet" } }
    assert.equal("applet\n", result.stdout)
  end)

  it("says that somebody dies first", function()
    assert.equal("321\n", file("/proc/self/oom_score_adj", { oom_score_adj = 321 }))
  end)
end)
