--- Carry out a Dockerfile: the stages that its target needs, in their order, by the builder that
--- recipes use.
local document = require "luactr.image.document"
local dockerfile = require "luactr.image.dockerfile"
local instructions = require "luactr.image.build.instructions"

local sys <const> = require("luactr.core").sys

local M = {}

-- Arguments that need no ARG, and do not count for the cache.
local PROXIES <const> = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
  "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy" }

local expand <const>, failure <const> = instructions.expand, instructions.failure

---@class luactr.image.build.plan
---@field path string of the Dockerfile, for people
---@field file luactr.image.dockerfile
---@field options luactr.image.dockerfile_options
---@field args table<string, string> build arguments
---@field used table<string, boolean> those that an ARG names
---@field globals? table<string, string> values of ARG before the first FROM
---@field images table<integer, string> what stages begin with
---@field sources table<table, integer|string> what steps copy from: a stage's number, an image
---@field needed? table<integer, boolean>
---@field built table<integer, luactr.image.built>
---@field done integer steps so far
---@field total? integer

-- ---- variables

local function platform_arguments()
  local host = document.platform_of(sys.uname().machine)
  local list = {}
  for _, prefix in ipairs { "TARGET", "BUILD" } do
    list[prefix .. "PLATFORM"] = document.platform_text(host)
    list[prefix .. "OS"], list[prefix .. "ARCH"] = host.os, host.architecture
    list[prefix .. "VARIANT"] = host.variant or ""
  end
  return list
end

--- The values of ARG before the first FROM.
local function read_globals(plan)
  local globals = platform_arguments()
  local function lookup(name) return globals[name] end
  for _, step in ipairs(plan.file.args) do
    for _, pair in ipairs(step.pairs) do
      local value = plan.args[pair.name]
      plan.used[pair.name] = true
      if not value and pair.value then
        local err
        value, err = expand(plan, step.line, pair.value, lookup)
        if err then
          return nil, err
        end
      end
      globals[pair.name] = value or globals[pair.name]
    end
  end
  plan.globals = globals
  return true
end

-- ---- which stages are needed

local function global_lookup(plan)
  return function(name) return plan.globals[name] end
end

--- The stage that a name or number stands for, among those before one.
local function stage_of(plan, name, before)
  for i = before - 1, 1, -1 do
    if plan.file.stages[i].name == name:lower() then
      return i
    end
  end
  local number = math.tointeger(tonumber(name))
  return number and number >= 0 and number + 1 < before and number + 1 or nil
end

local function resolve_from(plan, index)
  local stage = plan.file.stages[index]
  local image, err = expand(plan, stage.line, stage.image, global_lookup(plan))
  if not image then
    return nil, err
  elseif image == "" then
    return failure(plan, stage.line, "FROM: the image's name is empty",
      "a value for its variables: --build-arg NAME=VALUE")
  end
  plan.images[index] = image
  return stage_of(plan, image, index) or 0
end

--- Names in `COPY --from` are known before the stage runs: variables in them are those before the
--- first FROM.
local function resolve_copies(plan, index, need)
  for _, step in ipairs(plan.file.stages[index].steps) do
    if step.from then
      local name, err = expand(plan, step.line, step.from, global_lookup(plan))
      if not name then
        return nil, err
      end
      local found = stage_of(plan, name, index)
      if not found and name:lower() == (plan.file.stages[index].name or "") then
        return failure(plan, step.line, "COPY: --from is the stage itself")
      end
      plan.sources[step] = found or name
      need(found)
    end
  end
  return true
end

local function find_target(plan, name)
  local stages = plan.file.stages
  if not name then
    return #stages
  end
  local found = stage_of(plan, name, #stages + 1)
  if found then
    return found
  end
  local names = {}
  for _, stage in ipairs(stages) do
    names[#names + 1] = stage.name
  end
  return nil, require("luactr.error").new { code = "ENOENT", op = "build", path = plan.path,
    errno = sys.errno.ENOENT, message = string.format("no stage %q in %s%s", name, plan.path,
      require("luactr.nearest").hint(name, names)),
    remedy = #names > 0 and "one of " .. table.concat(names, ", ") or nil }
end

local function mark_needed(plan, target)
  local needed, list = {}, { target }
  while #list > 0 do
    local index = table.remove(list)
    if not needed[index] then
      needed[index] = true
      local from, err = resolve_from(plan, index)
      local fine = from
      if from then
        list[#list + 1] = from > 0 and from or nil
        fine, err = resolve_copies(plan, index, function(found) list[#list + 1] = found end)
      end
      if not fine then
        return nil, err
      end
    end
  end
  plan.needed = needed
  return true
end

local function count_steps(plan)
  local total = 0
  for index, stage in ipairs(plan.file.stages) do
    for _, step in ipairs(plan.needed[index] and stage.steps or {}) do
      total = total + (step.op ~= "arg" and 1 or 0)
    end
  end
  return total
end

-- ---- stages

local function check_platform(plan, stage)
  local wanted, err = nil, nil
  if stage.platform then
    wanted, err = expand(plan, stage.line, stage.platform, global_lookup(plan))
  end
  if err then
    return nil, err
  end
  local host = document.platform_text(document.platform_of(sys.uname().machine))
  if wanted and wanted ~= "" and wanted ~= host and wanted ~= host:match("^[^/]+/[^/]+") then
    return failure(plan, stage.line, string.format("--platform=%s: this host is %s", wanted, host))
  end
  return true
end

local function hidden_of(plan)
  local hidden = {}
  for _, name in ipairs(PROXIES) do
    if plan.args[name] then
      hidden[name], plan.used[name] = plan.args[name], true
    end
  end
  return hidden
end

local function title_of(stage, index, tag)
  return tag and string.format("%q", tag)
    or "stage " .. (stage.name or string.format("%d", index - 1))
end

local function build_stage(plan, index, is_target)
  local stage, options = plan.file.stages[index], plan.options
  local fine, err = check_platform(plan, stage)
  if not fine then
    return nil, err
  end
  local from = stage_of(plan, plan.images[index], index)
  return require("luactr.image.build").stage({
    from = from and plan.built[from] or plan.images[index], tag = is_target and options.tag or nil,
    title = title_of(stage, index, is_target and options.tag), context = options.context,
    epoch = options.epoch, cache = options.cache, network = options.network,
    compression = options.compression, quiet = options.quiet, progress = options.progress,
    args = {}, hidden = hidden_of(plan), ignore = options.ignore,
    ignore_inside = options.ignore_inside, store = options.store,
    where = { file = plan.path, line = stage.line }, total = plan.total, first = plan.done,
  }, function(b)
    instructions.carry_out(plan, b, stage)
    plan.done = b.count
  end)
end

local function warn_unused(plan, progress)
  local known = {}
  for name in pairs(plan.used) do
    known[#known + 1] = name
  end
  table.sort(known)
  for name in pairs(plan.args) do
    if not plan.used[name] then
      progress:note(string.format("warning: no ARG %s%s", name,
        require("luactr.nearest").hint(name, known)))
    end
  end
end

local function run_stages(plan, target)
  for index = 1, target do
    if plan.needed[index] then
      local built, err = build_stage(plan, index, index == target)
      if not built then
        return nil, err
      end
      plan.built[index] = built
    end
  end
  return plan.built[target]
end

---@class luactr.image.dockerfile_options options of a build, and:
---@field target? string the stage to build, the last
---@field progress luactr.image.progress

--- Build what the text of a Dockerfile says.
---@param text string
---@param path string of the file, for people
---@param options luactr.image.dockerfile_options
---@return luactr.image.built?
---@return luactr.error?
function M.build(text, path, options)
  local plan = { path = path, options = options, args = options.args or {}, used = {}, images = {},
    sources = {}, built = {}, done = 0 }
  local problem
  plan.file, problem = dockerfile.parse(text)
  if not plan.file then
    return failure(plan, problem.line, problem.message, problem.remedy)
  end
  local fine, err = read_globals(plan)
  local target
  if fine then
    target, err = find_target(plan, options.target)
  end
  if target then
    fine, err = mark_needed(plan, target)
  end
  if not target or not fine then
    return nil, err
  end
  for _, warning in ipairs(plan.file.warnings) do
    options.progress:note(string.format("warning: %s:%d: %s", path, warning.line, warning.message))
  end
  plan.total = count_steps(plan)
  local built
  built, err = run_stages(plan, target)
  if built then
    warn_unused(plan, options.progress)
  end
  for index, other in pairs(plan.built) do
    if index ~= target then
      other:close()
    end
  end
  return built, err
end

return M
