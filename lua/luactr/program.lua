--- Programs of the host, started by argv through luactr's own engine. They end with luactr.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local CHUNK <const> = 65536
local LONGEST_OUTPUT <const> = 16 << 20
local EXECUTE <const> = 73 -- 0111
local STREAMS <const> = { "input", "output", "errors" }

---@class luactr.program.options
---@field [integer] string the argument list; the first is the path of the program
---@field path? string of the program, where the first is another name
---@field input? string what it can read; nothing if not given
---@field enter? luactr.target namespaces that it is in; the path is resolved there
---@field leaves? boolean it has ended when its process has, whoever has its streams by then
---@field env? string[] "NAME=VALUE"; none if not given
---@field seconds? number it is killed after that time
---@field tick? fun(pid: integer) called again and again while it runs
---@field every? number seconds between two calls, 0.1
---@field line? fun(line: string) told each line of stderr when it comes

---@class luactr.program.ending
---@field code? integer
---@field signal? integer
---@field late boolean whether it was killed after its time
---@field stdout string
---@field stderr string

--- Where a program is, by PATH.
---@param name string
---@return string? path
function M.find(name)
  for directory in (os.getenv("PATH") or core.plan.default_path):gmatch("[^:]+") do
    local path = directory .. "/" .. name
    local stat = directory:sub(1, 1) == "/" and sys.stat(path)
    if stat and stat.type == "file" and stat.mode & EXECUTE ~= 0 then
      return path
    end
  end
end

--- Those of the named variables that are set, as an environment.
---@param names string[]
---@return string[]
function M.environment(names)
  local env = {}
  for _, name in ipairs(names) do
    local value = os.getenv(name)
    env[#env + 1] = value and name .. "=" .. value
  end
  return env
end

local function failure(path, errno, cause)
  return nil, require("luactr.error").new {
    op = "exec", path = path, errno = errno, cause = cause, checked = cause ~= nil,
    message = "cannot run " .. path,
  }
end

-- ---- starting

--- A plan without any namespace of its own. The process dies with this one.
local function plan_of(options, slots)
  local argv = table.move(options, 1, #options, 1, {})
  local steps = { { op = "parent_death_signal", signal = sys.signals.KILL } }
  if options.enter then
    local enter = require("luactr.namespaces").enter(nil, nil, { target = options.enter })
    table.move(enter, 1, #enter, 2, steps)
    steps[#steps + 1] = { op = "init" } -- who joins a pid namespace is in it with children only
  end
  for number, slot in ipairs(STREAMS) do
    steps[#steps + 1] = { op = "dup", fd = slot, number = number - 1 }
  end
  steps[#steps + 1] = { op = "exec", file = options.path or argv[1], argv = argv,
    env = options.env or {} }
  return core.plan.encode(steps, slots)
end

local function close_all(fds)
  for _, fd in pairs(fds) do
    fd:close()
  end
end

local Ends <const> = { __close = close_all }

--- Two pipes: the ends to read from, and those of the program.
local function pipes()
  local ours, theirs = setmetatable({}, Ends), setmetatable({}, Ends)
  for _, name in ipairs { "stdout", "stderr" } do
    local reader, writer, errno = sys.pipe()
    if not reader then
      close_all(ours)
      close_all(theirs)
      return nil, errno
    end
    ours[name], theirs[name] = reader, writer
  end
  return ours, theirs
end

--- What it reads is in memory: nobody has to feed it, and it need not read.
local function open_input(options)
  if not options.input then
    return sys.open("/dev/null", sys.O_RDONLY)
  end
  local file, _, errno = sys.memfd_create("input")
  local done
  for at = 1, file and #options.input or 0, CHUNK do
    done, _, errno = file:write(options.input:sub(at, at + CHUNK - 1))
    if not done then
      file:close()
      return nil, _, errno
    end
  end
  if file then
    sys.lseek(file, 0)
  end
  return file, _, errno
end

local function launch(options, input, theirs)
  local slots, fds = { table.unpack(STREAMS) }, { input, theirs.stdout, theirs.stderr }
  for slot, fd in pairs(options.enter and options.enter.fds or {}) do
    slots[#slots + 1], fds[#fds + 1] = slot, fd
  end
  local process, _, errno = core.spawn { plan = plan_of(options, slots), flags = 0, fds = fds }
  if not process then
    return nil, errno
  end
  local event, _, _, failed = process:launch()
  if event == "started" then
    return process
  end
  process:close()
  return nil, failed or sys.errno.EIO
end

--- The process, and the ends of its pipes that are read.
local function start(options)
  local ours, theirs = pipes()
  if not ours then
    return failure(options[1], theirs)
  end
  local given <close> = theirs
  local input <close>, _, errno = open_input(options)
  local process
  if input then
    process, errno = launch(options, input, given)
  end
  if not process then
    close_all(ours)
    return failure(options[1], errno)
  end
  return process, ours
end

-- ---- output

--- Tell of the whole lines of what has come.
local function tell_lines(state, tell, text)
  state.rest = (state.rest or "") .. text
  for line in state.rest:gmatch("([^\n]*)\n") do
    tell(line)
  end
  state.rest = state.rest:match("[^\n]*$")
end

local function take(state, name, options)
  local text = state.ends[name]:read(CHUNK) or ""
  if text == "" then
    state.ends[name]:close()
    state.ends[name] = nil
  elseif state.size < LONGEST_OUTPUT then
    state.size = state.size + #text
    table.insert(state[name], text)
  end
  if name == "stderr" and options.line then
    tell_lines(state, options.line, text)
  end
end

--- Its process has ended: what the pipes hold, and no more.
local function drain(state, options)
  for name, fd in pairs(state.ends) do
    while state.ends[name] and core.supervise.poll({ { fd = fd, events = "r" } }, 0) > 0 do
      take(state, name, options)
    end
  end
end

local function rest_of(deadline)
  return deadline and math.max(deadline - sys.clock_gettime(), 0)
end

--- How long to sleep at most: until the next tick or the deadline.
local function patience(options, deadline)
  local tick, rest = options.tick and (options.every or 0.1), rest_of(deadline)
  return tick and rest and math.min(tick, rest) or tick or rest
end

--- Read what it prints until it has closed both streams. False when its time is over.
local function collect(state, options, deadline, process)
  while next(state.ends) do
    local entries = {}
    for name, fd in pairs(state.ends) do
      entries[#entries + 1] = { fd = fd, events = "r", name = name }
    end
    local ending = options.leaves and { fd = process:pidfd(), events = "r" }
    entries[#entries + 1] = ending or nil
    core.supervise.poll(entries, patience(options, deadline))
    for _, entry in ipairs(entries) do
      if entry.ready and entry.name then
        take(state, entry.name, options)
      end
    end
    if ending and ending.ready then
      drain(state, options)
      return true
    end
    if options.tick then
      options.tick(process:pid())
    end
    if deadline and sys.clock_gettime() >= deadline then
      return false
    end
  end
  return true
end

--- Run a program to its end. nil and an error when it did not start.
---@param options luactr.program.options
---@return luactr.program.ending?
---@return luactr.error?
function M.run(options)
  local deadline = options.seconds and sys.clock_gettime() + options.seconds
  local process <close>, ends = start(options)
  if not process then
    return nil, ends
  end
  local guard <close> = ends
  local state = { ends = guard, stdout = {}, stderr = {}, size = 0 }
  local in_time = collect(state, options, deadline, process)
  local ended = in_time and process:wait(rest_of(deadline))
  local late = not ended
  if late then
    process:signal(sys.signals.KILL)
    ended = process:wait() or {}
  end
  return {
    code = ended.code, signal = ended.signal, late = late,
    stdout = table.concat(state.stdout), stderr = table.concat(state.stderr),
  }
end

return M
