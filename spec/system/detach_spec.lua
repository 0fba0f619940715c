-- Detached containers: a monitor starts them, keeps their log and the record of their end, and
-- nothing else of them is left.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local PATIENCE <const> = 60 -- seconds

-- Signals that a program lives through which has no handlers.
local SURVIVED <const> = { CHLD = true, CONT = true, STOP = true, TSTP = true, TTIN = true,
  TTOU = true, URG = true, WINCH = true }

describe("a detached container #system #layout", function()
  local name = support.name("detach")

  setup(world.adopt_orphans)
  before_each(world.check)
  after_each(function()
    local left = ctr.find(name)
    if left then assert(left:remove { force = true }) end
    world.check()
  end)

  --- What a killed luactr left is removed by the next command, once its monitor has seen its end.
  local function sweep()
    local deadline = sys.clock_gettime() + PATIENCE
    repeat
      ctr.list()
      assert.is_true(sys.clock_gettime() < deadline, "it is still there")
    until not sys.stat(require("luactr.host").facts().state_dir .. "/containers/" .. name)
  end

  local function spec_of(script, fields)
    local spec = {
      name = name, rootfs = ctr.rootfs.host { "sh", "sleep", "seq" },
      command = { "sh", "-c", script },
    }
    for key, value in pairs(fields or {}) do spec[key] = value end
    return spec
  end

  local function start(script, fields)
    return assert(ctr.container(spec_of(script, fields)):start { detach = true })
  end

  local function output(found, stream)
    local texts = {}
    for record in assert(found:logs()) do
      if record.stream == stream then
        texts[#texts + 1] = record.text .. (record.full and "\n" or "")
      end
    end
    return table.concat(texts)
  end

  it("has a monitor that sleeps while nothing happens", function()
    local found = start("sleep 1000")
    local deadline = sys.clock_gettime() + PATIENCE
    local asleep
    repeat -- one that polls in vain is never, one that has yet to get there is later
      assert.is_true(sys.clock_gettime() < deadline, asleep)
      asleep = 0
      for _ = 1, 50 do
        sys.nanosleep(0.002)
        local _, letter = require("luactr.state").start_time(found.record.owner.pid)
        asleep = asleep + (letter == "S" and 1 or 0)
      end
    until asleep > 40
  end)

  it("runs, ends, and keeps its log and its record", function()
    local found = start("echo out; echo err >&2; printf part; exit 7")
    local result = assert(found:wait())
    assert.same({ "exited", 7, "exit" }, { found:state(), result.exit_code, result.reason })
    assert.equal("out\npart", output(found, "stdout"))
    assert.equal("err\n", output(found, "stderr"))
    assert(found:remove())
    assert.is_nil(found:state())
    assert.is_nil((ctr.find(name)))
  end)

  it("has no descriptor, directory, session or terminal of its starter", function()
    local reader, writer = sys.pipe()
    local found = start("ls -l /proc/self/fd; sleep 100",
      { rootfs = ctr.rootfs.host { "sh", "sleep", "ls" } })
    local monitor = found.record.owner.pid
    assert.equal("/", sys.readlink("/proc/" .. monitor .. "/cwd"))
    local own = assert(sys.stat(reader)).ino
    for _, entry in ipairs(assert(sys.readdir("/proc/" .. monitor .. "/fd"))) do
      local stat = sys.stat("/proc/" .. monitor .. "/fd/" .. entry.name)
      assert.not_equal(own, stat and stat.ino)
    end
    local session = support.read("/proc/" .. monitor .. "/stat"):match("%) %S+ %S+ %S+ (%d+)")
    assert.not_equal(session, support.read("/proc/self/stat"):match("%) %S+ %S+ %S+ (%d+)"))
    reader:close()
    writer:close()
    assert.equal("killed", assert(found:stop()).reason)
  end)

  it("has the descriptors that the recipe names, whatever their numbers are", function()
    local reader, writer = sys.pipe()
    local found = start("echo through >&7", { fds = { [7] = writer } })
    writer:close()
    assert.equal("through\n", reader:read(20))
    assert.is_table(found:inspect().spec.fds["7"])
    reader:close()
    assert(found:wait())
  end)

  it("outlives the process that started it", function()
    local child <close> = assert(sys.clone({}, function()
      start("sleep 0.2; echo late; exit 3")
      sys.kill(sys.getpid(), sys.signals.KILL)
    end))
    assert(sys.waitid(child))
    local found = assert(ctr.find(name))
    assert.equal(3, assert(found:wait()).exit_code)
    assert.equal("late\n", output(found, "stdout"))
  end)

  -- What differs by chance from run to run.
  local VARIES <const> = {
    wall_seconds = true, cpu_seconds = true, cpu_user_seconds = true, cpu_system_seconds = true,
    started_at = true, finished_at = true, memory_peak = true, stdout = true, stderr = true,
    throttled_seconds = true, value = true,
  }

  local function stable(record)
    local copy = {}
    for key, value in pairs(record) do
      if VARIES[key] then
        copy[key] = type(value)
      else
        copy[key] = type(value) == "table" and stable(value) or value
      end
    end
    return copy
  end

  local ENDINGS <const> = {
    { "an exit code", "exit 41" },
    { "a signal", "kill -USR1 $$" },
    { "wall_time", "sleep 100", { limits = { wall_time = 0.1 } } },
    { "cpu_time", "while :; do :; done", { limits = { cpu_time = 0.1 } } },
    { "oom", "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done",
      { limits = { memory = "16M", swap = 0 } }, needs = "controller:memory" },
    { "output", "while :; do echo much; done", { stdout = "capture", limits = { output = "8K" } } },
  }

  for _, case in ipairs(ENDINGS) do
    it("has the result of a foreground run: " .. case[1], function()
      if case.needs then support.needs(case.needs) end
      local fields = { stdout = "capture", stderr = "capture", stdin = "null" }
      for key, value in pairs(case[3] or {}) do fields[key] = value end
      local attached = assert(ctr.run(spec_of(case[2], fields)))
      local found = start(case[2], fields)
      local detached = assert(found:wait())
      attached.stdout, attached.stderr = nil, nil
      assert.same(stable(attached), stable(detached))
      assert(found:remove())
    end)
  end

  it("has exact exit codes and signals #slow", function()
    for code = 0, 255 do
      local result = assert(start("exit " .. code):wait())
      assert.same({ code, "exit" }, { result.exit_code, result.reason })
      assert(ctr.find(name):remove())
    end
    for signal = 1, 64 do
      local found = start("exec sleep 100")
      assert(found:kill(signal))
      if SURVIVED[sys.signame(signal)] then
        assert.equal("ETIMEDOUT", select(2, found:wait(0)).code)
        assert(found:kill())
        signal = 9
      end
      local result = assert(found:wait(PATIENCE))
      assert.same({ signal, "killed" }, { result.signal, result.reason })
      assert(found:remove())
    end
  end)

  it("keeps no more output than its limit", function()
    local found = start("seq 100000", { stdout = "capture", limits = { output = "8K" } })
    local result = assert(found:wait())
    assert.same({ "output", true, 8192 },
      { result.reason, result.truncated, #output(found, "stdout") })
  end)

  it("has a terminal when it asks for one, and its output is kept", function()
    local found = start("tty; echo err >&2; exit 3",
      { tty = true, rootfs = ctr.rootfs.host { "sh", "tty" } })
    assert.equal(3, assert(found:wait()).exit_code)
    assert.equal("/dev/pts/0\r\nerr\r\n", output(found, "stdout"))
  end)

  it("reads nothing, or the text of the recipe", function()
    local programs = ctr.rootfs.host { "sh", "cat" }
    local found = start("cat; echo end", { rootfs = programs })
    assert(found:wait())
    assert.equal("end\n", output(found, "stdout"))
    assert(found:remove())
    found = start("cat", { rootfs = programs, stdin = "fed\n" })
    assert(found:wait())
    assert.equal("fed\n", output(found, "stdout"))
  end)

  it("keeps its range of ids to itself", function()
    local fields = { namespaces = { user = "new" }, idmap = "range",
      rootfs = ctr.rootfs.host { "sh", "cat", "sleep" } }
    local found = start("cat /proc/self/uid_map; exec sleep 100", fields)
    fields.stdout = "capture"
    local spec = spec_of("cat /proc/self/uid_map", fields)
    spec.name = name .. "-other"
    local other = assert(ctr.run(spec)).stdout
    assert.not_equal(other, output(found, "stdout"))
    assert(found:kill())
  end)

  it("passes a signal to its command, or to each of its processes once", function()
    local loop = "while :; do sleep 0.01; done"
    local found = start("trap 'echo outer' USR1; { trap 'echo inner; exit' USR1; echo ready; "
      .. loop .. "; } & " .. loop, { limits = { pids = 16 } })
    local function await(text)
      local deadline = sys.clock_gettime() + PATIENCE
      while output(found, "stdout") ~= text do
        assert.is_true(sys.clock_gettime() < deadline, output(found, "stdout"))
        sys.nanosleep(0.01)
      end
    end
    await "ready\n"
    assert(found:kill("USR1"))
    await "ready\nouter\n"
    assert(found:kill("USR1", { all = true }))
    local deadline = sys.clock_gettime() + PATIENCE
    repeat
      local lines = {}
      for line in output(found, "stdout"):gmatch("%a+") do lines[#lines + 1] = line end
      assert.is_true(sys.clock_gettime() < deadline, table.concat(lines, " "))
      table.sort(lines)
    until table.concat(lines, " ") == "inner outer outer ready"
    assert(found:kill("KILL", { all = true }))
    assert.equal(9, assert(found:wait()).signal)
  end)

  it("without a pid namespace ends with all that it has started", function()
    support.needs("controller:memory")
    local found = start("(sleep 100; echo late) & echo first; exit 3",
      { namespaces = { pid = "host" } })
    assert.equal(3, assert(found:wait()).exit_code)
    assert.equal("first\n", output(found, "stdout"))
  end)

  it("is refused where only its starter could answer for it", function()
    local box = ctr.container(spec_of("true",
      { seccomp = { notify = { getpid = function() return 1 end } } }))
    local started, err = box:start { detach = true }
    assert.is_nil(started)
    assert.matches("functions of this program, which does not stay", tostring(err), 1, true)
  end)

  it("fails to start with the error of a foreground run", function()
    local function failure(options)
      local box <close> = ctr.container(spec_of("true", { command = { "/no/such" } }))
      local started, err = box:start(options)
      assert.is_nil(started)
      return err
    end
    local err, plain = failure { detach = true }, failure {}
    assert.equal(tostring(plain), tostring(err))
    assert.same({ "ENOENT", "exec" }, { err.code, err.op })
    assert.is_nil((ctr.find(name)))
  end)

  it("leaves nothing when any step of its start fails", function()
    local box = ctr.container(spec_of("true"))
    local count = #assert(require("luactr.plan").compile(box.spec,
      require("luactr.host").facts())).steps
    for step = 1, count - 1, 5 do
      local started, err = box:start { detach = true, fail = { step = step, errno = 5 } }
      assert.is_nil(started)
      assert.same({ "EIO", step }, { err.code, err.step })
    end
  end)

  it("lets another process pause and resume it", function()
    local found = start("while :; do echo x; sleep 0.01; done")
    assert(found:pause())
    assert.equal("paused", ctr.find(name):state())
    local deadline = sys.clock_gettime() + PATIENCE
    local before
    repeat -- its monitor may have yet to read what it wrote before
      assert.is_true(sys.clock_gettime() < deadline, "it goes on")
      before = #output(found, "stdout")
      sys.nanosleep(0.1)
    until before == #output(found, "stdout")
    local again, err = found:pause()
    assert.is_nil(again)
    assert.equal("EALREADY", err.code)
    assert(found:resume())
    assert.equal("running", found:state())
    deadline = sys.clock_gettime() + PATIENCE
    while #output(found, "stdout") == before do
      assert.is_true(sys.clock_gettime() < deadline)
      sys.nanosleep(0.01)
    end
    assert(found:pause())
    assert.equal("killed", assert(found:stop()).reason) -- a frozen one takes no signal
  end)

  it("is paused when its start is over, not half-way", function()
    local detach = require("luactr.container.detach")
    local box = ctr.container(spec_of("exec sleep 1000"))
    local run = assert(detach.begin(box, require("luactr.host").facts(), { detach = true }))
    local paused, err = ctr.find(name):pause()
    assert.is_nil(paused)
    assert.same({ "EBUSY", "it is being started" }, { err.code, err.cause })
    local other <close> = assert(sys.clone({}, function()
      return ctr.find(name):pause() and 0 or 1
    end))
    local found = assert(detach.commit(box, run, require("luactr.host").facts()))
    assert.equal(0, other:wait().code)
    assert.equal("paused", found:state())
  end)

  it("is metered and listed by others", function()
    support.needs("controller:memory")
    local found = start("exec sleep 100", { limits = { memory = "32M" } })
    local meters = assert(found:stats())
    assert.is_true(meters.memory > 0)
    local pids = {}
    for i, process in ipairs(assert(found:processes())) do pids[i] = process.pid end
    assert.same({ 1, 2 }, pids)
    local seen = false
    for _, other in ipairs(ctr.list()) do seen = seen or other.id == name end
    assert.is_true(seen)
    assert(found:kill())
    assert.same({ "killed", 9 }, { assert(found:wait()).reason, found:result().signal })
  end)

  it("gets other limits from others, and keeps those that are not named", function()
    support.needs("controller:memory", "controller:pids")
    local found = start("while :; do sleep 0.05; done",
      { limits = { memory = "32M", pids = 20, wall_time = 60 } })
    assert(found:update { pids = 5 })
    assert(found:update { memory = "48M" })
    local limits = found:inspect().spec.limits
    assert.same({ 48 << 20, 5, 60 }, { limits.memory, limits.pids, limits.wall_time })
    local point = support.controller("pids")
    assert.equal("5\n", support.read(point .. "/luactr/" .. name .. "/pids.max"))
    local done, err = found:update { wall_time = 1 }
    assert.is_nil(done)
    assert.same({ "ENOTSUP", "its monitor was told limits.wall_time at the start" },
      { err.code, err.cause })
    done, err = found:update { memory = "many" }
    assert.is_nil(done)
    assert.equal("ESPEC", err.code)
    assert(found:kill())
  end)

  it("ends by force when it ignores its stop signal", function()
    local found = start("trap '' TERM; echo ready; while :; do sleep 0.05; done",
      { stop_timeout = 0.1 })
    while output(found, "stdout") == "" do sys.nanosleep(0.01) end
    assert.equal(9, assert(found:stop()).signal)
  end)

  it("frees what it held: its name after rm", function()
    local found = start("exit 0")
    assert(found:wait())
    local second, err = ctr.container(spec_of("exit 0")):start { detach = true }
    assert.is_nil(second)
    assert.same({ "EEXIST", "luactr rm " .. name .. ", or choose another name" },
      { err.code, err.remedy })
    assert(found:remove())
    assert.equal(0, assert(start("exit 0"):wait()).exit_code)
  end)

  describe("whose monitor is killed", function()
    it("ends with it, and the next command tells", function()
      local found = start("echo first; sleep 100")
      while output(found, "stdout") == "" do sys.nanosleep(0.01) end
      local pidfd <close> = assert(sys.pidfd_open(found.record.pid))
      sys.kill(found.record.owner.pid, sys.signals.KILL)
      require("luactr.core").supervise.poll({ { fd = pidfd, events = "r" } }, PATIENCE)
      local result = assert(ctr.find(name):wait())
      assert.same({ "lost", "exited" }, { result.reason, found:state() })
      assert.equal("first\n", output(found, "stdout"))
      assert(found:remove())
    end)

    it("ends with it, even frozen", function()
      local found = start("sleep 100")
      assert(found:pause())
      local pidfd <close> = assert(sys.pidfd_open(found.record.owner.pid))
      sys.kill(found.record.owner.pid, sys.signals.KILL)
      require("luactr.core").supervise.poll({ { fd = pidfd, events = "r" } }, PATIENCE)
      local result = assert(found:wait())
      assert.same({ "exited", "lost" }, { found:state(), result.reason })
    end)

    it("is waited for and removed while others look at what there is", function()
      local child <close> = assert(sys.clone({}, function()
        while true do ctr.list() end
      end))
      for _ = 1, 20 do
        local found = start("sleep 100")
        sys.kill(found.record.owner.pid, sys.signals.KILL)
        assert.equal("lost", assert(found:wait()).reason)
        assert(found:remove())
      end
      child:signal("KILL")
      assert(sys.waitid(child))
    end)

    for moment = 1, 20 do
      it("leaves nothing at moment " .. moment, function()
        local child <close> = assert(sys.clone({}, function()
          start("exec sleep 100")
          return 0
        end))
        sys.nanosleep(moment * 0.0005)
        child:signal("KILL")
        sys.waitid(child)
        local found = ctr.find(name)
        if found and found:is_running() then
          sys.kill(found.record.owner.pid, sys.signals.KILL)
          local result, err = found:wait()
          if result then
            assert.equal("lost", result.reason)
            assert(found:remove())
          else -- nobody had been told of its start: it is undone
            assert.equal("ENOENT", err.code)
          end
        end
        sweep()
      end)
    end
  end)
end)
