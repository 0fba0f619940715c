--- What luactr does with a signal that it got while it stands for a container's command.
local sys <const> = require("luactr.core").sys

local M = {}

local function stop_ourselves()
  sys.kill(sys.getpid(), sys.signals.STOP)
end

-- With a terminal of its own, keys reach the container as bytes; these come from outside.
local WITH_TERMINAL <const> = {
  WINCH = function(run) run.relay:resize() end,
  TSTP = function(run) run.relay:suspend(stop_ourselves) end,
  CONT = function() end,
}

local WITHOUT <const> = {
  -- Ctrl-Z: the shell expects that we stop; the command stops with us if it wants to.
  TSTP = function(run)
    run.process:signal(sys.signals.TSTP)
    stop_ourselves()
  end,
}

---@param run luactr.run
---@param number integer
function M.signal(run, number)
  local row = (run.relay and WITH_TERMINAL or WITHOUT)[sys.signame(number)]
  if row then
    row(run)
  else
    run.process:signal(number)
  end
end

return M
