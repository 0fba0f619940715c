-- The log of events: who does something to a detached container tells of it, the monitor too.

local core = require("luactr.core")
local ctr = require("luactr")
local events = require("luactr.container.events")
local process = require("support.process")
local support = require("support")
local sys = core.sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local MOST <const> = 1 << 20 -- bytes of one file

describe("the events of detached containers #system", function()
  local name = support.name("events")
  local since

  setup(world.adopt_orphans)
  before_each(function()
    world.check()
    since = sys.clock_gettime("realtime")
  end)
  after_each(function()
    local left = ctr.find(name)
    if left then assert(left:remove { force = true }) end
    world.check()
  end)

  local function start(script, fields)
    local spec = { name = name, rootfs = ctr.rootfs.host { "sh", "sleep" },
      command = { "sh", "-c", script } }
    for key, value in pairs(fields or {}) do spec[key] = value end
    return assert(ctr.container(spec):start { detach = true })
  end

  --- What happened since the spec began: the words, and the events by them.
  local function seen()
    local words, by_word = {}, {}
    for event in assert(ctr.events { since = since, name = name }) do
      words[#words + 1] = event.event
      by_word[event.event] = event
    end
    return words, by_word
  end

  --- The monitor tells of the start by itself, when it knows that the caller has seen it.
  local function wait_for(word)
    for event in assert(ctr.events { since = since, name = name, follow = true }) do
      if event.event == word then return end
    end
  end

  it("are its whole life", function()
    local found = start("exec sleep 100")
    assert(found:pause())
    assert(found:resume())
    assert(found:stop())
    assert(found:remove())
    local words, by_word = seen()
    assert.same({ "create", "start", "pause", "resume", "exit", "rm" }, words)
    assert.equal(found.record.pid, by_word.start.pid)
    assert.same({ "killed", 15 }, { by_word.exit.reason, by_word.exit.signal })
  end)

  local ENDINGS <const> = {
    { "exit", "exit 7", reason = "exit", exit_code = 7 },
    { "signal", "kill -USR1 $$", reason = "signal", signal = 10 },
    { "wall_time", "sleep 100", { limits = { wall_time = 0.05 } }, reason = "wall_time",
      signal = 9 },
    { "oom", "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done",
      { limits = { memory = "16M", swap = 0 } }, needs = "controller:memory", reason = "oom",
      signal = 9 },
  }

  for _, case in ipairs(ENDINGS) do
    it("name the reason of an exit: " .. case[1], function()
      if case.needs then support.needs(case.needs) end
      local result = assert(start(case[2], case[3]):wait())
      local _, by_word = seen()
      assert.same({ case.reason, case.signal, case.exit_code },
        { by_word.exit.reason, by_word.exit.signal, by_word.exit.exit_code })
      assert.equal(case.reason, result.reason)
    end)
  end

  it("tell of a process that was killed for want of memory while others live", function()
    support.needs("controller:memory")
    local found = start("(x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done); echo on; sleep 100",
      { limits = { memory = "16M", swap = 0 } })
    local records = assert(found:logs { follow = true })
    repeat until records().text == "on"
    for event in assert(ctr.events { since = since, name = name, follow = true }) do
      if event.event == "oom" then
        assert.equal(1, event.kills)
        break
      end
    end
    assert.equal("running", found:state())
  end)

  it("tell of a monitor that was killed, and of a start that failed", function()
    local found = start("exec sleep 100")
    wait_for("start")
    sys.kill(found.record.owner.pid, sys.signals.KILL)
    assert.equal("lost", assert(found:wait()).reason)
    local words, by_word = seen()
    assert.same({ "create", "start", "exit" }, words)
    assert.equal("lost", by_word.exit.reason)
    assert(found:remove())
    since = sys.clock_gettime("realtime")
    local failed = ctr.container { name = name, rootfs = ctr.rootfs.host { "sh" },
      command = { "/no/such" } }
    assert.is_nil((failed:start { detach = true }))
    words, by_word = seen()
    assert.same({ "create", "exit" }, words)
    assert.equal("start_failed", by_word.exit.reason)
  end)

  it("can be followed, by the command as well", function()
    local program = process.start { support.luactr_program, "events", "-f", "--since", "1s", name }
    start("exit 3")
    program:expect(" create pid=%d+\n")
    program:expect(" exit exit_code=3 reason=exit\n")
    program:signal("TERM")
    program:wait()
  end)

  describe("in a directory of their own", function()
    local directory, host

    after_each(function() directory:close() end)

    before_each(function()
      directory = support.tmpdir()
      host = { state_dir = directory.path, stage = directory.path .. "/stage",
        uid = sys.geteuid() }
    end)

    local function names()
      local list = {}
      for event in assert(events.read({}, host)) do list[#list + 1] = event.name end
      return list
    end

    it("survive a line that was cut", function()
      events.add(host, "one", "start", { command = { "a", '"\n' } })
      local file <close> = assert(sys.open(directory.path .. "/events",
        sys.O_WRONLY | sys.O_APPEND))
      file:write('{"time":1,"name":"cut')
      events.add(host, "two", "start")
      assert.same({ "one", "two" }, names())
    end)

    it("never take more than two files of a megabyte", function()
      local words = {}
      for i = 1, 8 do words[i] = ("x"):rep(100) end
      for i = 1, 6000 do events.add(host, "c" .. i, "exec", { command = words }) end
      local list = names()
      for _, file in ipairs { "events", "events.1" } do
        assert.is_true(sys.stat(host.state_dir .. "/" .. file).size <= MOST)
      end
      for i, found in ipairs(list) do
        assert.equal("c" .. 6000 - #list + i, found)
      end
      assert.is_true(#list > 1500)
    end)

    it("lose nothing when many write", function()
      local children = {}
      for child = 1, 4 do
        children[child] = assert(sys.clone({}, function()
          for i = 1, 200 do events.add(host, ("w%d-%d"):format(child, i), "start") end
          return 0
        end))
      end
      for _, child in ipairs(children) do
        assert(sys.waitid(child))
        child:close()
      end
      assert.equal(800, #names())
    end)
  end)

  it("refuse what they do not know", function()
    assert.has_error(function() ctr.events { until_ = 1 } end, "events: unknown option until_")
    assert.has_error(function() ctr.events { since = true } end, "events: since: not a boolean")
  end)
end)
