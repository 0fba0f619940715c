--- The field `health`: how to find out whether a container does what it is for. Pure.
local check = require "luactr.check"

local M = {}

local values <const> = {
  command = check.list(check.string { empty = true }, { what = "list of strings", min = 1,
    hint = "{ \"program\", \"argument\" } (there is no shell in between)" }),
}

local FASTEST <const> = 1 -- default of start_interval

local health <const> = check.record {
  { name = "command", type = values.command,
    help = "program and arguments, run in the container: healthy if it exits with 0" },
  { name = "check", type = check["function"](),
    help = "in place of a command, `function(box)`: healthy if it returns a true value" },
  { name = "interval", type = check.time(), default = 30, help = "from one check to the next" },
  { name = "start_interval", type = check.time(),
    default_text = "1s, or interval if that is less",
    help = "the same until the first success" },
  { name = "timeout", type = check.time(), default = 30,
    help = "a check that takes longer has failed" },
  { name = "retries", type = check.integer { min = 1, max = 1000 }, default = 3,
    help = "failures in a row that make it unhealthy" },
  { name = "start_period", type = check.time(), default = 0,
    help = "after the start failures do not count, until a check succeeds" },
}

M.fields = health.fields

--- -> the record with all defaults
function M.health(value, path, problems)
  local result = problems:check(health, value, path)
  if not result then
    return nil
  elseif (result.command == nil) == (result.check == nil) then
    return problems:add(path, "a command or a check expected, and not both")
  elseif result.interval <= 0 or result.timeout <= 0 then
    return problems:add(path .. (result.interval <= 0 and ".interval" or ".timeout"),
      "more than 0 expected")
  end
  result.start_interval = result.start_interval or math.min(FASTEST, result.interval)
  return result
end

return M
