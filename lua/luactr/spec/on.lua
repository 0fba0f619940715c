--- The field `on`: functions of the recipe that are called when something happens to its container.
--- Pure.
local check = require "luactr.check"

local M = {}

local fn <const> = check["function"]()

local SHORTEST <const>, LONGEST <const> = 0.5, 10 -- of the kernel, for windows

-- Stalls: how long processes may wait within the window before the callback is told.
local pressure <const> = check.record {
  { name = "call", type = fn, required = true, help = "function(box, event)" },
  { name = "memory", type = check.time(), help = "time that some processes waited for memory" },
  { name = "cpu", type = check.time(), help = "for a CPU (cgroup v2)" },
  { name = "io", type = check.time(), help = "for a disk (cgroup v2)" },
  { name = "window", type = check.time(), default = 2, default_text = "2s",
    help = "within this time, 500ms to 10s; multiples of 2s without CAP_SYS_RESOURCE" },
  { name = "full", type = check.boolean(), default = false,
    help = "count the time in which all processes waited, not some" },
  { name = "level", type = check.enum { "low", "medium", "critical" }, default = "medium",
    help = "what counts for memory on cgroup v1, in the kernel's words" },
  { name = "optional", type = check.boolean(), default = false,
    help = "where the host cannot tell, a warning, not an error" },
}

M.pressure_fields = pressure.fields

local RESOURCES <const> = { "memory", "cpu", "io" }
local DEFAULT_STALL <const> = 0.3

--- Which resources are watched; memory if none is named.
local function with_triggers(value)
  value.triggers = {}
  for _, resource in ipairs(RESOURCES) do
    if value[resource] then
      value.triggers[#value.triggers + 1] = { resource = resource, stall = value[resource] }
    end
  end
  if #value.triggers == 0 then
    value.triggers[1] = { resource = "memory", stall = DEFAULT_STALL * value.window / 2 }
  end
  return value
end

local function check_pressure(value, path, problems)
  if type(value) == "function" then
    value = { call = value }
  end
  local result = problems:check(pressure, value, path)
  if not result then
    return nil
  elseif result.window < SHORTEST or result.window > LONGEST then
    return problems:add(path .. ".window", "%gs to %gs expected", SHORTEST, LONGEST)
  end
  for _, resource in ipairs(RESOURCES) do
    local stall = result[resource]
    if stall and (stall <= 0 or stall > result.window) then
      return problems:add(path .. "." .. resource, "more than 0 and at most the window expected")
    end
  end
  return with_triggers(result)
end

local on <const> = check.record {
  { name = "start", type = fn, help = "`(box)`: its command runs" },
  { name = "exit", type = fn, help = "`(box, result)`: it has ended; in the foreground it may be "
    .. "started again here" },
  { name = "oom", type = fn,
    help = "`(box, event)`: the kernel killed for want of memory, `event.kills` processes so far" },
  { name = "health", type = fn, help = "`(box, event)`: its health is another: `event.state`, "
    .. "`event.from`, `event.message`" },
  { name = "pressure", type = check.custom("function, or table of call, memory, cpu, io ...",
    check_pressure), help = "`(box, event)`: processes wait too much for `event.resource`" },
}

M.fields = on.fields

--- -> { start =, exit =, oom =, health =; pressure = { call =, triggers =, window =, ... } }
function M.on(value, path, problems)
  return problems:check(on, value, path)
end

return M
