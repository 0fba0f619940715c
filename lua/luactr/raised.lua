--- What a value that a recipe raised becomes: an error object with the recipe's part of the stack.
local M = {}

local function is_own(source)
  return source:find("^@luactr/") or source:find("^@.*%f[^/@]lua/luactr/")
end

--- The recipe's part of the stack: functions of C and of luactr say nothing to its author.
local function traceback(level)
  local lines = {}
  while true do
    local frame = debug.getinfo(level, "Sln")
    if not frame then
      return lines
    end
    if frame.what ~= "C" and not is_own(frame.source) then
      local where = string.format("%s:%d", frame.short_src, frame.currentline)
      local name = frame.what == "main" and "the recipe" or frame.name
      lines[#lines + 1] = name and string.format("%s in %s", where, name) or where
    end
    level = level + 1
  end
end

--- A handler for xpcall. An error object already says where the recipe is at fault.
---@param value any
---@return luactr.error
function M.object(value)
  local E = require "luactr.error"
  if E.is(value) then
    return value
  end
  local is_text = type(value) == "string" or type(value) == "number"
  return E.new {
    code = "ERAISED", op = "run", stack = traceback(3),
    message = is_text and tostring(value) or "the recipe raised a " .. type(value),
  }
end

--- An error that nobody waits for.
---@param err luactr.error
---@param who string what it ended
---@return string
function M.text(err, who)
  return who .. ": " .. tostring(err):gsub("^luactr: ", "")
end

--- Tell of one on stderr.
---@param err luactr.error
---@param who string
function M.report(err, who)
  io.stderr:write("luactr: ", M.text(err, who), "\n")
end

return M
