--- Which ids luactr may map on this host: its own, those that /etc/subuid and /etc/subgid grant it,
--- and the ranges from which containers of root are served.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local FILES <const> = { uid = "/etc/subuid", gid = "/etc/subgid" }
local HELPERS <const> = { uid = "newuidmap", gid = "newgidmap" }
local HELPER_PATH <const> = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
local GETSUBIDS <const> = "/usr/bin/getsubids" -- knows services other than the files
local MAX_ID <const> = 0xfffffffe
local LARGEST <const> = 4 << 20

-- Containers of root, where /etc/subuid has nothing for the user of this name: a part of the
-- numbers that neither accounts nor other container managers use.
local POOL_USER <const> = "luactr"
local DEFAULT_POOL <const> = { first = 0x70000000, count = 0x0f000000 }

local function read(path)
  local file <close> = sys.open(path, { "rdonly", "nonblock", "noctty" })
  local stat = file and sys.stat(file)
  if not stat or stat.type ~= "file" then
    return ""
  end
  local parts, size = {}, 0
  repeat
    local part = sys.read(file, 65536) or ""
    parts[#parts + 1], size = part, size + #part
  until part == "" or size > LARGEST
  return table.concat(parts)
end

--- The ranges of subuid(5) that belong to a user, by name or number; all of them for nobody.
---@param text string
---@param name? string
---@param uid? integer
---@return { first: integer, count: integer }[]
function M.parse(text, name, uid)
  local list = {}
  for line in text:gmatch("[^\n]+") do
    local owner, first, count = line:match("^([^:]+):(%d+):(%d+)%s*$")
    local mine = not (name or uid) or owner == name or owner == tostring(uid)
    first, count = math.tointeger(tonumber(first)), math.tointeger(tonumber(count))
    if mine and first and count and count > 0 and first <= MAX_ID
      and count <= MAX_ID - first + 1 then
      list[#list + 1] = { first = first, count = count }
    end
  end
  return list
end

-- ---- luactr's own

-- The ids that exist in luactr's user namespace: the first column of its map.
local function own(kind)
  local list = {}
  for line in read("/proc/self/" .. kind .. "_map"):gmatch("[^\n]+") do
    local first, count = line:match("^%s*(%d+)%s+%d+%s+(%d+)")
    if first then
      list[#list + 1] = { first = math.tointeger(first), count = math.tointeger(count) }
    end
  end
  return list
end

local function may(capability)
  return sys.cap_masks().effective & sys.cap_mask { capability } ~= 0
end

-- ---- by name, without the name service: its modules have no business in here

local function own_name(uid)
  return require("luactr.account.database").name_of(read("/etc/passwd"), uid) or tostring(uid)
end

local function granted(kind, name, uid)
  local list = require("luactr.idmap").merged(M.parse(read(FILES[kind]), name, uid))
  if #list == 0 and M.is_program(GETSUBIDS) then
    list = require("luactr.idmap.write").ask(GETSUBIDS, kind, name)
  end
  return list
end

---@param path string
---@return boolean
function M.is_program(path)
  local stat = sys.stat(path)
  return stat ~= nil and stat.type == "file" and stat.mode & 73 ~= 0 -- 0111
end

local function find_helper(name)
  for directory in HELPER_PATH:gmatch("[^:]+") do
    local path = directory .. "/" .. name
    if M.is_program(path) then
      return path
    end
  end
end

-- ---- the pool of root

local function overlaps(a, b)
  return a.first < b.first + b.count and b.first < a.first + a.count
end

-- Blocks of `size` ids in the ranges, but for those that touch one of `taken` or leave `space`.
local function blocks(ranges, size, taken, space)
  local list = {}
  for _, range in ipairs(ranges) do
    for first = range.first, range.first + range.count - size, size do
      local block, free, exists = { first = first, count = size }, true, false
      for _, other in ipairs(taken) do
        free = free and not overlaps(block, other)
      end
      for _, known in ipairs(space) do
        exists = exists or first >= known.first and first + size <= known.first + known.count
      end
      list[#list + 1] = free and exists and first or nil
    end
  end
  return list
end

local function pool_of(kind, space)
  local size = require("luactr.idmap").RANGE
  local text = read(FILES[kind])
  local configured = M.parse(text, POOL_USER)
  if #configured > 0 then
    return blocks(configured, size, {}, space)
  end
  return blocks({ DEFAULT_POOL }, size, M.parse(text), space)
end

--- Pairs of a uid and a gid block; nil if there are none.
local function pool(ids)
  local uids, gids = pool_of("uid", ids.own.uid), pool_of("gid", ids.own.gid)
  local list = {}
  for i = 1, math.min(#uids, #gids) do
    list[i] = { uid = uids[i], gid = gids[i] }
  end
  return #list > 0 and list or nil
end

local READERS <const> = {
  own = function() return { uid = own "uid", gid = own "gid" } end,
  may = function() return { uid = may "CAP_SETUID", gid = may "CAP_SETGID" } end,
  name = function() return own_name(sys.getuid()) end,
  granted = function(ids)
    local uid = sys.getuid()
    return { uid = granted("uid", ids.name, uid), gid = granted("gid", ids.name, uid) }
  end,
  helpers = function()
    return { uid = find_helper(HELPERS.uid), gid = find_helper(HELPERS.gid) }
  end,
  pool = function(ids) return pool(ids) or false end,
}

---@class luactr.idmap.facts each is read when it is first asked for
---@field own table<"uid"|"gid", { first: integer, count: integer }[]> of its user namespace
---@field may table<"uid"|"gid", boolean> map any of them
---@field name string
---@field granted table<"uid"|"gid", { first: integer, count: integer }[]>
---@field helpers table<"uid"|"gid", string?>
---@field pool { uid: integer, gid: integer }[]|false first ids of the ranges for containers

---@return luactr.idmap.facts
function M.new()
  return setmetatable({}, {
    __index = function(ids, name)
      local value = READERS[name] and READERS[name](ids)
      rawset(ids, name, value)
      return value
    end,
  })
end

return M
