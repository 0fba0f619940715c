-- A program that runs beside the spec: on pipes or on a terminal, with signals and patience.
--
--   local shell <close> = process.start { "sh", tty = true }
--   shell:write("echo $((6 * 7))\n")
--   shell:expect("42")
--   shell:signal("TERM")
--   local how = shell:wait()      -- { code=, signal= }

local core = require("luactr.core")
local sys = core.sys

local process = {}

local PATIENCE <const> = 120 -- seconds; a spec that needs them has failed, however slow the machine
local CHUNK <const> = 65536

---@class support.Process
---@field stdout string what has come so far; on a terminal all of the output
---@field stderr string
local Process = {}
Process.__index = Process

---@class support.Start
---@field [integer] string the argument list
---@field tty? true|{ rows: integer, columns: integer } a new terminal for all three streams
---@field env? table<string, string> added to the environment
---@field cwd? string
---@field without? table system calls that it does not have: see support.without

local function argument_list(options)
  local argv = { "env" }
  if options.without then
    argv = require("support.without").wrap(options.without, argv)
    argv[#argv + 1] = "env"
  end
  for name, value in pairs(options.env or {}) do argv[#argv + 1] = name .. "=" .. value end
  return table.move(options, 1, #options, #argv + 1, argv)
end

-- In the child: make the descriptors its stdio and become the program.
local function become(options, streams)
  if options.tty then
    sys.setsid()
    assert(sys.controlling_tty(streams[1]))
  end
  for number = 0, 2 do assert(sys.dup2(streams[number + 1], number)) end
  if options.cwd then assert(sys.chdir(options.cwd)) end
  return sys.exec("/usr/bin/env", argument_list(options))
end

local function on_terminal(options)
  local master, peer = assert(sys.openpty())
  local size = options.tty == true and { rows = 24, columns = 80 } or options.tty
  assert(sys.set_window_size(master, size.rows, size.columns))
  return { peer, peer, peer }, { stdin = master, stdout = master }
end

local function on_pipes()
  local stdin_read, stdin_write = assert(sys.pipe())
  local stdout_read, stdout_write = assert(sys.pipe())
  local stderr_read, stderr_write = assert(sys.pipe())
  return { stdin_read, stdout_write, stderr_write },
    { stdin = stdin_write, stdout = stdout_read, stderr = stderr_read }
end

---@param options support.Start
---@return support.Process
function process.start(options)
  local theirs, ours = (options.tty and on_terminal or on_pipes)(options)
  local child = assert(sys.clone({}, function() return become(options, theirs) end))
  for _, fd in ipairs(theirs) do fd:close() end
  return setmetatable({ child = child, fds = ours, stdout = "", stderr = "" }, Process)
end

function Process:pid() return self.child:pid() end

--- Read what is there, after at most `seconds`. False when nothing more can come.
function Process:pump(seconds)
  local entries = {}
  for _, name in ipairs { "stdout", "stderr" } do
    local fd = self.fds[name]
    if fd then entries[#entries + 1] = { fd = fd, events = "r", name = name } end
  end
  if #entries == 0 then return false end
  core.supervise.poll(entries, seconds)
  for _, entry in ipairs(entries) do
    if entry.ready then
      local data = entry.fd:read(CHUNK) -- a terminal without programs answers EIO
      self[entry.name] = self[entry.name] .. (data or "")
      if not data or data == "" then self.fds[entry.name] = nil end
    end
  end
  return true
end

--- Wait until `stream` (stdout) matches the pattern; returns its captures. Raises when it does not.
function Process:expect(pattern, stream)
  stream = stream or "stdout"
  local deadline = sys.clock_gettime() + PATIENCE
  while not self[stream]:find(pattern) do
    if sys.clock_gettime() > deadline or not self:pump(0.1) then
      error(("%q did not come in %s: %q"):format(pattern, stream, self[stream]), 2)
    end
  end
  return self[stream]:match(pattern)
end

function Process:write(text)
  return assert(self.fds.stdin:write(text))
end

--- End of the input; on a terminal that is Ctrl-D.
function Process:end_input()
  if self.fds.stdin == self.fds.stdout then return self:write("\4") end
  self.fds.stdin:close()
end

--- Give the terminal another size, as a user who drags the window does.
function Process:resize(rows, columns)
  return assert(sys.set_window_size(self.fds.stdin, rows, columns))
end

function Process:signal(name)
  return assert(self.child:signal(name))
end

--- Wait for the end, collecting output: { code = n } or { signal = n }. Raises after `seconds`.
function Process:wait(seconds)
  local deadline = sys.clock_gettime() + (seconds or PATIENCE)
  repeat
    local how = self.child:wait(0)
    if how then
      while self:pump(0) and self:still_readable() do end
      return how
    end
    if not self:pump(0.02) then self.child:wait(0.02) end
  until sys.clock_gettime() > deadline
  error("the program did not end", 2)
end

-- Whether output is waiting; others may still hold the streams open, so their end is no sign.
function Process:still_readable()
  local entries = {}
  for _, name in ipairs { "stdout", "stderr" } do
    if self.fds[name] then entries[#entries + 1] = { fd = self.fds[name], events = "r" } end
  end
  return #entries > 0 and core.supervise.poll(entries, 0) > 0
end

--- Kill it if it lives, and release everything.
function Process:close()
  self.child:close()
  for _, fd in pairs(self.fds) do fd:close() end
  self.fds = {}
end
Process.__close = Process.close

return process
