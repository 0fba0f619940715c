--- Limits, CPUs, clocks, the system's description.

local core <const> = require("luactr.core").sys

---@alias luactr.limit integer|"unlimited"

---@class luactr.sys
local M = {}

--- Soft and hard limit of a resource, "nofile" or RLIMIT_NOFILE; -1 is RLIM_INFINITY.
--- getrlimit(2)
---@type fun(resource: string|integer): integer?, (integer|string)?, integer?
M.getrlimit = core.getrlimit

--- Set the soft and hard limit (the same if only one is given). EPERM: above the hard limit of
--- now. setrlimit(2)
---@type fun(resource: string|integer, soft: luactr.limit, hard?: luactr.limit): true?, string?, integer?
M.setrlimit = core.setrlimit

--- Read, or with values set, a limit of any process; returns soft and hard from before.
--- prlimit(2)
---@type fun(process?: luactr.process_id, resource: string|integer, soft?: luactr.limit, hard?: luactr.limit): integer?, (integer|string)?, integer?
M.prlimit = core.prlimit

--- Let a process run on these CPUs only, a list of numbers from 0. EINVAL: none of them is
--- usable. sched_setaffinity(2)
---@type fun(process?: luactr.process_id, cpus: integer[]): true?, string?, integer?
M.sched_setaffinity = core.sched_setaffinity

--- The CPUs that a process may run on. sched_getaffinity(2)
---@type fun(process?: luactr.process_id): integer[]?, string?, integer?
M.sched_getaffinity = core.sched_getaffinity

--- How many CPUs are online. sysconf(3)
---@type fun(): integer
M.ncpu = core.ncpu

--- Seconds on a clock, "monotonic" if none is named: CLOCK_* as "realtime", "boottime",
--- "process_cputime_id". clock_gettime(2)
---@type fun(clock?: string|integer): number?, string?, integer?
M.clock_gettime = core.clock_gettime

--- Sleep for seconds, in spite of signals. nanosleep(2)
---@type fun(seconds: number): true?, string?, integer?
M.nanosleep = core.nanosleep

--- The system's description: sysname, nodename, release, version, machine, domainname. uname(2)
---@type fun(): table<string, string>?, string?, integer?
M.uname = core.uname

return M
