#!/usr/bin/env luactr
--- A container (section 4 of the article): its own root, its own views, 40 % of a CPU.
--
--   luactr lua/recipes/container.lua [SECONDS]
--
-- chroot.lua, namespaces.lua and cpu-quota.lua in one. bash is PID 1; we type into it through a
-- pipe, as the article's author did in a terminal, and start an endless loop in its background. The
-- process has one number inside and another outside. The quota belongs to the container: one loop
-- gets all 40 %, two loops about 20 % each.
local ctr = require "luactr"

io.stdout:setvbuf("no")
local sys = ctr.sys

local function container(options)
  return ctr.container {
    name = "democontainer",
    rootfs = ctr.rootfs.host { "bash", "ls", "pwd", "ps" },
    mounts = { ctr.file("/bin/eatcpu", "#!/bin/bash\nwhile :; do :; done\n", { mode = "0755" }) },
    hostname = "container",
    limits = { cpu = 0.4, memory = "64M", pids = 64 },
    init = false, -- bash itself is PID 1
    env = { PS1 = "\\h:\\w\\$ " },
    command = { "/bin/bash", "--norc" }, stdin = options.stdin,
  }
end

-- The same processes, seen from both sides. Returns the loops.
local function show_processes(box)
  local loops, depth = {}, { [0] = 0 }
  print(string.format("\n  %-20s outside\n  %-20s %d luactr", "inside", "", sys.getpid()))
  for _, process in ipairs(box:processes()) do -- parents before children
    depth[process.pid] = depth[process.parent] + 1
    local branch = ("  "):rep(depth[process.pid] - 1)
    print(string.format("  %-20s %s%d %s", branch .. process.pid .. " " .. process.command,
      "  " .. branch, process.host_pid, process.command))
    if process.command == "eatcpu" then
      table.insert(loops, process)
    end
  end
  return loops
end

local function used_by(process)
  local file <close> = assert(io.open("/proc/" .. process.host_pid .. "/stat"))
  local user, system = file:read("a"):match("^.*%)" .. (" %S+"):rep(11) .. " (%d+) (%d+)")
  return (user + system) / 100 -- clock ticks, proc(5)
end

local function show_usage(box, loops, seconds)
  local before, cpu, began = {}, box:stats().cpu_seconds, sys.clock_gettime()
  for i, loop in ipairs(loops) do
    before[i] = used_by(loop)
  end
  sys.nanosleep(seconds)
  local elapsed = sys.clock_gettime() - began
  for i, loop in ipairs(loops) do
    print(string.format("  loop %d (outside %d): %4.1f %%", loop.pid, loop.host_pid,
      100 * (used_by(loop) - before[i]) / elapsed))
  end
  print(string.format("  the container:         %4.1f %% of a CPU, limit 40 %%",
    100 * (box:stats().cpu_seconds - cpu) / elapsed))
end

local reader, writer = sys.pipe()
local box <close> = container { stdin = reader }
assert(box:start())
for count = 1, 2 do
  sys.write(writer, "eatcpu &\n")
  sys.nanosleep(0.5)
  local loops = show_processes(box)
  assert(#loops == count, "a loop did not start")
  show_usage(box, loops, tonumber(arg and arg[1]) or 3)
end
writer:close() -- the end of its input ends bash, and bash as PID 1 ends all
box:wait()

if sys.isatty(0) and sys.isatty(1) then
  print("\nThe same container for you: try ps -ef, ls /, hostname, eatcpu &; exit leaves it.")
  return container {}
end
