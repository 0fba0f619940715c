--- Recipes that have several things to do: a group that one returned, tasks that it left.
local cli = require "luactr.cli"
local poll = require "luactr.poll"

local M = {}

local SIGNAL_BASE <const> = 128

--- The status after a signal that was not a container's; nil for other errors.
---@param err luactr.error
---@return integer?
function M.status_of_signal(err)
  return err.code == "EINTR" and err.signal and SIGNAL_BASE + err.signal or nil
end

-- ---- a group in the foreground

--- Pass a signal on to all containers of a group; whether there is one.
local function forward(group, number)
  local taken = false
  for _, item in ipairs(group.items) do
    if require("luactr.loop.group").is(item) then
      taken = forward(item, number) or taken
    elseif require("luactr.container").is(item) and item.life then
      require("luactr.forward").signal(item.life, number)
      taken = true
    elseif require("luactr.pod").is(item) and item.life then
      item:kill(number)
      taken = true
    end
  end
  return taken
end

--- The first signal asks the containers to end, the next one ends them.
local function forward_once(group)
  local asked = false
  return function(number)
    local taken = not asked and forward(group, number)
    asked = true
    return taken
  end
end

--- The status of the first that did not end well; `finish_one` tells what there is to be told.
---@param group luactr.group
---@param finish_one fun(result: luactr.result): integer
---@return { results: table }? record
---@return integer|luactr.error status or why there is none
function M.run_group(group, finish_one)
  require("luactr.loop").guard(forward_once(group))
  local fine, results, err, rest = pcall(group.wait, group)
  if not fine then
    return nil, require("luactr.raised").object(results)
  end
  local status, records = 0, {}
  results = results or rest or {}
  for i, item in ipairs(group.any and {} or group.items) do
    if require("luactr.container").is(item) then
      records[#records + 1] = results[i]
      local own = finish_one(results[i])
      status = status == 0 and own or status
    end
  end
  if err and not group.any and status == 0 then
    return nil, err
  end
  return { results = records }, status
end

-- ---- what a program has left

--- Go on until the tasks have ended.
---@return luactr.error?
function M.run_tasks()
  local fine, err = pcall(poll.loop.run)
  return not fine and require("luactr.raised").object(err) or nil
end

--- From here on signals are somebody else's: a container's in the foreground.
function M.release_signals()
  poll.guarded = false
  poll.loop.unguard()
end

--- End the tasks. The status: luactr's failure if one ended by an error that nobody saw.
---@param status integer
---@return integer
function M.close(status)
  poll.loop.close()
  M.release_signals()
  local failures = require("luactr.loop.task").failures
  return status == 0 and failures > 0 and cli.FAILED or status
end

return M
