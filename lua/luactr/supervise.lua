--- Watch a container in the foreground: wait for its end, collect its output, enforce the limits
--- that no cgroup knows (wall_time, cpu_time, output), pass signals on.
local core = require "luactr.core"
local poll = require "luactr.poll"

local M = {}

local now <const> = core.sys.clock_gettime

local CHUNK <const> = 65536 -- the capacity of a pipe
local SHORTEST_METER_INTERVAL <const> = 0.005

-- ---- captured output

---@class luactr.capture one output pipe and what came out of it
---@field fd? any nil after end-of-file
---@field size integer bytes kept
local Capture = {}
Capture.__index = Capture

--- Chunks are kept in a list and joined once: appending to a string would copy it each time.
---@param fd any the reading end; becomes the capture's own
function M.capture(fd)
  return setmetatable({ fd = fd, events = "r", chunks = {}, size = 0 }, Capture)
end

function Capture:close()
  if self.fd then
    self.fd:close()
    self.fd = nil
  end
end

--- Read once, keep at most `room` bytes.
---@return integer? count bytes that came, nil at the end
function Capture:read(room)
  local data = self.fd:read(CHUNK)
  if not data or data == "" then
    self:close()
    return nil
  end
  local kept = #data <= room and data or data:sub(1, room)
  if kept ~= "" then
    self.chunks[#self.chunks + 1] = kept
    self.size = self.size + #kept
  end
  return #data
end

--- All that was kept. A second call costs nothing.
function Capture:text()
  if #self.chunks ~= 1 then
    self.chunks = { table.concat(self.chunks) }
  end
  return self.chunks[1]
end

-- ---- limits of the supervisor

---@class luactr.job what is watched
---@field process luactr.process
---@field started number monotonic
---@field limits table wall_time, cpu_time, output of the spec
---@field kill fun() end everything in the container
---@field captures luactr.capture[]
---@field cpu_seconds? fun(): number? the cgroup's meter
---@field on_settled? fun() called when only PID 1 is left
---@field relay? luactr.relay its terminal
---@field notify? luactr.notify its system calls that the recipe answers
---@field callbacks? luactr.callbacks of the recipe
---@field signals? luactr.signals signals to take while watching
---@field on_signal? fun(number: integer)
---@field fired? { reason: string, value: number, limit: number }
---@field truncated? boolean
---@field ending? table of process:wait
---@field changed luactr.loop.event told when those who watch have to look again
---@field closed? boolean by somebody else, while it was watched
---@field watcher? luactr.task|true who polls for it now; true: the main program

local function fire(job, reason, value, limit)
  if not job.fired then
    job.fired = { reason = reason, value = value, limit = limit }
    job.kill()
  end
end

--- Each returns when it wants to be asked again, or nothing.
local LIMITS <const> = {
  function(job, time)
    local limit = job.limits.wall_time
    if limit and time - job.started >= limit then
      fire(job, "wall_time", time - job.started, limit)
    end
    return limit and job.started + limit
  end,
  --- The meter is read again when the limit could be reached at the earliest, with all CPUs busy:
  --- few reads while far from it, and exact when close.
  function(job, time)
    local limit = job.limits.cpu_time
    if not limit or (job.meter_due and time < job.meter_due) then
      return job.meter_due
    end
    local used = job.cpu_seconds() or 0
    if used >= limit then
      fire(job, "cpu_time", used, limit)
    end
    job.meter_due = time + math.max((limit - used) / core.sys.ncpu(), SHORTEST_METER_INTERVAL)
    return job.meter_due
  end,
}

--- Enforce all limits; the time of the next look, or nil.
local function enforce(job, time)
  local due
  for _, limit in ipairs(LIMITS) do
    local wanted = not job.fired and limit(job, time)
    due = wanted and math.min(due or wanted, wanted) or due
  end
  return due
end

local function room_for_output(job)
  local limit = job.limits.output
  if not limit then
    return math.huge
  end
  for _, capture in ipairs(job.captures) do
    limit = limit - capture.size
  end
  return limit
end

local function read_capture(job, capture)
  local room = room_for_output(job)
  local count = capture:read(room)
  if count and count > room then
    local limit = job.limits.output
    job.truncated = true
    fire(job, "output", limit - room + count, limit)
  end
  return count
end

-- ---- the loop

local function reap(job)
  job.ending = job.process:wait(0)
end

--- The command has ended. What on_settled does, it does while the kernel takes PID 1 apart.
local function settle(job, alone)
  job.settled = true
  if alone and job.on_settled then
    job.on_settled()
  end
end

local function take_news(job)
  settle(job, job.process:settle(0))
end

local function take_signal(job)
  local number = job.signals:read()
  if number then
    job.on_signal(number)
  end
end

--- What to poll for now: entries { fd, events, act }.
local function sources_of(job)
  local sources = { job.exit_source, not job.settled and job.news_source or nil }
  if poll.is_shared() then
    sources[#sources + 1] = job.changes
  end
  for _, capture in ipairs(job.captures) do
    if capture.fd then
      sources[#sources + 1] = capture
    end
  end
  if job.signals then
    sources[#sources + 1] = job.signal_source
  end
  if job.relay then
    job.relay:add_sources(sources)
  end
  if job.notify then
    job.notify:add_source(sources)
  end
  if job.callbacks then
    job.callbacks:add_sources(sources)
  end
  return sources
end

local function prepare(job)
  job.changes = { event = job.changed, act = function() end }
  job.exit_source = { fd = job.process:pidfd(), events = "r", act = reap }
  job.news_source = { fd = job.process:syncfd(), events = "r", act = take_news }
  job.signal_source = job.signals and { fd = job.signals:fileno(), events = "r", act = take_signal }
  for _, capture in ipairs(job.captures) do
    capture.act = read_capture
  end
  if job.notify then
    job.notify:serve_early()
  end
end

--- Nothing can write any more: PID 1 is gone and its namespace with it. What the pipes still hold
--- is read; a writer outside (pid = "host") is not waited for.
local function drain(job)
  for _, capture in ipairs(job.captures) do
    while capture.fd and core.supervise.poll({ capture }, 0) > 0 do
      read_capture(job, capture)
    end
    capture:close()
  end
  if job.relay then
    job.relay:drain()
  end
end

local function earlier(a, b)
  return a and b and math.min(a, b) or a or b
end

local function needs_no_loop(job)
  local limits = job.limits
  return #job.captures == 0 and not job.relay and not job.signals and not job.notify
    and not job.callbacks and not limits.wall_time and not limits.cpu_time and not poll.is_shared()
end

local function wait_only(job, timeout)
  local deadline = timeout and now() + timeout
  local alone, message, errno = job.process:settle(timeout)
  if alone == nil then
    return nil, message, errno
  end
  settle(job, alone)
  job.ending, message, errno = job.process:wait(deadline and math.max(deadline - now(), 0))
  return job.ending, message, errno
end

local function closed()
  return nil, "it was closed", core.sys.errno.ECANCELED
end

local function loop(job, deadline)
  prepare(job)
  while not job.ending do
    local time = now()
    local due = earlier(enforce(job, time), deadline)
    due = earlier(due, job.callbacks and job.callbacks:due(time))
    local sources = sources_of(job)
    local count, message, errno = poll.wait(sources, due and math.max(due - time, 0))
    if not count then
      return nil, message, errno
    end
    for i = 1, count > 0 and not job.closed and #sources or 0 do
      if sources[i].ready and not job.closed then
        sources[i].act(job, sources[i])
      end
    end
    if job.closed then
      return closed()
    elseif count == 0 and deadline and now() >= deadline and not job.ending then
      return nil, "timeout"
    end
  end
  return job.ending
end

--- Stop being the one who watches, however that comes: another may go on.
local function leave(job)
  return setmetatable({}, { __close = function()
    job.watcher = nil
    poll.tell(job.changed)
  end })
end

local function watch(job, deadline)
  local _ <close> = not job.watcher and leave(job) or nil
  job.watcher = job.watcher or poll.loop and poll.loop.current() or true
  local ending, message, errno = loop(job, deadline)
  if ending then
    drain(job)
  end
  return ending, message, errno
end

--- Whether another task than the caller's watches. The caller itself may be called by what it does.
local function is_watched(job)
  return job.watcher and job.watcher ~= (poll.loop and poll.loop.current() or true)
end

--- Wait until the container has ended.
---@param job luactr.job
---@param timeout? number seconds
---@return table? ending of process:wait
---@return string? message "timeout"
---@return integer? errno
function M.wait(job, timeout)
  if needs_no_loop(job) then
    return wait_only(job, timeout)
  end
  local deadline = timeout and now() + timeout
  while is_watched(job) do
    poll.wait({ { event = job.changed } }, deadline and math.max(deadline - now(), 0))
    if job.closed then
      return closed()
    elseif deadline and now() >= deadline and not job.ending then
      return nil, "timeout"
    end
  end
  if job.ending then
    return job.ending
  end
  return watch(job, deadline)
end

return M
