-- A container with a terminal, driven as a person would: the spec holds the master of the terminal
-- that luactr runs on, and types.

local core = require("luactr.core")
local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local sys, supervise = core.sys, core.supervise

local it = support.it(it, pending, "root")

local PATIENCE <const> = 60 -- seconds

local Session = {}
Session.__index = Session

local function settings(path)
  return support.run { "stty", "-F", path, "-a" }.stdout:gsub("rows.-;.-;", "")
end

--- Run `main` in a process whose controlling terminal is a new pty of rows x columns.
local function session(main, rows, columns)
  local user, terminal, path = sys.openpty()
  assert(sys.set_window_size(user, rows or 24, columns or 80))
  local before = settings(path)
  local child = assert(sys.clone({}, function()
    user:close()
    sys.setsid()
    sys.controlling_tty(terminal)
    for number = 0, 2 do
      sys.dup2(terminal, number)
    end
    return main()
  end))
  return setmetatable(
    { user = user, terminal = terminal, path = path, child = child, seen = "", before = before },
    Session)
end

--- Wait until the terminal is as it was before luactr ran on it, or until it is not.
function Session:wait_until_settings(are_as_before)
  local deadline = sys.clock_gettime() + PATIENCE
  while (settings(self.path) == self.before) ~= are_as_before do
    assert.is_true(sys.clock_gettime() < deadline, "the terminal's settings stay")
    sys.nanosleep(0.01)
  end
end

--- Read until the plain text appears; returns what came before it.
function Session:expect(text)
  local deadline = sys.clock_gettime() + PATIENCE
  while true do
    local first, last = self.seen:find(text, 1, true)
    if first then
      local before = self.seen:sub(1, first - 1)
      self.seen = self.seen:sub(last + 1)
      return before
    end
    local left = deadline - sys.clock_gettime()
    if left <= 0 or supervise.poll({ { fd = self.user } }, left) == 0 then
      error(("waited for %q, saw %q"):format(text, self.seen), 2)
    end
    self.seen = self.seen .. assert(self.user:read(4096))
  end
end

function Session:type(text)
  assert(self.user:write(text))
end

--- Type a command and return what it prints, up to the next prompt.
function Session:command(line)
  self:type(line .. "\r")
  self:expect "\r\n"
  return self:expect "$ "
end

--- As when the window is closed: luactr gets HUP and an end-of-file, passes both on, and ends with
--- its container.
function Session:close()
  self.user:close()
  local deadline = sys.clock_gettime() + PATIENCE
  while not self.ended do
    assert.is_true(sys.clock_gettime() < deadline, "luactr outlives its terminal")
    sys.nanosleep(0.005)
    self.ended = sys.waitid(self.child, "nohang") ~= nil
  end
  self.terminal:close()
  self.child:close()
end
Session.__close = Session.close

--- A shell on a terminal in a container; afterwards one line tells how it ended.
local function run_shell(command)
  return function()
    local box = ctr.container {
      rootfs = ctr.rootfs.host { "bash", "stty", "sleep", "cat", "tty" },
      command = command or { "bash", "--norc" }, env = { PS1 = "$ " }, tty = true,
    }
    local result, err = box:run { forward_signals = true }
    print(err or ("ended: %s %s"):format(result.reason, result.exit_code or result.signal))
  end
end

describe("a container with a terminal #system", function()
  before_each(world.check)
  after_each(world.check)

  it("has a terminal of its own, as large as luactr's", function()
    local s <close> = session(run_shell(), 31, 77)
    s:expect "$ "
    assert.equal("31 77\r\n", s:command "stty size")
    assert.equal("/dev/pts/0\r\n", s:command "tty")
  end)

  it("follows a change of size", function()
    local s <close> = session(run_shell())
    s:expect "$ "
    sys.set_window_size(s.user, 40, 100)
    local deadline = sys.clock_gettime() + PATIENCE
    while not s:command("stty size"):find("40 100", 1, true) do
      assert.is_true(sys.clock_gettime() < deadline)
    end
  end)

  it("interrupts the job in front with Ctrl-C, not the shell", function()
    local s <close> = session(run_shell())
    s:expect "$ "
    -- a shell that has no trap yet, and is about to become another program, may lose the signal
    s:type "bash -c 'trap \"exit 130\" INT; echo in front; while :; do sleep 0.1; done'\r"
    s:expect "in front\r\n"
    s:type "\3"
    s:expect "$ "
    assert.equal("130\r\n", s:command "echo $?")
  end)

  it("stops the job in front with Ctrl-Z, and fg goes on with it", function()
    local s <close> = session(run_shell())
    s:expect "$ "
    -- what is typed before it runs may be the shell's, which reads in another way
    s:type "bash -c 'echo in front; exec cat'\r"
    s:expect "in front\r\n"
    s:type "\26"
    s:expect "Stopped"
    s:expect "$ "
    s:type "fg\r"
    s:expect "exec cat'\r\n"
    s:type "back\r"
    s:expect "back\r\nback\r\n"
    s:type "\4"
    s:expect "$ "
  end)

  it("ends with the command, its status passed on and the terminal as before", function()
    local s <close> = session(run_shell())
    s:expect "$ "
    s:wait_until_settings(false)
    s:type "exit 7\r"
    s:expect "ended: exit 7"
    s:wait_until_settings(true)
  end)

  it("is ended by a signal to luactr, with the terminal as before", function()
    local s <close> = session(run_shell { "sleep", "1000" })
    s:wait_until_settings(false)
    sys.kill(s.child, sys.signals.TERM)
    s:expect "ended: signal 15"
    s:wait_until_settings(true)
  end)

  it("gives the terminal back while luactr is stopped, and takes it again", function()
    local s <close> = session(run_shell())
    s:expect "$ "
    s:wait_until_settings(false)
    sys.kill(s.child, sys.signals.TSTP)
    s:wait_until_settings(true)
    sys.kill(s.child, sys.signals.CONT)
    s:wait_until_settings(false)
    assert.equal("still here\r\n", s:command "echo still here")
  end)

  it("shows all of what was written last", function()
    local s <close> = session(run_shell { "bash", "-c", "for i in {1..2000}; do echo $i; done" })
    s:expect "\r\n2000\r\n"
    s:expect "ended: exit 0"
  end)

  it("leaves the terminal as before after a failed start", function()
    local s <close> = session(run_shell { "no-such-program" })
    s:expect "cannot start"
    sys.waitid(s.child)
    s.ended = true
    s:wait_until_settings(true)
  end)
end)

describe("a container on luactr's terminal #system", function()
  before_each(world.check)
  after_each(world.check)

  -- Without a child: while bash waits for one, a SIGINT that the child survives can get lost.
  local WAIT <const> = "; echo ready; while :; do :; done"

  --- `script` with luactr's own streams, in CLI mode.
  local function run_here(script)
    return function()
      local box = ctr.container {
        rootfs = ctr.rootfs.host { "bash", "sleep", "cat" }, command = { "bash", "-c", script },
        tty = false,
      }
      local result = box:run { forward_signals = true }
      print(("ended: %s %s"):format(result.reason, result.exit_code or result.signal))
    end
  end

  -- The container's PID 1: the only child of its luactr.
  local function child_of(pid)
    return tonumber(support.read(("/proc/%d/task/%d/children"):format(pid, pid)):match("^%d+"))
  end

  -- Until a field of a process's status is as wanted.
  local function wait_for_status(pid, name, is_wanted)
    local deadline = sys.clock_gettime() + PATIENCE
    while true do
      local status = support.read(("/proc/%d/status"):format(pid))
      if is_wanted(status:match("\n" .. name .. ":%s*(%w+)")) then return end
      assert.is_true(sys.clock_gettime() < deadline, name .. " stays as it is")
      sys.nanosleep(0.005)
    end
  end

  it("gets the signals of the keys", function()
    local s <close> = session(run_here("trap 'echo got it; exit 5' INT" .. WAIT))
    s:expect "ready"
    s:type "\3"
    s:expect "got it"
    s:expect "ended: exit 5"
  end)

  it("gets the signal of a key once, however late PID 1 is", function()
    local s <close> = session(run_here("trap 'echo got it; exit 5' INT" .. WAIT))
    s:expect "ready"
    local init = child_of(s.child:pid())
    sys.kill(init, sys.signals.STOP)
    wait_for_status(init, "State", function(state) return state == "T" end)
    s:type "\3"
    wait_for_status(init, "ShdPnd", function(pending)
      return tonumber(pending, 16) & (1 << (sys.signals.INT - 1)) ~= 0
    end)
    sys.nanosleep(0.1) -- for more, that would hide the first
    sys.kill(init, sys.signals.CONT)
    s:expect "got it"
    s:expect "ended: exit 5"
  end)

  it("is stopped with luactr", function()
    local s <close> = session(run_here "echo ready; while :; do echo tick; sleep 0.01; done")
    s:expect "tick"
    s:type "\26"
    assert.equal(sys.signals.STOP, sys.waitid(s.child, "stopped").stopped)
    while supervise.poll({ { fd = s.user } }, 0.1) > 0 do
      s.user:read(4096)
    end
    sys.kill(s.child, sys.signals.CONT)
    s:expect "tick"
  end)

  it("goes on after it was stopped with luactr", function()
    local s <close> = session(run_here("trap 'echo went on; exit 6' CONT" .. WAIT))
    s:expect "ready"
    sys.kill(s.child, sys.signals.TSTP)
    assert.equal(sys.signals.STOP, sys.waitid(s.child, "stopped").stopped)
    sys.kill(s.child, sys.signals.CONT)
    s:expect "went on"
    s:expect "ended: exit 6"
  end)
end)
