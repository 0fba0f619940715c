--- Open what a container's standard streams are, by the words of its spec.
local sys <const> = require("luactr.core").sys

local M = {}

M.STREAMS = { "stdin", "stdout", "stderr" }

local NUMBERS <const> = { stdin = 0, stdout = 1, stderr = 2 }

local function open_file(run, stream, where)
  local flags = sys.O_RDONLY
  if stream ~= "stdin" then
    flags = sys.O_WRONLY | sys.O_CREAT | (where.append and sys.O_APPEND or sys.O_TRUNC)
  end
  local fd, message, errno = sys.open(where.file, flags | sys.O_NOCTTY, "0666")
  return fd and run:pass(fd), message, errno
end

local function open_capture(run, stream)
  local reader, writer, errno = sys.pipe()
  if not reader then
    return nil, writer, errno
  end
  run.captures[stream] = run:own(require("luactr.supervise").capture(reader))
  return run:pass(writer)
end

--- The monitor of a detached container reads it.
local function open_log(run, stream)
  local reader, writer, errno = sys.pipe()
  if not reader then
    return nil, writer, errno
  end
  run.logs[stream] = run:own(reader)
  return run:pass(writer)
end

--- The monitor of a detached container has the other end, for who attaches.
local function open_attach(run, stream)
  local reader, writer, errno = sys.pipe()
  if not reader then
    return nil, writer, errno
  end
  run.logs[stream] = run:own(writer)
  return run:pass(reader)
end

--- Text to feed is put into sealed memory: unlike a pipe it needs nobody who pumps.
local function open_text(run, _, where)
  local fd, message, errno = sys.memfd_create("stdin", "MFD_ALLOW_SEALING")
  if not fd then
    return nil, message, errno
  end
  run:pass(fd)
  local text, done = where.text, 0
  while done < #text do
    local count
    count, message, errno = fd:write(done == 0 and text or text:sub(done + 1))
    if not count then
      return nil, message, errno
    end
    done = done + count
  end
  sys.lseek(fd, 0)
  sys.add_seals(fd, { "F_SEAL_WRITE", "F_SEAL_GROW", "F_SEAL_SHRINK" })
  return fd
end

local OPEN <const> = {
  inherit = function(_, stream) return NUMBERS[stream] end,
  null = function(run)
    local fd, message, errno = sys.open("/dev/null", sys.O_RDWR)
    return fd and run:pass(fd), message, errno
  end,
  fd = function(run, stream) return run.held[stream] end,
  file = open_file,
  capture = open_capture,
  pipe = function(run, stream, where)
    local fd, message, errno = require("luactr.container.pipe").take(where, stream)
    return fd and run:pass(fd), message, errno
  end,
  log = open_log,
  attach = open_attach,
  text = open_text,
}

--- The descriptor for a stream; the run owns what was opened for it.
---@param run luactr.run
---@param stream "stdin"|"stdout"|"stderr"
---@param where table { kind =, ... } of the spec
---@return any fd
---@return string? message
---@return integer? errno
function M.open(run, stream, where)
  return OPEN[where.kind](run, stream, where)
end

return M
