-- core.monitor: the protocol with the process that a detached container lives under, and what
-- comes of it when either side ends at a bad moment.

local cjson = require("cjson")
local core = require("luactr.core")
local group = require("support.group")
local launch = require("support.launch")
local support = require("support")
local world = require("support.world")

local sys = core.sys
local it = support.it(it, pending, "root")

local PATIENCE <const> = 120 -- seconds
local MEET <const> = { op = "rendezvous", number = core.plan.rendezvous.start }

describe("core.monitor #core #spawn", function()
  local dir, directory

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir = support.tmpdir()
    directory = assert(sys.open(dir.path, sys.O_RDONLY | sys.O_DIRECTORY))
  end)

  after_each(function()
    directory:close()
    dir:close()
    world.check()
  end)

  --- Options of start() for a list of steps that ends with a shell command.
  local function job(steps, fields)
    local list = table.move(steps, 1, #steps, 1, {})
    if type(list[#list]) == "string" then
      list[#list] = { op = "exec", file = launch.busybox, argv = { "sh", "-c", list[#list] },
        env = {} }
    end
    local options = {
      plan = core.plan.encode(list, {}), flags = launch.flags.all, fds = {},
      name = "spec", state = directory,
      streams = {}, held = {}, limits = {}, log = { size = 65536, files = 2 },
    }
    for key, value in pairs(fields or {}) do options[key] = value end
    return options
  end

  local function start(steps, fields)
    return core.monitor.start(job(steps, fields))
  end

  --- Wait until a process is gone.
  local function await(pidfd)
    assert.equal(1, core.supervise.poll({ { fd = pidfd, events = "r" } }, PATIENCE))
  end

  local function exit_record()
    return cjson.decode(support.read(dir.path .. "/exit.json"))
  end

  it("starts, says so, and leaves a record of the end", function()
    local monitor = assert(start { "exit 7" })
    local pid = monitor:monitor_pid()
    local pidfd <close> = assert(sys.pidfd_open(pid))
    assert.equal("luactr-monitor\0spec\0", support.read("/proc/" .. pid .. "/cmdline"))
    assert.equal("started", (monitor:launch()))
    assert(monitor:commit())
    await(pidfd)
    local record = exit_record()
    assert.same({ 7, false, 0 }, { record.ending.code, record.truncated, record.log_lost })
    assert.is_true(record.wall_seconds >= 0 and record.finished_at >= record.started_at)
    assert.same({ "exit.json", "log" }, (function()
      local names = {}
      for _, entry in ipairs(assert(sys.readdir(dir.path))) do names[#names + 1] = entry.name end
      table.sort(names)
      return names
    end)())
  end)

  it("tells which step failed, and ends", function()
    local monitor <close> = assert(start({ { op = "sethostname", name = "x" }, "exit 0" },
      { fail = { step = 1, errno = sys.errno.EPERM } }))
    local pidfd <close> = assert(sys.pidfd_open(monitor:monitor_pid()))
    assert.same({ "failed", 1, "sethostname", sys.errno.EPERM },
      { table.unpack({ monitor:launch() }, 1, 4) })
    await(pidfd)
    assert.is_nil(sys.stat(dir.path .. "/exit.json"))
  end)

  it("passes meetings on and waits for the answer", function()
    local monitor = assert(start { MEET, "exit 3" })
    local pidfd <close> = assert(sys.pidfd_open(monitor:monitor_pid()))
    assert.same({ "rendezvous", MEET.number }, { monitor:launch() })
    assert.is_true(sys.stat("/proc/" .. monitor:pid()) ~= nil)
    assert(monitor:answer(MEET.number))
    assert.equal("started", (monitor:launch()))
    assert(monitor:commit())
    await(pidfd)
    assert.equal(3, exit_record().ending.code)
  end)

  it("ends the container when it is closed before the commit", function()
    for _, steps in ipairs { { MEET, "sleep 100" }, { "sleep 100" } } do
      local monitor = assert(start(steps))
      local pidfd <close> = assert(sys.pidfd_open(monitor:pid()))
      monitor:close()
      await(pidfd)
      assert.is_nil(sys.stat(dir.path .. "/exit.json"))
      monitor:close()
    end
  end)

  it("ends the container when the caller is killed before the commit", function()
    local reader <close>, writer = assert(sys.pipe())
    for _, steps in ipairs { { MEET, "sleep 100" }, { "sleep 100" } } do
      local child <close> = assert(sys.clone({}, function()
        local monitor = assert(start(steps))
        monitor:launch()
        writer:write(monitor:pid() .. "\n")
        sys.kill(sys.getpid(), sys.signals.KILL)
      end))
      local pid = math.tointeger(tonumber(reader:read():match("%d+")))
      assert(sys.waitid(child))
      local pidfd <close> = sys.pidfd_open(pid)
      if pidfd then await(pidfd) end
    end
    writer:close()
  end)

  it("takes the container along when it is killed", function()
    for _, committed in ipairs { true, false } do
      local monitor = assert(start { "trap '' TERM HUP INT; while :; do sleep 1; done" })
      local pidfd <close> = assert(sys.pidfd_open(monitor:pid()))
      local pid = monitor:monitor_pid()
      assert.equal("started", (monitor:launch()))
      if committed then assert(monitor:commit()) end
      sys.kill(pid, sys.signals.KILL)
      await(pidfd)
      if not committed then
        assert.equal(sys.errno.EOWNERDEAD, select(3, monitor:launch()))
        assert.equal(sys.errno.EOWNERDEAD, select(3, monitor:commit()))
        monitor:close()
      end
    end
  end)

  it("passes TERM on to the container, and nothing else ends it", function()
    local ready = dir.path .. "/ready"
    local monitor = assert(start {
      ("trap 'exit 9' TERM; : >%s; while :; do sleep 0.01; done"):format(ready) })
    local pid = monitor:monitor_pid()
    local pidfd <close> = assert(sys.pidfd_open(pid))
    assert.equal("started", (monitor:launch()))
    assert(monitor:commit())
    for _, signal in ipairs { "HUP", "INT", "QUIT", "USR1", "PIPE", "ALRM", "XFSZ" } do
      sys.kill(pid, sys.signals[signal])
    end
    assert.is_true(group.eventually(function() return sys.stat(ready) ~= nil end))
    sys.kill(pid, sys.signals.TERM)
    await(pidfd)
    assert.equal(9, exit_record().ending.code)
  end)

  it("says what it could not do before the first step", function()
    local file <close> = assert(sys.open(dir:write("file", ""), sys.O_RDONLY))
    local monitor, message, errno, what = start({ "exit 0" }, { state = file })
    assert.is_nil(monitor)
    assert.same({ "open the log: Not a directory", sys.errno.ENOTDIR, "open the log" },
      { message, errno, what })
  end)

  it("fails clearly where it gets no more descriptors", function()
    local child <close> = assert(sys.clone({}, function()
      local held = {}
      for i = 1, 40 do held[i] = directory end
      assert(sys.setrlimit("nofile", 30, 30))
      local monitor, message = start({ "exit 0" }, { held = held })
      return monitor == nil and message ~= nil and 0 or 1
    end))
    assert.equal(0, assert(sys.waitid(child)).code)
  end)

  it("hands over more descriptors than fit into one message", function()
    local held = {}
    for i = 1, 20 do held[i] = directory end
    local slots, fds, steps = {}, {}, {}
    for i = 1, 200 do
      slots[i], fds[i] = "slot" .. i, directory
      steps[i] = { op = "dup", fd = slots[i], number = 300 + i }
    end
    steps[#steps + 1] = { op = "exec", file = launch.busybox, env = {},
      argv = { "sh", "-c", "test -d /proc/self/fd/500/." } }
    local monitor = assert(start({ "exit 0" },
      { plan = core.plan.encode(steps, slots), fds = fds, held = held }))
    local pidfd <close> = assert(sys.pidfd_open(monitor:monitor_pid()))
    assert.equal("started", (monitor:launch()))
    assert(monitor:commit())
    await(pidfd)
    assert.equal(0, exit_record().ending.code)
  end)

  it("has no descriptor but its own", function()
    local monitor = assert(start { "sleep 100" })
    local pid = monitor:monitor_pid()
    local pidfd <close> = assert(sys.pidfd_open(pid))
    assert.equal("started", (monitor:launch()))
    assert(monitor:commit())
    local kinds = {}
    for _, entry in ipairs(assert(sys.readdir("/proc/" .. pid .. "/fd"))) do
      local target = sys.readlink("/proc/" .. pid .. "/fd/" .. entry.name) or ""
      kinds[#kinds + 1] = target:match("^[^:%d]+") or target
      local own = target:find(dir.path, 1, true) or target:find("^/dev/null")
        or target:find("^anon_inode:") or target:find("^socket:") or target:find("^/memfd:luactr")
      assert.is_truthy(own, target)
    end
    assert(sys.kill(pid, sys.signals.KILL))
    await(pidfd)
  end)

  it("refuses options that are none", function()
    for name, value in pairs {
      limits = false, log = { size = 0, files = 1 }, streams = false, held = false, state = false,
      freezer = ("x"):rep(5000),
    } do
      assert.has_error(function() start({ "exit 0" }, { [name] = value }) end)
    end
  end)
end)
