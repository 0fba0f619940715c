--- The texts of /etc/passwd and /etc/group, read as strictly as a hostile file deserves. Pure: no
--- libc function, and with it no module of the name service switch, ever sees them.
--
-- The first line of a name counts, as for libc. Lines that nobody asked for may be anything; the
-- one that was asked for has to be right in every field, or the answer is a problem and not the
-- next line.
local M = {}

local MAX_ID <const> = 0xfffffffe
local LONGEST_LINE <const> = 65536
local MAX_MEMBERSHIPS <const> = 65536 -- NGROUPS_MAX

local PASSWD_FIELDS <const>, GROUP_FIELDS <const> = 7, 4

local function split(text, separator)
  local list = {}
  for part in (text .. separator):gmatch("([^" .. separator .. "]*)" .. separator) do
    list[#list + 1] = part
  end
  return list
end

-- A number in the one way that programs write it.
local function id(text)
  if not text:find("^%d+$") or #text > 10 or (#text > 1 and text:sub(1, 1) == "0") then
    return nil
  end
  local number = math.tointeger(tonumber(text))
  return number <= MAX_ID and number or nil
end

local function fields_of(line, count)
  if #line > LONGEST_LINE then
    return nil, "is longer than " .. LONGEST_LINE .. " bytes"
  elseif line:find("%c") then
    return nil, "contains a control character"
  end
  local fields = split(line, ":")
  if #fields ~= count then
    return nil, string.format("has %d fields instead of %d", #fields, count)
  end
  return fields
end

--- The fields of the line that begins with a name; nil without a problem when there is none.
local function entry(text, name, count)
  local wanted = name .. ":"
  local first = text:sub(1, #wanted) == wanted and 1
  if not first then
    local _, before = text:find("\n" .. wanted, 1, true)
    first = before and before - #wanted + 1
  end
  if not first then
    return nil
  end
  local fields, problem = fields_of(text:sub(first, (text:find("\n", first, true) or 0) - 1), count)
  if not fields then
    return nil, string.format("the line of %q %s", name, problem)
  end
  return fields
end

---@class luactr.account.user
---@field uid integer
---@field gid integer
---@field home? string absolute

--- A user of /etc/passwd.
---@param text string
---@param name string
---@return luactr.account.user? user nil alone when there is none
---@return string? problem
function M.user(text, name)
  local fields, problem = entry(text, name, PASSWD_FIELDS)
  if not fields then
    return nil, problem
  end
  local uid, gid = id(fields[3]), id(fields[4])
  if not uid or not gid then
    return nil, string.format("the line of %q has no proper user and group number", name)
  end
  return { uid = uid, gid = gid, home = fields[6]:sub(1, 1) == "/" and fields[6] or nil }
end

--- The number of a group of /etc/group.
---@param text string
---@param name string
---@return integer? gid nil alone when there is none
---@return string? problem
function M.group(text, name)
  local fields, problem = entry(text, name, GROUP_FIELDS)
  if not fields then
    return nil, problem
  end
  local gid = id(fields[3])
  return gid, not gid and string.format("the line of %q has no proper group number", name) or nil
end

local function has_member(list, name)
  return ("," .. list .. ","):find("," .. name .. ",", 1, true) ~= nil
end

-- A line that names the user but cannot be read is no line to leave out: a group may also be there
-- to keep its members from something.
local function membership(line, name)
  local list = line:match("([^:]*)$")
  if not has_member(list, name) then
    return nil
  end
  local fields, problem = fields_of(line, GROUP_FIELDS)
  local gid = fields and id(fields[3])
  return gid, not gid and string.format("a line with the member %q %s", name,
    problem or "has no proper group number") or nil
end

--- The groups that have the user as a member, in the file's order, each once.
---@param text string of /etc/group
---@param name string
---@return integer[]? groups
---@return string? problem
function M.memberships(text, name)
  local list, known, at = {}, {}, 1
  while true do
    at = text:find(name, at, true)
    if not at then
      return list
    end
    local first, last = at, text:find("\n", at, true) or #text + 1
    while first > 1 and text:byte(first - 1) ~= 10 do
      first = first - 1
    end
    local gid, problem = membership(text:sub(first, last - 1), name)
    if problem then
      return nil, problem
    elseif gid and not known[gid] then
      known[gid], list[#list + 1] = true, gid
    end
    if #list > MAX_MEMBERSHIPS then
      return nil, string.format("%q is in more than %d groups", name, MAX_MEMBERSHIPS)
    end
    at = last + 1
  end
end

--- The name of the first user with a number, for files of the host.
---@param text string of /etc/passwd
---@param uid integer
---@return string? name
function M.name_of(text, uid)
  local line = "\n" .. text
  return line:match("\n([^:\n]+):[^:\n]*:" .. uid .. ":")
end

--- The first user with a number; nil when there is none, or its line is wrong.
local function by_number(text, uid)
  for name, number in ("\n" .. text):gmatch("\n([^:\n]+):[^:\n]*:(%d+):") do
    if id(number) == uid then
      local user = M.user(text, name)
      return user and user.uid == uid and user or nil
    end
  end
end

--- Its group.
---@param text string of /etc/passwd
---@param uid integer
---@return integer? gid
function M.group_of(text, uid)
  local user = by_number(text, uid)
  return user and user.gid
end

--- Its home directory.
---@param text string of /etc/passwd
---@param uid integer
---@return string? home absolute
function M.home_of(text, uid)
  local user = by_number(text, uid)
  return user and user.home
end

return M
