-- System calls that this host has but a spec does without: a seccomp filter answers for the kernel.
-- What runs beneath it, its children too, meets an older kernel (ENOSYS) or a stricter container
-- round it (EPERM).
--
--   support.luactr { "box.lua", without = { "openat2", "fsopen" } }
--   without({ "openat2" }, function() ... end)            -- in a child of the spec
--   without({ "openat2", EPERM = { "clone3" } }, ...)     -- another answer than ENOSYS
--
-- A process that is not root gives up set-user-id programs (no_new_privs) on the way.

local lfs = require("lfs")
local core = require("luactr.core")
local inside = require("support.inside")

local sys = core.sys

local without = {}

--- All calls that luactr has another way for, or a reason to fail that it names.
without.newer = {
  "openat2", "fsopen", "fsconfig", "fsmount", "open_tree", "move_mount", "mount_setattr",
}

local LOAD <const>, EQUAL <const>, RETURN <const> = 0x20, 0x15, 0x06
local ALLOW <const>, ERRNO <const> = 0x7fff0000, 0x00050000
local ROW <const> = "<I2BBI4" -- struct sock_filter

local function rows_of(list, errno)
  local rows, numbers = {}, require("luactr.spec.seccomp.syscalls").abis()[1].numbers
  for i, name in ipairs(list) do
    local number = assert(numbers[name], name)
    rows[i] = ROW:pack(EQUAL, 0, 1, number) .. ROW:pack(RETURN, 0, 0, ERRNO | errno)
  end
  return table.concat(rows)
end

--- The filter as core.sys.seccomp takes it. Lists by errno; the list's own items get ENOSYS.
function without.filter(calls)
  local parts = { ROW:pack(LOAD, 0, 0, 0), rows_of(calls, sys.errno.ENOSYS) }
  for errno, list in pairs(calls) do
    if type(errno) == "string" then
      parts[#parts + 1] = rows_of(list, assert(sys.errno[errno], errno))
    end
  end
  parts[#parts + 1] = ROW:pack(RETURN, 0, 0, ALLOW)
  return table.concat(parts)
end

--- Take the calls from this process, for good.
function without.install(calls)
  if not sys.seccomp(without.filter(calls)) then
    assert(sys.no_new_privs())
    assert(sys.seccomp(without.filter(calls)))
  end
end

-- "ENOSYS=openat2,fsopen;EPERM=clone3", which crosses an exec
local function text_of(calls)
  local parts = { "ENOSYS=" .. table.concat(calls, ",") }
  for errno, list in pairs(calls) do
    if type(errno) == "string" then parts[#parts + 1] = errno .. "=" .. table.concat(list, ",") end
  end
  return table.concat(parts, ";")
end

local function calls_of(text)
  local calls = {}
  for errno, names in text:gmatch("(%w+)=([^;]*)") do
    calls[errno] = {}
    for name in names:gmatch("[^,]+") do table.insert(calls[errno], name) end
  end
  return calls
end

--- The end of wrap(), in the new process: take the calls away and become the program.
function without.become(text, ...)
  without.install(calls_of(text))
  error(select(2, sys.exec("/usr/bin/env", { "env", ... })))
end

-- The program may start in another directory.
local function absolute(path)
  return (path:gsub("[^;]+", function(template)
    return template:sub(1, 1) == "/" and template or lfs.currentdir() .. "/" .. template
  end))
end

--- The argument list `argv` with what takes the calls away at its end: a command is to follow.
function without.wrap(calls, argv)
  local setup = ("package.path, package.cpath = %q, %q"):format(absolute(package.path),
    absolute(package.cpath))
  local words = { "lua5.4", "-e", setup, "-e",
    "require('support.without').become(table.unpack(arg))", "/dev/null", text_of(calls) }
  return table.move(words, 1, #words, #argv + 1, argv)
end

return setmetatable(without, {
  --- Run a function of the spec beneath the filter, in a child; its failure is the spec's.
  __call = function(_, calls, main)
    inside({}, function()
      without.install(calls)
      main()
    end)
  end,
})
