--- `ctr.image.build`: images made by functions of recipes, or by Dockerfiles.
local bases = require "luactr.image.build.base"
local builders = require "luactr.image.build.builder"
local configs = require "luactr.image.build.config"
local wanted = require "luactr.image.build.options"

local sys <const> = require("luactr.core").sys

local M = {}

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

-- ---- one stage

local function open_context(options)
  if not options.context then
    return false
  end
  return require("luactr.image.build.context").open(options.context, options.ignore,
    options.ignore_inside)
end

--- Call the steps. An error object is a failure of theirs; anything else is a mistake of who wrote
--- them, and becomes one with the recipe's part of the stack.
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

--- The Dockerfile of a directory that somebody else may have made: a link leads nowhere outside.
local function read_inside(directory)
  local view <close>, err = require("luactr.image.build.view").open { directory }
  if not view then
    return nil, err
  end
  for _, name in ipairs(NAMES) do
    local text = view:read(name)
    if text then
      return text, name
    end
  end
  return nil, require("luactr.error").new { code = "ENOENT", op = "open", path = directory,
    errno = sys.errno.ENOENT, message = string.format("no Dockerfile or Containerfile in %s",
      directory), remedy = "another file: luactr image build -f FILE DIRECTORY" }
end

local function build_file(options)
  options.context = options.context or "."
  local path = options.file
  local text, err
  if path ~= true then
    text, err = read_file(path)
    options.ignore = options.ignore or path .. ".dockerignore"
  else
    text, err = read_inside(options.context)
    options.ignore_inside = text and err .. ".dockerignore"
    path = text and options.context .. "/" .. err
  end
  if not text then
    return nil, err
  end
  return require("luactr.image.build.dockerfile").build(text, path, options)
end

-- ---- use

--- A name that cannot be given is told before anything is done for it.
local function check_tag(tag)
  local parsed, problem = require("luactr.image.reference").parse(tag)
  if parsed and parsed.digest then
    problem = "a name with a digest cannot be given"
  end
  if problem then
    return nil, require("luactr.error").new { code = "EINVAL", op = "build",
      errno = sys.errno.EINVAL, message = string.format("cannot build %q", tag),
      cause = "no name for an image: " .. problem, checked = true }
  end
  return true
end

--- Build an image, or a stage for others. Wrong options are raised; what a step could not do is
--- returned, and no half image stays.
---@param options luactr.image.build_options
---@return luactr.image.built?
---@return luactr.error?
function M.build(options)
  local mistake = wanted.check(options)
  if mistake then
    error("image.build: " .. mistake, 2)
  end
  M.count = M.count + 1
  local settled = wanted.settle(options)
  local fine, err = true, nil
  if settled.tag then
    fine, err = check_tag(settled.tag)
  end
  if not fine then
    return nil, err
  end
  if options.file ~= nil then
    return build_file(settled)
  end
  return M.stage(settled, options[1])
end

return M
