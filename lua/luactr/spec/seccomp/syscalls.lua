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

local known -- { abis =, by_name =, everywhere = name to true }

local NARROW <const> = { x86 = true, arm = true } -- ABIs whose arguments have 32 bits

local function read_abis(line)
  local abis, by_name = {}, {}
  for name, audit in line:gmatch("(%S+) (%x+)") do
    local abi = { name = name, audit = tonumber(audit, 16), bits = NARROW[name] and 32 or 64,
      newest = -1, numbers = {}, names = {} }
    abis[#abis + 1], by_name[name] = abi, abi
  end
  return abis, by_name
end

local function read_row(line, abis, everywhere)
  local fields = line:gmatch("%S+")
  local name = fields()
  everywhere[name] = true
  for _, abi in ipairs(abis) do
    local number = math.tointeger(tonumber(fields()))
    if number then
      abi.numbers[name], abi.names[number] = number, name
      abi.newest = math.max(abi.newest, number)
    end
  end
end

local function read()
  local lines = require("luactr.core").seccomp.table():gmatch("[^\n]+")
  local abis, by_name = read_abis(lines())
  known = { abis = abis, by_name = by_name, everywhere = {} }
  for line in lines do
    read_row(line, abis, known.everywhere)
  end
  return known
end

local function table_of()
  return known or read()
end

--- The ABIs of this machine, its own first.
---@return luactr.abi[]
function M.abis()
  return table_of().abis
end

---@param name string
---@return luactr.abi?
function M.abi(name)
  return table_of().by_name[name]
end

--- Whether any machine has a system call of that name.
---@param name string
---@return boolean
function M.exists(name)
  return table_of().everywhere[name] == true
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
  end
  return groups()[name] and add_group(name, {}) or nil
end

--- The tail of a sentence about an unknown name.
---@param name string
---@return string
function M.hint(name)
  local list = {}
  for candidate in pairs(name:sub(1, 1) == "@" and groups() or table_of().everywhere) do
    list[#list + 1] = candidate
  end
  table.sort(list)
  return require("luactr.nearest").hint(name, list)
end

return M
