#!/usr/bin/env luactr
--- A container that goes on without the program that starts it.
--
--   luactr lua/recipes/background.lua
--
-- Its parent is a monitor: a small process that keeps the log, enforces the limits of time and
-- output, and writes down how the container ended. Whoever knows the name finds it, from any
-- process: `luactr ps`, `logs`, `pause`, `stop` and so on are the methods used here.
local ctr = require "luactr"

local box = ctr.container {
  rootfs = ctr.rootfs.host { "sh", "sleep" },
  command = { "sh", "-c", "trap 'echo bye; exit 3' TERM; n=0; "
    .. "while :; do n=$((n+1)); echo line $n; sleep 0.05; done" },
}
local started = assert(box:start { detach = true })
print("it runs in the background, PID 1 is " .. started:pid() .. " on the host")

local found = assert(ctr.find(started.id)) -- as another process would
for record in found:logs { follow = true } do
  print(record.stream .. ": " .. record.text)
  if record.text == "line 3" then
    break
  end
end

local result = assert(found:stop())
print(string.format("it was asked to end and exited with %d, after %.1f s", result.exit_code,
  result.wall_seconds))
assert(found:remove()) -- the log and the record are kept until then
