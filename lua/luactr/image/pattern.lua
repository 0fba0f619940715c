--- Patterns of file names as the shell and Go have them: `*`, `?`, `[a-z]`, `[^a]`, `\` before what
--- is meant as it is; and `**` as a whole component for any number of directories. Pure.
local M = {}

-- ---- sequences with gaps of any length: letters of a name, components of a path

local GAP <const> = {}

--- Whether items fit a list of tests, between which GAP stands for any number of items. The last
--- gap alone has to be tried again, so that this is at most the product of both lengths.
local function fits(tests, items, fit)
  local t, i = 1, 1
  local gap, resume
  while i <= #items do
    if tests[t] == GAP then
      gap, resume, t = t, i, t + 1
    elseif tests[t] and fit(tests[t], items[i]) then
      t, i = t + 1, i + 1
    elseif gap then
      resume = resume + 1
      t, i = gap + 1, resume
    else
      return false
    end
  end
  while tests[t] == GAP do
    t = t + 1
  end
  return tests[t] == nil
end

-- ---- letters: of UTF-8, or bytes of what is none

local function letters_of(text)
  local list = {}
  local pattern = utf8.len(text) and utf8.charpattern or "."
  for letter in text:gmatch(pattern) do
    list[#list + 1] = letter
  end
  return list
end

local function any_letter()
  return true
end

local function exactly(letter)
  return function(other) return other == letter end
end

--- One end of a range, and what comes after it.
local function class_letter(letters, at)
  if letters[at] == "\\" then
    at = at + 1
  end
  return letters[at], at + 1
end

local function one_of(ranges, negative)
  return function(letter)
    for _, range in ipairs(ranges) do
      if #letter == #range[1] and letter >= range[1] and letter <= range[2] then
        return not negative
      end
    end
    return negative
  end
end

--- The test for what `[` at a place begins, and what comes after it; nil when it does not end.
local function class(letters, at)
  local negative = letters[at + 1] == "^" or letters[at + 1] == "!"
  local ranges = {}
  at = at + (negative and 2 or 1)
  repeat
    local low, high
    low, at = class_letter(letters, at)
    high = low
    if letters[at] == "-" and letters[at + 1] ~= "]" then
      high, at = class_letter(letters, at + 1)
    end
    if not high then
      return nil
    end
    ranges[#ranges + 1] = { low, high }
  until letters[at] == "]"
  return one_of(ranges, negative), at + 1
end

--- The tests for one component.
local function tests_of(part)
  local letters, tests, at = letters_of(part), {}, 1
  while letters[at] do
    local letter = letters[at]
    local test
    at = at + 1
    if letter == "*" then
      test = GAP
    elseif letter == "?" then
      test = any_letter
    elseif letter == "[" then
      test, at = class(letters, at - 1)
    elseif letter == "\\" then
      test, at = letters[at] and exactly(letters[at]), at + 1
    else
      test = exactly(letter)
    end
    if not test then
      return nil, string.format("the pattern %s is not complete", part)
    end
    tests[#tests + 1] = test
  end
  return tests
end

local function fits_letter(test, letter)
  return test(letter)
end

local function component(tests)
  return function(name)
    return fits(tests, letters_of(name), fits_letter)
  end
end

-- ---- use

--- The components of a path without what means nothing.
---@param path string
---@return string[]
function M.split(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return parts
end

--- Whether a name stands for others.
---@param text string
---@return boolean
function M.is_pattern(text)
  return text:find("[*?%[\\]") ~= nil
end

--- A function that tells whether a name without a slash fits.
---@param text string
---@return (fun(name: string): boolean)?
---@return string? mistake
function M.name(text)
  local tests, mistake = tests_of(text)
  return tests and component(tests), mistake
end

--- A function that tells whether the components of a path fit.
---@param text string
---@return (fun(parts: string[]): boolean)?
---@return string? mistake
function M.path(text)
  local tests = {}
  for i, part in ipairs(M.split(text)) do
    if part == "**" then
      tests[i] = GAP
    else
      local test, mistake = M.name(part)
      if not test then
        return nil, mistake
      end
      tests[i] = test
    end
  end
  return function(parts)
    return fits(tests, parts, fits_letter)
  end
end

return M
