--- Users and groups on both sides of an id map. Pure.
local M = {}

M.NOBODY = 65534 -- what the kernel shows for an id that has no name inside

---@class luactr.files.ids
---@field uid luactr.idmap.range[]
---@field gid luactr.idmap.range[]

local function translate(ranges, id, from, to)
  for _, range in ipairs(ranges) do
    local offset = id - range[from]
    if offset >= 0 and offset < range.count then
      return range[to] + offset
    end
  end
end

--- An id of the container as the host has it; nil when it has none.
---@param ids? luactr.files.ids nil: the same on both sides
---@param kind "uid"|"gid"
---@param id integer
---@return integer?
function M.outside(ids, kind, id)
  if not ids then
    return id
  end
  return translate(ids[kind], id, "inside", "outside")
end

--- An id of the host as the container has it.
---@param ids? luactr.files.ids
---@param kind "uid"|"gid"
---@param id integer
---@return integer
function M.inside(ids, kind, id)
  if not ids then
    return id
  end
  return translate(ids[kind], id, "outside", "inside") or M.NOBODY
end

--- The rows of a uid_map or gid_map; nil for the one that maps all to itself.
---@param text string
---@return luactr.idmap.range[]?
function M.parse(text)
  local ranges = {}
  for inside, outside, count in text:gmatch("(%d+)%s+(%d+)%s+(%d+)") do
    ranges[#ranges + 1] = { inside = math.tointeger(inside), outside = math.tointeger(outside),
      count = math.tointeger(count) }
  end
  local first = ranges[1]
  local is_identity = #ranges == 1 and first.inside == 0 and first.outside == 0
    and first.count >= 0xffffffff
  return not is_identity and ranges or nil
end

return M
