--- Check a container's health again and again, while this program waits for anything.
local core = require "luactr.core"
local machine = require "luactr.health"
local poll = require "luactr.poll"

local sys <const> = core.sys

local M = {}

local LONGEST_MESSAGE <const> = 500 -- bytes of a check's output that are kept

-- ---- one check

local function brief(text)
  return text and text:sub(1, LONGEST_MESSAGE):gsub("%s+$", "") or nil
end

--- By a command in the container: whether it exits with 0, and what it printed. Events tell of
--- what comes of it, not of each.
local function run_command(box, words)
  local command <close> = box:command { command = words, stdin = "null", stdout = "capture",
    stderr = "stdout" }
  command.quiet = true
  local result, err = command:run()
  if not result then
    return false, tostring(err)
  end
  return result.exit_code == 0, brief(result.stdout)
end

local function run_check(box, config)
  if config.command then
    return run_command(box, config.command)
  end
  local fine, message = config.check(box)
  return fine and true or false, message ~= nil and tostring(message) or nil
end

--- In a task of its own, which ends with its time.
local function check(box, config)
  local task <close> = require("luactr.loop.task").watched(function()
    return run_check(box, config)
  end)
  local fine, message = task:wait(config.timeout)
  if fine == nil then
    local err = message
    return false, err.code == "ETIMEDOUT" and string.format("no answer in %gs", config.timeout)
      or brief(err.message)
  end
  return fine, message
end

-- ---- one life

local function publish(box, run)
  require("luactr.state.list").write(run.host, box.id, "health.json", run.health)
end

--- One that is paused does nothing, and is not ill for it.
local function is_paused(box)
  return box.record ~= nil and box:state() == "paused"
end

local function look(box, run, config)
  local fine, message = check(box, config)
  if box.life ~= run or not fine and is_paused(box) then
    return
  end
  local from = machine.step(run.health, config, { fine = fine, message = message,
    time = sys.clock_gettime("realtime"), age = sys.clock_gettime() - run.started })
  publish(box, run)
  poll.tell(run.checked)
  if from and run.announce then
    run.announce(box, from, run.health)
  end
  if from and run.callbacks then
    run.callbacks:call("health", box.spec.on.health, { name = "health", from = from,
      state = run.health.state, failures = run.health.failures, message = message })
  end
end

local function watch(box, run)
  local config = box.spec.health
  while box.life == run do
    poll.sleep(machine.pause(run.health, config))
    if box.life == run and not is_paused(box) then
      look(box, run, config)
    end
  end
end

--- Begin with the checks of a container that has started; they end with it.
---@param box luactr.container
---@param run luactr.run
---@param host luactr.host
function M.begin(box, run, host)
  run.health, run.host, run.checked = machine.new(), host, poll.event()
  publish(box, run)
  local task = require("luactr.loop.task").companion(function() watch(box, run) end)
  run:own { close = function() task:cancel() end }
end

local function failure(box, code, cause)
  return nil, require("luactr.error").new {
    code = code, errno = sys.errno[code], op = "wait", checked = true, cause = cause,
    message = string.format("%q is not healthy", box.id),
  }
end

--- See luactr.container's wait_healthy.
---@param box luactr.container
---@param timeout? number seconds
---@return boolean? healthy
---@return luactr.error?
function M.await(box, timeout)
  local run = box.life
  local deadline = timeout and sys.clock_gettime() + timeout
  while box.life == run and run.health.state ~= "healthy" do
    local left = deadline and deadline - sys.clock_gettime()
    if left and left <= 0 then
      local last = run.health.last
      return failure(box, "ETIMEDOUT", last and last.message or "no check has ended yet")
    end
    poll.wait({ { event = run.checked }, { event = run.job.changed } }, left)
  end
  if box.life ~= run then
    return failure(box, "ESRCH", "it has ended")
  end
  return true
end

return M
