--- `luactr image build`: images of a recipe's functions or of a Dockerfile.
local cli = require "luactr.cli"
local output = require "luactr.cli.output"

local function is_directory(path)
  local stat = require("luactr.core").sys.stat(path)
  return stat ~= nil and stat.type == "directory"
end

local M = {
  name = "image build",
  summary = "build an image by a recipe or a Dockerfile",
  usage = "RECIPE|DIRECTORY",
  mixed = is_directory,
  help = [[
Run a recipe that calls ctr.image.build, or carry out the Dockerfile (or Containerfile) of a
directory, whose files COPY may take. Each RUN is a container with the default isolation, and
without a network unless that is asked for. What a step depends on decides whether it is carried
out or taken from the cache. The digests of images with a name are printed; SOURCE_DATE_EPOCH
makes it the same for the same input. What follows RECIPE are the recipe's own arguments.]],
  options = {
    { "-f --file", argument = "FILE", help = "the Dockerfile, if it is not DIRECTORY/Dockerfile" },
    { "-t --tag", argument = "NAME", help = "the image's name, NAME or NAME:TAG" },
    { "--build-arg", argument = "NAME=VALUE", many = true,
      help = "set a build argument; NAME alone takes it from the environment" },
    { "--target", argument = "STAGE", help = "build this stage, not the last one" },
    { "--network", help = "give all steps the host's network" },
    { "--no-cache", help = "carry out all steps" },
    { "-q --quiet", help = "print nothing of the steps unless one fails" },
  },
}

-- ---- options

--- `--build-arg` as a table; nil and what is wrong.
local function arguments_of(list)
  local args = {}
  for _, text in ipairs(list or {}) do
    local name, value = text:match("^([^=]*)=(.*)$")
    name = name or text
    if not name:find("^[%a_][%w_.-]*$") then
      return nil, string.format("--build-arg NAME=VALUE expected, got %s", text)
    end
    args[name] = value or os.getenv(name)
  end
  return args
end

local function common(options, args)
  local cache
  if options.no_cache then
    cache = false
  end
  return { args = args, cache = cache, network = options.network and "host" or nil,
    quiet = options.quiet }
end

-- ---- failures

local function fail(err)
  if err.output and err.output ~= "" then
    io.stderr:write(err.output, err.output:sub(-1) ~= "\n" and "\n" or "")
  end
  output.complain(err)
  return cli.FAILED
end

-- ---- both ways

local DOCKERFILE_ONLY <const> = { "file", "tag", "target" }

local function build_recipe(path, request, args)
  for _, name in ipairs(DOCKERFILE_ONLY) do
    if request.options[name] then
      return output.usage(string.format("--%s is for a Dockerfile; %s says it itself", name, path),
        M)
    end
  end
  local build = require "luactr.image.build"
  for name, value in pairs(common(request.options, args)) do
    require("luactr.image.build.options").defaults[name] = value
  end
  local outcome, err = require("luactr.cli.recipe").run(path, request.arguments)
  if not outcome or outcome.error then
    return fail(err or outcome.error)
  elseif build.count == 0 then
    output.warn("the recipe built no image")
  end
  local list = table.concat(build.digests, "\n")
  return output.print(list ~= "" and list .. "\n" or "", outcome.status)
end

local function build_directory(path, request, args)
  if #request.arguments > 0 then
    return output.usage("one directory is built at a time", M)
  end
  local options = common(request.options, args)
  options.context, options.file = path, request.options.file or true
  options.tag, options.target = request.options.tag, request.options.target
  local built, err = require("luactr.image.build").build(options)
  if not built then
    return fail(err)
  end
  local digest = built.digest
  built:close()
  if not digest then
    output.warn("the image is not kept: it has no name, which --tag gives it")
    return 0
  end
  return output.print(digest .. "\n")
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local path = table.remove(request.arguments, 1)
  local args, mistake = arguments_of(request.options.build_arg)
  if not path then
    mistake = "which recipe, or the directory of which Dockerfile?"
  end
  if mistake then
    return output.usage(mistake, M)
  end
  local stat, message = require("luactr.core").sys.stat(path)
  if not stat and path ~= "-" then
    output.complain("no recipe and no directory to build: " .. message:gsub("^stat ", ""))
    return cli.FAILED
  end
  return (is_directory(path) and build_directory or build_recipe)(path, request, args)
end

return M
