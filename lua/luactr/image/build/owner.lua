--- Users and groups of the image that is built, by number or by the names of its /etc/passwd and
--- /etc/group.
local M = {}

local LARGEST <const> = 0xfffffffe

local function number(text)
  local value = text:find("^%d+$") and #text <= 10 and math.tointeger(tonumber(text))
  return value and value <= LARGEST and value or nil
end

local function user_of(view, text)
  local uid = number(text)
  if uid then
    return { uid = uid, gid = uid }
  end
  local found, problem = require("luactr.account.database").user(view:read("/etc/passwd") or "",
    text)
  return found, problem or string.format("there is no user %q in its /etc/passwd", text)
end

local function group_of(view, text)
  local gid = number(text)
  if gid then
    return gid
  end
  local found, problem = require("luactr.account.database").group(view:read("/etc/group") or "",
    text)
  return found, problem or string.format("there is no group %q in its /etc/group", text)
end

--- Read "user", "user:group" or { uid =, gid = }.
---@param view luactr.image.build.view
---@param owner string|integer|{ uid: integer, gid: integer }
---@return { uid: integer, gid: integer }?
---@return string? problem
function M.find(view, owner)
  if type(owner) == "table" then
    return { uid = owner.uid or 0, gid = owner.gid or owner.uid or 0 }
  end
  local name, group = tostring(owner):match("^([^:]*):?(.*)$")
  local found, problem = { uid = 0, gid = 0 }, nil
  if name ~= "" then
    found, problem = user_of(view, name)
  end
  local gid
  if found and group ~= "" then
    gid, problem = group_of(view, group)
    found = gid and { uid = found.uid, gid = gid }
  end
  if not found then
    return nil, problem
  end
  return { uid = found.uid, gid = found.gid }
end

return M
