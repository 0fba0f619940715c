--- Start a pod whose members live on without this process, each with a monitor of its own.
--
-- All members have started before the first of them is left to its monitor: until then they end
-- with this process, and a start that fails takes all of them back.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

--- Ask one that is not left to its monitor yet to end; without an answer in time it is made to.
local function take_back(box, run)
  local pidfd <close> = sys.pidfd_open(run.process:pid())
  if pidfd and sys.pidfd_send_signal(pidfd, box.spec.stop_signal) then
    core.supervise.poll({ { fd = pidfd, events = "r" } }, box.spec.stop_timeout)
  end
  run:close()
end

local function begin(pod, life, host)
  local runs = {}
  for i, box in ipairs(pod.members) do
    local run, err = require("luactr.container.detach").begin(box, host, {
      detach = true, pod = require("luactr.pod.life").membership(pod, life, i),
    })
    runs[i] = run
    local started = run
    if run then
      started, err = life:started_one(pod, i, run.process:pid())
    end
    if not started then
      for k = #runs, 1, -1 do
        take_back(pod.members[k], runs[k])
      end
      return nil, err:wrap(string.format("pod %q", pod.id))
    end
  end
  return runs
end

--- One monitor that was killed in this moment does not take the others along.
local function commit(pod, runs, host)
  local problem
  for i, box in ipairs(pod.members) do
    local found, err = require("luactr.container.detach").commit(box, runs[i], host)
    problem = problem or not found and err or nil
  end
  return not problem, problem
end

---@param pod luactr.pod
---@param host luactr.host
---@param options luactr.pod.start_options
---@return luactr.pod.found?
---@return luactr.error?
function M.start(pod, host, options)
  local life <close>, err = require("luactr.pod.life").open(pod, host, options)
  local runs = life
  if life then
    runs, err = begin(pod, life, host)
  end
  if not runs then
    return nil, err
  end
  local done
  done, err = commit(pod, runs, host)
  pod.warnings = life.warnings
  life:disown()
  local found = require("luactr.pod.found").find(pod.id, host)
  return done and found, err
end

return M
