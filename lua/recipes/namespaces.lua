#!/usr/bin/env luactr
--- Views of its own (section 2.2 of the article).
--
--   luactr lua/recipes/namespaces.lua
--
-- A namespace gives a process its own view of one thing: mounts, host name, System V IPC, process
-- numbers, network, cgroups. /proc/PID/ns names each by an inode, so two processes share a
-- namespace exactly if the numbers are the same. Without `init = false` luactr's own small init
-- would be PID 1 and bash 2.
local ctr = require "luactr"

io.stdout:setvbuf("no") -- the container writes to the same place
local sys = ctr.sys

local function container(options)
  return ctr.container {
    rootfs = ctr.rootfs.host { "bash", "hostname", "ps" },
    hostname = "container",
    init = false,
    env = { PS1 = "\\h:\\w\\$ " },
    command = options.command, stdin = options.stdin,
  }
end

local before = sys.uname().nodename
local reader, writer = sys.pipe()
local box <close> = container {
  command = { "/bin/bash", "-c", [[read # until the other side has looked at us
    echo "  inside:  bash has the pid $$, the host name is $(hostname); ps sees"
    ps -e -o pid,comm | while read -r line; do echo "             $line"; done]] },
  stdin = reader,
}
assert(box:start())

print("namespace  host         container")
for _, kind in ipairs { "mnt", "uts", "ipc", "pid", "net", "cgroup", "user" } do
  local host = sys.readlink("/proc/self/ns/" .. kind):match("%d+")
  local own = sys.readlink("/proc/" .. box:pid() .. "/ns/" .. kind):match("%d+")
  print(string.format("%-9s  %-11s  %-11s  %s", kind, host, own, host == own and "shared" or "new"))
end

print(string.format("\n  outside: luactr has the pid %d, bash %d", sys.getpid(), box:pid()))
sys.write(writer, "\n")
writer:close()
assert(box:wait())
print(string.format("  outside: the host name was %s and is %s", before, sys.uname().nodename))

if sys.isatty(0) and sys.isatty(1) then
  print("\nA shell in such a container; exit leaves it.")
  return container { command = { "/bin/bash", "--norc" } }
end
