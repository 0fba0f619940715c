--- What of a directory is no part of a build: `.containerignore` and `.dockerignore`. Pure.
local pattern = require "luactr.image.pattern"

local M = {}

---@class luactr.image.ignore
---@field rules { fits: fun(parts: string[]): boolean, line: integer, negative: boolean }[]
---@field readmits boolean something that is ignored may have something in it that is not
local Ignore = { __name = "luactr.image.ignore" }
Ignore.__index = Ignore

--- Whether a rule is about a path, or about a directory above it.
local function concerns(rule, parts)
  local above = {}
  for i, part in ipairs(parts) do
    above[i] = part
    if rule.fits(above) then
      return true
    end
  end
  return false
end

--- Whether a path is left out, and the line that says so. The last line that is about it decides.
---@param path string below the directory
---@return boolean
---@return integer? line
function Ignore:excludes(path)
  local parts = pattern.split(path)
  for i = #self.rules, 1, -1 do
    local rule = self.rules[i]
    if concerns(rule, parts) then
      return not rule.negative, rule.line
    end
  end
  return false
end

--- Whether a directory can be passed by with all that is in it.
---@param path string
---@return boolean
function Ignore:prunes(path)
  return not self.readmits and self:excludes(path)
end

--- "a/../b" is "b" here, too.
local function clean(text)
  local parts = {}
  for _, part in ipairs(pattern.split(text)) do
    if part == ".." then
      parts[#parts] = nil
    else
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

local function rule_of(text, line)
  local sign, rest = text:match("^(!?)%s*(.-)%s*$")
  local fits, mistake = pattern.path(clean(rest))
  if not fits then
    return nil, { line = line, message = mistake }
  end
  return { fits = fits, line = line, negative = sign == "!", empty = clean(rest) == "" }
end

--- Read the text of an ignore file: a pattern in each line, `!` before one that takes back what
--- those above it say, `#` before a remark.
---@param text string
---@return luactr.image.ignore?
---@return { line: integer, message: string }? problem
function M.parse(text)
  local self = setmetatable({ rules = {}, readmits = false }, Ignore)
  local number = 0
  for line in (text:gsub("^\xef\xbb\xbf", "") .. "\n"):gmatch("(.-)\r?\n") do
    number = number + 1
    local trimmed = line:match("^%s*(.-)%s*$")
    if trimmed ~= "" and line:sub(1, 1) ~= "#" then
      local rule, problem = rule_of(trimmed, number)
      if not rule then
        return nil, problem
      elseif not rule.empty then
        table.insert(self.rules, rule)
        self.readmits = self.readmits or rule.negative
      end
    end
  end
  return self
end

--- One that ignores nothing.
---@return luactr.image.ignore
function M.none()
  return setmetatable({ rules = {}, readmits = false }, Ignore)
end

return M
