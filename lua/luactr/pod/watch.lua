--- Watch all members of a pod at once: a task for each reads what it writes and enforces its limits
--- while the program waits for anything.
local core = require "luactr.core"

local now <const> = core.sys.clock_gettime

local M = {}

--- Watch a member for as long as it lives. The program does not wait for that.
---@param box luactr.container
---@return luactr.task
local function watch(box)
  return require("luactr.loop.task").companion(function()
    return box:wait()
  end)
end

---@param life luactr.pod.life
---@param index integer
---@param box luactr.container
function M.begin_one(life, index, box)
  life.watchers[index] = watch(box)
end

---@param pod luactr.pod
---@param life luactr.pod.life
function M.begin(pod, life)
  life.watchers = {}
  for i, box in ipairs(pod.members) do
    M.begin_one(life, i, box)
  end
end

---@param life luactr.pod.life
function M.close(life)
  for _, watcher in ipairs(life.watchers or {}) do
    watcher:cancel()
  end
end

--- The first watcher, in the pod's order, that is not at its end.
local function unfinished(life)
  for _, watcher in ipairs(life.watchers) do
    if not watcher.done then
      return watcher
    end
  end
end

--- Until every member has ended, those that were started again, too.
---@param life luactr.pod.life
---@param timeout? number seconds
---@return boolean? done
---@return luactr.error?
function M.wait(life, timeout)
  local deadline = timeout and now() + timeout
  local watcher = unfinished(life)
  while watcher do
    local result, err = watcher:wait(deadline and math.max(deadline - now(), 0))
    if not result and err.code ~= "ECANCELED" then -- closed, and ended so
      return nil, err
    end
    watcher = unfinished(life)
  end
  return true
end

return M
