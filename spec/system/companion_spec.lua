-- Callbacks of containers that are left to a monitor: a process of their own calls them.
local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local needs <const> = function(...) return support.it(it, pending, "root", ...) end
local it = needs()

local PATIENCE <const> = 60
local MOMENTS <const> = 4
local CALLS <const> = 4000 -- from the fork to the end of a start, about
local WAIT <const> = "while :; do sleep 0.02; done"

local dir, started -- what callbacks write to, and whom to remove
local made = 0

local function shell(script, fields)
  made = made + 1
  fields.name = support.name("live" .. made) -- its events are its own
  fields.rootfs = ctr.rootfs.host { "sh", "sleep", "tail" }
  fields.command = { "sh", "-c", script }
  return ctr.container(fields)
end

local function start(box)
  local found = assert(box:start { detach = true })
  started[#started + 1] = found
  return found
end

--- From a callback to the spec: they are different processes.
local function note(...)
  local words = table.pack(...)
  for i = 1, words.n do
    words[i] = tostring(words[i])
  end
  local file <close> = assert(io.open(dir.path .. "/notes", "a"))
  file:write(table.concat(words, " "), "\n")
end

local function notes()
  local file <close> = io.open(dir.path .. "/notes")
  return file and file:read("a") or ""
end

local function eventually(what, fn)
  local deadline = sys.clock_gettime() + PATIENCE
  while not fn() do
    assert(sys.clock_gettime() < deadline, what)
    sys.nanosleep(0.01)
  end
end

local function is_gone(pid)
  local _, letter = require("luactr.state").start_time(pid)
  return letter == nil or letter == "Z"
end

--- Call `act` after `count` function calls from now.
local function after_calls(count, act)
  debug.sethook(function()
    count = count - 1
    if count == 0 then act() end
  end, "c")
end

local function events_of(found, kind)
  local list = {}
  for event in assert(ctr.events { name = found.id }) do
    list[#list + 1] = event.event == kind and event or nil
  end
  return list
end

describe("callbacks of a detached container #system", function()
  before_each(function()
    dir, started = support.tmpdir(), {}
    world.check()
  end)

  after_each(function()
    for _, found in ipairs(started) do
      found:remove { force = true }
      local callbacks = found.record.callbacks
      assert.is_true(not callbacks or is_gone(callbacks.pid))
    end
    world.check()
    dir:close()
  end)

  it("hear of its start and its end, in a process that ends with it", function()
    local box
    box = shell("exit 3", { on = {
      start = function(same) note("start", box == same, box.id, sys.getpid()) end,
      exit = function(same, result) note("exit", same:state(), result.exit_code) end,
    } })
    local found = start(box)
    local pid = found.record.callbacks.pid
    assert.equal(3, assert(found:wait()).exit_code)
    assert.equal(("start true %s %d\nexit exited 3\n"):format(box.id, pid), notes())
    assert.are_not.equal(sys.getpid(), pid)
    assert.is_true(is_gone(pid))
    assert.equal("ended", found:inspect().callbacks.state)
  end)

  it("hear of each life that its monitor begins", function()
    local found = start(shell("exit 4", { restart = "on-failure:1", on = {
      start = function() note("start") end,
      exit = function(box, result) note("exit", result.exit_code, box:start() == nil) end,
    } }))
    assert.equal(1, assert(found:wait()).restarts)
    assert.equal(("start\nexit 4 true\n"):rep(2), notes())
  end)

  it("hear once of the last one, when nobody wants another while it waits for its turn", function()
    local found = start(shell("exit 4", { restart = "always", on = {
      start = function() note("start") end,
      exit = function() note("exit") end,
    } }))
    eventually("no third restart", function()
      local known = found:inspect()
      return known.restarts >= 3 and known.next_start
    end)
    assert(found:stop())
    assert(found:wait())
    assert.equal(("start\nexit\n"):rep(1 + found:inspect().restarts), notes())
  end)

  it("act on it: with its methods, under the name that it has by now", function()
    local found = start(shell(WAIT, { on = {
      start = function(box)
        ctr.sleep(0.01)
        note(box:exec { command = { "sh", "-c", "exit 7" } }.exit_code)
      end,
      exit = function(box) note("exit", box.id) end,
    } }))
    eventually("no command", function() return notes() == "7\n" end)
    local name = support.name("renamed")
    assert(found:rename(name))
    assert(found:stop(1))
    assert.equal("7\nexit " .. name .. "\n", notes())
  end)

  needs("controller:memory")("hear of memory that ran out", function()
    local found = start(shell("(tail /dev/zero); exit 6", { limits = { memory = "16M" }, on = {
      oom = function(_, event) note(event.name, event.kills > 0) end,
      exit = function() note("exit") end,
    } }))
    assert.equal(6, assert(found:wait()).exit_code)
    assert.matches("^oom true\n.*exit\n$", notes())
  end)

  it("tell of an error, with its line, and leave the container alone", function()
    local found = start(shell("exit 5", { on = { start = function() error "broken" end } }))
    local result = assert(found:wait())
    local wrong = result.callback_errors[1]
    assert.same({ 5, "on.start" }, { result.exit_code, wrong.call })
    assert.matches("companion_spec%.lua:%d+: broken", wrong.message)
    assert.equal(wrong.message, events_of(found, "callback")[1].error)
    local printed = support.luactr { "logs", "--callbacks", found.id }
    assert.matches("^luactr: on%.start of .*companion_spec%.lua:%d+: broken\n  .*:%d+",
      printed.stdout)
  end)

  it("leave no process behind when the start fails", function()
    local box = shell("true", { on = { exit = function() note("exit") end } })
    box.spec.command = { "/no/such" }
    local companion, begun = require("luactr.container.companion"), nil
    local begin = companion.begin
    companion.begin = function(...)
      begun = assert(begin(...))
      return begun
    end
    local found, err = box:start { detach = true }
    companion.begin = begin
    assert.is_nil(found)
    assert.equal("ENOENT", err.code)
    eventually("a process is left", function() return is_gone(begun.pid) end)
    assert.equal("", notes())
  end)

  it("end with a start that is killed", function()
    local companion, state = require("luactr.container.companion"), require("luactr.state")
    local host = require("luactr.host").facts()
    for moment = 1, MOMENTS do
      local box = shell(WAIT, { on = { exit = function() note("exit") end } })
      local child <close> = assert(sys.clone({}, function()
        local begin = companion.begin
        companion.begin = function(...)
          local begun = assert(begin(...))
          note("pid", begun.pid)
          after_calls(moment * CALLS // MOMENTS, function() sys.kill(sys.getpid(), "KILL") end)
          return begun
        end
        return box:start { detach = true } and 0
      end))
      child:wait()
      local found = ctr.find(box.id)
      if found then found:remove { force = true } end
      eventually("its state is left", function()
        state.sweep(host)
        return not sys.stat(host.state_dir .. "/containers/" .. box.id)
      end)
      local pid = math.tointeger(tonumber(notes():match(".*pid (%d+)\n")))
      eventually("a process is left", function() return is_gone(pid) end)
    end
  end)

  it("hold nothing of the program that started them", function()
    local reading <close>, writing = sys.pipe()
    local found = start(shell(WAIT, { on = { exit = function() note("exit") end } }))
    writing:close()
    assert.equal("", reading:read(1)) -- the end: nobody else can write
    assert.is_true(found:is_running())
  end)

  it("go on without the program's tasks and its lua-luv", function()
    local recipe = dir:write("recipe.lua", [[
      local ctr, uv = require "luactr", require "luv"
      local timer = uv.new_timer()
      timer:start(5, 5, function() end)
      local path, name = ...
      local function note(word)
        local file <close> = assert(io.open(path, "a"))
        file:write(word, " ", ctr.sys.getpid(), "\n")
      end
      local ticks = ctr.every("5ms", function() note "tick" end)
      ctr.spawn(function()
        local box = ctr.container { name = name, rootfs = ctr.rootfs.host { "sleep" },
          command = { "sleep", "0.1" }, on = { exit = function()
            ctr.sleep(0.02)
            note "exit"
          end } }
        local found = assert(box:start { detach = true })
        assert(found:wait())
        assert(found:remove())
        ticks:cancel()
        timer:close()
      end)
    ]])
    local result = support.luactr { recipe, dir.path .. "/notes", support.name("tasks") }
    assert.same({ 0, "" }, { result.code, result.stderr })
    local pid = notes():match("exit (%d+)\n")
    assert.is_string(pid)
    assert.is_nil(notes():find("tick " .. pid, 1, true))
  end)

  it("stop the members of its pod", function()
    local pod
    local function member(name, script, fields)
      local box = shell(script, fields or {})
      box.spec.name, box.id = name, name
      return box
    end
    pod = ctr.pod { name = support.name("pod"), member("a", WAIT),
      member("b", "exit 3", { on = { exit = function(box)
        note(box.pod == pod, pod.members.a:state())
        assert(pod:stop(0.1))
      end } }) }
    local found = assert(pod:start { detach = true })
    for i, one in ipairs(found.members) do
      started[i] = one
    end
    assert(found.members[1]:wait(PATIENCE))
    assert.equal("true running\n", notes())
  end)

  it("do not take it for ill while it is paused", function()
    if not support.controller("freezer") and support.layout() ~= "v2" then
      return pending("no freezer")
    end
    local found = start(shell(WAIT, {
      health = { command = { "sh", "-c", "exit 0" }, interval = 0.02, timeout = 60, retries = 1 },
    }))
    assert(found:wait_healthy(PATIENCE))
    assert(found:pause())
    assert.matches("paused %(health healthy%)", support.luactr({ "ps" }).stdout)
    local checks = found:health().checks + 1 -- one may be at its end
    assert(found:resume())
    eventually("no check", function() return found:health().checks > checks end)
    assert.equal(1, #events_of(found, "health"))
  end)

  describe("when their process is killed", function()
    it("leave it running, with health unknown", function()
      local found = start(shell(WAIT, {
        health = { check = function() return true, "says so" end, interval = 0.02 },
        on = { exit = function() note("exit") end },
      }))
      assert(found:wait_healthy(PATIENCE))
      assert.matches("running %(health healthy%)", support.luactr({ "ps" }).stdout)
      assert.equal("served", found:inspect().callbacks.state)
      eventually("no event", function() return #events_of(found, "health") == 1 end)

      assert(sys.kill(found.record.callbacks.pid, "KILL"))
      eventually("it lives", function() return is_gone(found.record.callbacks.pid) end)
      assert.is_true(found:is_running())
      local seen = found:inspect()
      assert.same({ "unknown", "lost" }, { seen.health.state, seen.callbacks.state })
      assert.equal(seen.warnings[1], select(2, found:wait_healthy()).cause)
      assert.matches("its callbacks are not called any more", seen.warnings[#seen.warnings])
      assert.matches("running %(health unknown%)", support.luactr({ "ps" }).stdout)
      assert(found:stop(1))
      assert.equal("", notes())
    end)

    it("leave it running, with callbacks lost", function()
      local found = start(shell(WAIT, { on = { exit = function() note("exit") end } }))
      assert(sys.kill(found.record.callbacks.pid, "KILL"))
      eventually("it lives", function() return is_gone(found.record.callbacks.pid) end)
      assert.matches("running %(callbacks lost%)", support.luactr({ "ps" }).stdout)
    end)
  end)

  it("hear that it is lost when its monitor is killed", function()
    local found = start(shell(WAIT, { on = {
      start = function() note("start") end,
      exit = function(_, result) note(result.reason) end,
    } }))
    eventually("no start", function() return notes() == "start\n" end)
    assert(sys.kill(found.record.owner.pid, "KILL"))
    eventually("it lives", function() return is_gone(found.record.callbacks.pid) end)
    assert.equal("start\nlost\n", notes())
    assert.equal("lost", found:result().reason)
  end)
end)
