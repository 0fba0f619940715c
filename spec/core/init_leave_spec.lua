-- The step `leave`: the rest of a plan is carried out by a child of who spawned the init.

local launch = require("support.launch")
local support = require("support")
local sys = require("luactr.core").sys
local core = require("luactr.core")

local it = support.it(it, pending, "root")

describe("the step leave #core #spawn", function()
  -- Start steps up to the event after the meeting; the pidfd of what was left and that event.
  local function leave(steps, options)
    local process <close> = assert(launch.start(launch.join({
      { op = "parent_death_signal", signal = 9 } }, steps), options))
    local event, number, pidfd = process:launch()
    assert.same({ "rendezvous", core.plan.rendezvous.left }, { event, number })
    local after = { process:launch() }
    local ended = assert(process:wait(20))
    return pidfd, after, ended
  end

  local function left(pidfd)
    return require("luactr.container.left").new(pidfd)
  end

  local function status_of(pid, name)
    return support.read("/proc/" .. pid .. "/status"):match(name .. ":%s*(%S+)")
  end

  it("makes the payload this process's own child, which nothing ends with it", function()
    local pidfd, event, ended = leave({ { op = "leave" }, "exec sleep 60" }, { flags = 0 })
    local process <close> = left(pidfd)
    assert.same({ "started" }, event)
    assert.equal(0, ended.init_code)
    assert.equal(tostring(sys.getpid()), status_of(process.pid, "PPid"))
    assert.is_nil(sys.waitid(process.pidfd, "nohang"))
  end)

  it("has it born in a pid namespace that was joined", function()
    local target <close> = assert(launch.start({ "exec sleep 60" },
      { flags = launch.flags.mount | sys.CLONE_NEWPID }))
    assert.equal("started", target:launch())
    local pid_namespace <close> =
      assert(sys.open("/proc/" .. target:pid() .. "/ns/pid", "rdonly"))
    local pidfd, event = leave({ { op = "setns", ns = "pids", flags = sys.CLONE_NEWPID },
      { op = "leave" }, { op = "setsid" }, "exec sleep 60" },
      { flags = 0, slots = { pids = pid_namespace } })
    local process <close> = left(pidfd)
    assert.same({ "started" }, event)
    assert.equal(tostring(sys.getpid()), status_of(process.pid, "PPid"))
    assert.matches("^" .. process.pid .. "%s+%d+$", support.read("/proc/" .. process.pid
      .. "/status"):match("NSpid:%s*([^\n]+)"))
  end)

  it("leaves one that has failed to be reaped, with its record", function()
    local pidfd, event, ended = leave({ { op = "leave" }, { op = "setresuid", uid = 0xffffffff },
      "true" }, { flags = 0 })
    assert.same({ "failed", 3, "setresuid", sys.errno.EINVAL }, { table.unpack(event, 1, 4) })
    assert.is_true(ended.init_code ~= 0)
    local how = assert(sys.waitid(pidfd))
    assert.is_true(how.code ~= 0)
    pidfd:close()
  end)

  it("ends with this process as long as it is not started", function()
    local reader <close>, writer = assert(sys.pipe())
    local child <close> = assert(sys.clone({}, function()
      local process = assert(launch.start({ { op = "parent_death_signal", signal = 9 },
        { op = "leave" }, { op = "rendezvous", number = core.plan.rendezvous.start }, "sleep 60" },
        { flags = 0, slots = { out = writer } }))
      process:launch()
      for _, pid in ipairs(require("luactr.processes").children(sys.getpid())) do
        if pid ~= process:pid() then writer:write(pid .. "\n") end
      end
      sys.kill(sys.getpid(), "KILL")
    end))
    writer:close()
    assert.equal(9, assert(child:wait()).signal)
    local pid = tonumber((launch.read_all(reader)))
    local deadline = sys.clock_gettime() + 60
    repeat
      assert.is_true(sys.clock_gettime() < deadline)
      local file = io.open("/proc/" .. pid .. "/stat")
      local state = file and file:read("a"):match("%) (%u)")
      if file then file:close() end
    until not state or state == "Z"
  end)
end)
