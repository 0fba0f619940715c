-- kill -9 of luactr at any moment: the container dies with it, and the next luactr removes what is
-- left on disk. Orphans come to this process, so that it sees them all.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local MOMENTS <const> = 20
local PATIENCE <const> = 60 -- seconds

local function container(script)
  return ctr.container {
    rootfs = ctr.rootfs.host { "sh", "sleep" }, command = { "sh", "-c", script },
    limits = { memory = "64M", pids = 16 }, stdin = "null", stdout = "capture",
  }
end

--- Run `main` in a process of its own; how that ended.
local function in_child(main)
  local child <close> = assert(sys.clone({}, main))
  return assert(sys.waitid(child))
end

local function next_run()
  local ended = in_child(function()
    assert(assert(container("exit 0"):run()).exit_code == 0)
    return 0
  end)
  assert.equal(0, ended.code)
end

--- Wait until all that was left to this process has ended.
local function reap_orphans()
  local deadline = sys.clock_gettime() + PATIENCE
  while true do
    local ended, _, errno = sys.waitid(nil, "nohang")
    if not ended and errno == sys.errno.ECHILD then
      return
    elseif not ended then
      assert.is_true(sys.clock_gettime() < deadline, "a process of the container lives")
      sys.nanosleep(0.002)
    end
  end
end

--- Call `act` after `count` function calls from now.
local function after_calls(count, act)
  local seen = 0
  debug.sethook(function()
    seen = seen + 1
    if seen == count then
      act()
    end
  end, "c")
end

local function die()
  sys.kill(sys.getpid(), sys.signals.KILL)
end

--- How many function calls a run takes, so that the moments cover it evenly.
local function calls_of_a_run()
  local reader <close>, writer = sys.pipe()
  in_child(function()
    local count = 0
    debug.sethook(function() count = count + 1 end, "c")
    container("exit 0"):run()
    debug.sethook()
    writer:write(tostring(count))
    return 0
  end)
  writer:close()
  return tonumber(reader:read(100))
end

describe("luactr killed by SIGKILL #system", function()
  setup(function()
    sys.child_subreaper(true)
  end)
  teardown(function()
    sys.child_subreaper(false)
  end)
  before_each(world.check)
  after_each(world.check)

  it("at any moment of a run leaves nothing that the next run does not remove", function()
    local calls, killed = calls_of_a_run(), 0
    assert.is_true(calls > MOMENTS)
    for moment = 1, MOMENTS do
      local ended = in_child(function()
        after_calls(moment * calls // (MOMENTS + 1), die)
        container("sleep 0.02"):run()
        return 0
      end)
      -- A run that finds less of others than the first one did has fewer calls.
      assert.is_true(ended.signal == sys.signals.KILL or ended.code == 0)
      killed = killed + (ended.signal and 1 or 0)
      reap_orphans()
    end
    assert.is_true(killed > MOMENTS // 2, killed)
    next_run()
  end)

  it("at any time after the start leaves nothing that the next run does not remove", function()
    for moment = 1, MOMENTS do
      local child <close> = assert(sys.clone({}, function()
        container("sleep 1000 & sleep 1000"):run()
        return 0
      end))
      sys.nanosleep(moment * 0.0005)
      child:signal(sys.signals.KILL)
      sys.waitid(child)
      reap_orphans()
    end
    next_run()
  end)

  it("takes a container along that ignores signals", function()
    local reader, writer = sys.pipe()
    local child <close> = assert(sys.clone({}, function()
      ctr.container({
        rootfs = ctr.rootfs.host { "sh", "sleep" }, stdout = writer,
        command = { "sh", "-c", "trap '' TERM HUP INT; echo ready; while :; do sleep 1; done" },
      }):run()
      return 0
    end))
    writer:close()
    assert.equal("ready\n", reader:read(100))
    child:signal(sys.signals.KILL)
    sys.waitid(child)
    reap_orphans()
    assert.equal("", reader:read(100)) -- nobody holds the other end
    reader:close()
    next_run()
  end)
end)
