-- Build step: compile the default seccomp profile to the bytes that the module carries.
--
--   lua5.4 seccomp.lua SOURCE_ROOT STAGE_MODULE OUTPUT
--
-- STAGE_MODULE is a shared object with l_seccomp.c in it and little else: luactr.core proper
-- cannot compile the profile, since it contains the result.

local source_root, stage, output = arg[1], arg[2], arg[3]

package.path = source_root .. "/?.lua;" .. source_root .. "/?/init.lua"

local function open(name)
  return assert(package.loadlib(stage, name))()
end

open("l_open_fd")
-- The profile's errno names are checked by the builder.
local any_name = setmetatable({}, { __index = function(_, name) return name end })
package.loaded["luactr.core"] = { seccomp = open("l_open_seccomp"), sys = { errno = any_name } }

local profile = require("luactr.security.default_profile")
local program, problems = require("luactr.security.seccomp").compile(profile)
if not program then
  for _, problem in ipairs(problems) do
    io.stderr:write(problem.path, ": ", problem.message, "\n")
  end
  os.exit(1)
end

local file <close> = assert(io.open(output, "wb"))
assert(file:write(program))
