--- The trace of `-v` and LUACTR_LOG: each step of a launch with its time, on stderr.
local M = {}

local log = os.getenv("LUACTR_LOG")

--- Whether launches are traced. The command line sets it for -v.
M.enabled = log ~= nil and log ~= "" and log ~= "0"

local MICROSECONDS <const> = 1e6

--- Print the steps that a launch has carried out: microseconds since the first, number, words.
---@param plan luactr.plan
---@param process luactr.process
function M.steps(plan, process)
  local explain = require "luactr.explain"
  local first
  for number, step in ipairs(plan.steps) do
    local began = process:step_time(number)
    if not began then
      return
    end
    first = first or began
    io.stderr:write(string.format("luactr: %6d us  step %d of %d: %s\n",
      math.floor((began - first) * MICROSECONDS), number, #plan.steps, explain.sentence(step)))
  end
end

return M
