--- A container's pseudo-terminal, joined to luactr's own terminal: bytes both ways, raw mode, the
--- window's size. Keys as Ctrl-C and Ctrl-Z go through as bytes; the terminal inside makes signals
--- of them for the jobs inside.
local core = require "luactr.core"

local supervise <const> = core.supervise
local sys <const> = core.sys

local M = {}

--- For a terminal after a luactr that was killed: no colours, a cursor, a new line.
M.AFTER_KILL = "\27[0m\27[?25h\r\n"

local CHUNK <const> = 4096 -- what a terminal's line discipline takes at once
local END_OF_INPUT <const> = "\4" -- Ctrl-D, which the terminal inside turns into end-of-file

-- ---- one direction

--- Bytes on their way from one descriptor to another. Reads only when the last chunk is gone, so a
--- slow reader slows the writer, as a terminal does.
---@class luactr.flow
local Flow = {}
Flow.__index = Flow

local function flow(from, to)
  return setmetatable({ from = from, to = to, pending = "" }, Flow)
end

local function read_flow(_, source)
  local self = source.flow
  local data = sys.read(self.from, CHUNK)
  if not data or data == "" then -- a pty without a slave fails with EIO
    self.ended = true
    data = self.at_end or ""
  end
  self.pending = self.lost and "" or data
end

local function write_flow(_, source)
  local self = source.flow
  local count, _, errno = sys.write(self.to, self.pending)
  if count then
    self.pending = self.pending:sub(count + 1)
  elseif errno ~= sys.errno.EAGAIN then
    self.pending, self.lost = "", true -- keep reading, or the writer would wait for ever
  end
end

--- The entry to poll for: the destination while bytes wait, else the source.
function Flow:source()
  if self.pending ~= "" then
    return { fd = self.to, events = "w", act = write_flow, flow = self }
  elseif not self.ended then
    return { fd = self.from, events = "r", act = read_flow, flow = self }
  end
end

--- Move what is there now, to the end.
function Flow:drain()
  while true do
    local source = self:source()
    local wait = source and source.events == "w" and 1 or 0 -- a stuck reader is not waited for
    if not source or supervise.poll({ source }, wait) == 0 then
      return
    end
    source.act(nil, source)
  end
end

-- ---- the relay

---@class luactr.relay
local Relay = {}
Relay.__index = Relay

--- Join a pty's master to the terminal at `input` and `output`.
---@param master any becomes the relay's own
---@param input? any default 0
---@param output? any default 1
function M.relay(master, input, output)
  input, output = input or 0, output or 1
  supervise.nonblock(master)
  local self = setmetatable({ master = master, input = input, output = output }, Relay)
  self.inward, self.outward = flow(input, master), flow(master, output)
  self.inward.at_end = END_OF_INPUT
  self:resize()
  self:enter()
  return self
end

--- The window inside takes the size of the one outside.
function Relay:resize()
  local rows, columns = sys.window_size(self.output)
  if not rows then
    rows, columns = sys.window_size(self.input)
  end
  if rows then
    sys.set_window_size(self.master, rows, columns)
  end
end

--- Raw mode, if the input is a terminal.
function Relay:enter()
  self.raw = sys.isatty(self.input) and supervise.raw_mode(self.input, M.AFTER_KILL)
    or nil
end

function Relay:leave()
  if self.raw then
    self.raw:close()
    self.raw = nil
  end
end

--- Stop luactr itself, as TSTP asks, with the terminal as the shell expects it.
function Relay:suspend(stop)
  self:leave()
  stop()
  self:enter()
  self:resize()
end

function Relay:add_sources(sources)
  sources[#sources + 1] = self.outward:source()
  sources[#sources + 1] = self.inward:source()
end

--- After the container's end: what it wrote last.
function Relay:drain()
  self.outward.ended = false
  self.outward:drain()
end

function Relay:close()
  self:leave()
  if self.master then
    self.master:close()
    self.master = nil
  end
end

Relay.__close = Relay.close
Relay.__gc = Relay.close

return M
