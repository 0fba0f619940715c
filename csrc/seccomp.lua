-- Build step: compile a seccomp profile that ships to the bytes that the module carries.
--
--   lua5.4 seccomp.lua SOURCE_ROOT SYSCALLS PROFILE OUTPUT
--
-- SYSCALLS is what csrc/syscalls.c wrote. Only pure files of the library are used here:
-- luactr.core, which contains the result, does not exist yet.

local source_root, syscalls, name, output = arg[1], arg[2], arg[3], arg[4]

package.path = source_root .. "/?.lua;" .. source_root .. "/?/init.lua"

local file <close> = assert(io.open(syscalls))
local text = file:read("a")

package.loaded["luactr.core"] = {
  seccomp = { table = function() return text end },
  sys = { errno = { EPERM = 1, ENOSYS = 38 } }, -- the names that profiles use
}

local seccomp = require("luactr.security.seccomp")
local program, problems = seccomp.compile(seccomp.base(name))
assert(program, problems and problems[1].message)

local result <close> = assert(io.open(output, "wb"))
assert(result:write(program))
