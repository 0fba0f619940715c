--- Headers of tar archives, in the dialects that image archives are written in: ustar, pax, GNU.
--- Pure.
local M = {}

M.BLOCK = 512

local BLANK <const> = ("\0"):rep(M.BLOCK)
local CHECKSUM_AT <const>, CHECKSUM_SIZE <const> = 149, 8

local TYPES <const> = {
  ["0"] = "file", ["\0"] = "file", ["7"] = "file", ["1"] = "link", ["2"] = "symlink",
  ["5"] = "directory", x = "pax", g = "global", L = "name", K = "linkname",
}

---@class luactr.image.places.header
---@field type "file"|"link"|"symlink"|"directory"|"pax"|"global"|"name"|"linkname"|"other"
---@field name string
---@field link? string
---@field size integer bytes of what follows

local function text_at(block, first, last)
  return block:sub(first, last):match("^%Z*")
end

--- Octal digits, or big-endian with the highest bit set, as GNU writes what is larger.
local function number_at(block, first, last)
  local field = block:sub(first, last)
  if field:byte() & 0x80 ~= 0 then
    local value = field:byte() & 0x7f
    for i = 2, #field do
      if value >> 55 ~= 0 then
        return nil
      end
      value = value << 8 | field:byte(i)
    end
    return value
  end
  return tonumber(field:match("^ *([0-7]*)[ %z]*$") or "x", 8)
    or (field:find("^[ %z]*$") and 0 or nil)
end

local function sum_of(block)
  local sum = CHECKSUM_SIZE * (" "):byte()
  for i = 1, M.BLOCK do
    if i < CHECKSUM_AT or i >= CHECKSUM_AT + CHECKSUM_SIZE then
      sum = sum + block:byte(i)
    end
  end
  return sum
end

--- A block of 512 bytes as a header: false for one of zeros, which ends an archive; nil and what is
--- wrong with it.
---@param block string
---@return luactr.image.places.header|false|nil
---@return string? problem
function M.parse(block)
  if block == BLANK then
    return false
  end
  local size = number_at(block, 125, 136)
  if number_at(block, CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_SIZE - 1) ~= sum_of(block) then
    return nil, "a header's checksum is wrong"
  elseif not size then
    return nil, "a header's size is no number"
  end
  local name, prefix = text_at(block, 1, 100), text_at(block, 346, 500)
  if block:sub(258, 263) == "ustar\0" and prefix ~= "" then
    name = prefix .. "/" .. name
  end
  local kind = TYPES[block:sub(157, 157)] or "other"
  if kind == "file" and name:sub(-1) == "/" and block:sub(258, 262) ~= "ustar" then
    kind = "directory" -- from before there was a letter for it
  end
  local is_link = kind == "link" or kind == "symlink"
  return {
    type = kind, name = name, link = is_link and text_at(block, 158, 257) or nil,
    size = (is_link or kind == "directory") and 0 or size,
  }
end

--- What the records of a pax header say: path, linkpath, size; nil and what is wrong.
---@param text string
---@return table<string, string>?
---@return string? problem
function M.records(text)
  local found, at = {}, 1
  while at <= #text and text:byte(at) ~= 0 do
    local digits = text:match("^(%d+) ", at)
    local length = digits and #digits < 10 and tonumber(digits)
    local record = length and length > 0 and text:sub(at, at + length - 1)
    local key, value = (record or ""):match("^%d+ ([^=]+)=(.*)\n$")
    if not key or #record ~= length then
      return nil, "a pax header is damaged"
    end
    found[key], at = value, at + length
  end
  return found
end

return M
