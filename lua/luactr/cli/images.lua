--- What the verbs for images share: the store, and names that become images.
local cli = require "luactr.cli"
local output = require "luactr.cli.output"

local M = {}

--- Open the image store; what fails is told.
---@param options? luactr.image.store_options
---@return luactr.image.store?
---@return integer? status
function M.open(options)
  local store, err = require("luactr.image.store").open(options)
  if not store then
    output.complain(err)
    return nil, cli.FAILED
  end
  return store
end

--- Call act(name) for each of the names; a failure is told and the next one follows.
---@param names string[]
---@param act fun(name: string): any, luactr.error?
---@return integer status
function M.each(names, act)
  local status = 0
  for _, name in ipairs(names) do
    local done, err = act(name)
    if not done then
      output.complain(err)
      status = cli.FAILED
    end
  end
  return status
end

--- Days since the epoch. A year that begins with March has its leap day at the end.
local function days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day
    - 719469
end

--- "2026-01-31T12:00:00Z" as seconds since the epoch; nil for what is no time.
---@param text? string
---@return integer?
function M.seconds(text)
  local parts = { (text or ""):match("^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)") }
  for i, part in ipairs(parts) do
    parts[i] = math.tointeger(tonumber(part))
  end
  return parts[1] and days(parts[1], parts[2], parts[3]) * 86400 + parts[4] * 3600 + parts[5] * 60
    + parts[6] or nil
end

--- How long ago that was, for people.
---@param text? string
---@return string
function M.age(text)
  local seconds = M.seconds(text)
  local now = require("luactr.core").sys.clock_gettime("realtime")
  return seconds and require("luactr.cli.containers").span(math.max(now - seconds, 0)) or "-"
end

---@param digest string
---@return string twelve digits of it
function M.short(digest)
  return (digest:gsub("^sha256:(%x%x%x%x%x%x%x%x%x%x%x%x)%x*$", "%1"))
end

return M
