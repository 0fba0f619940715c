--- Lines of a Dockerfile: those that go on in the next, remarks, directives and heredocs. Pure.
local words = require "luactr.image.dockerfile.words"

local M = {}

---@class luactr.image.dockerfile.line
---@field line integer where it begins
---@field word string the instruction, in capitals
---@field text string what follows it
---@field heredocs luactr.image.dockerfile.heredoc[]

---@class luactr.image.dockerfile.heredoc
---@field name string the word that ends it
---@field text string
---@field expand boolean variables in it stand for something
---@field raw string the lines as they are, with the one that ends it

-- Instructions that take heredocs.
local TAKES_HEREDOCS <const> = { RUN = true, COPY = true, ADD = true }

-- What is set by remarks before the first instruction. Those that say how others build it say
-- nothing here.
local DIRECTIVES <const> = {
  syntax = function() return true end,
  check = function() return true end,
  escape = function(reader, value)
    if value ~= "\\" and value ~= "`" then
      return nil, "escape is \\ or `, not " .. value
    end
    reader.escape = value
    return true
  end,
}

local function problem(line, message)
  return nil, { line = line, message = message }
end

local function physical_lines(text)
  local list = {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    list[#list + 1] = line
    if line:find("\0", 1, true) then
      return problem(#list, "there is a NUL byte")
    end
  end
  if list[#list] == "" then
    list[#list] = nil
  end
  return list
end

local function read_directives(reader)
  local seen = {}
  while true do
    local line = reader.lines[reader.at]
    local name, value = (line or ""):match("^%s*#%s*(%w+)%s*=%s*(.-)%s*$")
    name = name and name:lower()
    local directive = name and DIRECTIVES[name]
    if not directive then
      return true
    elseif seen[name] then
      return problem(reader.at, "the directive " .. name .. " is there twice")
    end
    local fine, message = directive(reader, value)
    if not fine then
      return problem(reader.at, message)
    end
    seen[name], reader.at = true, reader.at + 1
  end
end

local function is_remark(line)
  return line:find("^%s*#") ~= nil
end

--- A line without what says that it goes on in the next; nil when it does not.
local function continued(line, escape)
  local trimmed = line:match("^(.-)[ \t]*$")
  if trimmed:sub(-1) == escape and trimmed:sub(-2, -2) ~= escape then
    return trimmed:sub(1, -2)
  end
end

--- The next line with those that it goes on in. Remarks and empty lines between them are passed by.
local function read_logical(reader)
  local pieces, start = {}, reader.at
  while reader.lines[reader.at] do
    local line = reader.lines[reader.at]
    reader.at = reader.at + 1
    local is_first = #pieces == 0
    local passed = not is_first and (is_remark(line) or line:find("^%s*$"))
    local more = not passed and continued(line, reader.escape)
    if not passed then
      pieces[#pieces + 1] = more or line
    end
    if not passed and not more then
      break
    end
  end
  return table.concat(pieces), start
end

-- ---- heredocs

local function without_tabs(line)
  return (line:gsub("^\t+", ""))
end

-- What may stand right behind a heredoc's name in a shell's command.
local BEHIND <const> = "^[>|&;)]"

--- What a word begins: the heredoc's name, whether tabs are taken away and variables replaced.
local function heredoc_of(word)
  local dash, rest = word:match("^%d*<<(%-?)([^<]+)$")
  if not rest then
    return nil
  end
  local quote, name, tail = rest:match("^([\"'])([%w_.-]+)%1(.*)$")
  if not name then
    name, tail = rest:match("^([%w_][%w_.-]*)(.*)$")
  end
  if name and (tail == "" or tail:find(BEHIND)) then
    return { name = name, tabs = dash == "-", expand = quote == nil }
  end
end

local function read_heredoc(reader, found, start)
  local list, raw = {}, {}
  while reader.lines[reader.at] do
    local line = reader.lines[reader.at]
    reader.at = reader.at + 1
    raw[#raw + 1] = line .. "\n"
    line = found.tabs and without_tabs(line) or line
    if line == found.name then
      return { name = found.name, expand = found.expand, raw = table.concat(raw),
        text = table.concat(list) }
    end
    list[#list + 1] = line .. "\n"
  end
  return problem(start, string.format("the heredoc %s has no end: a line %s", found.name,
    found.name))
end

--- The heredocs that the words of an instruction begin, in their order. A shell's command with a
--- quote that has no end has none: the shell says what is wrong.
local function read_heredocs(reader, text, start)
  local list = {}
  for _, word in ipairs(words.split(text, reader.escape) or {}) do
    local found = heredoc_of(word)
    local heredoc, err
    if found then
      heredoc, err = read_heredoc(reader, found, start)
      if not heredoc then
        return nil, err
      end
      list[#list + 1] = heredoc
    end
  end
  return list
end

--- Whether a word of COPY or ADD is the beginning of a heredoc.
---@param word string
---@return boolean
function M.begins_heredoc(word)
  return heredoc_of(word) ~= nil
end

-- ---- use

--- An instruction; nil alone for a line that goes on in nothing.
local function read_line(reader)
  local text, start = read_logical(reader)
  local word, rest = text:match("^%s*(%S+)%s*(.-)%s*$")
  if not word then
    return nil
  end
  word = word:upper()
  local heredocs, err = {}, nil
  if TAKES_HEREDOCS[word] then
    heredocs, err = read_heredocs(reader, rest, start)
  end
  if not heredocs then
    return nil, err
  end
  return { line = start, word = word, text = rest, heredocs = heredocs }
end

--- All instructions of a text.
---@param text string
---@return luactr.image.dockerfile.line[]?
---@return { line: integer, message: string }|string second problem, or what escapes
function M.read(text)
  local physical, err = physical_lines((text:gsub("^\xef\xbb\xbf", "")))
  if not physical then
    return nil, err
  end
  local reader = { lines = physical, at = 1, escape = "\\" }
  local fine
  fine, err = read_directives(reader)
  if not fine then
    return nil, err
  end
  local list = {}
  while reader.lines[reader.at] do
    local line = reader.lines[reader.at]
    if is_remark(line) or line:find("^%s*$") then
      reader.at = reader.at + 1
    else
      local found
      found, err = read_line(reader)
      if err then
        return nil, err
      end
      list[#list + 1] = found
    end
  end
  return list, reader.escape
end

return M
