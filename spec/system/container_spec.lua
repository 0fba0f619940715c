-- luactr.container: one life of a container after the other, and what comes out of it.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local WAIT <const> = "; echo ready; while :; do sleep 0.01; done"
local PROGRAMS <const> = { "sh", "cat", "sleep", "env", "dd", "ls" }

--- A container of a few host programs; the rest as in `fields`.
local function container(fields)
  fields.rootfs = fields.rootfs or ctr.rootfs.host(PROGRAMS)
  fields.stdin = fields.stdin or "null"
  return ctr.container(fields)
end

local function shell(script, fields)
  fields = fields or {}
  fields.command = { "sh", "-c", script }
  return container(fields)
end

--- Run a script to its end with its output captured.
local function run(script, fields)
  fields = fields or {}
  fields.stdout, fields.stderr = "capture", fields.stderr or "capture"
  local box <close> = shell(script, fields)
  return assert(box:run())
end

--- Start a script and wait until it says that it is ready.
local function start_ready(script, fields)
  fields = fields or {}
  local reader, writer = sys.pipe()
  fields.stdout = writer
  local box = shell(script, fields)
  assert(box:start())
  writer:close()
  assert.equal("ready\n", reader:read(100))
  return box, reader
end

--- Whether a process runs; one that only waits to be reaped does not.
local function is_alive(pid)
  local file <close> = io.open(("/proc/%d/stat"):format(pid))
  local stat = file and file:read("a")
  return stat ~= nil and not stat:find("%) Z")
end

describe("luactr.container #system #layout", function()
  before_each(world.check)
  after_each(world.check)

  describe("run()", function()
    it("returns the exit code", function()
      local result = run "exit 7"
      assert.same({ 7, "exit" }, { result.exit_code, result.reason })
      assert.is_nil(result.signal)
    end)

    it("returns the signal", function()
      local result = run "kill -SEGV $$"
      assert.same({ sys.signals.SEGV, "signal" }, { result.signal, result.reason })
      assert.is_nil(result.exit_code)
    end)

    it("measures time on both clocks", function()
      local result = run "sleep 0.1"
      assert.is_true(result.wall_seconds >= 0.09 and result.wall_seconds < 60)
      assert.is_true(result.finished_at > result.started_at)
      assert.is_true(math.abs(result.started_at - os.time()) < 60)
    end)

    it("runs one box again and again", function()
      local box <close> = shell("echo $((n + 1))", { stdout = "capture" })
      for _ = 1, 3 do
        assert.equal("1\n", assert(box:run()).stdout)
      end
    end)

    it("runs two boxes at once", function()
      local one, two = shell "sleep 0.1", shell "exit 2"
      assert(one:start())
      assert(two:start())
      assert.equal(2, two:wait().exit_code)
      assert.equal(0, one:wait().exit_code)
    end)

    it("runs without an init of its own", function()
      local result = run("echo $$; exit 4", { init = false })
      assert.same({ "1\n", 4 }, { result.stdout, result.exit_code })
    end)

    it("ends what is left behind in the host's pid namespace", function()
      local result = run("sleep 1000 & echo $!", { namespaces = { pid = "host" } })
      assert.equal("exit", result.reason)
      assert.is_false(is_alive(tonumber(result.stdout)))
    end)
  end)

  describe("output", function()
    it("is captured from both streams apart", function()
      local result = run "echo out; echo err >&2"
      assert.same({ "out\n", "err\n", false }, { result.stdout, result.stderr, result.truncated })
    end)

    it("is captured from both streams joined", function()
      local result = run("echo out; echo err >&2", { stderr = "stdout" })
      assert.equal("out\nerr\n", result.stdout)
    end)

    it("is captured when it is large, and to the last byte", function()
      local result = run "dd if=/dev/zero bs=65536 count=320 status=none; echo end"
      assert.equal(320 * 65536 + 4, #result.stdout)
      assert.equal("end\n", result.stdout:sub(-4))
    end)

    it("is there when nobody waited while it was written", function()
      local box <close> = shell("echo early", { stdout = "capture" })
      assert(box:start())
      sys.nanosleep(0.05)
      assert.equal("early\n", box:wait().stdout)
    end)

    it("goes into a file, new or appended to", function()
      local dir <close> = support.tmpdir()
      local path = dir.path .. "/out"
      local first <close> = shell("echo one", { stdout = { file = path } })
      local more <close> = shell("echo two", { stdout = { file = path, append = true } })
      local again <close> = shell("echo three", { stdout = { file = path } })
      assert(first:run())
      assert(more:run())
      assert.equal("one\ntwo\n", support.read(path))
      assert(again:run())
      assert.equal("three\n", support.read(path))
    end)

    it("goes to a descriptor of the caller's, which stays open", function()
      local reader, writer = sys.pipe()
      local box <close> = shell("echo here", { stdout = writer })
      assert(box:run())
      writer:write("still open")
      assert.equal("here\nstill open", reader:read(100))
      reader:close()
      writer:close()
    end)

    it("is null when asked for", function()
      local result = run("readlink /proc/self/fd/2; ls -l /proc/self/fd/2", { stderr = "null" })
      assert.is_truthy(result.stdout:find("/dev/null", 1, true))
    end)
  end)

  describe("input", function()
    it("is the text that was given", function()
      assert.equal("a line\0\n", run("cat", { stdin = "a line\0\n" }).stdout)
    end)

    it("is the text, also when nothing reads it or it is long", function()
      local text = ("x"):rep(1 << 21)
      assert.equal(0, run("exit 0", { stdin = text }).exit_code)
      assert.equal(text, run("cat", { stdin = text }).stdout)
    end)

    it("cannot be changed by its reader", function()
      local result = run("echo more >> /proc/self/fd/0 && exit 0; cat", { stdin = "text" })
      assert.equal("text", result.stdout)
    end)

    it("is a file", function()
      local dir <close> = support.tmpdir()
      local path = dir:write("in", "content")
      assert.equal("content", run("cat", { stdin = { file = path } }).stdout)
    end)

    it("is nothing", function()
      assert.equal("", run("cat", { stdin = "null" }).stdout)
    end)
  end)

  it("has the names that were asked for, and the host keeps its own", function()
    local host = sys.gethostname()
    local result = run("cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname",
      { hostname = "box", domainname = "example" })
    assert.equal("box\nexample\n", result.stdout)
    assert.equal(host, sys.gethostname())
  end)

  it("passes on nothing of the environment but what is asked for", function()
    local result = run("env", { env = { MINE = "1" }, hostname = "box" })
    local names = {}
    for name in result.stdout:gmatch("([%w_]+)=[^\n]*\n") do
      names[name] = true
    end
    names.PWD, names.SHLVL, names._, names.OLDPWD = nil, nil, nil, nil -- set by shells
    assert.same({ HOME = true, HOSTNAME = true, MINE = true, PATH = true }, names)
  end)

  it("passes on no descriptor but the three", function()
    local extra <close> = sys.open("/etc/passwd", "rdonly")
    sys.set_cloexec(extra, false)
    local result = run "ls /proc/self/fd"
    assert.equal("0\n1\n2\n3\n", result.stdout) -- 3 is ls reading the directory
  end)

  describe("limits of the supervisor", function()
    it("end a container after its wall_time", function()
      local result = run("sleep 1000", { limits = { wall_time = 0.1 } })
      assert.equal("wall_time", result.reason)
      assert.equal(0.1, result.proof.limit)
      assert.is_true(result.proof.value >= 0.1 and result.wall_seconds < 60)
    end)

    it("end a container at its cap of output, and keep that much", function()
      local result = run("while :; do echo line; done", { limits = { output = 10000 } })
      assert.same({ "output", true, 10000 }, { result.reason, result.truncated, #result.stdout })
      assert.is_true(result.proof.value > 10000)
    end)

    it("count both streams together", function()
      local result = run("echo 12345; echo 12345 >&2; echo 1", { limits = { output = 12 } })
      assert.same({ "output", 12 }, { result.reason, #result.stdout + #result.stderr })
    end)

    it("let a container be that stays below them", function()
      local result = run("echo 123", { limits = { output = 4, wall_time = 30 } })
      assert.same({ "exit", "123\n", false }, { result.reason, result.stdout, result.truncated })
    end)
  end)

  describe("wait()", function()
    it("gives up after its timeout and can be called again", function()
      local reader, writer = sys.pipe()
      local box <close> = shell("read -r line; exit 3", { stdin = reader })
      assert(box:start())
      local result, err = box:wait(0.01)
      assert.is_nil(result)
      assert.equal("ETIMEDOUT", err.code)
      writer:close()
      reader:close()
      result = box:wait()
      assert.equal(3, result.exit_code)
      assert.equal(result, box:wait())
    end)

    it("raises before start()", function()
      local box <close> = shell "exit"
      assert.has_error(function() box:wait() end)
    end)
  end)

  describe("kill()", function()
    it("ends it, and the reason says by whom", function()
      local box <close> = start_ready "echo ready; sleep 1000"
      assert(box:kill())
      local result = box:wait()
      assert.same({ "killed", 9 }, { result.reason, result.signal })
    end)

    it("sends a signal that the command may handle", function()
      local box <close>, reader = start_ready("trap 'echo got; exit 5' USR1" .. WAIT)
      assert(box:kill "USR1")
      local result = box:wait()
      assert.same({ "exit", 5 }, { result.reason, result.exit_code })
      assert.equal("got\n", reader:read(100))
      reader:close()
    end)

    it("raises on an unknown signal and on a container that does not run", function()
      local box <close> = shell "sleep 1000"
      assert.has_error(function() box:kill() end)
      assert(box:start())
      assert.has_error(function() box:kill "HELLO" end)
      assert.has_error(function() box:kill(65) end)
    end)

    it("reaches all processes when it is to", function()
      local script = "trap 'exit 4' USR1; echo ready; while :; do sleep 1000; done"
      local box <close>, reader =
        start_ready(script, { stderr = "null", limits = { pids = 16 } })
      local result
      repeat -- a signal that comes before the first sleep ends that one only
        assert(box:kill("USR1", { all = true }))
        result = box:wait(0.05)
      until result
      assert.same({ 4, "exit" }, { result.exit_code, result.reason })
      reader:close()
    end)
  end)

  describe("stop()", function()
    it("asks with stop_signal", function()
      local box <close>, reader =
        start_ready("trap 'exit 6' INT" .. WAIT, { stop_signal = "INT" })
      assert.equal(6, box:stop().exit_code)
      reader:close()
    end)

    it("kills after stop_timeout", function()
      local box <close>, reader =
        start_ready("trap '' TERM" .. WAIT, { stop_timeout = 0.1 })
      local result = box:stop()
      assert.same({ "killed", 9 }, { result.reason, result.signal })
      reader:close()
    end)
  end)

  describe("processes()", function()
    it("tells the pids inside and outside", function()
      local box <close>, reader = start_ready "sleep 1000 & echo ready; wait"
      local list
      repeat -- until the shell's child has become sleep
        list = box:processes()
      until list[3] and list[3].command == "sleep"
      local commands, parents = {}, {}
      for i, process in ipairs(list) do
        commands[i], parents[i] = process.command, process.parent
        assert.is_true(sys.kill(process.host_pid, 0))
      end
      assert.same({ "luactr-init", "sh", "sleep" }, commands)
      assert.same({ 0, 1, 2 }, parents)
      assert.same({ 1, box:pid() }, { list[1].pid, list[1].host_pid })
      reader:close()
    end)
  end)

  describe("close()", function()
    it("ends what runs, may be called twice, and leaves a box that can start again", function()
      local box = shell "sleep 1000"
      assert(box:start())
      local pid = box:pid()
      box:close()
      box:close()
      assert.is_nil(sys.kill(pid, 0))
      assert(box:start())
      box:close()
    end)

    it("is done by the garbage collector if nobody else does it", function()
      local box = shell "sleep 1000"
      assert(box:start())
      local pid = box:pid()
      box = nil -- luacheck: ignore
      collectgarbage()
      assert.is_nil(sys.kill(pid, 0))
    end)

    it("is left to the owner by a fork", function()
      local box <close> = shell "sleep 1000"
      assert(box:start())
      local child <close> = sys.clone({}, function()
        box:close()
        return 0
      end)
      sys.waitid(child)
      assert.is_true(sys.kill(box:pid(), 0))
    end)
  end)

  describe("a failed start", function()
    it("names step, operation, object and recipe line", function()
      local box <close> = container { command = { "no-such-program" } }
      local result, err = box:run()
      assert.is_nil(result)
      assert.same({ "ENOENT", "exec", "no-such-program", err.steps },
        { err.code, err.op, err.path, err.step })
      assert.is_truthy(err.where.file:find("container_spec.lua", 1, true))
      assert.same({ "start_failed", err }, { box.result.reason, box.result.error })
    end)

    it("leaves the world as it was, whatever step fails", function()
      local box <close> = shell "exit 0"
      assert(box:run())
      for step = 1, #box.plan.steps do
        local started, err = box:start { fail = { step = step, errno = sys.errno.EDOM } }
        assert.is_nil(started)
        assert.same({ step, "EDOM", box.plan.steps[step].op }, { err.step, err.code, err.op })
      end
    end)

    it("of a file to write to names the file", function()
      local box <close> = shell("exit 0", { stdout = { file = "/nowhere/at/all" } })
      local started, err = box:start()
      assert.is_nil(started)
      assert.same({ "ENOENT", "/nowhere/at/all" }, { err.code, err.path })
    end)

    it("leaves a box that can be started later", function()
      local dir <close> = support.tmpdir()
      local path = dir.path .. "/later/out"
      local box <close> = shell("echo fine", { stdout = { file = path } })
      assert.is_nil(box:start())
      dir:mkdir "later"
      assert.equal(0, assert(box:run()).exit_code)
    end)
  end)

  describe("a name", function()
    it("is used by one container at a time", function()
      local box <close> = shell("sleep 1000", { name = support.name("one") })
      assert(box:start())
      local other <close> = shell("exit 0", { name = support.name("one") })
      local started, err = other:start()
      assert.is_nil(started)
      assert.equal("EEXIST", err.code)
      box:close()
      assert.equal(0, assert(other:run()).exit_code)
    end)
  end)

  describe("new()", function()
    it("raises all problems at the caller's line", function()
      local fine, err = pcall(function()
        ctr.container { rootfs = ctr.rootfs.empty(), command = "sh", hostnam = "x" }
      end)
      assert.is_false(fine)
      assert.equal("ESPEC", err.code)
      assert.equal(2, #err.problems)
      assert.is_truthy(err.where.file:find("container_spec.lua", 1, true))
    end)

    it("touches nothing", function()
      local box = shell "exit 0"
      assert.is_truthy(tostring(box):find("not running", 1, true))
    end)
  end)

  local function repeat_runs(count)
    local box <close> = shell("exit 0", { stdout = "capture" })
    assert(box:run())
    collectgarbage()
    collectgarbage()
    local memory, fds = collectgarbage("count"), #sys.readdir("/proc/self/fd")
    for _ = 1, count do
      assert(box:run())
    end
    collectgarbage()
    collectgarbage()
    assert.equal(fds, #sys.readdir("/proc/self/fd"))
    assert.is_true(collectgarbage("count") - memory < 100)
  end

  it("leaves nothing behind after 100 runs #slow", function()
    repeat_runs(100)
  end)

  it("leaves nothing behind after 2,000 runs #long", function()
    repeat_runs(2000)
  end)
end)
