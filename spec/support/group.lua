-- Processes in cgroups, for specs that have no need of a container.

local core = require("luactr.core")
local support = require("support")

local sys = core.sys

local group = {}

local function enter(handle)
  for _, directory in ipairs(handle:paths()) do
    support.write(directory.path .. "/cgroup.procs", "0")
  end
end

--- A child inside the group that does `work` and ends with the number it returns. `close` ends it.
function group.child(handle, work)
  return assert(sys.clone({}, function()
    enter(handle)
    return work()
  end))
end

--- The same, waited for: its exit code, or nil and the signal that ended it.
function group.run(handle, work)
  local child <close> = group.child(handle, work)
  local how = assert(sys.waitid(child))
  return how.code, how.signal
end

--- Wait until `condition` holds; false after `seconds`.
function group.eventually(condition, seconds)
  local deadline = sys.clock_gettime("CLOCK_MONOTONIC") + (seconds or 120)
  while not condition() do
    if sys.clock_gettime("CLOCK_MONOTONIC") > deadline then return false end
    sys.nanosleep(0.01)
  end
  return true
end

return group
