--- The error object: made once, near the cause; printed as one paragraph, compared by its code.
--
-- World's failures are returned as `nil, err`; a caller's mistake is raised. Nobody matches on
-- text: programs look at `err.code`, `err.step`, `err.op`, `err.path`, `err.cause`, `err.remedy`.
local M = {}

---@class luactr.error
---@field code string name of the errno, or luactr's own: "ESPEC" (wrong recipe), "EUSAGE"
---@field errno? integer
---@field message string what could not be done: `cannot start "web"`
---@field op? string the step or call that failed: "mount"
---@field path? string the object that it worked on
---@field step? integer which step of the plan, from 1
---@field steps? integer how many there are
---@field action? string the step in words: "mount tmpfs on /tmp (size=64M)"
---@field cause? string why, in a sentence
---@field checked? boolean the cause was probed and found true; otherwise it is a guess
---@field remedy? string what to try
---@field problems? luactr.problem[] all that is wrong with a spec
---@field subject? string what they are problems of, if not of a recipe
---@field where? luactr.where the recipe's line
---@field context? string[] what the callers were doing, innermost first
---@field stack? string[] where a recipe raised it, innermost first
local Error = { __name = "luactr.error" }
Error.__index = Error

-- What `record` tells, in this order for readers. `where` is a table of its own.
local FIELDS <const> = {
  "code", "errno", "message", "op", "path", "step", "steps", "action", "cause", "checked", "remedy",
  "problems", "where", "context",
}

-- ---- text

local function hex(bytes)
  return (bytes:gsub(".", function(c) return string.format("\\x%02x", c:byte()) end))
end

-- Bytes that would reach the terminal as commands (C0, DEL, C1 in UTF-8) or reorder a line (the
-- bidirectional controls). Names in messages come from hostile root file systems.
local UNSAFE <const> = {
  "[%c\127]", "\xc2[\x80-\x9f]", "\xe2\x80[\xaa-\xae]", "\xe2\x81[\xa6-\xa9]",
}

--- A text that is safe to print on one line.
---@param text string
---@return string
function M.escape(text)
  if not text:find("[^ -~]") then
    return text
  elseif not utf8.len(text) then
    text = text:gsub("[\x80-\xff]", hex)
  end
  for _, pattern in ipairs(UNSAFE) do
    text = text:gsub(pattern, hex)
  end
  return text
end

local function sys()
  return require("luactr.core").sys
end

local function headline(err)
  local words = { err.message }
  for _, context in ipairs(err.context or {}) do
    table.insert(words, 1, context)
  end
  return table.concat(words, ": ")
end

local function step_line(err)
  local action = err.action or (err.op and err.op .. (err.path and " " .. err.path or ""))
  if err.step then
    local of = err.steps and " of " .. err.steps or ""
    return string.format("step %d%s: %s", err.step, of, action or "?")
  end
  return err.action
end

--- "EINVAL (Invalid argument): the cause". A message that ends with the system's own words, as
--- those of the primitives do, needs no repetition of them.
local function cause_line(err)
  local text = err.errno and sys().strerror(err.errno)
  local known = text and string.format("%s (%s)", err.code, text)
  if not err.cause then
    return known and err.message:sub(-#text) ~= text and known or nil
  end
  local guess = err.checked and "" or "perhaps "
  return known and known .. ": " .. guess .. err.cause or guess .. err.cause
end

--- One line for each problem, with the recipe's line where luactr.source has found it.
local function problem_lines(err)
  local lines = {}
  for i, problem in ipairs(err.problems or {}) do
    local where = problem.where and problem.where .. ": " or ""
    local path = problem.path ~= "" and problem.path .. ": " or ""
    lines[i] = where .. path .. problem.message
  end
  return lines
end

local function where_line(err)
  local told = err.problems and err.problems[1] and err.problems[1].where
  if not err.where or told then
    return nil
  end
  return err.where.line and string.format("recipe: %s:%d", err.where.file, err.where.line)
    or "in: " .. err.where.file
end

--- A spec's problems are the message; one of them alone is the headline.
local function opening(err)
  local problems = problem_lines(err)
  if #problems == 0 then
    return { headline(err) }
  elseif #problems == 1 then
    return problems
  end
  table.insert(problems, 1, #problems .. " problems in " .. (err.subject or "the recipe"))
  return problems
end

--- The paragraph, a list of lines without "luactr: " and without indentation.
---@return string[]
function Error:lines()
  local lines = opening(self)
  lines[#lines + 1] = step_line(self)
  lines[#lines + 1] = cause_line(self)
  lines[#lines + 1] = self.remedy and "try: " .. self.remedy
  lines[#lines + 1] = where_line(self)
  table.move(self.stack or {}, 1, #(self.stack or {}), #lines + 1, lines)
  for i, line in ipairs(lines) do
    lines[i] = M.escape(line)
  end
  return lines
end

function Error:__tostring()
  return "luactr: " .. table.concat(self:lines(), "\n  ")
end

-- ---- use

--- Add what a caller was doing; the code, op and path never change on the way up.
---@param context string `start "web"`
---@return luactr.error self
function Error:wrap(context)
  self.context = self.context or {}
  table.insert(self.context, context)
  return self
end

--- Plain data, for `--json`.
---@return table
function Error:record()
  local record = {}
  for _, field in ipairs(FIELDS) do
    record[field] = rawget(self, field)
  end
  return record
end

---@param fields table as luactr.error; `message` and one of `code` and `errno` at least
---@return luactr.error
function M.new(fields)
  if not fields.code then
    fields.code = fields.errno and sys().errname(fields.errno) or "EUNKNOWN"
  end
  fields.message = fields.message or (fields.op or "it") .. " failed"
  return setmetatable(fields, Error)
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Error
end

--- The object for the triple of a primitive: `E.from_sys(message, errno, "open", path)`.
---@param message string
---@param errno? integer
---@param op? string
---@param path? string
---@return luactr.error
function M.from_sys(message, errno, op, path)
  return M.new { message = message, errno = errno, op = op, path = path }
end

return M
