--- The known name that a misspelt one was probably meant to be. Pure; loaded on errors only.
local M = {}

local LONGEST <const> = 64 -- bounds the work on hostile names

--- Edit distance with transpositions (optimal string alignment).
local function distance(a, b)
  local before, row = nil, {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local cost = math.min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        cost = math.min(cost, before[j - 2] + 1)
      end
      current[j] = cost
    end
    before, row = row, current
  end
  return row[#b]
end

--- A third of the letters may be wrong; an exact match but for case always wins.
---@param name string
---@param known string[]
---@return string? nearest
function M.find(name, known)
  if #name > LONGEST then
    return nil
  end
  local wanted = name:lower()
  local best, least = nil, math.max(1, #name // 3) + 1
  for _, candidate in ipairs(known) do
    local d = distance(wanted, candidate:lower())
    if d < least then
      best, least = candidate, d
    end
  end
  return best
end

--- The sentence's tail: `, did you mean hostname?`, or nothing.
---@param name string
---@param known string[]
---@return string
function M.hint(name, known)
  local best = M.find(name, known)
  return best and string.format(", did you mean %s?", best) or ""
end

return M
