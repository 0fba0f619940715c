--- What a program has made of a terminal by escape sequences, and how to undo it: the other screen,
--- a hidden cursor, reports of the mouse. Pure.
local M = {}

local LONGEST <const> = 64 -- of a sequence

-- Private modes that a terminal begins with.
local ON <const> = { ["7"] = true, ["25"] = true } -- wrapping lines, cursor

---@class luactr.attach.modes
---@field changed table<string, boolean> by number
---@field styled boolean colours and the like may be set
---@field rest string the beginning of a sequence
local Modes = {}
Modes.__index = Modes

---@return luactr.attach.modes
function M.new()
  return setmetatable({ changed = {}, styled = false, rest = "" }, Modes)
end

--- Look at what the program writes.
---@param data string
function Modes:see(data)
  if self.rest == "" and not data:find("\27", 1, true) then
    return
  end
  data = self.rest .. data
  for numbers, letter in data:gmatch("\27%[%?([%d;]+)([hl])") do
    for number in numbers:gmatch("%d+") do
      local is_on, usual = letter == "h", ON[number] or false
      self.changed[number] = nil
      if is_on ~= usual then
        self.changed[number] = is_on
      end
    end
  end
  self.styled = self.styled or data:find("\27%[[%d;]*m") ~= nil
  local rest = data:match("\27[^\27]*$") or ""
  self.rest = #rest < LONGEST and not rest:find("%a") and rest or ""
end

--- The bytes that make the terminal as it was.
---@return string
function Modes:undo()
  local numbers, parts = {}, {}
  for number in pairs(self.changed) do
    numbers[#numbers + 1] = number
  end
  table.sort(numbers)
  for i, number in ipairs(numbers) do
    parts[i] = string.format("\27[?%s%s", number, self.changed[number] and "l" or "h")
  end
  return (self.styled and "\27[0m" or "") .. table.concat(parts)
end

return M
