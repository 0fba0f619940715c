--- `luactr top`: containers on the whole screen, again and again.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "top",
  summary = "watch containers on the whole screen",
  usage = "",
  mixed = true,
  help = [[
Show what detached containers use, and what those of a pod use together, with CPU and memory as
graphs over time: disk traffic a second, the share of the time in which its CPU limit held it back
(THROTTLED), and pressure as `some avg10` of CPU, memory and disk, in percent, where the host tells.
Up and down select; s sorts by another column, / shows only names with a text, space freezes the
view, p pauses and resumes the container or pod, k kills it, q ends.]],
  options = {
    { "-d --delay", argument = "TIME", help = "between looks, 1s if left out" },
    { "-s --sort", argument = "COLUMN", help = "cpu, memory, pids, io, throttled or name" },
    { "--filter", argument = "TEXT", help = "only names with this text" },
  },
}

local SHORTEST <const> = 0.1
local SIGNAL_STATUS <const> = 128

---@class luactr.top.view
---@field model luactr.top.model
---@field terminal luactr.top.terminal
---@field over boolean
---@field status integer
local View = {}
View.__index = View

local function sys()
  return require("luactr.core").sys
end

-- ---- what it does

--- Pause, resume or kill one, and tell of the outcome on the last line.
function View:act(id, method)
  local found, err = require("luactr.container.found").find(id)
  local done
  if found then
    done, err = found[method](found)
  end
  local text = done and method .. ": " .. id or tostring(err):gsub("^luactr: ", "")
  self.model.message = require("luactr.error").escape(text:match("^[^\n]*"))
  self:look()
end

--- One sample of each container that runs detached, and of each pod of such.
function View:look()
  local samples, detached = {}, {}
  for _, found in ipairs(require("luactr.container.found").all()) do
    detached[#detached + 1] = found.record.detached and found or nil
  end
  local pods = require("luactr.pod.found").among(detached)
  for _, found in ipairs(table.move(pods, 1, #pods, #detached + 1, detached)) do
    local meters = found:stats()
    if meters then
      meters.id, meters.state, meters.at = found.id, found:state(), sys().clock_gettime()
      meters.is_pod = found.members ~= nil
      samples[#samples + 1] = meters
    end
  end
  require("luactr.cli.top.model").add(self.model, samples)
end

local ON_SIGNAL <const> = {
  WINCH = function() end, -- the screen is drawn again after each wait
  CONT = function() end,
  TSTP = function(view) view.terminal:suspend() end,
}

function View:take(typed, signals)
  if not typed then
    self.over = true
  end
  for _, name in ipairs(signals) do
    local act = ON_SIGNAL[name]
    if act then
      act(self)
    else
      self.over, self.status = true, SIGNAL_STATUS + sys().signals[name]
    end
  end
  local keys = require "luactr.cli.top.keys"
  for _, key in ipairs(keys.parse(typed or "")) do
    keys.press(self, key)
  end
end

function View:watch(delay)
  local screen = require "luactr.cli.top.screen"
  local next_look = sys().clock_gettime()
  while not self.over do
    local now = sys().clock_gettime()
    if now >= next_look then
      if not self.model.frozen then
        self:look()
      end
      next_look = now + delay
    end
    if not self.terminal:draw(screen.lines(self.model, self.terminal:size())) then
      return require("luactr.cli").FAILED
    end
    self:take(self.terminal:wait(next_look - sys().clock_gettime()))
  end
  return self.status
end

-- ---- the verb

local function problem_of(given)
  local model = require "luactr.cli.top.model"
  local delay, problem = containers.seconds(given.delay or 1)
  if problem then
    return nil, "--delay: " .. problem
  elseif delay < SHORTEST then
    return nil, "--delay: at least 100ms"
  end
  for _, name in ipairs(model.sorts) do
    if name == (given.sort or "cpu") then
      return delay
    end
  end
  return nil, string.format("--sort: one of %s expected", table.concat(model.sorts, ", "))
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local delay, problem = problem_of(request.options)
  if not delay or #request.arguments > 0 then
    return output.usage(problem or "top takes no names: see --filter, or luactr stats NAME", M)
  end
  local terminal = require "luactr.cli.top.terminal"
  if not terminal.is_usable() then
    output.complain("top needs a terminal: see luactr stats")
    return require("luactr.cli").FAILED
  end
  local _, err = require("luactr.container.found").all()
  if err then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  local open <close> = terminal.open()
  local view = setmetatable({
    model = require("luactr.cli.top.model").new(request.options), terminal = open, over = false,
    status = 0,
  }, View)
  return view:watch(delay)
end

return M
