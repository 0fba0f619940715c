-- linux.resources of a bundle: what the kernel has of it, how it is changed, and what was used.

local cjson = require("cjson")
local events = require("luactr.oci.events")
local life = require("luactr.oci.life")
local support = require("support")
local sys = require("luactr.core").sys
local update = require("luactr.oci.update")
local world = require("support.world")

local PATIENCE <const> = 60 -- seconds

describe("linux.resources #system #layout", function()
  local dir, host, container

  local function needs(...) return support.it(it, pending, "root", ...) end

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir = support.tmpdir()
    dir:mkdir("rootfs/bin")
    dir:mkdir("rootfs/dev")
    support.copy("/bin/busybox", dir.path .. "/rootfs/bin/busybox")
    assert(sys.symlink("busybox", dir.path .. "/rootfs/bin/sh"))
    host = require("luactr.oci.host").facts(dir.path .. "/root")
  end)

  after_each(function()
    for _, left in ipairs(life.list(host)) do left:delete { force = true } end
    dir:close()
    world.check()
  end)

  local function create(resources, script, linux)
    local document = {
      ociVersion = "1.3.0", root = { path = "rootfs" },
      process = { cwd = "/", args = { "sh", "-c", script or "exec busybox sleep 1000" },
        env = { "PATH=/bin" } },
      mounts = { { type = "tmpfs", destination = "/dev", source = "tmpfs" } },
      linux = { namespaces = { { type = "mount" }, { type = "pid" }, { type = "cgroup" } },
        resources = resources, cgroupsPath = "/" .. support.name("oci-limits") .. "/one" },
    }
    for name, value in pairs(linux or {}) do document.linux[name] = value end
    support.write(dir.path .. "/config.json", cjson.encode(document))
    local err
    container, err = life.create { id = support.name("limits"), host = host, bundle = dir.path }
    return container, err
  end

  local function group()
    return (assert(require("luactr.oci.cgroup").open(container, "look at")))
  end

  -- The text of a file on cgroup v1 and of one on v2.
  local function read(controller, v1, v2)
    local handle <close> = group()
    return (handle:read(controller, v2 or v1) or handle:read(controller, v1) or "")
      :gsub("\n$", "")
  end

  local function is_v1(controller)
    return host.cgroup.controllers[controller].version == 1
  end

  local function exit_status()
    local pidfd <close> = assert(sys.pidfd_open(container.record.pid))
    assert(container:start())
    return assert(sys.waitid(pidfd)).code
  end

  needs("controller:memory", "controller:cpu", "controller:pids")
  ("are in the cgroup that its path says, and are gone with it", function()
    assert(create { memory = { limit = 64 << 20, reservation = 32 << 20 }, pids = { limit = 20 },
      cpu = { quota = 30000, period = 60000, shares = 512 } })
    assert.are.equal(tostring(64 << 20), read("memory", "memory.limit_in_bytes", "memory.max"))
    assert.are.equal(tostring(32 << 20),
      read("memory", "memory.soft_limit_in_bytes", "memory.low"))
    assert.are.equal("20", read("pids", "pids.max"))
    assert.are.equal(is_v1("cpu") and "30000" or "30000 60000",
      read("cpu", "cpu.cfs_quota_us", "cpu.max"))
    assert.are.equal(is_v1("cpu") and "512" or "59", read("cpu", "cpu.shares", "cpu.weight"))
    local handle <close> = group()
    local paths = handle:paths()
    for _, found in ipairs(paths) do assert.matches("oci%-limits/one$", found.path) end
    assert(container:delete { force = true })
    for _, found in ipairs(paths) do
      assert.is_nil(sys.stat((found.path:gsub("/one$", ""))))
    end
  end)

  -- No driver has it: who may open it is told that.
  local ODD <const> = { devices = { { type = "c", path = "/dev/odd", major = 240, minor = 77 } } }

  needs()("refuse devices but those that are usual, in the order of the rules", function()
    local deny <const> = { allow = false, access = "rwm" }
    local allow <const> = { allow = true, type = "c", major = 240, access = "r" }
    local look <const> = "busybox cat </dev/null && (: </dev/odd) 2>&1 | busybox grep -q %q"
    assert(create({ devices = { deny } }, look:format "not permitted", ODD))
    assert.are.equal(0, exit_status())
    container:delete()
    assert(create({ devices = { deny, allow } }, look:format "No such device", ODD))
    assert.are.equal(0, exit_status())
    container:delete()
    assert(create({ devices = { allow, deny } }, look:format "not permitted", ODD))
    assert.are.equal(0, exit_status())
  end)

  needs("controller:pids")("are changed by name, and by a file", function()
    assert(create { pids = { limit = 20 } })
    assert(update.apply(container, { pids = { limit = 30 } }))
    assert.are.equal("30", read("pids", "pids.max"))
    local path = dir:write("limits.json", '{"pids":{"limit":-1}}')
    assert(update.apply(container, assert(update.read(path))))
    assert.are.equal("max", read("pids", "pids.max"))
    local _, err = update.read(dir.path .. "/none")
    assert.are.equal("ENOENT", err.code)
    _, err = update.read(dir:write("bad.json", "{"))
    assert.matches("it is no JSON", tostring(err))
  end)

  needs("controller:cpu", "controller:memory")("keep what an update does not name", function()
    assert(create { cpu = { quota = 30000, period = 60000 }, memory = { limit = 64 << 20 } })
    assert(update.apply(container, { cpu = { quota = 20000 } }))
    assert.are.equal(is_v1("cpu") and "20000" or "20000 60000",
      read("cpu", "cpu.cfs_quota_us", "cpu.max"))
    assert(update.apply(container, { cpu = { quota = 10000, period = 0, shares = 0, cpus = "" },
      memory = { limit = 0, swap = 0 }, blockIO = { weight = 0 } })) -- as Docker says it
    assert.are.equal(is_v1("cpu") and "10000" or "10000 60000",
      read("cpu", "cpu.cfs_quota_us", "cpu.max"))
    assert(update.apply(container, { cpu = { quota = 20000 } }))
    assert(update.apply(container, { memory = { limit = -1 } }))
    assert.are_not.equal(tostring(64 << 20), read("memory", "memory.limit_in_bytes", "memory.max"))
    assert.are.equal(is_v1("cpu") and "20000" or "20000 60000",
      read("cpu", "cpu.cfs_quota_us", "cpu.max"))
  end)

  needs("controller:memory")("are not changed below what is in use, by word", function()
    assert(create { memory = { limit = 64 << 20 } })
    local done, err = update.apply(container, { memory = { limit = 4096,
      checkBeforeUpdate = true } })
    assert.is_nil(done)
    assert.are.equal("EBUSY", err.code)
    assert.matches("more memory is in use", err.cause)
    assert.are.equal(tostring(64 << 20), read("memory", "memory.limit_in_bytes", "memory.max"))
  end)

  needs("controller:cpuset")("may need a controller that the container has not had", function()
    assert(create({ pids = { limit = 20 } }, nil, { cgroupsPath = "" }))
    assert(update.apply(container, { cpu = { cpus = "0" } }))
    assert.are.equal("0", read("cpuset", "cpuset.cpus"))
    local handle <close> = group()
    local paths = handle:paths()
    assert(container:delete { force = true })
    for _, found in ipairs(paths) do assert.is_nil(sys.stat(found.path)) end
  end)

  needs()("that the host cannot keep are refused by their place in config.json", function()
    local v1 = is_v1("memory")
    local made, err = create(v1 and { unified = { ["memory.high"] = "1000000" } }
      or { memory = { swappiness = 10 } })
    assert.is_nil(made)
    assert.matches(v1 and "raw key is of cgroup v2" or "cgroup v2.*cannot do that", tostring(err))
    made, err = create { cpu = { cpus = "4095" } }
    assert.is_nil(made)
    assert.matches("CPU 4095 is not among those of this host", tostring(err))
    assert.are.same({}, life.list(host))
  end)

  needs()("are unknown of a container that has stopped", function()
    assert(create({}, "exit 0"))
    exit_status()
    local done, err = update.apply(container, { pids = { limit = 5 } })
    assert.is_nil(done)
    assert.matches("container not running", tostring(err))
  end)

  needs("controller:memory", "controller:pids")("have figures as runc tells them", function()
    assert(create { memory = { limit = 64 << 20 }, pids = { limit = 20 } })
    local event
    assert(events.follow(container, { stats = true, interval = 1,
      print = function(value) event = value return true end }))
    assert.are.equal("stats", event.type)
    assert.are.equal(container.id, event.id)
    local data = event.data
    assert.are.equal(64 << 20, data.memory.usage.limit)
    assert.is_true(data.memory.usage.usage >= 0)
    assert.is_table(data.memory.raw)
    assert.are.same({ 1, 20 }, { data.pids.current, data.pids.limit })
    assert.is_true(data.cpu.usage.total > 0)
    assert.are.equal("integer", math.type(data.cpu.usage.total))
  end)

  needs("controller:memory")("tell when memory runs out, and that all is over", function()
    local swap = is_v1("memory") and sys.stat("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
    assert(create({ memory = { limit = 16 << 20, swap = swap and 16 << 20 or nil } },
      "until [ -e /go ]; do busybox sleep 0.05; done; "
      .. "busybox dd if=/dev/zero of=/dev/null bs=256M 2>/dev/null; busybox sleep 0.2"))
    assert(container:start())
    local seen = {}
    local deadline = sys.clock_gettime() + PATIENCE
    assert(events.follow(container, { interval = 0.05, print = function(event)
      seen[event.type] = true
      dir:write("rootfs/go", "") -- now it is watched
      return sys.clock_gettime() < deadline
    end }))
    assert.is_true(seen.oom)
    assert.is_true(sys.clock_gettime() < deadline)
  end)

  needs()("put it into a group of resctrl, or say that there is none", function()
    host.resctrl = false
    local made, err = create({}, nil, { intelRdt = { closID = "pool" } })
    assert.is_nil(made)
    assert.matches("this host has no resctrl file system", tostring(err))
    dir:mkdir("resctrl/pool")
    host.resctrl = dir.path .. "/resctrl"
    assert(create({}, nil, { intelRdt = { closID = "pool" } }))
    assert.are.equal(container.record.pid .. "\n",
      support.read(dir.path .. "/resctrl/pool/tasks"))
    assert(update.apply(container, { intelRdt = { l3CacheSchema = "L3:0=f" } }))
    assert.are.equal("L3:0=f\n", support.read(dir.path .. "/resctrl/pool/schemata"))
    assert(container:delete { force = true })
    assert(create {})
    local done
    done, err = update.apply(container, { intelRdt = { l3CacheSchema = "L3:0=f" } })
    assert.is_nil(done)
    assert.matches("it is in no group of resctrl", tostring(err))
    assert(container:delete { force = true })
    made, err = create({}, nil, { intelRdt = { closID = "none" } })
    assert.is_nil(made)
    assert.matches("there is no such group", tostring(err))
  end)
end)
