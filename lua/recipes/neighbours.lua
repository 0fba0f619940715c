#!/usr/bin/env luactr
--- Two containers in one program: the server is stopped when its client has ended.
--
--   luactr lua/recipes/neighbours.lua
--
-- `on` has functions that are called when something happens to a container, with the container and
-- what there is to say. They run beside it, so they may wait as well: here for the server's end.
-- `ctr.all` runs both and waits for both. The client learns by a pipe that the server is ready.
local ctr = require "luactr"

local programs = ctr.rootfs.host { "sh", "sleep" }

local server = ctr.container {
  name = "server", rootfs = programs, stdin = "null",
  command = { "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done" },
}

local client = ctr.container {
  name = "client", rootfs = programs, stdin = server:pipe(),
  command = { "sh", "-c", "read word; echo client: the server is $word, and I am done" },
  on = { exit = function(_, result)
    print("the client exited with " .. result.exit_code)
    server:stop()
  end },
}

local results = assert(ctr.all(server, client):wait())
print("the server exited with " .. results[1].exit_code)
