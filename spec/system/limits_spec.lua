-- Limits of the cgroup seen through the container object: how it ends, what it used, pause and
-- update. Whatever layout the host has.

local ctr = require("luactr")
local group = require("support.group")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local MIB <const> = 1 << 20
local PATIENCE <const> = 60 -- seconds
local BUSY <const> = "while :; do :; done"

local function container(fields)
  fields.rootfs = ctr.rootfs.host { "sh", "sleep", "dd", "cat", "tail" }
  fields.stdin = "null"
  return ctr.container(fields)
end

local function run(script, fields)
  fields.command, fields.stdout, fields.stderr = { "sh", "-c", script }, "capture", "capture"
  local box <close> = container(fields)
  return assert(box:run())
end

local function start(script, fields)
  fields.command = { "sh", "-c", script }
  local box = container(fields)
  assert(box:start())
  return box
end

local function cpu_used(box, seconds)
  local before = box:stats().cpu_seconds
  sys.nanosleep(seconds)
  return box:stats().cpu_seconds - before
end

describe("limits #system #layout", function()
  before_each(world.check)
  after_each(world.check)

  describe("a container that reaches", function()
    it("its memory ends with oom, by the kernel's counter", function()
      support.needs "controller:memory"
      local result = run("tail /dev/zero", { limits = { memory = "16M", swap = 0 } })
      assert.equal("oom", result.reason)
      assert.same({ "oom_kill", result.oom_kills }, { result.proof.counter, result.proof.value })
      assert.is_true(result.oom_kills >= 1)
      assert.is_true(result.memory_peak <= 16 * MIB and result.memory_peak > 8 * MIB)
    end)

    it("a foreign SIGKILL does not end with oom", function()
      local result = run("kill -KILL $$", { limits = { memory = "16M" } })
      assert.same({ "signal", 9, 0 }, { result.reason, result.signal, result.oom_kills })
    end)

    it("its processes ends with pids, when it fails for that", function()
      support.needs "controller:pids"
      local result = run("sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000 & wait",
        { limits = { pids = 4, wall_time = 300 } })
      assert.equal("pids", result.reason)
      assert.is_true(result.pids_events >= 1 and result.proof.value == result.pids_events)
      assert.equal(4, result.pids_peak)
    end)

    it("its cpu_time ends then", function()
      local result = run(BUSY, { limits = { cpu_time = 0.2, wall_time = 300 } })
      assert.equal("cpu_time", result.reason)
      assert.is_true(result.proof.value >= 0.2 and result.cpu_seconds >= 0.2)
    end)

    it("its cpu_time with several processes ends then", function()
      local result = run(BUSY .. " & " .. BUSY, { limits = { cpu_time = 0.2, wall_time = 300 } })
      assert.equal("cpu_time", result.reason)
    end)
  end)

  it("that no process reaches leave a result with meters", function()
    local result = run("dd if=/dev/zero of=/dev/null bs=1M count=200 status=none; exit 3",
      { limits = { memory = "64M", pids = 20, cpu = 1 } })
    assert.same({ "exit", 3, "cgroup" }, { result.reason, result.exit_code, result.meters })
    assert.is_true(result.cpu_seconds > 0)
    assert.is_true(math.abs(result.cpu_seconds
      - result.cpu_user_seconds - result.cpu_system_seconds) < 0.1)
    assert.is_true(result.memory_peak > 0 and result.memory_peak < 64 * MIB)
    assert.is_true(result.pids_peak >= 2 and result.pids_peak <= 4)
    assert.equal(0, result.oom_kills)
    assert.is_number(result.throttled_seconds)
  end)

  -- How often it was kept from its CPU in a while. How much it got depends on who runs beside it.
  local function throttled(box)
    local before = box:stats().throttled_periods
    sys.nanosleep(0.3)
    return box:stats().throttled_periods - before
  end

  it("keep a loop from its CPU beyond its share, and update() changes that", function()
    support.needs "controller:cpu"
    local box <close> = start(BUSY, { limits = { cpu = 0.05 } })
    assert.is_true(group.eventually(function() return throttled(box) > 0 end))
    assert(box:update { cpu = 1.5 })
    assert.is_true(group.eventually(function() return throttled(box) == 0 end))
    assert(box:update { cpu = 0.05 })
    assert.is_true(group.eventually(function() return throttled(box) > 0 end))
  end)

  describe("update()", function()
    it("brings limits that were not there at the start", function()
      support.needs "controller:pids"
      local box <close> = start("sleep 1000", {})
      assert(box:update { pids = 7, memory = "32M" })
      assert(box:update { wall_time = 0.01 })
      assert.equal("wall_time", box:wait().reason)
    end)

    it("raises on what is no limit, and leaves the container alone", function()
      local box <close> = start("sleep 1000", {})
      assert.has_error(function() box:update { memry = "1M" } end)
      assert.has_error(function() box:update { memory = "many" } end)
      assert.is_true(sys.kill(box:pid(), 0))
    end)

    it("returns what the host cannot enforce", function()
      local box <close> = start("sleep 1000", {})
      local done, err = box:update { cpus = "4095" }
      assert.is_nil(done)
      assert.is_truthy(tostring(err):find("4095", 1, true))
    end)
  end)

  describe("pause()", function()
    it("stops all processes until resume()", function()
      local box <close> = start(BUSY, {})
      assert(box:pause())
      assert.is_true(cpu_used(box, 0.1) < 0.01)
      assert(box:resume())
      local deadline = sys.clock_gettime() + PATIENCE
      while cpu_used(box, 0.1) == 0 do assert.is_true(sys.clock_gettime() < deadline) end
    end)

    it("does not keep kill() from ending it", function()
      local box <close> = start("sleep 1000", {})
      assert(box:pause())
      assert(box:kill())
      assert.equal("killed", box:wait().reason)
    end)

    it("does not keep close() from ending it", function()
      local box = start("sleep 1000", {})
      assert(box:pause())
      box:close()
    end)

    it("does not keep wall_time from ending it", function()
      local box <close> = start("sleep 1000", { limits = { wall_time = 0.1 } })
      assert(box:pause())
      assert.equal("wall_time", box:wait().reason)
    end)
  end)

  describe("stats()", function()
    it("tells what is used now", function()
      local box <close> = start("sleep 1000 & sleep 1000", {})
      local deadline = sys.clock_gettime() + PATIENCE
      local stats
      repeat
        sys.nanosleep(0.01)
        stats = assert(box:stats())
      until stats.pids >= 3 or sys.clock_gettime() > deadline
      assert.is_true(stats.pids >= 3) -- PID 1, the shell and a sleep
      assert.is_true(stats.memory > 0)
      assert.is_number(stats.cpu_seconds)
    end)
  end)

  it("that the host cannot enforce keep a container from starting", function()
    local box <close> = container { command = { "sh" }, limits = { cpus = "4095" } }
    local result, err = box:run()
    assert.is_nil(result)
    assert.is_truthy(tostring(err):find("limits.cpus", 1, true))
  end)
end)
