--- What luactr does with a signal that it got while it stands for a container's command.
local sys <const> = require("luactr.core").sys

local M = {}

--- Stop luactr, as the shell expects it after Ctrl-Z, and the container with it. TSTP alone would
--- not do that: the container's sessions have no shell, so the kernel ignores its default action.
local function stop_both(run)
  if run.cgroup then
    run.cgroup:freeze()
  end
  sys.kill(sys.getpid(), sys.signals.STOP)
  if run.cgroup then
    run.cgroup:thaw()
  end
end

-- With a terminal of its own, keys reach the container as bytes; these come from outside.
local WITH_TERMINAL <const> = {
  WINCH = function(run) run.relay:resize() end,
  TSTP = function(run)
    run.relay:suspend(function() stop_both(run) end)
  end,
  CONT = function() end,
}

local WITHOUT <const> = {
  TSTP = function(run)
    run.process:signal(sys.signals.TSTP) -- for a command that prepares itself
    stop_both(run)
  end,
}

-- In CLI mode luactr stands for the command: what it is sent is meant for that.
local FORWARDED <const> = { "INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH", "TSTP", "CONT" }

--- Take these signals from now on: they are blocked, so that none is lost and none ends luactr
--- half-way.
---@return luactr.signals?
---@return string? message
---@return integer? errno
function M.take()
  local numbers = {}
  for i, name in ipairs(FORWARDED) do
    numbers[i] = sys.signals[name]
  end
  return require("luactr.core").supervise.signals(numbers)
end

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
