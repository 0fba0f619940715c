--- What a build is asked for: checked, with what the command line says and the environment.
local bases = require "luactr.image.build.base"

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

--- What is wrong with the options of a build.
---@param options any
---@return string? mistake
function M.check(options)
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

--- Options with all that is known.
---@param options luactr.image.build_options
---@return table
function M.settle(options)
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

return M
