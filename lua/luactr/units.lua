--- Sizes, times, modes and CPU counts as recipes write them. Pure.
--
-- Every parser returns the value in its base unit, or nil and a sentence that says what is wrong
-- and how to write it.
local M = {}

local SIZE <const> = { [""] = 1, K = 1 << 10, M = 1 << 20, G = 1 << 30, T = 1 << 40, P = 1 << 50 }

local SECONDS <const> = { us = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600, d = 86400 }

-- Mode bits that people write without quotes. Lua has no octal literals: 0755 is seven hundred
-- fifty-five, which as mode bits is 01363 and never meant.
local DECIMAL_SLIPS <const> = {
  [22] = true, [27] = true, [77] = true, [400] = true, [444] = true, [500] = true, [555] = true,
  [600] = true, [640] = true, [644] = true, [660] = true, [664] = true, [666] = true,
  [700] = true, [711] = true, [750] = true, [755] = true, [770] = true, [775] = true,
  [777] = true, [1777] = true, [2755] = true, [4755] = true,
}

local function shown(value)
  if type(value) == "string" then
    return string.format("%q", #value > 40 and value:sub(1, 40) .. "..." or value)
  end
  return type(value) == "number" and tostring(value) or type(value)
end

--- A size in bytes. Numbers are bytes; strings are a number and K, M, G, T or P (powers of 1024;
-- KiB, MiB ... mean the same). "64MB" is refused: half of the world reads it as 64000000.
---@param value string|number
---@return integer? bytes
---@return string? problem
function M.size(value)
  local number, suffix = value, ""
  if type(value) == "string" then
    number, suffix = value:match("^%s*(%d+%.?%d*)%s*(%a*)%s*$")
    number = tonumber(number)
    if not number then
      return nil, "size expected, as \"64M\" or bytes, got " .. shown(value)
    end
  elseif type(value) ~= "number" then
    return nil, "size expected, as \"64M\" or bytes, got " .. type(value)
  end
  local unit = suffix:upper()
  if unit:find("^[KMGTP]B$") then
    return nil, string.format("%s is ambiguous: write %s%s (powers of 1024) or the bytes",
      shown(value), number, unit:sub(1, 1))
  end
  local factor = SIZE[unit] or SIZE[unit:match("^([KMGTP])IB$")] or (unit == "B" and 1)
  if not factor then
    return nil, string.format("unknown unit %s: K, M, G, T or P", shown(suffix))
  end
  local bytes = number * factor
  if bytes < 0 or bytes ~= bytes or bytes >= 2.0 ^ 63 then
    return nil, "size out of range: " .. shown(value)
  end
  local whole = math.tointeger(bytes) or math.tointeger(bytes // 1)
  if factor == 1 and whole ~= bytes then
    return nil, "size is not a whole number of bytes: " .. shown(value)
  end
  return whole
end

local function time_text(text)
  local total, rest = 0.0, text:lower():gsub("%s+", "")
  if rest == "" then
    return nil
  end
  while rest ~= "" do
    local number, unit, tail = rest:match("^(%d+%.?%d*)(%l+)(.*)$")
    local factor = SECONDS[unit]
    if not factor then
      return nil
    end
    total, rest = total + tonumber(number) * factor, tail
  end
  return total
end

--- A time in seconds. Numbers are seconds; strings are numbers with us, ms, s, m, h or d, also
-- joined ("1m30s"). A bare "90" is refused, since nobody can tell its unit.
---@param value string|number
---@return number? seconds
---@return string? problem
function M.time(value)
  if type(value) == "number" then
    if value < 0 or value ~= value or value == math.huge then
      return nil, "time out of range: " .. tostring(value)
    end
    return value
  end
  if type(value) ~= "string" then
    return nil, "time expected, as \"1.5s\" or seconds, got " .. type(value)
  end
  local seconds = time_text(value)
  if seconds then
    return math.tointeger(seconds) or seconds
  end
  if tonumber(value) then
    return nil, string.format("%s has no unit: write \"%ss\"", shown(value), value)
  end
  return nil, "time expected, as \"1.5s\", \"200ms\" or \"2m\", got " .. shown(value)
end

--- File mode bits or a umask. A string is octal ("0644"); a number is taken as it is, unless it
-- looks like octal written without quotes.
---@param value string|integer
---@return integer? bits
---@return string? problem
function M.mode(value)
  if type(value) == "string" and value:find("^[0-7]+$") and #value <= 5 then
    local bits = tonumber(value, 8)
    if bits <= 4095 then
      return bits
    end
  end
  local bits = type(value) == "number" and math.tointeger(value)
  if not bits or bits < 0 or bits > 4095 then
    return nil, "mode expected, as \"0644\", got " .. shown(value)
  end
  if DECIMAL_SLIPS[bits] then
    return nil, string.format("%d is decimal in Lua, with or without a leading 0: write \"0%d\"",
      bits, bits)
  end
  return bits
end

--- A number of CPUs: 0.4 is two fifths of one. "40%" is the same.
---@param value string|number
---@return number? cpus
---@return string? problem
function M.cpu(value)
  local cpus = value
  if type(value) == "string" then
    local percent = tonumber(value:match("^%s*(%d+%.?%d*)%s*%%%s*$"))
    cpus = percent and percent / 100
  end
  if type(cpus) ~= "number" then
    return nil, "number of CPUs expected, as 0.4 or \"40%\", got " .. shown(value)
  end
  if not (cpus > 0 and cpus <= 65536) then
    return nil, "number of CPUs out of range: " .. shown(value)
  end
  return cpus
end

--- As the kernel names a page size in its files: "2MB", "1GB", "64KB".
---@param bytes integer
---@return string
function M.page_size(bytes)
  for _, unit in ipairs { { 1 << 30, "GB" }, { 1 << 20, "MB" } } do
    if bytes >= unit[1] then
      return bytes // unit[1] .. unit[2]
    end
  end
  return bytes // 1024 .. "KB"
end

--- Bytes as people read them, exact: 67108864 is "64M", 1000 is "1000".
---@param bytes integer
---@return string
function M.format_size(bytes)
  for _, unit in ipairs { "P", "T", "G", "M", "K" } do
    if bytes ~= 0 and bytes % SIZE[unit] == 0 then
      return bytes // SIZE[unit] .. unit
    end
  end
  return tostring(bytes)
end

return M
