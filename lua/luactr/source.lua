--- From a field's path to its line in the recipe: "mounts[2].target" -> 17.
--
-- A small tokenizer reads the table constructor behind the ctr.container call. Only `explain` and
-- the report of errors load this. What it cannot follow (tables built by functions) falls back to
-- the nearest line that it knows, at last that of the call.
local M = {}

-- ---- tokens

local function long_bracket(text, at)
  local _, stop, equals = text:find("^%[(=*)%[", at)
  if not stop then
    return nil
  end
  local _, close = text:find("]" .. equals .. "]", stop + 1, true)
  return close or #text
end

local function comment(text, at)
  if text:sub(at, at + 1) ~= "--" then
    return nil
  end
  return long_bracket(text, at + 2) or (text:find("\n", at, true) or #text + 1) - 1
end

local function short_string(text, at)
  local quote = text:sub(at, at)
  if quote ~= '"' and quote ~= "'" then
    return nil
  end
  local position = at + 1
  while position <= #text do
    local found = text:find("[\\\n" .. quote .. "]", position)
    if not found then
      return #text
    elseif text:sub(found, found) ~= "\\" then
      return found
    end
    position = found + 2
  end
  return #text
end

local function string_at(text, at)
  return short_string(text, at) or long_bracket(text, at)
end

--- The kind and the last byte of the token at `at`.
local function token_at(text, at)
  local stop = comment(text, at)
  if stop then
    return "comment", stop
  end
  stop = string_at(text, at)
  if stop then
    return "string", stop
  end
  stop = select(2, text:find("^[%a_][%w_]*", at))
  if stop then
    return "name", stop
  end
  stop = select(2, text:find("^%.?%d[%w.]*", at))
  if stop then
    return "number", stop
  end
  stop = select(2, text:find("^[=~<>]=", at))
  return "sign", stop or at
end

local function count_newlines(text, from, to)
  local count = 0
  for _ in text:sub(from, to):gmatch("\n") do
    count = count + 1
  end
  return count
end

local function tokenize(text)
  local tokens, at, line = {}, 1, 1
  while true do
    local start = text:find("%S", at)
    if not start then
      return tokens
    end
    line = line + count_newlines(text, at, start - 1)
    local kind, stop = token_at(text, start)
    if kind ~= "comment" then
      tokens[#tokens + 1] = { kind = kind, text = text:sub(start, stop), line = line }
    end
    line = line + count_newlines(text, start, stop)
    at = stop + 1
  end
end

-- ---- table constructors

local OPENS <const> = {
  ["("] = 1, ["{"] = 1, ["["] = 1, [")"] = -1, ["}"] = -1, ["]"] = -1,
  ["function"] = 1, ["if"] = 1, ["do"] = 1, ["repeat"] = 1, ["end"] = -1, ["until"] = -1,
}

local function is(token, text)
  return token and token.kind ~= "string" and token.text == text
end

local function depth_change(token)
  return token.kind ~= "string" and OPENS[token.text] or 0
end

--- The index of the separator or brace that ends the value which starts at `at`.
local function value_end(tokens, at)
  local depth = 0
  while tokens[at] do
    local token = tokens[at]
    local change = depth_change(token)
    if depth == 0 and (change < 0 or is(token, ",") or is(token, ";")) then
      return at
    end
    depth = depth + change
    at = at + 1
  end
  return at
end

local function unquoted(token)
  return token.kind == "string" and token.text:match("^[\"'](.*)[\"']$") or token.text
end

--- The key of the item at `at` and the index of its value; no key for a list's element.
local function item_key(tokens, at)
  if tokens[at].kind == "name" and is(tokens[at + 1], "=") then
    return tokens[at].text, at + 2
  elseif is(tokens[at], "[") and is(tokens[at + 2], "]") and is(tokens[at + 3], "=") then
    return unquoted(tokens[at + 1]), at + 4
  end
  return nil, at
end

--- Note the line of every item of the constructor whose brace is at `at`, and of those in it.
local function walk(tokens, at, path, lines)
  local element = 0
  at = at + 1
  while tokens[at] and not is(tokens[at], "}") do
    local line = tokens[at].line
    local key, value = item_key(tokens, at)
    local name
    if key then
      name = path == "" and key or path .. "." .. key
    else
      element = element + 1
      name = path .. "[" .. element .. "]"
    end
    lines[name] = lines[name] or line
    if is(tokens[value], "{") then
      walk(tokens, value, name, lines)
    end
    at = value_end(tokens, value)
    if is(tokens[at], ",") or is(tokens[at], ";") then
      at = at + 1
    end
  end
end

local CALLS <const> = { container = true, run = true, pod = true }

--- The brace that opens the argument of the call at `line`: after the name of one of them if it is
--- there, else the first.
local function constructor(tokens, line)
  local first
  for i, token in ipairs(tokens) do
    if token.line > line + 1 then
      break
    elseif token.line >= line and is(token, "{") then
      local before = is(tokens[i - 1], "(") and tokens[i - 2] or tokens[i - 1]
      if before and CALLS[before.text] then
        return i
      end
      first = first or (token.line == line and i)
    end
  end
  return first
end

--- The lines of all fields that the call at `line` spells out.
---@param text string the recipe
---@param line integer
---@return table<string, integer>
function M.lines(text, line)
  local tokens, lines = tokenize(text), {}
  local brace = constructor(tokens, line)
  if brace then
    walk(tokens, brace, "", lines)
  end
  return lines
end

--- The line of a path, of the nearest field around it, or nothing.
---@param lines table<string, integer>
---@param path string
---@return integer?
function M.find(lines, path)
  while path do
    if lines[path] then
      return lines[path]
    end
    path = path:match("^(.*)%[[^%[]*%]$") or path:match("^(.*)%.[^.]*$")
  end
end

-- ---- files

--- Read the lines of the call at `where`; what cannot be read has none.
local function read_lines(where)
  local file <close> = io.open(where.file)
  return file and M.lines(file:read("a"), where.line) or {}
end

--- A path as the call has it, in which the container may be one of several: see luactr.spec.pod.
local function whole(where, path)
  return where.within and where.within .. "." .. path or path
end

--- A function from paths to "web.lua:17" for the container made at `where`. Reads the file at its
--- first use.
---@param where? luactr.where
---@return luactr.locate
function M.locator(where)
  local lines
  return function(path)
    if not (where and where.line) then
      return nil
    end
    lines = lines or read_lines(where)
    return string.format("%s:%d", where.file, M.find(lines, whole(where, path)) or where.line)
  end
end

--- Where a field of the container made at `where` is said; `where` itself if that is unknown.
---@param where? luactr.where
---@param path? string
---@return luactr.where?
function M.where(where, path)
  local line = where and where.line and path and M.find(read_lines(where), whole(where, path))
  return line and { file = where.file, line = line } or where
end

--- Give each problem of a wrong spec its own `where` ("web.lua:17").
---@param err luactr.error
---@return luactr.error err
function M.annotate(err)
  local locate = M.locator(err.where)
  for _, problem in ipairs(err.problems or {}) do
    problem.where = locate(problem.path)
  end
  return err
end

return M
