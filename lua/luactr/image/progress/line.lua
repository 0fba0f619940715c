--- How far something is, in words. Pure.
local M = {}

local SIZES <const> = { { 1 << 40, "TiB" }, { 1 << 30, "GiB" }, { 1 << 20, "MiB" },
  { 1 << 10, "KiB" } }
local SHORTEST_BAR <const>, LONGEST_BAR <const> = 8, 30

---@class luactr.image.progress.state
---@field what string safe to print
---@field bytes integer so far
---@field total? integer bytes in all, if that is known
---@field seconds number since it began

--- A size for people: "12.3 MiB".
---@param bytes number
---@return string
function M.size(bytes)
  for _, unit in ipairs(SIZES) do
    if bytes >= unit[1] then
      return string.format("%.1f %s", bytes / unit[1], unit[2])
    end
  end
  return string.format("%d B", bytes // 1)
end

local function rate(state)
  local known = state.seconds > 0 and state.bytes > 0
  return known and M.size(state.bytes / state.seconds) .. "/s" or nil
end

local function share(state)
  return math.min(state.bytes / state.total, 1.0)
end

local function amount(state)
  return state.total and M.size(state.bytes) .. " of " .. M.size(state.total)
    or M.size(state.bytes)
end

local function bar(state, width)
  local full = (share(state) * width) // 1
  return string.format("[%s%s]", ("#"):rep(full), ("."):rep(width - full))
end

--- One line that fits into so many columns: the bar is what gets shorter, and goes.
---@param state luactr.image.progress.state
---@param columns integer
---@return string
function M.bar(state, columns)
  local known = state.total and state.total > 0
  local tail = { amount(state), rate(state) }
  if known then
    table.insert(tail, 1, string.format("%3d%%", (share(state) * 100) // 1))
  end
  local words = table.concat(tail, "  ")
  local room = columns - #state.what - #words - 7
  local width = known and room >= SHORTEST_BAR and math.min(room, LONGEST_BAR)
  local line = width and string.format("%s  %s %s", state.what, bar(state, width), words)
    or state.what .. "  " .. words
  return line:sub(1, columns - 1)
end

--- How far it is, for a log.
---@param state luactr.image.progress.state
---@return string
function M.so_far(state)
  return string.format("%s: %s", state.what, amount(state))
end

--- What it came to.
---@param state luactr.image.progress.state
---@return string
function M.summary(state)
  if state.bytes == 0 then
    return string.format("%s: done in %.1f s", state.what, state.seconds)
  end
  local speed = rate(state)
  return string.format("%s: %s in %.1f s%s", state.what, M.size(state.bytes), state.seconds,
    speed and ", " .. speed or "")
end

return M
