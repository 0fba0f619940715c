--- From what people call an image to its name in the store, and the errors on the way. Pure.
local check = require "luactr.check"
local disk = require "luactr.image.store.disk"
local reference = require "luactr.image.reference"

local M = {}

--- The key of a name that is to be given: "NAME:TAG".
---@param name any
---@return string?
---@return luactr.error? code "EINVAL"
function M.key(name)
  local parsed, problem = reference.parse(name)
  if parsed and parsed.digest then
    problem = "a name with a digest cannot be given"
  end
  if problem then
    return disk.refused { code = "EINVAL", op = "name",
      message = "no name for an image: " .. problem }
  end
  return parsed:key()
end

-- Names as people write them: without the registry, and without that and the tag.
local SHORTER <const> = { "([^/]+)$", "([^/:]+):[^/]*$" }

-- The nearest name, by all of it or by what people write.
local function nearest(text, keys)
  local near = require("luactr.nearest")
  local best = near.find(text, keys)
  for _, pattern in ipairs(SHORTER) do
    local known, key_of = {}, {}
    for i, key in ipairs(keys) do
      known[i] = key:match(pattern) or key
      key_of[known[i]] = key
    end
    best = best or key_of[near.find(text:match(pattern) or text, known)]
  end
  return best
end

local function unknown(text, keys)
  local best = nearest(text, keys)
  return disk.refused { code = "ENOENT", op = "find", path = text,
    message = string.format("no image %q%s", text, best and ", did you mean " .. best .. "?" or ""),
    remedy = "luactr image ls lists all" }
end

--- The key that a name stands for among those there are.
---@param all table<string, luactr.image.name>
---@param name any
---@return string?
---@return luactr.error? code "ENOENT", "ENOTUNIQ", "EINVAL"
function M.find(all, name)
  local parsed, problem = reference.parse(name)
  if not parsed then
    return disk.refused { code = "EINVAL", op = "find",
      message = "no name of an image: " .. problem }
  end
  local found = {}
  for _, key in ipairs(reference.matches(parsed, check.sorted_keys(all))) do
    if not parsed.digest or all[key].digest == parsed.digest then
      found[#found + 1] = key
    end
  end
  local text = tostring(parsed)
  if #found == 0 then
    return unknown(text, check.sorted_keys(all))
  elseif #found > 1 and not parsed.digest then
    return disk.refused { code = "ENOTUNIQ", op = "find", path = text, checked = true,
      message = string.format("%q may be %s", text, table.concat(found, ", ")),
      remedy = "more of the name" }
  end
  return found[1]
end

return M
