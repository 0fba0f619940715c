#!/usr/bin/env luactr
-- Images on a union mount: containers of one image share its layers and nothing else; what one of
-- them has written becomes a layer of another image.
--
--   luactr lua/recipes/image.lua alpine
--
-- The layers are unpacked once and only read. Each container has a directory of its own on top of
-- them, in memory, that takes what it writes: so the second one does not see the file of the first,
-- and the image stays as it is. Commit packs that directory, whatever the size of the image.

local ctr = require "luactr"

local name = ... or error("which image?  luactr lua/recipes/image.lua IMAGE", 0)
local changed = name:gsub(":[^:/]*$", "") .. ":changed"

local function started(image)
  local box = ctr.container { rootfs = ctr.image(image), user = 0, stdin = "null",
    entrypoint = { "/bin/sh", "-c" }, command = { "trap exit TERM; while :; do sleep 1; done" } }
  assert(box:start())
  return box
end

local function shell(box, script)
  local result = assert(box:exec { command = { "/bin/sh", "-c", script }, stdout = "capture" })
  return (result.stdout:gsub("%s+$", ""))
end

local look <const> = "cat /note 2>/dev/null || echo nothing"

do
  local first <close> = started(name)
  shell(first, "echo hello >/note")
  print("the first has written:  " .. shell(first, look))
  for _, change in ipairs(assert(first:diff())) do
    print("  " .. change.kind .. " " .. change.path)
  end
  local second <close> = started(name)
  print("the second sees:        " .. shell(second, look))
  assert(first:commit(changed, { message = "a note" }))
end

local third <close> = started(changed)
print("one of the new image:   " .. shell(third, look))
third:close()

local store <close> = assert(ctr.image.store { write = true })
store:remove(changed)
store:gc()
