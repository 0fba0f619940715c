--- `ctr.image.build`: images made by functions of recipes, or by Dockerfiles.
local bases = require "luactr.image.build.base"
local builders = require "luactr.image.build.builder"
local configs = require "luactr.image.build.config"

local sys <const> = require("luactr.core").sys

local M = {}

---@class luactr.image.build_options
---@field [1]? fun(b: luactr.image.builder) the steps
---@field from? string|luactr.image|luactr.image.built|luactr.rootfs what it begins with; "scratch"
---@field tag? string the image's name; without it, it is a stage for others
---@field context? string the directory that files are copied from
---@field args? table<string, string> build arguments, which the command line may set otherwise
---@field file? string|true a Dockerfile in place of a function; true: Dockerfile in the context
---@field target? string the stage of a Dockerfile, the last
---@field ignore? string an ignore file, before those of the context
---@field network? any of steps that name none; "none" if not given
---@field cache? boolean false: all steps are carried out
---@field epoch? integer seconds: the time of all that has none of its own, and of what is younger;
---  SOURCE_DATE_EPOCH if not given
---@field compression? "gzip"|"zstd"|"none" of new layers
---@field quiet? boolean
---@field progress? luactr.image.progress
---@field store? string directory of the image store, if it is not the usual one

local FIELDS <const> = { "from", "tag", "context", "args", "file", "target", "ignore", "network",
  "cache", "epoch", "compression", "quiet", "progress", "store" }

--- What the command line says for all builds of a recipe.
M.defaults = { args = {} }

M.count = 0 -- of builds that were asked for
M.digests = {} -- of images that were built

-- ---- what a build makes

---@class luactr.image.built
---@field title string
---@field image? luactr.image when it has a name
---@field digest? string of the image's manifest
---@field layers { [1]: luactr.image.descriptor, [2]: string }[]
---@field config luactr.image.config
---@field platform table
---@field store luactr.image.store kept open, so that its layers stay
local Built = { __name = "luactr.image.built" }
Built.__index = Built

--- Nothing of it is needed any more, but for the image. Idempotent.
function Built:close()
  self.store:close()
end

Built.__close = Built.close

--- What a function returns into a recipe.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Built
end

-- ---- options

local function check_names(options)
  local known = {}
  for _, name in ipairs(FIELDS) do
    known[name] = true
  end
  for name in pairs(options) do
    if name ~= 1 and not known[name] then
      return "unknown field " .. tostring(name)
        .. require("luactr.nearest").hint(tostring(name), FIELDS)
    end
  end
end

local function check_kinds(options)
  if options.from ~= nil and not bases.fits(options.from) then
    return "from: an image's name, \"scratch\", an earlier stage or a root file system expected"
  elseif options.tag ~= nil and type(options.tag) ~= "string" then
    return "tag: a name expected"
  elseif options.context ~= nil and type(options.context) ~= "string" then
    return "context: the path of a directory expected"
  elseif options.epoch ~= nil and (math.type(options.epoch) ~= "integer" or options.epoch < 0) then
    return "epoch: seconds since 1970 expected"
  elseif options.args ~= nil and type(options.args) ~= "table" then
    return "args: a table of NAME = value expected"
  end
end

local function check(options)
  if type(options) ~= "table" then
    return "a table expected"
  end
  local is_file, steps = options.file ~= nil, options[1]
  if not is_file and (type(steps) ~= "function" or options.from == nil) then
    return "from = IMAGE and a function(b) with the steps expected, or file = DOCKERFILE"
  elseif is_file and (steps ~= nil or options.from ~= nil) then
    return "a Dockerfile has its own steps"
  end
  return check_names(options) or check_kinds(options)
end

local function epoch_of_environment()
  local text = os.getenv("SOURCE_DATE_EPOCH")
  local value = text and text:find("^%d+$") and math.tointeger(tonumber(text))
  return value or nil
end

--- Arguments as texts: the recipe's, then the command line's.
local function args_of(options)
  local args = {}
  for _, list in ipairs { options.args or {}, M.defaults.args } do
    for name, value in pairs(list) do
      args[name] = tostring(value)
    end
  end
  return args
end

local function settle(options)
  local settled = {}
  for _, name in ipairs(FIELDS) do
    settled[name] = options[name]
    if name ~= "args" and M.defaults[name] ~= nil then
      settled[name] = M.defaults[name]
    end
  end
  settled.args = args_of(options)
  settled.epoch = settled.epoch or epoch_of_environment()
  settled.progress = settled.progress
    or require("luactr.image.progress").open { quiet = settled.quiet }
  return settled
end

-- ---- one stage

local function open_context(options)
  if not options.context then
    return false
  end
  return require("luactr.image.build.context").open(options.context, options.ignore)
end

--- Call the steps. An error object is a failure of theirs; anything else is a mistake of who wrote
--- them, and goes on up.
local function call(steps, b)
  local fine, err = xpcall(steps, function(value)
    if require("luactr.error").is(value) then
      return value
    end
    return require("luactr.raised").object(value)
  end, b)
  if fine then
    return true
  end
  return nil, err
end

local function config_of(b)
  local config = configs.copy(b.base.platform)
  config.created, config.config, config.history = b.created, b.config, b.history
  return config
end

local function finish(b, options)
  local config = config_of(b)
  local built = { title = b.title, layers = b.layers, config = config, platform = b.base.platform,
    store = b.store }
  if options.tag then
    local image, err = b.store:make { name = options.tag, config = config, layers = b.layers,
      history = b.history }
    if not image then
      return nil, err:wrap("cannot build " .. b.title)
    end
    built.image, built.digest = image, image.digest
    table.insert(M.digests, image.digest)
    b.progress:note(string.format("%s is %s", image.name, image.digest))
  end
  return setmetatable(built, Built)
end

local function cannot_begin(options, title, err)
  return nil, require("luactr.error").new { code = err.code, errno = err.errno, op = err.op,
    path = err.path, message = "cannot build " .. title, checked = true,
    cause = err.cause and err.message .. ": " .. err.cause or err.message, remedy = err.remedy,
    where = options.where }
end

local function run(store, stage, context, options, steps)
  local title = options.title or options.tag and string.format("%q", options.tag) or "a stage"
  local base, err = bases.open(store, options.from, stage)
  if not base then
    return cannot_begin(options, title, err)
  end
  local b = builders.new { store = store, stage = stage, base = base, title = title,
    context = context or nil, args = options.args, hidden = options.hidden or {},
    epoch = options.epoch, use_cache = options.cache ~= false, network = options.network,
    compression = options.compression or "gzip", quiet = options.quiet or false,
    total = options.total, first = options.first, progress = options.progress }
  local done
  done, err = call(function()
    if base.directories then
      local view <close> = assert(require("luactr.image.build.view").open(base.directories))
      require("luactr.image.build.files").put_tree(b, base.title, view)
    end
    steps(b)
  end, b)
  if not done then
    return nil, err
  end
  return finish(b, options)
end

--- Build one stage.
---@param options table settled
---@param steps fun(b: luactr.image.builder)
---@return luactr.image.built?
---@return luactr.error?
function M.stage(options, steps)
  local store, err = require("luactr.image.store").open { root = options.store, write = true }
  if not store then
    return nil, err
  end
  local stage <close>, problem = store:stage()
  local context, built
  err = problem
  if stage then
    context, err = open_context(options)
  end
  if context ~= nil then
    built, err = run(store, stage, context, options, steps)
  end
  if context then
    context:close()
  end
  if not built then
    store:close()
  end
  return built, err
end

-- ---- Dockerfiles

local LARGEST <const> = 1 << 22

local function read_file(path)
  local file <close>, message, errno = sys.open(path, sys.O_RDONLY | sys.O_NONBLOCK)
  local stat = file and sys.stat(file)
  if not file then
    return nil, require("luactr.error").from_sys(message, errno, "open", path)
  elseif stat.type ~= "file" or stat.size > LARGEST then
    return nil, require("luactr.error").new { code = "EINVAL", op = "open", path = path,
      errno = sys.errno.EINVAL, message = path .. " is no Dockerfile",
      cause = "it is no file of modest size", checked = true }
  end
  local parts, part = {}, file:read(1 << 16)
  while part and part ~= "" do
    parts[#parts + 1], part = part, file:read(1 << 16)
  end
  return table.concat(parts)
end

local NAMES <const> = { "Dockerfile", "Containerfile" }

local function find_file(options)
  if options.file ~= true then
    return options.file
  end
  for _, name in ipairs(NAMES) do
    local path = (options.context or ".") .. "/" .. name
    if sys.stat(path) then
      return path
    end
  end
  return (options.context or ".") .. "/" .. NAMES[1]
end

local function build_file(options)
  local path = find_file(options)
  local text, err = read_file(path)
  if not text then
    return nil, err
  end
  options.ignore = options.ignore or path .. ".dockerignore"
  options.context = options.context or "."
  return require("luactr.image.build.dockerfile").build(text, path, options)
end

-- ---- use

--- Build an image, or a stage for others. Wrong options are raised; what a step could not do is
--- returned, and no half image stays.
---@param options luactr.image.build_options
---@return luactr.image.built?
---@return luactr.error?
function M.build(options)
  local mistake = check(options)
  if mistake then
    error("image.build: " .. mistake, 2)
  end
  M.count = M.count + 1
  local settled = settle(options)
  if options.file ~= nil then
    return build_file(settled)
  end
  return M.stage(settled, options[1])
end

return M
