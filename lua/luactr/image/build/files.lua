--- Steps that copy: COPY, ADD, files of given texts, and the working directory.
local configs = require "luactr.image.build.config"
local copying = require "luactr.image.build.copy"
local items_of = require "luactr.image.build.items"
local owners = require "luactr.image.build.owner"
local places = require "luactr.image.build.place"
local steps = require "luactr.image.build.step"
local views = require "luactr.image.build.view"

local sys <const> = require("luactr.core").sys

local M = {}

local BILLION <const> = 1000000000

---@class luactr.image.builder
local Builder = {}
M.methods = Builder

local COPY_OPTIONS <const> = { from = true, owner = true, mode = true }

local function check_options(call, options, known, level)
  for name in pairs(options or {}) do
    if not known[name] then
      local names = {}
      for candidate in pairs(known) do
        names[#names + 1] = candidate
      end
      table.sort(names)
      error(string.format("b:%s: unknown option %s%s", call, tostring(name),
        require("luactr.nearest").hint(tostring(name), names)), level)
    end
  end
end

--- Where a step's files come from: the build's directory, a stage, an image.
local function open_from(self, from)
  if from == nil then
    if not self.context then
      return steps.wrong("this build has no directory to copy from: context = \".\"")
    end
    return { what = "the build's directory", view = self.context.view, context = self.context }
  end
  local base, err = require("luactr.image.build.base").open(self.store, from, self.stage)
  if not base then
    return nil, err
  end
  local found
  found, err = views.open(base:trees())
  return found and { what = base.title, view = found, close = function() found:close() end }, err
end

local Closing <const> = { __close = function(from)
  if from.close then
    from.close()
  end
end }

--- Owner and mode of what is copied; nil and what is wrong with them.
local function settle(self, options)
  local view <close>, err = views.open(steps.trees(self))
  if not view then
    return nil, err
  end
  local owner, problem = nil, nil
  if options.owner ~= nil then
    owner, problem = owners.find(view, options.owner)
  end
  local mode
  if options.mode and not problem then
    mode, problem = require("luactr.units").mode(options.mode)
  end
  if problem then
    return steps.wrong(problem)
  elseif owner and sys.geteuid() ~= 0 then
    self.progress:note("  only root keeps owners: the files are root's in the image")
  end
  return { owner = owner, mode = mode }
end

local function mtime_of(self)
  return steps.now(self) * BILLION
end

local function put_files(self, directory, from, items, wanted, settled)
  local made, problem = steps.make_directories(directory)
  if not made then
    return nil, problem
  end
  local place <close>, err = places.open(directory .. "/upper", steps.trees(self), {
    owner = settled.owner, mode = settled.mode, mtime = mtime_of(self),
    notice = steps.noticer(self) })
  if not place then
    return nil, err
  end
  return copying.put(from, items, place, wanted, { mtime = mtime_of(self),
    notice = steps.noticer(self) })
end

--- Whether nothing is copied from anywhere.
local function all_given(sources)
  for _, source in ipairs(sources) do
    if type(source) == "string" then
      return false
    end
  end
  return true
end

local function copy_files(self, text, op, sources, target, options)
  local from, err = {}, nil
  if not all_given(sources) then
    from, err = open_from(self, options.from)
  end
  if not from then
    return nil, err
  end
  local _ <close> = setmetatable(from, Closing)
  local items, sum, settled
  items, err = items_of.find(from, sources)
  if items and op == "add" then
    copying.find_archives(from, items)
  end
  if items then
    settled, err = settle(self, options)
  end
  if settled then
    sum, err = copying.digest(from, items)
  end
  if not sum then
    return nil, err
  end
  local wanted = configs.absolute(self.config, target) .. (target:match("/%.?$") or "")
  local what = { op = op, target = wanted, sum = sum, mode = settled.mode, owner = settled.owner }
  return steps.layer(self, text, what, function(directory)
    return put_files(self, directory, from, items, wanted, settled)
  end)
end

local function text_of_sources(sources)
  local list = {}
  for i, source in ipairs(sources) do
    list[i] = type(source) == "table" and "<" .. source.name .. ">" or source
  end
  return table.concat(list, " ")
end

--- The methods end with this call, which takes their place on the stack: level 2 is the recipe's.
local function copy(self, op, sources, target, options)
  sources = type(sources) == "string" and { sources } or sources
  options = options or {}
  if type(sources) ~= "table" or #sources == 0 or type(target) ~= "string" or target == "" then
    error(string.format("b:%s: what to copy and where to expected, as b:%s(\"src\", \"/dst/\")", op,
      op), 2)
  end
  check_options(op, options, COPY_OPTIONS, 3)
  local text = string.format("%s %s %s", op:upper(), text_of_sources(sources), target)
  return steps.run(self, self.text or text, function()
    return copy_files(self, self.text or text, op, sources, target, options)
  end)
end

--- Copy files of the build's directory, or of a stage or image (`from`), into the image. Patterns
--- stand for all names that fit. Owners are root, of another stage as they are there; `owner` is
--- "user", "user:group" by name or number, `mode` "0755".
---@param sources string|string[]
---@param target string a directory when it ends with a slash
---@param options? { from?: any, owner?: string|integer|table, mode?: string }
---@return luactr.image.builder
function Builder:copy(sources, target, options)
  return copy(self, "copy", sources, target, options)
end

--- The same, but tar archives are extracted into the target.
---@param sources string|string[]
---@param target string
---@param options? { owner?: string|integer|table, mode?: string }
---@return luactr.image.builder
function Builder:add(sources, target, options)
  return copy(self, "add", sources, target, options)
end

--- A file with the given text.
---@param target string
---@param text string
---@param options? { owner?: string|integer|table, mode?: string }
---@return luactr.image.builder
function Builder:file(target, text, options)
  if type(text) ~= "string" then
    error("b:file: a path and a text expected", 2)
  end
  local name = target:match("([^/]+)/*$") or target
  return copy(self, "copy", { { name = name, text = text } }, target, options)
end

-- ---- the working directory

--- A layer with a directory, and those above it.
local function make_directory(self, directory, wanted)
  local made, problem = steps.make_directories(directory)
  if not made then
    return nil, problem
  end
  local place <close>, err = places.open(directory .. "/upper", steps.trees(self),
    { mtime = mtime_of(self) })
  local real
  if place then
    real, err = place:directory(wanted)
  end
  return real and place:finish() or nil, err
end

--- The directory of the command and of the steps from here on, which is made where it is missing.
---@param path string
---@return luactr.image.builder
function Builder:workdir(path)
  if type(path) ~= "string" or path == "" then
    error("b:workdir: a directory expected", 2)
  end
  local text = self.text or "WORKDIR " .. path
  return steps.run(self, text, function()
    local wanted = configs.absolute(self.config, path)
    self.config.WorkingDir = wanted
    local view <close>, err = views.open(steps.trees(self))
    local real
    if view then
      real, err = view:resolve(wanted, true)
    end
    if not real then
      return nil, err
    elseif view:find(real) then
      return steps.note(self, text)
    end
    return steps.layer(self, text, { op = "workdir", target = wanted }, function(directory)
      return make_directory(self, directory, wanted)
    end)
  end)
end

-- ---- a root file system

--- Put all files of a tree in, as the first layer.
function M.put_tree(self, title, tree)
  return steps.run(self, "FROM " .. title, function()
    local from = { what = title, view = tree }
    local items = { { real = "", name = ".", type = "directory" } }
    local sum, err = copying.digest(from, items)
    if not sum then
      return nil, err
    end
    return steps.layer(self, "FROM " .. title, { op = "tree", sum = sum }, function(directory)
      return put_files(self, directory, from, items, "/", {})
    end)
  end)
end

return M
