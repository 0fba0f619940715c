--- How a container that runs in another process comes to its end: wait for it, stop it, remove what
--- is kept of it. See luactr.container.found.
local core = require "luactr.core"
local found_module = require "luactr.container.found"
local list = require "luactr.state.list"
local poll = require "luactr.poll"
local state = require "luactr.state"

local sys <const> = core.sys
local failure <const>, open_process <const> = found_module.failure, found_module.open_process

local M = {}

local PAUSE <const> = 0.01 -- between looks at what nobody tells of
local PATIENCE <const> = 10 -- for a monitor that has nothing left to wait for

local function poll_for(pidfd, timeout)
  return poll.wait({ { fd = pidfd, events = "r" } }, timeout) > 0
end

--- Until nobody owns the container any more. False when that takes longer.
local function await_owner(found, timeout)
  local pidfd <close> = open_process(found.record.owner)
  return not pidfd or poll_for(pidfd, timeout)
end

--- Removed by somebody, and perhaps followed by another of the same name.
local function is_gone(found)
  local record = list.read(found.host, found.id, "state.json")
  if record then
    return record.created ~= found.record.created
  end
  return not sys.stat(found.host.state_dir .. "/containers/" .. found.id)
end

--- Until act() returns something; nil when that takes too long.
local function retry(act)
  local deadline = sys.clock_gettime() + PATIENCE
  repeat
    local result, err = act()
    if result or err then
      return result, err
    end
    poll.sleep(PAUSE)
  until sys.clock_gettime() > deadline
end

--- The result of one that has ended: a killed monitor leaves it to us, or to another luactr that is
--- at it just now. Nothing when it is not there yet.
local function settled(found)
  state.sweep(found.host)
  local result = found:result()
  if result then
    return result
  end
  local name = require("luactr.container.rename").current(found)
  if name and name ~= found.id then
    found.id = name
    return M.wait(found)
  elseif is_gone(found) then
    return failure(found, "ENOENT", "wait for", "it was removed")
  end
end

--- on.exit has its time, too, if that does not take for ever.
local function await_callbacks(found, deadline)
  if found.record.callbacks then
    local left = deadline and math.max(deadline - sys.clock_gettime(), 0) or PATIENCE
    require("luactr.container.companion").await(found, math.min(left, PATIENCE))
  end
end

---@param found luactr.found
---@param timeout? number seconds
---@return luactr.result?
---@return luactr.error?
function M.wait(found, timeout)
  local record, deadline = found.record, timeout and sys.clock_gettime() + timeout
  if found:state() ~= "exited" then
    -- The luactr of one in the foreground may live on.
    local process = record.detached and record.owner or record
    local pidfd <close> = open_process(process)
    if pidfd and not poll_for(pidfd, timeout) then
      return failure(found, "ETIMEDOUT", "wait for", "it still runs")
    end
  end
  if not record.detached then
    return failure(found, "ENODATA", "wait for",
      "it ran in the foreground: the luactr there has the result")
  end
  await_callbacks(found, deadline)
  local result, err = retry(function() return settled(found) end)
  if result or err then
    return result, err
  end
  return failure(found, "EBUSY", "wait for", "another luactr holds it")
end

---@param found luactr.found
---@param signal string|integer that asks it to end
---@param timeout number seconds, until it is made to
---@return luactr.result|true|nil
---@return luactr.error?
function M.stop(found, signal, timeout)
  local asked, err = found:kill(signal)
  if not asked then
    err.message = string.format("cannot stop %q", found.id)
    return nil, err
  end
  if found:state() == "paused" then
    found:resume() -- what is frozen takes no signal
  end
  local result
  result, err = found:wait(timeout)
  if not result and err.code == "ETIMEDOUT" then
    found:kill("KILL")
    result, err = found:wait()
  end
  if not result and err.code == "ENODATA" then
    return true
  end
  return result, err
end

--- Others hold it for a moment when they look whether anybody owns it; who ran it in the foreground
--- cleans up.
local function take_away(found)
  if is_gone(found) then
    return true
  elseif state.remove(found.host, found.id) then
    require("luactr.container.events").add(found.host, found.id, "rm")
    return true
  end
end

--- Its monitor is at work, and may start it again.
local function comes_again(found)
  local word = found.record.restart and found:state()
  return (word == "restarting" or word == "stopping") and "it is to be started again"
end

---@param found luactr.found
---@param options { force?: boolean }
---@return boolean? done
---@return luactr.error?
function M.remove(found, options)
  local why = found:is_running() and "it is running" or comes_again(found)
  if why then
    if not options.force then
      return failure(found, "EBUSY", "remove", why,
        string.format("luactr stop %s, or luactr rm -f %s", found.id, found.id))
    end
    found:kill("KILL")
  end
  if found.record.detached and found:state() ~= "exited" and not await_owner(found, PATIENCE) then
    return failure(found, "EBUSY", "remove", "its monitor is still at work")
  end
  if found.record.callbacks then
    require("luactr.container.companion").finish(found, PATIENCE)
  end
  if retry(function() return take_away(found) end) then
    return true
  end
  return failure(found, "EBUSY", "remove", "another luactr holds it")
end

return M
