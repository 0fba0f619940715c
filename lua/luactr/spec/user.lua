--- The fields `user` and `groups`. Pure.
--
-- Digits alone are a number and never looked up, as in OCI; whatever else could be read both as a
-- number and as a name ("01", "-1", "0x1") is refused. A name begins with a letter or "_".
local check = require "luactr.check"

local M = {}

local MAX_ID <const> = 0xfffffffe -- (uid_t)-1 means "leave it"
local MAX_GROUPS <const> = 1024
local NAME <const> = "^[%a_][%w_.-]*%$?$"
local LONGEST_NAME <const> = 255 -- LOGIN_NAME_MAX without the NUL

local FORMS <const> =
  "user number, \"name\", \"user:group\", each a name or number, or { uid =, gid = }"

--- A number or a name from text; nil, why.
---@param text string
---@return integer|string|nil
---@return string? problem
local function parse(text)
  if text:find("^%d+$") then
    local number = #text <= 10 and math.tointeger(tonumber(text))
    if #text > 1 and text:sub(1, 1) == "0" then
      return nil, check.show(text) .. " is ambiguous: write the number without leading zeros"
    elseif not number or number > MAX_ID then
      return nil, "a user or group number is at most " .. MAX_ID
    end
    return number
  elseif #text <= LONGEST_NAME and text:find(NAME) then
    return text
  end
  return nil, check.show(text) .. " is neither a number nor a name"
end

local function parse_user(text)
  local user, colon, group = text:match("^([^:]*)(:?)(.*)$")
  local problem
  user, problem = parse(user)
  if not user then
    return nil, problem
  elseif colon == "" then
    group = math.type(user) and user or nil
  else
    group, problem = parse(group)
    if not group then
      return nil, problem
    end
  end
  return math.type(user) and math.type(group) and { uid = user, gid = group }
    or { user = user, group = group }
end

local id <const> = check.integer { what = "number", min = 0, max = MAX_ID }

local user <const> = check.union({
  check.integer {
    what = "user number", min = 0, max = MAX_ID,
    convert = function(uid) return { uid = uid, gid = uid } end,
  },
  check.string { convert = parse_user },
  check.record({
    { name = "uid", type = id, required = true },
    { name = "gid", type = id, required = true },
    { name = "look_up", type = check.boolean() }, -- its home directory, in its /etc/passwd
  }),
}, { what = FORMS })

-- `named`: there are names among them.
local function note_names(list)
  for _, group in ipairs(list) do
    list.named = list.named or type(group) == "string" or nil
  end
  return list
end

local groups <const> = check.union({
  check.enum({ "keep" }, { convert = function() return { keep = true } end }),
  check.list(check.union({ id, check.string { convert = parse } },
    { what = "group's name or number" }),
    { what = "list of groups", max = MAX_GROUPS, convert = note_names }),
}, { what = "list of group names and numbers, or \"keep\"" })

--- -> { uid, gid, look_up? }, or { user, group } with a name in it (no group: that of the user)
function M.user(value, path, problems)
  return problems:check(user, value, path)
end

--- -> list of numbers and names (then `named` is true), or { keep = true }
function M.groups(value, path, problems)
  return problems:check(groups, value, path)
end

return M
