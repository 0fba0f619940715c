--- The terminal of a full-screen view: taken with its settings kept, given back as it was.
local core = require "luactr.core"

local sys <const> = core.sys
local supervise <const> = core.supervise

local M = {}

local ENTER <const> = "\27[?1049h\27[?25l" -- the other screen, without a cursor
local LEAVE <const> = "\27[0m\27[?25h\27[?1049l"
local HOME <const>, CLEAR_LINE <const>, CLEAR_REST <const> = "\27[H", "\27[K", "\27[J"
local CHUNK <const> = 4096
local DEFAULT_ROWS <const>, DEFAULT_COLUMNS <const> = 24, 80

local SIGNALS <const> = { "INT", "TERM", "HUP", "QUIT", "WINCH", "TSTP", "CONT" }

---@class luactr.top.terminal
---@field signals any
---@field raw any
local Terminal = {}
Terminal.__index = Terminal

--- Whether stdin and stdout are terminals that can be drawn on.
---@return boolean
function M.is_usable()
  return sys.isatty(0) and sys.isatty(1) and os.getenv("TERM") ~= "dumb"
end

local function write(text)
  while text ~= "" do
    local count, message, errno = sys.write(1, text)
    if not count and errno ~= sys.errno.EINTR then
      return nil, message
    end
    text = text:sub((count or 0) + 1)
  end
  return true
end

---@return luactr.top.terminal
function M.open()
  local numbers = {}
  for i, name in ipairs(SIGNALS) do
    numbers[i] = sys.signals[name]
  end
  local self = setmetatable({ signals = supervise.signals(numbers) }, Terminal)
  self:enter()
  return self
end

function Terminal:enter()
  self.raw = supervise.raw_mode(0, LEAVE)
  write(ENTER)
end

function Terminal:leave()
  if self.raw then
    write(LEAVE)
    self.raw:close()
    self.raw = nil
  end
end

--- Stop, as Ctrl-Z asks, with the terminal as the shell expects it.
function Terminal:suspend()
  self:leave()
  sys.kill(sys.getpid(), sys.signals.STOP)
  self:enter()
end

local function knows_utf8()
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name)
    if value and value ~= "" then
      return value:lower():find("utf%-?8") ~= nil
    end
  end
  return false
end

---@return { rows: integer, columns: integer, utf8: boolean }
function Terminal:size()
  local rows, columns = sys.window_size(1)
  self.utf8 = self.utf8 == nil and knows_utf8() or self.utf8
  if not rows or rows == 0 then
    rows, columns = DEFAULT_ROWS, DEFAULT_COLUMNS
  end
  return { rows = rows, columns = columns, utf8 = self.utf8 }
end

--- Draw a whole screen in one write.
---@param lines string[]
---@return boolean? done
function Terminal:draw(lines)
  return write(HOME .. table.concat(lines, CLEAR_LINE .. "\r\n") .. CLEAR_LINE .. CLEAR_REST)
end

--- Wait for keys and signals: what was typed ("" for none, nil at the end of input), and the names
--- of the signals that came.
---@param seconds number
---@return string? typed
---@return string[] signals
function Terminal:wait(seconds)
  local input = { fd = 0, events = "r" }
  supervise.poll({ input, { fd = self.signals:fileno(), events = "r" } }, seconds)
  local names = {}
  for number in function() return self.signals:read() end do
    names[#names + 1] = sys.signame(number)
  end
  if not input.ready then
    return "", names
  end
  local typed = sys.read(0, CHUNK)
  return typed ~= "" and typed or nil, names
end

function Terminal:close()
  self:leave()
  if self.signals then
    self.signals:close()
    self.signals = nil
  end
end

Terminal.__close = Terminal.close
Terminal.__gc = Terminal.close

return M
