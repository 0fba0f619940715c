--- Steps of a build: told of, counted, taken from the cache or carried out, made layers of.
local cache = require "luactr.image.build.cache"
local layer = require "luactr.image.build.layer"

local sys <const> = require("luactr.core").sys

local M = {}

local MOST_LAYERS <const> = 256 -- as luactr.image.document has it
local DIRECTORY_MODE <const> = 493 -- 0755

-- ---- steps

local function caller()
  local level = 3
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then
      return nil
    elseif info.currentline > 0 and not info.source:find("^@?.*luactr/image/build") then
      return { file = info.source:match("^@(.*)") or info.short_src, line = info.currentline }
    end
    level = level + 1
  end
end

local function sentence(err)
  if err.problems then
    local list = {}
    for i, problem in ipairs(err.problems) do
      list[i] = problem.path .. ": " .. problem.message
    end
    return table.concat(list, "; ")
  end
  local message = table.concat(err.context or {}, ": ")
  message = (message ~= "" and message .. ": " or "") .. (err.action or err.message)
  return err.cause and message .. ": " .. err.cause or message
end

--- What a step's failure is told as; the step that failed, its line, and why.
local function step_failure(self, text, err)
  return require("luactr.error").new {
    code = err.code, errno = err.errno, op = err.op, path = err.path, step = self.count,
    steps = self.total, action = text, cause = sentence(err), checked = true, remedy = err.remedy,
    message = "cannot build " .. self.title, where = self.at or caller(), output = err.output,
    result = err.result, is_step = true,
  }
end

--- Carry out a step. What it cannot do is raised as an error object.
---@param self luactr.image.builder
---@param text string for people
---@param act fun(): any, luactr.error?
---@return luactr.image.builder self
function M.run(self, text, act)
  self.count = self.count + 1
  local of = self.total and "/" .. self.total or ""
  self.progress:note(string.format("step %d%s: %s", self.count, of, text))
  local done, err = act()
  if not done then
    error(step_failure(self, text, err), 0)
  end
  return self
end

--- nil, and the error of a step that asks for what cannot be.
---@param message string
function M.wrong(message)
  return nil, require("luactr.error").new { code = "EINVAL", message = message }
end

--- Note in the image's history what changes no file.
function M.note(self, text)
  table.insert(self.history, { created = self.created, created_by = text, empty_layer = true })
  return true
end

--- A step that changes what the image says of itself.
---@param self luactr.image.builder
---@param text string
---@param act fun(config: luactr.image.run_config): any, string? mistake
function M.config(self, text, act)
  return M.run(self, text, function()
    local _, mistake = act(self.config)
    if mistake then
      return M.wrong(mistake)
    end
    return M.note(self, text)
  end)
end

-- ---- layers

local function diff_ids(self)
  local list = {}
  for i, one in ipairs(self.layers) do
    list[i] = one[2]
  end
  return list
end

--- The layers so far, the topmost first.
---@param self luactr.image.builder
---@return string[]
function M.trees(self)
  local list, count = {}, #self.layers
  for i, one in ipairs(self.layers) do
    list[count - i + 1] = assert(self.store:layer(one[2]))
  end
  return list
end

--- A time as images have it.
---@param seconds integer
---@return string
function M.timestamp(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

--- The time of what happens in this build.
---@return integer seconds
function M.now(self)
  return self.epoch or math.floor(sys.clock_gettime("realtime"))
end

local function add_layer(self, text, made)
  self.created = made.created
  table.insert(self.history, { created = made.created, created_by = text,
    empty_layer = not made.diff_id or nil })
  if made.diff_id then
    table.insert(self.layers, { made.descriptor, made.diff_id })
  end
  if #self.layers > MOST_LAYERS then
    return M.wrong(string.format("an image has at most %d layers", MOST_LAYERS))
  end
  return true
end

--- Tells what is left out.
---@param self luactr.image.builder
---@return fun(path: string, why: string)
function M.noticer(self)
  return function(path, why)
    self.progress:note(string.format("  left out: %s: %s", path, why))
  end
end

--- What a step has put into a directory, as a layer; nothing when it is empty.
local function make_layer(self, directory)
  local made = { created = M.timestamp(M.now(self)) }
  local names = sys.readdir(directory .. "/upper")
  if names and #names == 0 then
    return made
  end
  local found, err = layer.make(self.store, self.stage, directory .. "/upper",
    string.format("layer-%d", self.count), { compression = self.compression, epoch = self.epoch,
      progress = self.progress, notice = M.noticer(self) })
  if not found then
    return nil, err
  end
  made.descriptor, made.diff_id = found.descriptor, found.diff_id
  return made
end

--- A step that may change files: out of the cache, or carried out by `act(directory)`.
---@param what table? the step for its key; nil: it is never taken from the cache
---@param self luactr.image.builder
---@param text string
---@param what table?
---@param act fun(directory: string): any, luactr.error?
---@return boolean? done
---@return luactr.error?
function M.layer(self, text, what, act)
  local key, err, made
  if what then
    what.epoch = self.epoch
    key, err = cache.key(diff_ids(self), what)
    if not key then
      return nil, err
    end
    made = self.use_cache and cache.find(self.store, key) or nil
  end
  if made then
    self.progress:note("  as before")
    return add_layer(self, text, made)
  end
  local directory = string.format("%s/step-%d", self.stage.path, self.count)
  local done
  done, err = act(directory)
  if done then
    made, err = make_layer(self, directory)
  end
  if not made then
    return nil, err
  elseif key then
    cache.put(self.store, self.stage, key, made)
  end
  return add_layer(self, text, made)
end

--- Make the directory of a step, with an upper directory in it.
---@param directory string
---@param names? string[] of more directories in it
---@return boolean? done
---@return luactr.error?
function M.make_directories(directory, names)
  local list = { directory, directory .. "/upper" }
  for _, name in ipairs(names or {}) do
    list[#list + 1] = directory .. "/" .. name
  end
  for _, path in ipairs(list) do
    local done, message, errno = sys.mkdir(path, DIRECTORY_MODE)
    if not done then
      return nil, require("luactr.error").from_sys(message, errno, "mkdir", path)
    end
    sys.chmod(path, DIRECTORY_MODE) -- whatever the umask
  end
  return true
end

return M
