--- Several at once: ctr.all(a, b):wait() and ctr.any(a, b):wait(), of containers, tasks, functions
--- and groups again.
local loop = require "luactr.loop"
local task = require "luactr.loop.task"

local M = {}

---@class luactr.group
---@field items any[]
---@field any? boolean one is enough
---@field tasks? luactr.task[] by item, once it was started
---@field first? integer the item that ended first
local Group = { __name = "luactr.group" }
Group.__index = Group

--- Run one item to its end. A container that runs already is waited for, and stays when the group
--- is closed; one that does not is run, and ends with the group.
local function run_item(item)
  if type(item) == "function" then
    return item()
  elseif type(item) == "table" and item.run and not item.life then
    return item:run()
  end
  return item:wait()
end

local function check_items(call, items)
  if #items == 0 then
    error(call .. ": nothing to wait for", 4)
  end
  for i, item in ipairs(items) do
    local has_wait = (type(item) == "table" or type(item) == "userdata") and item.wait
    if type(item) ~= "function" and not has_wait then
      error(string.format("%s: argument %d: container, task, function or group expected, got %s",
        call, i, require("luactr.check").show(item)), 4)
    end
  end
end

local function new(call, ...)
  local items = table.pack(...)
  if items.n == 1 and type(items[1]) == "table" and not getmetatable(items[1]) then
    items = table.move(items[1], 1, #items[1], 1, {}) -- a plain list
  end
  check_items(call, items)
  return setmetatable({ items = items, any = call == "any" }, Group)
end

--- A group that has ended when all in it have.
---@param ... luactr.container|luactr.found|luactr.task|luactr.group|function|any[] or one list
---@return luactr.group
function M.all(...)
  return new("all", ...)
end

--- A group that has ended when one in it has. The others go on.
---@return luactr.group
function M.any(...)
  return new("any", ...)
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Group
end

--- Start what does not run yet, in the order of the items. wait() does it, too.
---@return luactr.group self
function Group:start()
  if not self.tasks then
    self.tasks = {}
    for i, item in ipairs(self.items) do
      self.tasks[i] = task.watched(function()
        local _ <close> = setmetatable({}, { __close = function()
          self.first = self.first or i
        end })
        return run_item(item)
      end)
    end
  end
  return self
end

local function has_ended(group)
  local count = 0
  for _, one in ipairs(group.tasks) do
    count = count + (one.done and 1 or 0)
  end
  return count >= (group.any and 1 or #group.items)
end

local function await(group, timeout)
  local now = require("luactr.core").sys.clock_gettime
  local deadline = timeout and now() + timeout
  while not has_ended(group) do
    local events = {}
    for i, one in ipairs(group.tasks) do
      events[i] = { event = one.ended }
    end
    if loop.wait(events, deadline and math.max(deadline - now(), 0)) == 0 then
      return nil, require("luactr.error").new { op = "wait", message = "the group has not ended",
        errno = require("luactr.core").sys.errno.ETIMEDOUT }
    end
  end
  return true
end

--- What became of an item: what it returned, or the record of a container that did not start.
local function result_of(group, i)
  local value, err = group.tasks[i]:wait()
  if value ~= nil then
    return value
  end
  return require("luactr.container").is(group.items[i]) and group.items[i].result or nil, err
end

local function results_of(group)
  local results, first_err = {}, nil
  for i in ipairs(group.items) do
    local value, err = result_of(group, i)
    if value == nil then
      value = false -- a list has no holes
    end
    results[i] = value
    first_err = first_err or err
  end
  return results, first_err
end

--- Wait until it has ended. all: the results in the order of the items; nil, the first error and
--- the results when one did not start or raised an error. any: the result of the first to end, and
--- the item.
---@param timeout? number seconds
---@return any results
---@return any
---@return any
function Group:wait(timeout)
  self:start()
  local ended, err = await(self, timeout)
  if not ended then
    return nil, err
  elseif self.any then
    local value
    value, err = self.tasks[self.first]:wait()
    return value, value == nil and err or self.items[self.first]
  end
  local results
  results, err = results_of(self)
  if err then
    return nil, err, results
  end
  return results
end

--- End what the group has started. Idempotent.
function Group:close()
  for i = #(self.tasks or {}), 1, -1 do
    self.tasks[i]:cancel()
  end
end

Group.__close = Group.close

function Group:__tostring()
  return string.format("group of %d", #self.items)
end

return M
