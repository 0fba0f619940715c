--- `luactr update`: change the limits of a container that runs.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "update",
  summary = "change limits of a container that runs",
  usage = "NAME LIMIT=VALUE...",
  mixed = true,
  help = [[
Change limits by the names and values of a recipe's `limits`: memory=128M cpu=0.5 pids=32. Those
that are not named stay. One that needs a controller which the container has not had from the start
is refused on cgroup v1.]],
  options = {},
}

--- { memory = "128M" } of the words, or nil and the one that is no limit.
local function limits_of(words)
  local limits = {}
  for i = 2, #words do
    local name, value = words[i]:match("^([%l_]+)=(.+)$")
    if not name then
      return nil, words[i]
    end
    limits[name] = math.tointeger(tonumber(value)) or tonumber(value) or value
  end
  return limits
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local limits, wrong = limits_of(request.arguments)
  if not limits then
    return output.usage(string.format("LIMIT=VALUE expected, got %q", wrong), M)
  elseif #request.arguments == 1 then
    return output.usage("which limits?", M)
  end
  request.arguments = { request.arguments[1] }
  return containers.each(request, M, function(found)
    return found:update(limits)
  end)
end

return M
