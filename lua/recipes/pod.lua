#!/usr/bin/env luactr
--- Two containers that belong together: a web server and somebody who asks it.
--
--   luactr lua/recipes/pod.lua           # needs busybox: apt install busybox-static
--
-- The members of a pod share namespaces, here those of the network, the host name and System V IPC:
-- they meet at 127.0.0.1, which no other container and nobody on the host can reach. Root,
-- processes and limits are each one's own; the pod's limits hold for all of them together.
local ctr = require "luactr"

local busybox = ctr.rootfs.host { "busybox" }

local pod <close> = ctr.pod {
  hostname = "web",
  limits   = { memory = "32M", pids = 32 },
  { -- the first one starts first, and is stopped last
    name    = "server",
    rootfs  = busybox,
    mounts  = { ctr.file("/srv/index.html", "served by one container, read by another\n") },
    command = { "busybox", "httpd", "-f", "-p", "127.0.0.1:80", "-h", "/srv" },
  },
  {
    name    = "client",
    rootfs  = busybox,
    stderr  = "null",
    command = { "busybox", "sh", "-c", "echo \"here is $(busybox hostname)\"; "
      .. "until busybox wget -q -O - http://127.0.0.1/; do busybox sleep 0.1; done" },
  },
}
assert(pod:start())
local client = assert(pod.members.client:wait())
local used = assert(pod:stats())
local results = assert(pod:stop()) -- in reverse: of the server only
print(string.format("the client exited with %d, the server was %s", client.exit_code,
  results.server.reason))
print(string.format("together they took %.1f of 32 MiB at the most", used.memory_peak / (1 << 20)))
