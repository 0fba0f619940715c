-- A real terminal for specs: a tmux of our own, with what its screen shows.
--
--   local screen = Screen.open(dir, { columns = 130, rows = 15 }, "stty -g; luactr top; exec cat")
--   screen:await("luactr top")
--   screen:press("C-c")
--   screen:close()

local core = require("luactr.core")
local lfs = require("lfs")
local support = require("support")
local sys = core.sys

local Screen = {}
Screen.__index = Screen

local PATIENCE <const> = 120 -- seconds; a spec that needs them has failed, however slow the machine
local PAUSE <const> = 0.03

function Screen:tmux(...)
  local argv = { "tmux", "-S", self.socket, "-f", "/dev/null", ... }
  argv.env = { LC_ALL = "C.UTF-8", TERM = "screen" }
  return support.run(argv)
end

function Screen:must(...)
  local result = self:tmux(...)
  if result.code ~= 0 then error(result.stderr, 2) end
  return result.stdout
end

--- What tmux knows of a pane: a format as "#{pane_pid}".
function Screen:ask(format, pane)
  return (self:must("display-message", "-p", "-t", pane or self.pane, format):gsub("\n$", ""))
end

--- A session with one pane, which runs a command of sh.
---@param dir { path: string } of the spec's own
---@param size { columns: integer, rows: integer }
---@param command string
function Screen.open(dir, size, command)
  local self = setmetatable({ socket = dir.path .. "/tmux", pane = "" }, Screen)
  self.pane = self:must("new-session", "-d", "-P", "-F", "#{pane_id}",
    "-x", tostring(size.columns), "-y", tostring(size.rows), command):match("%S+")
  return self
end

--- Another terminal beside it: an object of its own, which the first one's close() ends too.
function Screen:beside(command)
  local other = setmetatable({ socket = self.socket }, Screen)
  other.pane = self:must("new-window", "-d", "-P", "-F", "#{pane_id}", command):match("%S+")
  return other
end

function Screen:text()
  return self:must("capture-pane", "-p", "-t", self.pane)
end

local function poll(look, complain)
  local deadline = sys.clock_gettime() + PATIENCE
  while true do
    local found = look()
    if found then return found end
    if sys.clock_gettime() > deadline then error(complain(), 3) end
    sys.nanosleep(PAUSE)
  end
end

--- Wait until a pattern is on the screen; returns all of that.
function Screen:await(pattern)
  local text
  return poll(function()
    text = self:text()
    return text:find(pattern) and text
  end, function() return ("no %q on the screen:\n%s"):format(pattern, text) end)
end

--- Keys as tmux names them: "C-c", "Enter", or text.
function Screen:press(...)
  self:must("send-keys", "-t", self.pane, ...)
end

function Screen:resize(columns, rows)
  self:must("resize-window", "-t", self.pane, "-x", tostring(columns), "-y", tostring(rows))
end

-- Parent, name and state of a process. Read here: procps hangs where a sanitizer is preloaded.
local function describe(pid)
  local file <close> = io.open("/proc/" .. pid .. "/stat")
  local stat = file and file:read("a") or ""
  local name, state, parent = stat:match("^%d+ %((.*)%) (%S) (%d+)")
  return parent, name, state
end

--- The pid of a child of the pane's shell.
---@param name string of the program
---@return integer
function Screen:pid_of(name)
  local shell = self:ask("#{pane_pid}")
  return poll(function()
    for pid in lfs.dir("/proc") do
      local parent, comm = describe(pid)
      if parent == shell and comm == name then return math.tointeger(pid) end
    end
  end, function() return ("no %s below the shell:\n%s"):format(name, self:text()) end)
end

--- Wait until a process is stopped: a signal to go on that comes before would be lost.
function Screen:await_stopped(pid)
  poll(function() return select(3, describe(pid)) == "T" end,
    function() return ("process %d runs on:\n%s"):format(pid, self:text()) end)
end

--- End tmux and wait until it is gone.
function Screen:close()
  local server = self:tmux("display-message", "-p", "#{pid}").stdout:match("%d+")
  local pidfd <close> = server and sys.pidfd_open(math.tointeger(server))
  self:tmux("kill-server")
  if pidfd then core.supervise.poll({ { fd = pidfd, events = "r" } }, PATIENCE) end
end
Screen.__close = Screen.close

return Screen
