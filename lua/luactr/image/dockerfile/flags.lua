--- Flags of instructions, `--name=value` before the other words. Pure.
local check = require "luactr.check"
local values = require "luactr.image.dockerfile.values"

local M = {}

--- The first flag of a text, and what follows it.
local function flag_of(text)
  return text:match("^%-%-([%a][%w-]*)(=?)(%S*)%s*(.*)$")
end

local function unknown_flag(line, row, name)
  local known = check.sorted_keys(row.flags or {})
  local hint = require("luactr.nearest").hint(name, known)
  local list = {}
  for i, other in ipairs(known) do
    list[i] = "--" .. other
  end
  local others = #list > 0 and "it takes " .. table.concat(list, ", ") or nil
  return nil, string.format("%s: --%s is not supported%s", line.word, name, hint),
    row.refused and row.refused[name] or others
end

--- The flags of a line by the fields of its step, and the text behind them.
---@param row luactr.image.dockerfile.row
---@param line luactr.image.dockerfile.line
---@param file luactr.image.dockerfile
---@return table<string, string>?
---@return string text or what is wrong
---@return string? remedy
function M.take(row, line, file)
  local text, found = line.text, {}
  while true do
    local name, sign, value, rest = flag_of(text)
    if not name then
      return found, text
    end
    local field = row.flags and row.flags[name]
    if not field then
      return unknown_flag(line, row, name)
    elseif sign == "" or value == "" then
      return nil, string.format("%s: --%s=VALUE expected", line.word, name)
    elseif found[field] then
      return nil, string.format("%s: --%s is there twice", line.word, name)
    end
    local fine, mistake = values.check_words({ value }, file)
    if not fine then
      return nil, mistake
    end
    found[field], text = value, rest
  end
end

return M
