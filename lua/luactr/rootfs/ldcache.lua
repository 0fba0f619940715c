--- /etc/ld.so.cache as ldconfig(8) of glibc 2.2 and later writes it. Pure: bytes in, paths out.
local M = {}

local MAGIC <const> = "glibc-ld.so.cache1.1"
local HEADER_SIZE <const> = 48
local ENTRY <const> = "=I4I4I4I4I8" -- flags, key, value, osversion, hwcap
local ENTRY_SIZE <const> = string.packsize(ENTRY)

local function is_digit(byte) return byte ~= nil and byte >= 48 and byte <= 57 end

-- The order of the cache, which is _dl_cache_libcmp of glibc: runs of digits count as numbers.
local function compare(a, b)
  local i, j = 1, 1
  while i <= #a do
    local x, y = a:byte(i), b:byte(j)
    if x == y and not is_digit(x) then
      i, j = i + 1, j + 1
    elseif is_digit(x) and is_digit(y) then
      local m, n = a:match("^%d+", i), b:match("^%d+", j)
      if tonumber(m) ~= tonumber(n) then
        return tonumber(m) - tonumber(n)
      end
      i, j = i + #m, j + #n
    elseif is_digit(x) or is_digit(y) then
      return is_digit(x) and 1 or -1
    else
      return x - (y or 0)
    end
  end
  return j <= #b and -1 or 0
end

local methods = {}
local Cache <const> = { __index = methods }

function methods:entry(index)
  local _, key, value, _, hwcap =
    string.unpack(ENTRY, self.bytes, self.entries + index * ENTRY_SIZE)
  return self:text(key), value, hwcap
end

function methods:text(offset) return self.bytes:match("^([^\0]*)\0", self.base + offset) or "" end

-- The index of the first entry that is called `name` or would follow it; the order is descending.
function methods:lower_bound(name)
  local low, high = 0, self.count
  while low < high do
    local middle = (low + high) // 2
    if compare((self:entry(middle)), name) > 0 then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

--- The paths of a library, in the cache's order.
---
--- Entries for special hardware (glibc-hwcaps) are left out: each has a general twin, and the
--- loader falls back on it when the special one is not there.
---@param name string
---@return string[]
function methods:lookup(name)
  local paths = self.found[name]
  if paths then
    return paths
  end
  paths = {}
  self.found[name] = paths
  for index = self:lower_bound(name), self.count - 1 do
    local key, value, hwcap = self:entry(index)
    if compare(key, name) ~= 0 then break end
    if hwcap == 0 then paths[#paths + 1] = self:text(value) end
  end
  return paths
end

--- Read a cache.
---
--- Nothing is unpacked here: a lookup of ten entries is cheap, a table of a thousand is not.
---@param bytes string the whole file
---@return table? cache nil when it is no cache of this format
function M.open(bytes)
  -- Before glibc 2.32 the table of libc5 times comes first; offsets count from the magic.
  local start = bytes:find(MAGIC, 1, true)
  if not start or #bytes < start + HEADER_SIZE - 1 then return nil end
  local entries = start + HEADER_SIZE
  local count = string.unpack("=I4", bytes, start + #MAGIC)
  count = math.min(count, (#bytes - entries + 1) // ENTRY_SIZE)
  return setmetatable(
    { bytes = bytes, base = start, entries = entries, count = count, found = {} }, Cache)
end

return M
