#!/usr/bin/env luactr
--- System calls that the recipe answers: a fake uname, a disk that is full at the third write, a
--- network that only leads where a list allows.
--
--   luactr lua/recipes/syscalls.lua
--
-- The filter hands the named calls to luactr (seccomp_unotify(2)). The program sleeps until the
-- function here returns a number, nil and an errno, or "continue"; it cannot tell the answer from
-- the kernel's own. connect is made in the program's place: with "continue" another thread could
-- exchange the address between the look at it and the kernel's reading it again.
local ctr = require "luactr"

local function try(title, script, notify)
  local result = assert(ctr.run {
    rootfs = ctr.rootfs.host { "bash", "uname" },
    command = { "bash", "-c", script },
    stdout = "capture", stderr = "stdout",
    seccomp = { notify = notify },
  })
  print(title .. "\n  " .. result.stdout:gsub("\n(.)", "\n  %1"))
end

try("uname", "uname -sr", {
  uname = function(call) -- six fields of 65 bytes: system, node, release, version, machine, domain
    local fields = { "Minix", "attic", "1.5", "#1 1991", "i286", "" }
    return call:write(call.args[0], string.pack(("c65"):rep(6), table.unpack(fields))) and 0
  end,
})

local writes = 0
try("write", "for n in 1 2 3 4; do echo line $n; done", {
  write = { args = { { index = 0, op = "==", value = 1 } }, handler = function()
    writes = writes + 1
    if writes == 3 then return nil, "ENOSPC" end
    return "continue"
  end },
})

local AF_INET <const>, ALLOWED <const> = 2, { ["127.0.0.1:8080"] = true }
try("connect", "for p in 80 8080; do : < /dev/tcp/127.0.0.1/$p; done", {
  connect = function(call)
    local address = call:read(call.args[1], math.min(call.args[2] & 0xffffffff, 128))
    if not address or #address < 8 then return nil, "EFAULT" end
    local family, port, a, b, c, d = string.unpack("=I2>I2BBBB", address)
    local name = string.format("%d.%d.%d.%d:%d", a, b, c, d, port)
    if family ~= AF_INET or not ALLOWED[name] then return nil, "EACCES" end
    return call:connect(address) -- nobody listens there: the kernel refuses that one
  end,
})
