-- Launch raw lists of steps, below everything that makes lists: what specs of the engine share.

local core = require("luactr.core")
local group = require("support.group")
local support = require("support")

local sys = core.sys

local launch = {}

launch.flags = {
  mount = sys.CLONE_NEWNS,
  all = sys.CLONE_NEWNS | sys.CLONE_NEWPID | sys.CLONE_NEWUTS | sys.CLONE_NEWIPC,
}

launch.busybox = "/bin/busybox"

--- Everything the reader has until its end.
function launch.read_all(reader)
  local text = ""
  repeat
    local part = assert(reader:read())
    text = text .. part
  until part == ""
  return text
end

--- The list with what it lacks: an `exec` of busybox for a string at its end, put behind the steps.
local function complete(steps)
  local list = table.move(steps, 1, #steps, 1, {})
  local last = list[#list]
  if type(last) == "string" then
    list[#list] = { op = "exec", file = launch.busybox, argv = { "sh", "-c", last }, env = {} }
  end
  return list
end

--- Start a list of steps whose last element may be a shell command. `options`: flags, slots
--- (name -> fd), times, fail, cgroup.
function launch.start(steps, options)
  local names, fds = {}, {}
  for name, fd in pairs(options.slots or {}) do
    names[#names + 1] = name
    fds[#fds + 1] = fd
  end
  local plan = core.plan.encode(complete(steps), names)
  return core.spawn {
    plan = plan, flags = options.flags or launch.flags.all, fds = fds, times = options.times,
    fail = options.fail, cgroup = options.cgroup,
  }
end

--- Wait until PID 1 has shed what it needs no more, which it does after the payload's exec.
function launch.await_shed(process)
  local path = ("/proc/%d/fd"):format(process:pid())
  assert(group.eventually(function()
    local left = assert(sys.readdir(path))
    return #left <= 1 and support.read(("/proc/%d/comm"):format(process:pid())) == "luactr-init\n"
  end), "PID 1 keeps what it had")
end

--- Run a list of steps to the end; slot "out" is a pipe. Returns how it ended, with `event` (a list
--- of what launch() said last) and `output`.
function launch.run(steps, options)
  options = options or {}
  local reader <close>, writer = assert(sys.pipe())
  local slots = { out = writer }
  for name, fd in pairs(options.slots or {}) do slots[name] = fd end
  local process <close> = assert(launch.start(steps, {
    slots = slots, flags = options.flags, fail = options.fail,
  }))
  writer:close()
  local event = { process:launch() }
  local output = launch.read_all(reader)
  local ended = assert(process:wait(120))
  ended.event = event
  ended.output = output
  return ended
end

---- lists that many specs begin with

--- Join lists of steps.
function launch.join(...)
  local list = {}
  for _, part in ipairs { ... } do table.move(part, 1, #part, #list + 1, list) end
  return list
end

--- No mount of the container comes back to the host.
launch.private = { { op = "propagation", flags = sys.MS_REC | sys.MS_PRIVATE } }

--- A root on tmpfs at `stage` with busybox and proc; not entered yet.
function launch.root(stage)
  return launch.join(launch.private, {
    { op = "root_tmpfs", stage = stage, data = "mode=0755,size=4m" },
    { op = "bind", source = launch.busybox, target = launch.busybox, recursive = 0,
      set = sys.MOUNT_ATTR_RDONLY, clear = 0 },
    { op = "mount", source = "proc", target = "/proc", type = "proc", flags = 0 },
  })
end

launch.enter = { { op = "pivot_root" }, { op = "init" } }

--- Standard output and error go to slot "out".
launch.output = { { op = "dup", fd = "out", number = 1 }, { op = "dup", fd = "out", number = 2 } }

--- Run a shell command in a root of its own: the steps before and after entering it, and options.
function launch.shell(stage, command, before, after, options)
  return launch.run(launch.join(launch.root(stage), before or {}, launch.enter, launch.output,
    after or {}, { command }), options)
end

--- What a shell prints in a fresh root below `dir`, which is a support.tmpdir, and how it ended.
function launch.inside(dir, command, before, after, options)
  local ended = launch.shell(dir:mkdir("stage"), command, before, after, options)
  assert(ended.event[1] == "started", table.concat(ended.event, " "))
  return ended.output, ended
end

--- The event of a launch that fails at one of the steps before entering.
function launch.failure(dir, before)
  return launch.shell(dir:mkdir("stage"), "true", before).event
end

return launch
