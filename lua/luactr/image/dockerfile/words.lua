--- Words of a Dockerfile: quotes, what is escaped, and variables. Pure.
local M = {}

local DEEPEST <const> = 32 -- ${a:-${b:-...}}

---@alias luactr.image.dockerfile.lookup fun(name: string): string?

-- ---- splitting

--- The end of a quoted text that begins at `at`; nil when it has none.
local function quote_end(text, at, escape)
  local quote = text:sub(at, at)
  local i = at + 1
  while i <= #text do
    local letter = text:sub(i, i)
    if letter == quote then
      return i
    elseif letter == escape and quote == '"' then
      i = i + 1
    end
    i = i + 1
  end
end

--- The end of a word that begins at `at`.
local function word_end(text, at, escape)
  local i = at
  while i <= #text do
    local letter = text:sub(i, i)
    if letter:find("%s") then
      return i - 1
    elseif letter == '"' or letter == "'" then
      local stop = quote_end(text, i, escape)
      if not stop then
        return nil, "a quote has no end: " .. text:sub(i)
      end
      i = stop
    elseif letter == escape then
      i = i + 1
    end
    i = i + 1
  end
  return #text
end

--- Words between blanks, with their quotes.
---@param text string
---@param escape string
---@return string[]?
---@return string? mistake
function M.split(text, escape)
  local words, at = {}, 1
  while true do
    local start = text:find("%S", at)
    if not start then
      return words
    end
    local stop, mistake = word_end(text, start, escape)
    if not stop then
      return nil, mistake
    end
    words[#words + 1] = text:sub(start, stop)
    at = stop + 1
  end
end

-- ---- variables

-- What an operator makes of a variable; `word` is what stands behind it.
local OPERATORS <const> = {
  ["-"] = function(value, word) return value or word end,
  ["+"] = function(value, word) return value and word or "" end,
  ["?"] = function(value, word, name)
    if value then
      return value
    end
    return nil, string.format("%s: %s", name, word ~= "" and word or "it has no value")
  end,
}

local expand

--- `${NAME}`, or with an operator. `reader.at` is behind the brace.
local function braced(reader)
  local name, stop = reader.text:match("^([%a_][%w_]*)()", reader.at)
  if not name then
    return nil, "a variable's name expected behind ${"
  end
  local colon, operator, after = reader.text:match("^(:?)([-+?])()", stop)
  local value = reader.lookup(name)
  if not operator then
    if reader.text:sub(stop, stop) ~= "}" then
      return nil, string.format("${%s: \"}\", \":-\", \":+\" or \":?\" expected", name)
    end
    reader.at = stop + 1
    return value or ""
  end
  reader.at = after
  local word, mistake = expand(reader, "}")
  if not word then
    return nil, mistake
  elseif reader.text:sub(reader.at, reader.at) ~= "}" then
    return nil, string.format("${%s%s%s has no end", name, colon, operator)
  end
  reader.at = reader.at + 1
  if colon == ":" and value == "" then
    value = nil
  end
  return OPERATORS[operator](value, word, name)
end

--- What a dollar sign stands for. `reader.at` is behind it.
local function variable(reader)
  if reader.text:sub(reader.at, reader.at) == "{" then
    reader.at = reader.at + 1
    return braced(reader)
  end
  local name, stop = reader.text:match("^([%a_][%w_]*)()", reader.at)
  if not name then
    return "$"
  end
  reader.at = stop
  return reader.lookup(name) or ""
end

-- ---- quotes

local function single_quoted(reader)
  local stop = reader.text:find("'", reader.at, true)
  if not stop then
    return nil, "a quote has no end"
  end
  local text = reader.text:sub(reader.at, stop - 1)
  reader.at = stop + 1
  return text
end

local function escaped(reader, within)
  local letter = reader.text:sub(reader.at, reader.at)
  reader.at = reader.at + 1
  local means_itself = within and letter ~= '"' and letter ~= "$" and letter ~= reader.escape
  return (means_itself or letter == "") and reader.escape .. letter or letter
end

local function double_quoted(reader)
  local text, mistake = expand(reader, '"')
  if not text then
    return nil, mistake
  elseif reader.text:sub(reader.at, reader.at) ~= '"' then
    return nil, "a quote has no end"
  end
  reader.at = reader.at + 1
  return text
end

--- The text up to `stop`, which is not taken; "" for all of it.
function expand(reader, stop)
  local list = {}
  reader.depth = reader.depth + 1
  if reader.depth > DEEPEST then
    return nil, "variables within variables, too many"
  end
  while reader.at <= #reader.text do
    local letter = reader.text:sub(reader.at, reader.at)
    if letter == stop then
      break
    end
    reader.at = reader.at + 1
    local piece, mistake = letter, nil
    if letter == "$" then
      piece, mistake = variable(reader)
    elseif letter == reader.escape then
      piece = escaped(reader, stop == '"' or reader.raw)
    elseif letter == "'" and stop ~= '"' and not reader.raw then
      piece, mistake = single_quoted(reader)
    elseif letter == '"' and not reader.raw then
      piece, mistake = double_quoted(reader)
    end
    if not piece then
      return nil, mistake
    end
    list[#list + 1] = piece
  end
  reader.depth = reader.depth - 1
  return table.concat(list)
end

-- ---- use

--- A word without its quotes, with what variables stand for.
---@param word string
---@param lookup luactr.image.dockerfile.lookup
---@param escape string
---@return string?
---@return string? mistake
function M.expand(word, lookup, escape)
  return expand({ text = word, at = 1, depth = 0, lookup = lookup, escape = escape }, "")
end

--- The same for the text of a heredoc, in which quotes mean nothing.
---@param text string
---@param lookup luactr.image.dockerfile.lookup
---@param escape string
---@return string?
---@return string? mistake
function M.expand_text(text, lookup, escape)
  return expand({ text = text, at = 1, depth = 0, lookup = lookup, escape = escape,
    raw = true }, "")
end

return M
