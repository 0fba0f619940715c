--- Pipes between containers: the kernel's own, from one command to the other, so that nothing is
--- copied on the way. What luactr holds of one is closed as soon as those who share it have it:
--- then the end of the writers is the end of the file, and that of the readers is SIGPIPE.
local sys <const> = require("luactr.core").sys

local M = {}

-- The number in the streams decides the end.
local SIDES <const> = { stdin = "reader", stdout = "writer", stderr = "writer" }
local FLAGS <const> = { reader = sys.O_RDONLY, writer = sys.O_WRONLY }
local OTHER <const> = { reader = "writer", writer = "reader" }

---@class luactr.pipe
---@field shares { reader: table, writer: table } who is to have an end: `where` of a spec = true
---@field waiting { reader: table, writer: table } who has not got it yet, in this round
---@field reader? luactr.fd
---@field writer? luactr.fd
local Pipe = { __name = "luactr.pipe" }
Pipe.__index = Pipe

--- A pipe for the streams of containers: stdout and stderr of any number of them write to it, stdin
--- of any number reads.
---@return luactr.pipe
function M.new()
  return setmetatable({ shares = { reader = {}, writer = {} },
    waiting = { reader = {}, writer = {} } }, Pipe)
end

--- Note the ends that a container is to have.
---@param spec luactr.spec
function M.join(spec)
  for stream, side in pairs(SIDES) do
    local where = spec[stream]
    if where.kind == "pipe" then
      where.pipe.shares[side][where] = true
      where.pipe.waiting[side][where] = true
    end
  end
end

local function open_both(pipe)
  local reader, writer, errno = sys.pipe()
  if not reader then
    return nil, writer, errno
  end
  pipe.reader, pipe.writer = reader, writer
  for side, shares in pairs(pipe.shares) do
    pipe.waiting[side] = {}
    for where in pairs(shares) do
      pipe.waiting[side][where] = true
    end
  end
  return true
end

--- The end of a side is there: a new pipe when all have had both ends, or the one that others still
--- wait for, opened once more.
local function open_side(pipe, side)
  local other = pipe[OTHER[side]]
  if not other then
    return open_both(pipe)
  end
  local message, errno
  pipe[side], message, errno = sys.open("/proc/self/fd/" .. other:fileno(), FLAGS[side])
  return pipe[side], message, errno
end

local function has_got(pipe, side, where)
  pipe.waiting[side][where] = nil
  if pipe[side] and not next(pipe.waiting[side]) then
    pipe[side]:close()
    pipe[side] = nil
  end
end

--- A descriptor for a stream of a container that starts.
---@param where table of the spec
---@param stream string
---@return luactr.fd? fd
---@return string? message
---@return integer? errno
function M.take(where, stream)
  local pipe, side = where.pipe, SIDES[stream]
  local fd, message, errno
  if not pipe[side] then
    fd, message, errno = open_side(pipe, side)
    if not fd then
      return nil, message, errno
    end
  end
  fd, message, errno = sys.dup(pipe[side])
  has_got(pipe, side, where)
  return fd, message, errno
end

--- A container that did not start takes no end: those at the other one must not wait for it.
---@param spec luactr.spec
function M.give_up(spec)
  for stream, side in pairs(SIDES) do
    local where = spec[stream]
    local pipe = where.kind == "pipe" and where.pipe
    if pipe and pipe.waiting[side][where] then
      local fine = pipe[side] or open_side(pipe, side)
      if fine then
        has_got(pipe, side, where)
      end
    end
  end
end

--- Let a stream of a container that has not run yet write to a pipe.
---@param box luactr.container
---@param stream? string "stdout" or "stderr"
---@return luactr.pipe
function M.from(box, stream)
  stream = stream or "stdout"
  if SIDES[stream] ~= "writer" then
    error(string.format("pipe: \"stdout\" or \"stderr\" expected, got %s",
      require("luactr.check").show(stream)), 3)
  elseif box.spec[stream].kind == "pipe" then
    return box.spec[stream].pipe
  elseif box.plan or box.spec[stream].kind ~= "inherit" then
    error(string.format("pipe: %s of %q goes elsewhere already", stream, box.id), 3)
  end
  local pipe = M.new()
  box.spec[stream] = { kind = "pipe", pipe = pipe }
  M.join(box.spec)
  return pipe
end

--- Join containers as a shell does: the output of each is the input of the next.
---@param ... luactr.container two or more that have not run yet
---@return luactr.group
function M.pipeline(...)
  local boxes = { ... }
  local container = require "luactr.container"
  for i, box in ipairs(boxes) do
    if not container.is(box) then
      error(string.format("pipeline: argument %d: container expected, got %s", i,
        require("luactr.check").show(box)), 2)
    end
  end
  if #boxes < 2 then
    error("pipeline: two containers at least expected", 2)
  end
  for i = 2, #boxes do
    local reader = boxes[i]
    if reader.plan or reader.spec.stdin.kind ~= "inherit" then
      error(string.format("pipeline: stdin of %q comes from elsewhere already", reader.id), 2)
    end
    reader.spec.stdin = { kind = "pipe", pipe = M.from(boxes[i - 1], "stdout") }
    M.join(reader.spec)
  end
  return require("luactr.loop.group").all(boxes)
end

return M
