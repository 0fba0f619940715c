-- `luactr top` in a real terminal: tmux, with what its screen shows.

local ctr = require("luactr")
local detached = require("support.detached")
local Screen = require("support.screen")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root", "program:tmux", "controller:memory")

describe("luactr top #cli", function()
  local here, screen

  setup(world.adopt_orphans)

  -- A shell in a terminal, with a text before top starts.
  local function open(options)
    screen = Screen.open(here.dir, { columns = 130, rows = 15 },
      ("stty -g; echo 'what was there'; %s top %s; echo status $?; stty -g; exec cat")
        :format(support.luactr_program, options or ""))
    screen:await("luactr top")
  end

  -- The terminal as it was: the text of before, and the same settings.
  local function assert_restored(status)
    local text = screen:await("status %d+\n%x[%x:]+\n")
    local before, code, after = text:match("^([%x:]+)\nwhat was there\nstatus (%d+)\n([%x:]+)\n")
    assert.equal(before, after)
    assert.equal(tostring(status), code)
    assert.equal("1", screen:ask("#{cursor_flag}"))
    assert.equal("0", screen:ask("#{alternate_on}"))
  end

  before_each(function()
    world.check()
    here = detached.open()
    screen = nil
  end)

  after_each(function()
    if screen then screen:close() end
    here:close()
    world.check()
  end)

  it("shows containers with graphs, sorted, and what happens to them", function()
    local busy, idle = here:start("while :; do :; done", "busy"), here:start("sleep 100", "idle")
    open("-d 100ms --filter spec-" .. sys.getpid())
    local text = screen:await(busy:gsub("%-", "%%-") .. " +%d%d+%%[^\n]*█")
    assert.is_true(text:find(busy, 1, true) < text:find(idle, 1, true))
    assert.matches("NAME +CPU +MEMORY +CPU GRAPH +MEMORY GRAPH +PIDS", text)
    assert.matches("2 of %d+ containers   sort: cpu", text)
    screen:press("p")
    screen:await(busy:gsub("%-", "%%-") .. "[^\n]* paused ")
    screen:press("p")
    screen:await(busy:gsub("%-", "%%-") .. "[^\n]* running ")
    screen:press("s", "s", "s", "s", "s")
    screen:await("sort: name")
    screen:press("Space")
    screen:await("FROZEN")
    screen:press("Space")
    screen:press("/")
    screen:await("filter: [^\n]*_")
    screen:press("-l", "--", "-idle")
    screen:press("Enter")
    screen:await("1 of %d+ containers[^\n]*\n[^\n]*\n" .. idle:gsub("%-", "%%-"))
    screen:press("k")
    screen:await("kill " .. idle:gsub("%-", "%%-") .. "%? y/n")
    screen:press("y")
    screen:await("0 of %d+ containers")
    assert.equal(137, here.luactr("wait", idle).code)
    screen:press("Escape")
    screen:await(busy:gsub("%-", "%%-"))
    screen:press("q")
    assert_restored(0)
  end)

  it("has a row of a pod's own, beside those of its members", function()
    local name, rootfs = support.name("pod"), ctr.rootfs.host { "sleep" }
    local pod = assert(ctr.pod { name = name, limits = { pids = 20 },
      { name = "one", rootfs = rootfs, command = { "sleep", "1000" } },
      { name = "two", rootfs = rootfs, command = { "sleep", "1000" } },
    }:start { detach = true })
    finally(function() pod:remove { force = true } end)
    local pattern = name:gsub("%-", "%%-")
    open("-d 100ms -s name --filter " .. name)
    screen:await("2 of %d+ containers[^\n]*\n[^\n]*\n" .. pattern .. " [^\n]*\n"
      .. pattern .. "%.one [^\n]*\n" .. pattern .. "%.two ")
    screen:press("p")
    screen:await(pattern .. "%.one [^\n]* paused [^\n]*\n" .. pattern .. "%.two [^\n]* paused ")
    screen:press("q")
  end)

  it("takes the size that the terminal gets", function()
    local name = here:start("sleep 100", "size")
    open("-d 60s --filter " .. name)
    screen:await(name:gsub("%-", "%%-"))
    screen:resize(50, 6)
    local text = screen:await("\nq quit[^\n]*\n$")
    local lines = select(2, text:gsub("\n", ""))
    assert.equal(6, lines)
    assert.is_nil(text:find("PIDS", 1, true))
    screen:resize(130, 20)
    assert.matches("PSI", screen:await("PIDS"))
    screen:press("C-c")
    screen:await("status 0")
  end)

  for signal, status in pairs { TERM = 143, HUP = 129, INT = 130 } do
    it("leaves the terminal as it was after SIG" .. signal, function()
      open()
      assert(sys.kill(screen:pid_of("luactr"), sys.signals[signal]))
      assert_restored(status)
    end)
  end

  it("leaves the terminal while it is stopped, and comes back", function()
    open()
    local pid = screen:pid_of("luactr")
    screen:press("C-z")
    screen:await("^[%x:]+\nwhat was there\n")
    screen:await_stopped(pid)
    assert(sys.kill(pid, sys.signals.CONT))
    screen:await("^luactr top")
    screen:press("q")
    assert_restored(0)
  end)

  it("is refused without a terminal, and with what it does not know", function()
    local luactr = here.luactr
    here.fails(luactr("top"), 125, "top needs a terminal: see luactr stats")
    here.fails(luactr("top", "-d", "soon"), 2, "--delay: time expected")
    here.fails(luactr("top", "-d", "1ms"), 2, "--delay: at least 100ms")
    here.fails(luactr("top", "-s", "colour"), 2, "--sort: one of cpu, memory")
    here.fails(luactr("top", "name"), 2, "top takes no names")
  end)
end)
