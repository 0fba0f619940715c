#!/usr/bin/env luactr
--- A union mount: directories that look like one, as the layers of an image do.
--
--   luactr lua/recipes/overlay.lua
--
-- Of two files of one name the one in the upper layer is seen. What the container writes goes to a
-- layer of its own; a file that it removes is only covered, by a device node with the number 0:0,
-- and the layers below stay as they are: many containers can share them.
local ctr = require "luactr"

io.stdout:setvbuf("no")
local sys = ctr.sys
local top = "/tmp/luactr-overlay-" .. sys.getpid()

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text, "\n")
end

local function make_layers()
  for _, name in ipairs { "", "/base", "/patch", "/written", "/work" } do
    assert(sys.mkdir(top .. name, "0700"))
  end
  write(top .. "/base/one", "one, of the base")
  write(top .. "/base/two", "two, of the base")
  write(top .. "/patch/two", "two, of the patch")
end

local function remove(path)
  for _, entry in ipairs(sys.readdir(path) or {}) do
    if entry.type == "directory" then
      remove(path .. "/" .. entry.name)
    else
      sys.unlink(path .. "/" .. entry.name)
    end
  end
  sys.rmdir(path)
end

local function show(name)
  print("\nin " .. name .. ":")
  for _, entry in ipairs(sys.readdir(top .. "/" .. name)) do
    print("  " .. entry.name, entry.type)
  end
end

local _ <close> = setmetatable({}, { __close = function() remove(top) end })
make_layers()
assert(ctr.run {
  rootfs = ctr.rootfs.host { "bash", "cat", "ls", "rm" },
  mounts = { ctr.overlay("/data", { lower = { top .. "/patch", top .. "/base" },
    upper = top .. "/written", work = top .. "/work" }) },
  command = { "/bin/bash", "-c", [[
    cat /data/one /data/two
    rm /data/one
    echo three >/data/three
    echo "left: $(cd /data; echo *)"]] },
})
show "written"
show "base"
