--- Which files the words of COPY and ADD mean.
local pattern = require "luactr.image.pattern"

local sys <const> = require("luactr.core").sys

local M = {}

---@class luactr.image.build.item something to copy
---@field name string its last component
---@field type string
---@field real? string in the source's tree
---@field text? string of a file that has none there
---@field archive? boolean it is extracted

---@class luactr.image.build.from where files come from
---@field what string for people: "the build's directory", "stage x"
---@field view luactr.image.build.view
---@field context? luactr.image.build.context

--- nil, and the error of what cannot be copied.
---@param path string
---@param cause? string
---@param remedy? string
---@param errno? integer
function M.failure(path, cause, remedy, errno)
  errno = errno or sys.errno.ENOENT
  return nil, require("luactr.error").new { op = "copy", path = path, errno = errno,
    message = "cannot copy " .. path, cause = cause, checked = true, remedy = remedy }
end

local failure <const> = M.failure

local function leads_out(word)
  local depth = 0
  for _, part in ipairs(pattern.split(word)) do
    depth = depth + (part == ".." and -1 or 1)
    if depth < 0 then
      return true
    end
  end
  return false
end

--- What there is beside what is missing.
local function nearest(from, real)
  local parent, name = real:match("^(.*)/([^/]+)$")
  return require("luactr.nearest").hint(name or real, from.view:names(parent or ""))
end

local function item_of(from, real, word)
  local stat = from.view:find(real)
  if not stat then
    return failure(word, string.format("there is no such file in %s%s", from.what,
      nearest(from, real)))
  end
  local hidden, why = false, nil
  if from.context then
    hidden, why = from.context:hides(real)
  end
  if hidden then
    return failure(word, "it is left out: " .. why)
  end
  return { real = real, name = real:match("[^/]+$") or ".", type = stat.type }
end

--- All names that fit a word, component by component.
local function expand(from, real, parts, at, found)
  local part = parts[at]
  if not part then
    found[#found + 1] = real
    return true
  end
  local fits, mistake = pattern.name(part)
  if not fits then
    return nil, mistake
  end
  for _, name in ipairs(fits and from.view:names(real)) do
    if fits(name) then
      local path = real == "" and name or real .. "/" .. name
      local stat = from.view:find(path)
      local is_way = at == #parts or stat and stat.type == "directory"
      local done = true
      if is_way then
        done, mistake = expand(from, path, parts, at + 1, found)
      end
      if not done then
        return nil, mistake
      end
    end
  end
  return true
end

local function items_of_pattern(from, word, items)
  local found = {}
  local fine, mistake = expand(from, "", pattern.split(word), 1, found)
  if not fine then
    return failure(word, mistake, nil, sys.errno.EINVAL)
  end
  local before = #items
  for _, real in ipairs(found) do
    if not (from.context and from.context:hides(real)) then
      items[#items + 1] = item_of(from, real, word)
    end
  end
  if #items == before then
    return failure(word, "no file in " .. from.what .. " fits the pattern")
  end
  return items
end

local function items_of_word(from, word, items)
  if leads_out(word) then
    return failure(word, "it leads out of " .. from.what,
      from.context and "another directory for the build, which has all that is copied" or nil,
      sys.errno.EXDEV)
  elseif pattern.is_pattern(word) then
    return items_of_pattern(from, word, items)
  end
  local real, err = from.view:resolve(word, true)
  if not real then
    return nil, err
  end
  items[#items + 1], err = item_of(from, real, word)
  return not err and items or nil, err
end

--- What the words of a step mean.
---@param from luactr.image.build.from
---@param sources (string|{ name: string, text: string })[]
---@return luactr.image.build.item[]?
---@return luactr.error?
function M.find(from, sources)
  local items = {}
  for _, word in ipairs(sources) do
    if type(word) == "table" then
      items[#items + 1] = { name = word.name, type = "file", text = word.text }
    else
      local done, err = items_of_word(from, word, items)
      if not done then
        return nil, err
      end
    end
  end
  return items
end

return M
