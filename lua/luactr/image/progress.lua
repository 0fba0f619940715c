--- Tell a person how far something is: a bar on a terminal, lines elsewhere, or nothing.
---
--- It is one thing after the other: starting one ends the one before it.
local line = require "luactr.image.progress.line"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local BETWEEN_BARS <const> = 0.1 -- seconds
local BETWEEN_LINES <const> = 10.0
local DEFAULT_COLUMNS <const> = 80
local CLEAR <const> = "\r\27[K"
local STDERR <const> = 2

---@class luactr.image.progress
---@field start fun(self: luactr.image.progress, what: string, total?: integer)
---@field add fun(self: luactr.image.progress, bytes: integer)
---@field note fun(self: luactr.image.progress, text: string)
---@field done fun(self: luactr.image.progress)
---@field close fun(self: luactr.image.progress)
local Progress = { __name = "luactr.image.progress" }
Progress.__index = Progress

--- Who watches is told as far as that works: a terminal that is gone stops nothing.
local function write(self, text)
  sys.write(self.fd, text)
end

local function columns_of(fd)
  local _, columns = sys.window_size(fd)
  return columns and columns > 0 and columns or DEFAULT_COLUMNS
end

local function draw(self)
  local now = sys.clock_gettime()
  self.state.seconds = now - self.began
  if now < self.next then
    return
  elseif self.tty then
    self.next = now + BETWEEN_BARS
    write(self, CLEAR .. line.bar(self.state, columns_of(self.fd)))
  else
    self.next = now + BETWEEN_LINES
    write(self, line.so_far(self.state) .. "\n")
  end
end

--- Begin something. `what` is a few words, `total` the bytes that it will come to.
---@param what string
---@param total? integer
function Progress:start(what, total)
  self:done()
  what = require("luactr.error").escape(what)
  self.state = { what = what, bytes = 0, total = total, seconds = 0 }
  self.began = sys.clock_gettime()
  self.next = self.tty and 0 or self.began + BETWEEN_LINES
  draw(self)
end

--- So many bytes more.
---@param bytes integer
function Progress:add(bytes)
  if self.state then
    self.state.bytes = self.state.bytes + bytes
    draw(self)
  end
end

--- A line of its own, beside what goes on.
---@param text string
function Progress:note(text)
  write(self, (self.tty and CLEAR or "") .. require("luactr.error").escape(text) .. "\n")
  self.next = self.tty and 0 or self.next
end

--- It is complete: the line that stays.
function Progress:done()
  if self.state then
    self.state.seconds = sys.clock_gettime() - self.began
    write(self, (self.tty and CLEAR or "") .. line.summary(self.state) .. "\n")
    self.state = nil
  end
end

--- It has failed, or was not completed: the bar goes. Idempotent.
function Progress:close()
  if self.state and self.tty then
    write(self, CLEAR)
  end
  self.state = nil
end

Progress.__close = Progress.close

local function nothing() end

--- Tells nobody.
---@type luactr.image.progress
M.none = setmetatable({}, { __close = nothing, __index = {
  start = nothing, add = nothing, note = nothing, done = nothing, close = nothing } })

--- Bars on a terminal that can show them, lines elsewhere.
---@param options? { quiet?: boolean, fd?: luactr.anyfd } on stderr
---@return luactr.image.progress
function M.open(options)
  options = options or {}
  local fd = options.fd or STDERR
  if options.quiet then
    return M.none
  end
  local tty = sys.isatty(fd) and os.getenv("TERM") ~= "dumb"
  return setmetatable({ fd = fd, tty = tty, next = 0 }, Progress)
end

return M
