--- What happens to detached containers: one line of JSON for each event in STATE/events, which
--- becomes STATE/events.1 when it has grown to 1 MiB. Monitors write there as well.
local core = require "luactr.core"
local state = require "luactr.state"

local sys <const> = core.sys

local M = {}

local CHUNK <const> = 65536
local LONGEST_WORD <const> = 64
local MOST_WORDS <const> = 8
local PAST <const>, PRESENT <const> = "events.1", "events"

---@alias luactr.event.kind "create"|"start"|"exec"|"oom"|"pause"|"resume"|"update"|"exit"|
---"rename"|"restart"|"rm"|"health"|"callback"

---@class luactr.event
---@field time number seconds since the epoch
---@field name string the container's
---@field event luactr.event.kind
---@field pid? integer create, start: the host's, of PID 1
---@field command? string[] exec: its first words
---@field kills? integer oom: how many there were so far
---@field reason? luactr.reason exit: as in the result
---@field from? string rename: the name before; health: the state before
---@field state? string health: "healthy" or "unhealthy"
---@field call? string callback: what has raised an error, "on.exit"
---@field error? string callback
---@field exit_code? integer exit
---@field signal? integer exit

-- ---- writing

local function shortened(words)
  local list = {}
  for i = 1, math.min(#words, MOST_WORDS) do
    list[i] = words[i]:sub(1, LONGEST_WORD)
  end
  return list
end

--- Tell of an event. What cannot be written is left out: no command fails for it.
---@param host luactr.host
---@param id string the container's
---@param event luactr.event.kind
---@param more? table<string, string|number|string[]>
function M.add(host, id, event, more)
  local directory <close> = sys.open(host.state_dir, sys.O_PATH | sys.O_DIRECTORY)
  local parts = { string.format('{"time":%.6f,"name":%s,"event":%s',
    sys.clock_gettime("realtime"), state.json(id), state.json(event)) }
  for key, value in pairs(more or {}) do
    value = type(value) == "table" and shortened(value) or value
    parts[#parts + 1] = state.json(key) .. ":" .. state.json(value)
  end
  if directory then
    core.monitor.event(directory, table.concat(parts, ",") .. "}\n")
  end
end

-- ---- reading

local Reader = {}
Reader.__index = Reader

local function inode(file)
  local stat = file and sys.stat(file)
  return stat and stat.ino
end

local function open_file(reader, name)
  local file = sys.open(reader.directory .. "/" .. name, sys.O_RDONLY | sys.O_NOFOLLOW)
  return file
end

--- Go on in another file than the one that has been read to its end; false when there is none.
function Reader:next_file()
  local present = open_file(self, PRESENT)
  if present and inode(present) ~= inode(self.file) then
    if self.file then
      self.file:close()
    end
    self.file, self.rest = present, ""
    return true
  elseif present then
    present:close()
  end
  return false
end

--- A line that a full disk has cut has the next one behind it.
local function parse(line)
  return require("luactr.state.list").decode(line:match('.*({"time":.*)') or "")
end

--- More lines into the queue; false at the end of the file.
function Reader:fill()
  local data = self.file and self.file:read(CHUNK)
  if not data or data == "" then
    return false
  end
  local text = self.rest .. data
  local complete = text:match("^.*\n") or ""
  self.rest, self.queue, self.first = text:sub(#complete + 1), {}, 1
  for line in complete:gmatch("[^\n]+") do
    self.queue[#self.queue + 1] = parse(line)
  end
  return true
end

--- The next event that is there; nil when there is none yet.
function Reader:next()
  while true do
    local event = self.queue[self.first]
    if event then
      self.first = self.first + 1
      return event
    elseif not self:fill() and not self:next_file() then
      return nil
    end
  end
end

local function follow(reader)
  while true do
    local event = reader:next()
    if event then
      return event
    end
    require("luactr.poll").wait({ { fd = reader.notify, events = "r" } })
    while reader.notify:read(CHUNK) do end
  end
end

---@class luactr.events_options
---@field follow? boolean wait for more, without an end
---@field since? number|string seconds since the epoch, or the time as `luactr events` shows it
---@field name? string only those of this container, or of this pod's members

local OPTIONS <const> = {
  follow = { boolean = true }, since = { number = true, string = true }, name = { string = true },
}

local function check(options)
  for key, value in pairs(options) do
    if not OPTIONS[key] then
      error(string.format("events: unknown option %s", tostring(key)), 3)
    elseif not OPTIONS[key][type(value)] then
      error(string.format("events: %s: not a %s", key, type(value)), 3)
    end
  end
end

--- The time of an event in words that compare as times do.
---@param time number
---@return string "2026-01-31T23:59:59.123456Z"
function M.time_text(time)
  return string.format("%s.%06dZ", os.date("!%Y-%m-%dT%H:%M:%S", time // 1),
    time % 1 * 1e6 // 1)
end

--- Whether an event is one of those of a name. What belongs to no container may be a pod, whose
--- members have names that begin with its own: also when all of them are removed.
local function chooser(name, host)
  local members = name and not require("luactr.state.list").has(host, name) and name .. "."
  return function(event)
    return not name or event.name == name
      or members and event.name:sub(1, #members) == members
  end
end

local function is_recent(event, since)
  local time = type(since) == "string" and M.time_text(event.time) or event.time
  return time >= since
end

--- What happened to detached containers, the oldest event first.
---@param options? luactr.events_options
---@param host? luactr.host
---@return (fun(): luactr.event?)? iterator
---@return luactr.error?
function M.read(options, host)
  options = options or {}
  check(options)
  host = host or require("luactr.host").facts()
  local _, err = (options.follow and state.make or state.containers)(host)
  if err then
    return nil, err
  end
  local reader = setmetatable({ directory = host.state_dir, rest = "", queue = {}, first = 1 },
    Reader)
  if options.follow then
    local message, errno
    reader.notify, message, errno = core.monitor.notify(host.state_dir)
    if not reader.notify then
      return nil, require("luactr.error").from_sys(message, errno, "inotify", host.state_dir)
    end
  end
  reader.file = open_file(reader, PAST)
  local is_wanted = chooser(options.name, host)
  return function()
    while true do
      local event = options.follow and follow(reader) or not options.follow and reader:next()
      if not event or is_wanted(event) and is_recent(event, options.since or 0) then
        return event or nil
      end
    end
  end
end

return M
