--- Read the log of a detached container; the monitor (csrc/monitor/log.h) writes it.
--
-- Files are log (the newest), log.1 and so on. A reader keeps its file open, so that it knows by
-- the inode which file follows after the monitor has given them other names.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local CHUNK <const> = 65536
local SINCE_FORMAT <const> = "!%Y-%m-%dT%H:%M:%S"

---@class luactr.log_record
---@field time string "2026-01-31T23:59:59.123456Z", when it was read
---@field stream "stdout"|"stderr"|"luactr" the last is what the monitor has to say
---@field full boolean a line; otherwise a part, which the next record of the stream goes on with
---@field text string without the newline of a full line

---@class luactr.log_options
---@field follow? boolean wait for more until the container has ended
---@field lines? integer only the last ones
---@field since? number|string seconds since the epoch, or a time as records have it

-- ---- files

local Reader = {}
Reader.__index = Reader

local function open_log(reader, number)
  local name = number == 0 and "log" or "log." .. number
  local file = sys.open(reader.directory .. "/" .. name, sys.O_RDONLY | sys.O_NOFOLLOW)
  return file
end

local function inode(file)
  local stat = sys.stat(file)
  return stat and stat.ino
end

--- The numbers of all files, the oldest first.
local function numbers(reader)
  local found = {}
  for _, entry in ipairs(sys.readdir(reader.directory) or {}) do
    local number = entry.name == "log" and 0 or entry.name:match("^log%.(%d+)$")
    found[#found + 1] = number and math.tointeger(tonumber(number)) or nil
  end
  table.sort(found, function(a, b) return a > b end)
  return found
end

local function switch(reader, number)
  if reader.file then
    reader.file:close()
  end
  reader.file, reader.rest = open_log(reader, number), ""
  return reader.file ~= nil
end

--- Go on to the file after the one at whose end we are; false when that is the newest. If ours was
--- thrown away meanwhile, the oldest that is left follows.
function Reader:next_file()
  local own, before = self.file and inode(self.file), nil
  local list = numbers(self)
  for i, number in ipairs(list) do
    local file <close> = open_log(self, number)
    if file and inode(file) == own then
      before = i
    end
  end
  local number = list[(before or 0) + 1]
  return number ~= nil and switch(self, number)
end

-- ---- records

local function parse(line)
  local time, stream, tag, text = line:match("^(%S+) (%l+) ([FP]) (.*)$")
  return time and { time = time, stream = stream, full = tag == "F", text = text } or nil
end

--- More lines into the queue; false at the end of the file.
function Reader:fill()
  local data = self.file and self.file:read(CHUNK)
  if not data or data == "" then
    return false
  end
  local text, at = self.rest .. data, 1
  self.queue, self.first = {}, 1
  while true do
    local stop = text:find("\n", at, true)
    if not stop then
      break
    end
    self.queue[#self.queue + 1] = parse(text:sub(at, stop - 1))
    at = stop + 1
  end
  self.rest = text:sub(at)
  return true
end

--- The next record that is there; nil when there is none yet.
function Reader:next()
  while true do
    local record = self.queue[self.first]
    if record then
      self.queue[self.first] = nil
      self.first = self.first + 1
      return record
    end
    -- A file that has a successor is complete, but what came before that was known is still to be
    -- read.
    if not self:fill() and not self:has_more() then
      return nil
    end
  end
end

function Reader:has_more()
  local newest <close> = open_log(self, 0)
  if not newest or self.file and inode(newest) == inode(self.file) then
    return false
  end
  return self:fill() or self:next_file()
end

-- ---- waiting for more

--- Wait until something changes: the directory tells of files, the owner's end of nothing more.
local function await_change(reader, found)
  local pidfd <close> = sys.pidfd_open(found.record.owner.pid)
  local sources = { { fd = reader.notify, events = "r" } }
  sources[2] = pidfd and { fd = pidfd, events = "r" }
  require("luactr.poll").wait(sources, pidfd and 60 or 0)
  while reader.notify:read(CHUNK) do end
end

local function has_ended(found)
  local word = found:state()
  return word == "exited" or word == nil
end

--- The next record, with patience: nil when the container has ended.
local function follow(reader, found)
  while true do
    local ended = has_ended(found) -- before the look: what came until then is there
    local record = reader:next()
    if record or ended then
      return record
    end
    await_change(reader, found)
  end
end

-- ---- the iterator

--- A time as the records have it, so that texts compare as times do.
local function time_text(since)
  if type(since) == "number" then
    local whole = math.floor(since)
    return os.date(SINCE_FORMAT, whole) .. string.format(".%06d",
      math.floor((since - whole) * 1e6))
  end
  return since
end

--- The last `count` lines, with the parts that belong to them.
local function last_lines(reader, count, wanted)
  local ring, lines = {}, 0
  local first, last = 1, 0
  for record in function() return reader:next() end do
    if wanted(record) then
      last = last + 1
      ring[last] = record
      lines = lines + (record.full and 1 or 0)
      while lines > count do
        lines = lines - (ring[first].full and 1 or 0)
        ring[first] = nil
        first = first + 1
      end
    end
  end
  return table.move(ring, first, last, 1, {})
end

--- The records of a container's log, the oldest first.
---@param found luactr.found
---@param options luactr.log_options
---@return (fun(): luactr.log_record?)?
---@return luactr.error?
function M.records(found, options)
  local directory = found.host.state_dir .. "/containers/" .. found.id
  local reader = setmetatable({ directory = directory, rest = "", queue = {}, first = 1 }, Reader)
  local since = options.since and time_text(options.since)
  local function wanted(record)
    return not since or record.time >= since
  end
  if options.follow then
    local message, errno
    reader.notify, message, errno = core.monitor.notify(directory)
    if not reader.notify then
      return nil, require("luactr.error").from_sys(message, errno, "inotify", directory)
    end
  end
  local kept = options.lines and last_lines(reader, options.lines, wanted) or {}
  local at = 0
  return function()
    at = at + 1
    if kept[at] then
      return kept[at]
    elseif options.lines and not options.follow then
      return nil
    end
    local record
    repeat
      if options.follow then
        record = follow(reader, found)
      else
        record = reader:next()
      end
    until not record or wanted(record)
    return record
  end
end

return M
