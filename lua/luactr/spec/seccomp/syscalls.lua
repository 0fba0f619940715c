--- System calls by name, number and group, for this machine and its other ABIs. Pure.
--
-- The names and numbers come from libseccomp when luactr is built (csrc/syscalls.c).
local M = {}

---@class luactr.abi one way to enter this kernel
---@field name string as in OCI without SCMP_ARCH_, in small letters
---@field audit integer AUDIT_ARCH, which a filter sees
---@field bits integer of an argument
---@field newest integer the highest number that luactr knows
---@field numbers table<string, integer>
---@field names table<integer, string>

local NARROW <const> = { x86 = true, arm = true } -- ABIs whose arguments have 32 bits

local text -- of csrc/syscalls.c, behind its first line

local function all_text()
  text = text or require("luactr.core").seccomp.table():match("\n.*")
  return text
end

-- ---- names: looked up in the text, since a filter that is cached needs no more

--- Whether any machine has a system call of that name.
---@param name string
---@return boolean
function M.exists(name)
  return all_text():find("\n" .. name .. " ", 1, true) ~= nil and not name:find("[^%w_]")
end

-- ---- numbers

local known -- the ABIs and, by name, the same

local function read_abis(line)
  known = { by_name = {} }
  for name, audit in line:gmatch("(%S+) (%x+)") do
    local abi = { name = name, audit = tonumber(audit, 16), bits = NARROW[name] and 32 or 64,
      newest = -1, numbers = {}, names = {} }
    known[#known + 1], known.by_name[name] = abi, abi
  end
end

local function read_row(line)
  local fields = line:gmatch("%S+")
  local name = fields()
  for _, abi in ipairs(known) do
    local number = math.tointeger(tonumber(fields()))
    if number then
      abi.numbers[name], abi.names[number] = number, name
      abi.newest = math.max(abi.newest, number)
    end
  end
end

--- The ABIs of this machine, its own first.
---@return luactr.abi[]
function M.abis()
  if not known then
    read_abis(require("luactr.core").seccomp.table():match("[^\n]+"))
    for line in all_text():gmatch("[^\n]+") do
      read_row(line)
    end
  end
  return known
end

---@param name string
---@return luactr.abi?
function M.abi(name)
  return M.abis() and known.by_name[name]
end

--- The ABI and the name behind a number that a filter saw.
---@param audit integer
---@param number integer
---@return string? name
---@return luactr.abi?
function M.find(audit, number)
  for _, abi in ipairs(M.abis()) do
    if abi.audit == audit and abi.names[number] then
      return abi.names[number], abi
    end
  end
end

local EVERYTHING <const> = "@known"

local function all_names()
  local list = {}
  for name in all_text():gmatch("\n([%l%d_]+) [%d-]") do
    list[#list + 1] = name
  end
  return list
end

local function groups()
  return require "luactr.spec.seccomp.groups"
end

local function add_group(name, into)
  for _, member in ipairs(groups()[name]) do
    if member:sub(1, 1) == "@" then
      add_group(member, into)
    else
      into[#into + 1] = member
    end
  end
  return into
end

--- The names that a name stands for: itself, or a group's members.
---@param name string "read" or "@file-system"
---@return string[]? names nothing for an unknown one
function M.expand(name)
  if name:sub(1, 1) ~= "@" then
    return M.exists(name) and { name } or nil
  elseif name == EVERYTHING then
    return all_names()
  end
  return groups()[name] and add_group(name, {}) or nil
end

--- The tail of a sentence about an unknown name.
---@param name string
---@return string
function M.hint(name)
  local list = { EVERYTHING }
  if name:sub(1, 1) == "@" then
    for candidate in pairs(groups()) do
      list[#list + 1] = candidate
    end
    table.sort(list)
  else
    list = all_names()
  end
  return require("luactr.nearest").hint(name, list)
end

return M
