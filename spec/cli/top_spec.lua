-- `luactr top` in a real terminal: tmux, with what its screen shows.

local core = require("luactr.core")
local detached = require("support.detached")
local support = require("support")
local sys = core.sys
local world = require("support.world")

local it = support.it(it, pending, "root", "program:tmux", "controller:memory")

local PATIENCE <const> = 20 -- seconds

describe("luactr top #cli", function()
  local here, socket

  setup(world.adopt_orphans)

  local function tmux(...)
    local argv = { "tmux", "-S", socket, "-f", "/dev/null", ... }
    argv.env = { LC_ALL = "C.UTF-8", TERM = "screen" }
    return support.run(argv)
  end

  local function screen()
    return tmux("capture-pane", "-p").stdout
  end

  local function await(pattern)
    local deadline = sys.clock_gettime() + PATIENCE
    while true do
      local text = screen()
      if text:find(pattern) then return text end
      if sys.clock_gettime() > deadline then
        error(("no %q on the screen:\n%s"):format(pattern, text), 2)
      end
      sys.nanosleep(0.03)
    end
  end

  -- A shell in a terminal, with a text before top starts.
  local function open(options)
    local command = ("stty -g; echo 'what was there'; %s top %s; echo status $?; stty -g; exec cat")
      :format(support.luactr_program, options or "")
    assert.equal(0, tmux("new-session", "-d", "-x", "130", "-y", "15", command).code)
    await("luactr top")
  end

  local function press(...)
    assert.equal(0, tmux("send-keys", ...).code)
  end

  -- The terminal as it was: the text of before, and the same settings.
  local function assert_restored(status)
    local text = await("status %d+\n%x[%x:]+\n")
    local before, code, after = text:match("^([%x:]+)\nwhat was there\nstatus (%d+)\n([%x:]+)\n")
    assert.equal(before, after)
    assert.equal(tostring(status), code)
    assert.equal("1", tmux("display-message", "-p", "#{cursor_flag}").stdout:match("%d"))
    assert.equal("0", tmux("display-message", "-p", "#{alternate_on}").stdout:match("%d"))
  end

  local function pid_of_top()
    local pane = tmux("display-message", "-p", "#{pane_pid}").stdout:match("%d+")
    return math.tointeger(tonumber(
      support.run({ "pgrep", "-P", pane, "luactr" }).stdout:match("%d+")))
  end

  before_each(function()
    world.check()
    here = detached.open()
    socket = here.dir.path .. "/tmux"
  end)

  local function end_tmux()
    local server = tmux("display-message", "-p", "#{pid}").stdout:match("%d+")
    local pidfd <close> = server and sys.pidfd_open(math.tointeger(tonumber(server)))
    tmux("kill-server")
    if pidfd then core.supervise.poll({ { fd = pidfd, events = "r" } }, PATIENCE) end
  end

  after_each(function()
    end_tmux()
    here:close()
    world.check()
  end)

  it("shows containers with graphs, sorted, and what happens to them", function()
    local busy, idle = here:start("while :; do :; done", "busy"), here:start("sleep 100", "idle")
    open("-d 100ms --filter spec-" .. sys.getpid())
    local text = await(busy:gsub("%-", "%%-") .. " +%d%d+%%[^\n]*█")
    assert.is_true(text:find(busy, 1, true) < text:find(idle, 1, true))
    assert.matches("NAME +CPU +MEMORY +CPU GRAPH +MEMORY GRAPH +PIDS", text)
    assert.matches("2 of %d+ containers   sort: cpu", text)
    press("p")
    await(busy:gsub("%-", "%%-") .. "[^\n]* paused ")
    press("p")
    await(busy:gsub("%-", "%%-") .. "[^\n]* running ")
    press("s", "s", "s", "s", "s")
    await("sort: name")
    press("Space")
    await("FROZEN")
    press("Space")
    press("/")
    await("filter: [^\n]*_")
    press("-l", "--", "-idle")
    press("Enter")
    await("1 of %d+ containers[^\n]*\n[^\n]*\n" .. idle:gsub("%-", "%%-"))
    press("k")
    await("kill " .. idle:gsub("%-", "%%-") .. "%? y/n")
    press("y")
    await("0 of %d+ containers")
    assert.equal(137, here.luactr("wait", idle).code)
    press("Escape")
    await(busy:gsub("%-", "%%-"))
    press("q")
    assert_restored(0)
  end)

  it("takes the size that the terminal gets", function()
    local name = here:start("sleep 100", "size")
    open("-d 60s --filter " .. name)
    await(name:gsub("%-", "%%-"))
    assert.equal(0, tmux("resize-window", "-x", "50", "-y", "6").code)
    local text = await("\nq quit[^\n]*\n$")
    local lines = select(2, text:gsub("\n", ""))
    assert.equal(6, lines)
    assert.is_nil(text:find("PIDS", 1, true))
    assert.equal(0, tmux("resize-window", "-x", "130", "-y", "20").code)
    assert.matches("PSI", await("PIDS"))
    press("C-c")
    await("status 0")
  end)

  for signal, status in pairs { TERM = 143, HUP = 129, INT = 130 } do
    it("leaves the terminal as it was after SIG" .. signal, function()
      open()
      assert(sys.kill(pid_of_top(), sys.signals[signal]))
      assert_restored(status)
    end)
  end

  it("leaves the terminal while it is stopped, and comes back", function()
    open()
    local pid = pid_of_top()
    press("C-z")
    await("^[%x:]+\nwhat was there\n")
    assert(sys.kill(pid, sys.signals.CONT))
    await("^luactr top")
    press("q")
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
