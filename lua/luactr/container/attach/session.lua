--- Who has attached to a container: the terminal here, the monitor there, and what goes between.
local core = require "luactr.core"
local modes = require "luactr.container.attach.modes"
local poll = require "luactr.poll"

local sys <const> = core.sys
local supervise <const> = core.supervise

local M = {}

-- ORDER ATTACH: csrc/core/attach.h
local STDOUT <const>, STDERR <const>, LOST <const> = "o", "e", "l"
local INPUT <const>, END <const>, SIZE <const> = "i", "z", "w"
local TERMINAL <const>, TAKES_INPUT <const> = 1, 2

local LARGEST <const> = 65536 -- of what the monitor sends
local CHUNK <const> = 4096 -- what a terminal or a pipe that is ready takes at once
local MOST_UNSHOWN <const> = 16 << 20 -- bytes; then the monitor keeps them, and then loses them
local MOST_UNSENT <const> = 65536
local HELD <const> = 0.3 -- seconds until keys go on that might have been those to detach
local NUDGE <const> = 0.1 -- seconds that a program gets to see another size of its window

-- ---- the terminal, or what is in place of it

---@class luactr.attach.session
---@field found luactr.found
---@field socket luactr.fd
---@field keys luactr.attach.keys
---@field modes luactr.attach.modes
---@field raw? any the terminal's settings before
---@field unshown table<integer, { fd: integer, data: string }> what the container wrote
---@field first integer of its keys
---@field last integer
---@field unshown_size integer
---@field unsent string[] messages for the monitor
---@field unsent_size integer
---@field resize_due? number
---@field outcome? luactr.attach_outcome
local Session = {}
Session.__index = Session

function Session:enter()
  if self.is_terminal and sys.isatty(0) then
    self.raw = supervise.raw_mode(0, require("luactr.terminal").AFTER_KILL)
  end
end

--- The terminal as it was, without what the program has made of it.
function Session:leave()
  if self.raw then
    local undo = sys.isatty(1) and self.modes:undo() or ""
    if undo ~= "" then
      sys.write(1, undo)
    end
    self.raw:close()
    self.raw = nil
  end
end

function Session:close()
  self:leave()
  if self.signals then
    self.signals:close()
  end
  self.socket:close()
end
Session.__close = Session.close

-- ---- to the container

function Session:send(message)
  self.unsent[#self.unsent + 1] = message
  self.unsent_size = self.unsent_size + #message
end

--- False once nobody is there.
local function send_unsent(self)
  while self.unsent[1] do
    local sent, _, errno = core.monitor.tell(self.socket, self.unsent[1])
    if not sent then
      return errno == sys.errno.EAGAIN
    end
    self.unsent_size = self.unsent_size - #table.remove(self.unsent, 1)
  end
  return true
end

local function window()
  local rows, columns = sys.window_size(1)
  if not rows then
    rows, columns = sys.window_size(0)
  end
  return rows, columns
end

---@param more? integer rows than there are
function Session:resize(more)
  local rows, columns = window()
  self.resize_due = nil
  if self.is_terminal and rows and rows > 0 then
    self:send(SIZE .. string.pack("=I2I2", rows + (more or 0), columns))
  end
end

--- A program draws its screen again when the window changes. It gets the right size once it had the
--- time to see the other one: of two changes at once some see none.
function Session:nudge()
  self:resize(1)
  self.resize_due = sys.clock_gettime() + NUDGE
end

function Session:type(text)
  if text ~= "" then
    self:send(INPUT .. text)
  end
end

--- The user's terminal is gone, or there is nothing more to be fed. To a terminal that is no end.
local function end_input(self)
  self.input_ended = true
  if self.raw then
    self.outcome = { detached = "terminal" }
  elseif not self.is_terminal then
    self:send(END)
  end
end

local function read_input(self)
  local data = sys.read(0, CHUNK)
  if not data or data == "" then
    return end_input(self)
  end
  local detached = false
  if self.raw then
    data, detached = self.keys:feed(data)
  end
  self:type(data)
  if detached then
    self.outcome = { detached = "keys" }
  end
end

-- ---- from the container

local OUTPUT <const> = { [STDOUT] = 1, [STDERR] = 2 }

local function show(self, fd, data)
  if self.is_terminal then
    self.modes:see(data)
  end
  for at = 1, #data, CHUNK do
    self.last = self.last + 1
    self.unshown[self.last] = { fd = fd, data = data:sub(at, at + CHUNK - 1) }
  end
  self.unshown_size = self.unshown_size + #data
end

local function tell_loss(self, data)
  show(self, 2, string.format("%s[%d bytes are not shown: luactr did not take them in time]%s",
    self.raw and "\r\n" or "", string.unpack("=i8", data), self.raw and "\r\n" or "\n"))
  self:nudge()
end

--- One message; false when there is none now.
local function receive(self)
  local message, _, errno = sys.read(self.socket, LARGEST)
  if not message and errno == sys.errno.EAGAIN then
    return false
  elseif not message or message == "" then
    self.ended = true
    return false
  end
  local kind, data = message:sub(1, 1), message:sub(2)
  if OUTPUT[kind] then
    show(self, OUTPUT[kind], data)
  elseif kind == LOST then
    tell_loss(self, data)
  end
  return true
end

local function talk(self)
  if not send_unsent(self) then
    self.unsent, self.unsent_size, self.input_ended = {}, 0, true
  end
  local more = true
  while more and self.unshown_size < MOST_UNSHOWN do
    more = receive(self)
  end
end

local function write_shown(self)
  local first = self.unshown[self.first]
  local count, message, errno = sys.write(first.fd, first.data)
  if not count and errno ~= sys.errno.EAGAIN then
    self.problem = require("luactr.error").from_sys(message, errno, "write")
  elseif count then
    self.unshown_size = self.unshown_size - count
    first.data = first.data:sub(count + 1)
  end
  if first.data == "" then
    self.unshown[self.first] = nil
    self.first = self.first + 1
  end
end

-- ---- signals

local FORWARDED <const> = { "INT", "TERM", "HUP", "QUIT", "USR1", "USR2" }

local ON_SIGNAL <const> = {
  WINCH = function(self) self:resize() end,
  CONT = function() end,
  TSTP = function(self)
    self:leave()
    sys.kill(sys.getpid(), sys.signals.STOP)
    self:enter()
    self:nudge()
  end,
}

local function take_signal(self)
  for number in function() return self.signals:read() end do
    local act = ON_SIGNAL[sys.signame(number)]
    if act then
      act(self)
    elseif self.forwards then
      self.found:kill(number)
    else
      self.outcome = { detached = "signal", signal = number }
    end
  end
end

local function take_signals(self, forwards)
  self.forwards = forwards and not self.is_terminal
  local numbers = {}
  for _, name in ipairs { "WINCH", "CONT", "TSTP", table.unpack(FORWARDED) } do
    numbers[#numbers + 1] = sys.signals[name]
  end
  self.signals = supervise.signals(numbers)
end

-- ---- the loop

local function sources(self)
  local list = {}
  local function add(fd, events, act)
    if events ~= "" then
      list[#list + 1] = { fd = fd, events = events, act = act }
    end
  end
  add(self.signals:fileno(), "r", take_signal)
  if not self.ended then
    add(self.socket, (self.unshown_size < MOST_UNSHOWN and "r" or "")
      .. (self.unsent[1] and "w" or ""), talk)
  end
  if self.unshown[self.first] then
    add(self.unshown[self.first].fd, "w", write_shown)
  end
  if not self.ended and not self.input_ended and self.unsent_size < MOST_UNSENT then
    add(0, "r", read_input)
  end
  return list
end

local function over(self)
  return self.problem or self.outcome or self.ended and not self.unshown[self.first]
end

--- Seconds until something is to be done that nobody asks for.
local function patience(self)
  local resize = self.resize_due and math.max(self.resize_due - sys.clock_gettime(), 0)
  local keys = self.keys.held > 0 and HELD
  return resize and keys and math.min(resize, keys) or resize or keys or nil
end

local function outcome_of(self)
  if self.problem then
    return nil, self.problem
  elseif self.outcome then
    return self.outcome
  end
  local result, err = self.found:wait()
  return result and { result = result }, err
end

--- Until the container has ended, or the one who looks on leaves it.
---@return luactr.attach_outcome?
---@return luactr.error?
function Session:follow()
  while not over(self) do
    local list = sources(self)
    local count = poll.wait(list, patience(self))
    if self.resize_due and sys.clock_gettime() >= self.resize_due then
      self:resize()
    elseif count == 0 then
      self:type(self.keys:flush())
    end
    for i = 1, count and #list or 0 do
      if list[i].ready then
        list[i].act(self)
      end
    end
  end
  if self.resize_due then
    self:resize()
  end
  send_unsent(self)
  self:leave()
  return outcome_of(self)
end

---@param found luactr.found
---@param socket luactr.fd to its monitor; becomes the session's own
---@param traits integer what the monitor said first
---@param keys string that detach
---@param options luactr.attach_options
---@return luactr.attach.session
function M.open(found, socket, traits, keys, options)
  local self = setmetatable({
    found = found, socket = socket, modes = modes.new(),
    keys = require("luactr.container.attach.keys").new(keys),
    is_terminal = traits & TERMINAL ~= 0,
    input_ended = options.stdin == false or traits & TAKES_INPUT == 0,
    unshown = {}, first = 1, last = 0, unshown_size = 0, unsent = {}, unsent_size = 0,
  }, Session)
  take_signals(self, options.forward_signals)
  if not self.input_ended then
    self:enter()
  end
  self:nudge()
  return self
end

return M
