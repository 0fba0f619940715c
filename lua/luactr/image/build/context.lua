--- The directory that files of a build come from, and nothing outside of it.
local ignore = require "luactr.image.ignore"
local view = require "luactr.image.build.view"

local sys <const> = require("luactr.core").sys

local M = {}

local LARGEST <const> = 1 << 20
local ROOT <const> = { uid = 0, gid = 0 } -- who owns what is copied, whoever has it on the host
local NAMES <const> = { ".containerignore", ".dockerignore" }

---@class luactr.image.build.context
---@field path string
---@field view luactr.image.build.view
---@field ignore luactr.image.ignore
---@field ignore_file? string
local Context = { __name = "luactr.image.build.context" }
Context.__index = Context

--- Whether a path is left out, and why.
---@param real string
---@return boolean
---@return string? why
function Context:excludes(real)
  local excluded, line = self.ignore:excludes(real)
  return excluded, line and string.format("%s:%d says so", self.ignore_file, line)
end

--- Whether nothing of a path is to be copied, and why.
---@param real string
---@return boolean
---@return string? why
function Context:hides(real)
  local excluded, why = self:excludes(real)
  if not excluded or real == "" then
    return false
  end
  local tree <close> = self:tree(real, ".")
  return tree:next() == nil, why
end

--- What is below a path, without what is left out.
---@param real string
---@param name string
---@param notice? fun(path: string, why: string)
---@return luactr.image.build.tree
function Context:tree(real, name, notice)
  return self.view:tree(real, name, {
    prune = function(path) return self.ignore:prunes(path) end,
    skip = function(path) return (self.ignore:excludes(path)) end,
    owner = ROOT, notice = notice,
  })
end

--- Idempotent.
function Context:close()
  self.view:close()
end

Context.__close = Context.close

local function read_file(path)
  local file <close> = sys.open(path, sys.O_RDONLY | sys.O_NONBLOCK | sys.O_NOCTTY)
  local stat = file and sys.stat(file)
  if not stat or stat.type ~= "file" or stat.size > LARGEST then
    return nil
  end
  local parts, part = {}, file:read(1 << 16)
  while part and part ~= "" do
    parts[#parts + 1], part = part, file:read(1 << 16)
  end
  return part and table.concat(parts)
end

--- What is ignored, by the first file that is there: one of who builds, or one of the directory,
--- whose links lead nowhere outside.
local function read_ignore(self, given, names)
  local candidates = { given and { given, read_file(given) } }
  for _, name in ipairs(names) do
    candidates[#candidates + 1] = { self.path .. "/" .. name, self.view:read(name) }
  end
  for _, candidate in ipairs(candidates) do
    local path, text = candidate[1], candidate[2]
    if text then
      local rules, problem = ignore.parse(text)
      if not rules then
        return nil, require("luactr.error").new { code = "ESYNTAX", op = "parse", path = path,
          message = string.format("%s:%d: %s", path, problem.line, problem.message) }
      end
      self.ignore, self.ignore_file = rules, path
      return true
    end
  end
  self.ignore = ignore.none()
  return true
end

--- Open a directory as a context.
---@param path string
---@param ignore_file? string that counts before .containerignore and .dockerignore in it, if it is
---  there
---@param inside? string the same, by a name in the directory
---@return luactr.image.build.context?
---@return luactr.error?
function M.open(path, ignore_file, inside)
  local found, err = view.open { path }
  if not found then
    return nil, err
  end
  local self = setmetatable({ path = path, view = found }, Context)
  local names = { inside }
  table.move(NAMES, 1, #NAMES, #names + 1, names)
  local done
  done, err = read_ignore(self, ignore_file, names)
  if not done then
    self:close()
    return nil, err
  end
  return self
end

return M
