#!/usr/bin/env luactr
--- A container (section 4 of the article): its own root, its own views, 40 % of a CPU.
--
--   luactr lua/recipes/container.lua [SECONDS [NAME]]
--
-- chroot.lua, namespaces.lua and cpu-quota.lua in one. bash is PID 1; we type into it through a
-- pipe and start an endless loop in its background, then another. Each process has one number
-- inside and one outside. The quota is the container's: one loop gets all 40 %, two about 20 %
-- each.
local ctr = require "luactr"

io.stdout:setvbuf("no")
local sys, seconds, name = ctr.sys, tonumber(arg and arg[1]) or 3, arg and arg[2]

local function container(stdin)
  return ctr.container {
    name = name or "democontainer",
    rootfs = ctr.rootfs.host { "bash", "ls", "pwd", "ps" },
    mounts = { ctr.file("/bin/eatcpu", "#!/bin/bash\nwhile :; do :; done\n", { mode = "0755" }) },
    hostname = "container",
    limits = { cpu = 0.4, memory = "64M", pids = 64 },
    init = false, -- bash itself is PID 1
    env = { PS1 = "\\h:\\w\\$ " },
    command = { "/bin/bash", "--norc" }, stdin = stdin,
  }
end

-- The same processes, seen from both sides; parents come before children.
local function show_processes(box)
  local depth = { [0] = 0 }
  print(string.format("\n  %-20s outside\n  %-20s %d luactr", "inside", "", sys.getpid()))
  for _, process in ipairs(box:processes()) do
    depth[process.pid] = depth[process.parent] + 1
    local indent, command = ("  "):rep(depth[process.pid]), process.command
    print(string.format("%-22s %s%d %s", indent .. process.pid .. " " .. command, indent,
      process.host_pid, command))
  end
end

-- CPU seconds used so far: of the container, and of each loop by its number inside.
local function used(box)
  local list = { container = box:stats().cpu_seconds }
  for _, process in ipairs(box:processes()) do
    if process.command == "eatcpu" then
      local file <close> = assert(io.open("/proc/" .. process.host_pid .. "/stat"))
      local user, system = file:read("a"):match("^.*%)" .. (" %S+"):rep(11) .. " (%d+) (%d+)")
      table.insert(list, { pid = process.pid, seconds = (user + system) / 100 }) -- ticks, proc(5)
    end
  end
  return list
end

local function show_shares(box)
  local before, began = used(box), sys.clock_gettime()
  sys.nanosleep(seconds)
  local after, percent = used(box), 100 / (sys.clock_gettime() - began)
  for i, loop in ipairs(after) do
    local share = (loop.seconds - before[i].seconds) * percent
    print(string.format("  loop %d: %.1f %%", loop.pid, share))
  end
  print(string.format("  the container: %.1f %% of a CPU, limit 40 %%",
    (after.container - before.container) * percent))
end

local reader, writer = sys.pipe()
local box <close> = container(reader)
assert(box:start())
for count = 1, 2 do
  writer:write("eatcpu &\n")
  repeat sys.nanosleep(0.05) until #used(box) == count
  show_processes(box)
  show_shares(box)
end
writer:close() -- the end of its input ends bash, and bash as PID 1 ends all
box:wait()

if sys.isatty(0) and sys.isatty(1) then
  print("\nThe same container for you: try ps -ef, ls /, hostname, eatcpu &; exit leaves it.")
  return container()
end
