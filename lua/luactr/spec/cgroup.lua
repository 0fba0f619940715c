--- A place among the cgroups that a recipe chooses: "/a/b" from the top of each hierarchy, "./a/b"
--- from where luactr may make cgroups. Pure.
local check = require "luactr.check"

local MOST <const> = 800 -- bytes; the files below it have names, too

local M = {}

local path <const> = check.string { what = "path of a cgroup", max = MOST, line = true }

---@param value any
---@param at string
---@param problems luactr.problems
---@return string? place
function M.place(value, at, problems)
  local text = problems:check(path, value, at)
  if not text then
    return nil
  end
  local parts = {}
  for part in text:gmatch("[^/]+") do
    if part == ".." then
      return problems:add(at, "leads out of where it begins: %s", check.show(text))
    elseif #part > 255 then
      return problems:add(at, "has a part that is longer than 255 bytes")
    end
    parts[#parts + 1] = part ~= "." and part or nil
  end
  if #parts == 0 then
    return problems:add(at, "is the cgroup of the host's own processes: name one below it")
  end
  return (text:sub(1, 1) == "/" and "/" or "./") .. table.concat(parts, "/")
end

return M
