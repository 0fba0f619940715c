--- The keys that detach from a container: parsed, and found among what is typed. Pure.
local M = {}

local MOST <const> = 16

-- ---- "ctrl-p,ctrl-q"

local CONTROL_OF <const> = "^ctrl%-([@a-z%[\\%]^_])$"
local PRINTABLE <const> = "^[^%c ,\127-\255]$"

local function byte_of(word)
  local control = word:match(CONTROL_OF)
  if control then
    return string.char(control:upper():byte() & 31)
  end
  return word:match(PRINTABLE)
end

--- The bytes of a sequence of keys; "" for none.
---@param text string
---@return string? keys
---@return string? problem
function M.parse(text)
  if text == "" then
    return ""
  end
  local keys = {}
  for word in (text .. ","):gmatch("([^,]*),") do
    local byte = byte_of(word)
    if not byte then
      return nil, string.format("%q is no key: a character, or ctrl- and one of a-z @ [ \\ ] ^ _",
        word)
    end
    keys[#keys + 1] = byte
  end
  if #keys > MOST then
    return nil, string.format("at most %d keys", MOST)
  end
  return table.concat(keys)
end

-- ---- among what is typed

--- Keys that may become the sequence are held back; flush() lets them go, and if the rest follows
--- it is the sequence all the same.
---@class luactr.attach.keys
---@field keys string
---@field matched integer how many of them were typed last
---@field held integer how many of those nobody has seen yet
local Keys = {}
Keys.__index = Keys

---@param keys string of parse()
---@return luactr.attach.keys
function M.new(keys)
  return setmetatable({ keys = keys, matched = 0, held = 0 }, Keys)
end

--- The longest beginning of the keys that ends with this one.
local function longest(keys, typed)
  for length = math.min(#typed, #keys), 1, -1 do
    if typed:sub(-length) == keys:sub(1, length) then
      return length
    end
  end
  return 0
end

--- What was typed, without keys that are held back; and whether the sequence was among it, which
--- what follows is then lost with.
---@param data string
---@return string passed
---@return boolean detached
function Keys:feed(data)
  if self.keys == "" then
    return data, false
  end
  local passed = {}
  for byte in data:gmatch(".") do
    local typed = self.keys:sub(1, self.matched) .. byte
    local unseen = typed:sub(-(self.held + 1))
    self.matched = longest(self.keys, typed)
    self.held = math.min(self.matched, #unseen)
    passed[#passed + 1] = unseen:sub(1, #unseen - self.held)
    if self.matched == #self.keys then
      return table.concat(passed), true
    end
  end
  return table.concat(passed), false
end

--- The keys that are held back.
---@return string
function Keys:flush()
  local unseen = self.keys:sub(self.matched - self.held + 1, self.matched)
  self.held = 0
  return unseen
end

return M
