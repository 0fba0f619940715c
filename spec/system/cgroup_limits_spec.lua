-- That the kernel enforces what luactr writes, and that the meters show it.

local cgroup = require("luactr.cgroup")
local core = require("luactr.core")
local group = require("support.group")
local support = require("support")
local world = require("support.world")

local sys = core.sys

local ID <const> = support.name("limits")

local function open(limits)
  local compiled, problems = cgroup.compile(limits, cgroup.detect(), ID)
  assert(compiled, problems and problems[1] and problems[1].message)
  local handle, err = cgroup.open(compiled)
  assert(handle, tostring(err))
  return handle
end

local function update(handle, limits)
  local compiled = assert(cgroup.compile(limits, cgroup.detect(), ID))
  local done, err = cgroup.update(handle, compiled)
  assert(done, tostring(err))
end

local function now()
  return sys.clock_gettime("CLOCK_MONOTONIC")
end

local function spin(seconds)
  local deadline = now() + seconds
  while now() < deadline do end
  return 0
end

local function allocate(bytes)
  local kept = {}
  for i = 1, bytes >> 20 do kept[i] = ("x"):rep(1 << 20) end
  return #kept > 0 and 0 or 1
end

describe("limits of luactr.cgroup #system #layout #root", function()
  local function needs(...)
    return support.it(it, pending, "root", ...)
  end

  before_each(world.check)
  after_each(world.check)

  needs("controller:cpu")("cpu holds a busy loop to its share", function()
    local handle <close> = open { cpu = 0.05 }
    local start = now()
    assert.are.equal(0, group.run(handle, function() return spin(1.5) end))
    local elapsed, meters = now() - start, handle:meters()
    -- Much more than its share: a virtual machine that was halted meanwhile has counted that in.
    assert.is_true(meters.cpu_seconds <= elapsed / 2, meters.cpu_seconds / elapsed)
    assert.is_true(meters.throttled_periods > 0)
    assert.is_true(meters.throttled_seconds > 0)
  end)

  needs()("CPU time is metered", function()
    local handle <close> = open {}
    assert.are.equal(0, group.run(handle, function()
      local from = os.clock() -- of CPU time: beside others that takes its time
      while os.clock() - from < 0.1 do end
      return 0
    end))
    local meters = handle:totals()
    assert.is_true(meters.cpu_seconds > 0.02, meters.cpu_seconds)
    local parts = meters.cpu_user_seconds + meters.cpu_system_seconds
    assert.is_true(math.abs(meters.cpu_seconds - parts) < 1e-4)
  end)

  needs("controller:memory")("memory kills what goes beyond it, and counts that", function()
    local handle <close> = open { memory = 16 << 20 }
    local _, signal = group.run(handle, function() return allocate(64 << 20) end)
    assert.are.equal(sys.signals.KILL, signal)
    local totals = handle:totals()
    assert.is_true(totals.oom_kills >= 1)
    assert.is_true(totals.memory_peak == nil or totals.memory_peak > 8 << 20)
  end)

  needs("controller:memory")("memory leaves what stays below it", function()
    local handle <close> = open { memory = 256 << 20 } -- a sanitizer takes its share
    assert.are.equal(0, group.run(handle, function() return allocate(16 << 20) end))
    assert.are.equal(0, handle:totals().oom_kills)
  end)

  needs("controller:pids")("pids refuses the fork that is one too many", function()
    local handle <close> = open { pids = 3 }
    local made = group.run(handle, function()
      local children = {}
      for _ = 1, 5 do
        children[#children + 1] = sys.clone({}, function() sys.nanosleep(1000) return 0 end)
      end
      return #children
    end)
    assert.are.equal(2, made)
    assert.is_true(handle:totals().pids_events >= 1)
  end)

  needs("controller:cpuset")("cpus keeps processes on them", function()
    local handle <close> = open { cpus = "0" }
    assert.are.equal(1, group.run(handle, function()
      return support.read("/proc/self/status"):match("Cpus_allowed_list:%s*0\n") and 1 or 0
    end))
  end)

  needs()("devices refuses what no rule allows", function()
    if not cgroup.detect().controllers.devices then return pending("no devices controller") end
    local handle <close> = open { devices = { "deny c 1:5 r" } }
    local function opens(path, mode)
      return sys.errname(select(3, sys.open(path, mode)) or 0)
    end
    local code = group.run(handle, function()
      local fine = sys.open("/dev/null", "rdwr") and sys.open("/dev/zero", "wronly")
      return fine and opens("/dev/zero", "rdonly") == "EPERM"
        and opens("/dev/kmsg", "rdonly") == "EPERM" and 7 or 1
    end)
    assert.are.equal(7, code)
    update(handle, { devices = { "c 1:11 r" } })
    assert.are.equal(7, group.run(handle, function()
      return opens("/dev/kmsg", "rdonly") == "EPERM" and 1 or 7
    end))
  end)

  needs("controller:hugetlb")("hugepages are limited in their own file", function()
    local size = next(cgroup.detect().hugepage_sizes)
    if not size then return pending("no huge pages") end
    local handle <close> = open { hugepages = { [size] = 0 } }
    local home = cgroup.detect().controllers.hugetlb
    local file = home.version == 2 and "max" or "limit_in_bytes"
    assert.are.equal("0\n", handle:read("hugetlb", "hugetlb." .. size .. "." .. file))
    local reserved = handle:read("hugetlb", "hugetlb." .. size .. ".rsvd." .. file)
    assert.are.equal("0\n", reserved or "0\n")
  end)

  -- The whole disk that a directory's file system is on: its name and number.
  local function disk_below(directory)
    local number = ("%d:%d"):format(sys.splitdev(sys.stat(directory).dev))
    local link = sys.readlink("/sys/dev/block/" .. number)
    local whole = link and not sys.stat("/sys/dev/block/" .. number .. "/partition")
    return whole and link:match("[^/]*$"), number
  end

  local function with_disk(name, body)
    local disk = disk_below("/tmp")
    if support.lacks("root") or not (disk and cgroup.detect().controllers.io) then
      return pending(name .. " (/tmp is not on a disk of its own, or no io controller)")
    end
    it(name, body)
  end

  with_disk("io holds a disk to its rate, and counts", function()
    local dir <close> = support.tmpdir()
    local path = dir:write("data", ("x"):rep(2 << 20))
    local _, number = disk_below("/tmp")
    support.run { "sync", path }
    local handle <close> = open { io = { read_bps = { [number] = 1 << 20 } } }
    local start = now()
    assert.are.equal(0, group.run(handle, function()
      return sys.exec("/bin/dd", { "dd", "if=" .. path, "of=/dev/null", "bs=64k", "iflag=direct",
        "status=none" })
    end))
    assert.is_true(now() - start > 1.0) -- 2 MiB at 1 MiB/s; some is let through at once
    assert.is_true(handle:totals().io_read_bytes >= 2 << 20)
  end)

  with_disk("io takes a disk's path", function()
    local name, number = disk_below("/tmp")
    local limits = { io = { read_bps = { ["/dev/" .. name] = 1 } } }
    local compiled = assert(cgroup.compile(limits, cgroup.detect(), ID))
    assert.is_truthy(compiled.writes[1].text:find(number, 1, true))
  end)

  with_disk("io names what is no disk", function()
    local limits = { io = { read_bps = { ["/dev/null"] = 1 } } }
    local compiled, problems = cgroup.compile(limits, cgroup.detect(), ID)
    assert.is_nil(compiled)
    assert.matches("no block device", problems[1].message)
    compiled = cgroup.compile({ io = { read_bps = { ["999:9"] = 1 } } }, cgroup.detect(), ID)
    local handle, err = cgroup.open(compiled)
    assert.is_nil(handle)
    assert.are.equal("ENODEV", err.code)
    assert.matches("no disk with that number", err.cause)
  end)

  describe("update()", function()
    needs("controller:memory")("raises and lowers memory with its swap", function()
      local handle <close> = open { memory = 32 << 20 }
      local home = cgroup.detect().controllers.memory
      local file = home.version == 2 and "memory.swap.max" or "memory.memsw.limit_in_bytes"
      if not handle:read("memory", file) then return pending("swap is not accounted") end
      local limit = home.version == 2 and "memory.max" or "memory.limit_in_bytes"
      for _, megabytes in ipairs { 16, 128, 8, 64 } do
        update(handle, { memory = megabytes << 20, swap = 0 })
        assert.are.equal((megabytes << 20) .. "\n", handle:read("memory", limit))
      end
    end)

    needs("controller:cpu")("raises and lowers a quota with its burst", function()
      local handle <close> = open { cpu = 0.4 }
      local home = cgroup.detect().controllers.cpu
      local file = home.version == 2 and "cpu.max.burst" or "cpu.cfs_burst_us"
      if not handle:read("cpu", file) then return pending("no bursts") end
      for _, tenths in ipairs { 2, 8, 1, 5 } do
        update(handle, { cpu = tenths / 10, cpu_burst = tenths / 100 })
        assert.are.equal(tenths * 10000 .. "\n", handle:read("cpu", file))
      end
    end)

    needs("controller:cpu")("takes running processes into one more controller", function()
      local handle <close> = open {}
      local child <close> = group.child(handle, function() sys.nanosleep(60) end)
      assert.is_true(group.eventually(function() return #handle:processes() == 1 end))
      update(handle, { cpu = 0.5, cpu_weight = 50 })
      assert.is_true(handle:has("cpu"))
      local own = support.read("/proc/" .. child:pid() .. "/cgroup")
      local home = cgroup.detect().controllers.cpu
      -- "3:cpu,cpuacct:/luactr/..." or "0::/luactr/..."
      local line = ":%s:/luactr/%s\n"
      assert.is_truthy(own:find(line:format(home.options or "", ID), 1, true))
    end)
  end)

  needs()("pressure is told where the host measures it", function()
    local unified = cgroup.detect().unified
    local handle <close> = open {}
    local pressure = handle:pressure()
    local file = unified and io.open(unified.mount .. "/cpu.pressure")
    if not (file and file:read(1)) then
      assert.is_nil(pressure)
      return
    end
    assert.is_number(pressure.cpu.some.avg10)
    assert.is_number(pressure.memory.full.total)
  end)

  it("a limit without a controller is a problem with a reason", function()
    local layout = cgroup.detect()
    local missing = not layout.controllers.net_cls
    if not missing then return pending("this host has net_cls") end
    local compiled, problems = cgroup.compile({ net_class = 1 }, layout, ID)
    assert.is_nil(compiled)
    assert.matches("no net_cls controller", problems[1].message)
  end)
end)
