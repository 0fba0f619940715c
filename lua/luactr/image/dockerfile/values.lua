--- What follows an instruction: words, lists in JSON, commands, NAME=value. Pure.
local words = require "luactr.image.dockerfile.words"

local M = {}

local function nothing()
  return nil
end

--- Whether variables in words are written as they should be. What they stand for is not known yet.
---@param list string[]
---@param file luactr.image.dockerfile
---@return string[]? list
---@return string? mistake
function M.check_words(list, file)
  for _, word in ipairs(list) do
    local fine, mistake = words.expand(word, nothing, file.escape)
    if not fine and not mistake:find("has no value", 1, true) then
      return nil, mistake
    end
  end
  return list
end

--- Words between blanks.
---@param text string
---@param file luactr.image.dockerfile
---@return string[]?
---@return string? mistake
function M.words_of(text, file)
  local list, mistake = words.split(text, file.escape)
  if not list then
    return nil, mistake
  end
  return M.check_words(list, file)
end

--- A JSON list of strings; nil for what is none.
---@param text string
---@return string[]?
function M.json_list(text)
  if text:sub(1, 1) ~= "[" then
    return nil
  end
  local fine, value = pcall(require("luactr.json").decode, text)
  if not fine or type(value) ~= "table" then
    return nil
  end
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  for _, word in ipairs(value) do
    if type(word) ~= "string" or word:find("\0", 1, true) then
      return nil
    end
  end
  return count == #value and value or nil
end

--- A command: a list that is executed, or text for the shell.
---@param line luactr.image.dockerfile.line
---@param text string
---@param file luactr.image.dockerfile
---@return string[]|string
function M.command_of(line, text, file)
  local list = M.json_list(text)
  if list then
    return list
  elseif text:find("^%[%s*['\"].*%]$") then
    table.insert(file.warnings, { line = line.line,
      message = line.word .. ": what looks like a list is no JSON, and goes to the shell" })
  end
  return text
end

--- A list in JSON or words between blanks. Words of JSON mean themselves but for variables.
---@param text string
---@param file luactr.image.dockerfile
---@return string[]?
---@return string? mistake
function M.paths_of(text, file)
  local list = M.json_list(text)
  if not list then
    return M.words_of(text, file)
  end
  local quoted = {}
  for i, word in ipairs(list) do
    quoted[i] = '"' .. word:gsub("[\"\\`]", function(letter)
      return (letter == '"' or letter == file.escape) and file.escape .. letter or letter
    end) .. '"'
  end
  return M.check_words(quoted, file)
end

--- All of the text as one word.
---@param line luactr.image.dockerfile.line
---@param text string
---@param file luactr.image.dockerfile
---@param what string that is expected
---@return string[]?
---@return string? mistake
function M.one_word(line, text, file, what)
  if text == "" then
    return nil, line.word .. ": " .. what .. " expected"
  end
  return M.check_words({ text }, file)
end

--- `NAME=value ...`; the words with their values' quotes.
---@param line luactr.image.dockerfile.line
---@param list string[]
---@param bare? boolean NAME alone will do
---@return { name: string, value?: string }[]?
---@return string? mistake
function M.pairs_of(line, list, bare)
  local result = {}
  for i, word in ipairs(list) do
    local name, value = word:match("^([^=]*)=(.*)$")
    name = name or bare and word
    if not name or name == "" then
      return nil, string.format("%s: NAME=value expected, got %s", line.word, word)
    end
    result[i] = { name = name, value = value }
  end
  return result
end

return M
