--- The field `restart`: whether the monitor starts a container again that has ended. Pure.
local M = {}

local WORDS <const> = "\"no\", \"on-failure\", \"on-failure:N\" or \"always\""
local MOST <const> = 1000000

-- What other tools write for what it comes to here: without a daemon nobody starts a stopped one.
local ALIASES <const> = { ["unless-stopped"] = "always" }
local POLICIES <const> = { no = true, always = true, ["on-failure"] = true }

---@class luactr.restart
---@field policy "no"|"on-failure"|"always"
---@field most? integer restarts, of on-failure

--- The parts of a policy; nil when it is none.
---@param text string
---@return luactr.restart?
function M.parse(text)
  local policy, count = text:match("^([%a-]+):?(%d*)$")
  local most = math.tointeger(tonumber(count))
  if not POLICIES[policy] or (policy .. (most and ":" .. count or "")) ~= text
    or most and (policy ~= "on-failure" or most < 1 or most > MOST) then
    return nil
  end
  return { policy = policy, most = most }
end

--- -> a word of these
function M.restart(value, path, problems)
  local text = ALIASES[value] or value
  if type(text) == "string" and M.parse(text) then
    return text
  end
  local show = require("luactr.check").show
  return problems:add(path, "%s expected, got %s", WORDS, show(value))
end

return M
