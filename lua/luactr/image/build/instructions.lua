--- Instructions of a Dockerfile as calls of the builder, with variables replaced.
local core = require "luactr.core"
local configs = require "luactr.image.build.config"
local words = require "luactr.image.dockerfile.words"

local M = {}

--- nil, and the error of a line of the Dockerfile.
---@param plan luactr.image.build.plan
---@param line integer
---@param message string
---@param remedy? string
function M.failure(plan, line, message, remedy)
  return nil, require("luactr.error").new { code = "ESYNTAX", op = "build", path = plan.path,
    message = string.format("%s:%d: %s", plan.path, line, message), remedy = remedy }
end

local failure <const> = M.failure

--- A word with its variables.
---@param plan luactr.image.build.plan
---@param line integer
---@param word string
---@param lookup luactr.image.dockerfile.lookup
---@return string?
---@return luactr.error?
function M.expand(plan, line, word, lookup)
  local text, mistake = words.expand(word, lookup, plan.file.escape)
  if not text then
    return failure(plan, line, mistake)
  end
  return text
end

-- What an image that says nothing has, for `ENV PATH=$PATH:/opt/bin`.
local UNSAID <const> = { PATH = core.plan.default_path }

local function lookup_of(b)
  return function(name)
    return configs.get_env(b.config, name) or b.args[name] or UNSAID[name]
  end
end

--- A word of a step, with its variables.
local function value(plan, b, step, word)
  local text, err = M.expand(plan, step.line, word, lookup_of(b))
  if not text then
    error(err, 0)
  end
  return text
end

local function values(plan, b, step, list)
  local result = {}
  for i, word in ipairs(list) do
    local text = value(plan, b, step, word)
    result[#result + 1] = text ~= "" and text or nil
    if text == "" and i == #list and #result == 0 then
      error(select(2, failure(plan, step.line, "nothing is left of " .. step.text)), 0)
    end
  end
  return result
end

local function sources_of(plan, b, step)
  local list = {}
  for i, source in ipairs(step.sources) do
    if type(source) == "table" then
      local text, mistake = source.text, nil
      if source.expand then
        text, mistake = words.expand_text(source.text, lookup_of(b), plan.file.escape)
      end
      if not text then
        error(select(2, failure(plan, step.line, mistake)), 0)
      end
      list[i] = { name = source.name, text = text }
    else
      list[i] = value(plan, b, step, source)
    end
  end
  return list
end

local REMOTE <const> = { "^%a[%w+.-]*://", "^git@" }

local function check_local(plan, step, sources)
  for _, source in ipairs(sources) do
    for _, pattern in ipairs(type(source) == "string" and REMOTE or {}) do
      if source:find(pattern) then
        error(select(2, failure(plan, step.line, "ADD of what is elsewhere is not supported: "
          .. source, "fetch it before the build, or RUN with --network")), 0)
      end
    end
  end
end

local function option(plan, b, step, word)
  return word and value(plan, b, step, word) or nil
end

local function set_pairs(plan, b, step, method)
  local map = {}
  for _, pair in ipairs(step.pairs) do
    map[value(plan, b, step, pair.name)] = value(plan, b, step, pair.value)
  end
  b[method](b, map)
end

--- A heredoc that is all of a command is a script; the shell reads it, or who its first line names.
local function script_of(b, step)
  local heredoc = step.heredocs[1]
  local interpreter, argument = heredoc.text:match("^#!%s*(%S+)[ \t]*([^\n]-)%s*\n")
  if not interpreter then
    return heredoc.text
  end
  local path = "/dev/luactr-script"
  local command = { interpreter, argument ~= "" and argument or path,
    argument ~= "" and path or nil }
  command.mounts = { { type = "file", target = path, content = heredoc.text, mode = "0755" } }
  if (b.config.User or "") ~= "" then
    command.mounts[1].mode = "0755"
  end
  return command
end

local function run(b, step)
  local command = step.command
  if type(command) == "string" and #step.heredocs > 0 then
    if command:find("^%d*<<%-?[\"']?[%w_.-]+[\"']?$") then
      b:run(script_of(b, step))
      return
    end
    local parts = { command .. "\n" }
    for i, heredoc in ipairs(step.heredocs) do
      parts[i + 1] = heredoc.raw
    end
    command = table.concat(parts)
  end
  b:run(command)
end

local function declare(plan, b, step)
  for _, pair in ipairs(step.pairs) do
    local text = plan.args[pair.name]
    plan.used[pair.name] = true
    if not text and pair.value then
      text = value(plan, b, step, pair.value)
    end
    b.args[pair.name] = text or plan.globals[pair.name]
  end
end

-- ORDER OP of luactr.image.dockerfile.instructions
local CARRY_OUT <const> = {
  arg = declare,
  run = function(_, b, step) run(b, step) end,
  copy = function(plan, b, step)
    local from = plan.sources[step]
    b:copy(sources_of(plan, b, step), value(plan, b, step, step.target), {
      from = plan.built[from] or from, owner = option(plan, b, step, step.owner),
      mode = option(plan, b, step, step.mode) })
  end,
  add = function(plan, b, step)
    local sources = sources_of(plan, b, step)
    check_local(plan, step, sources)
    b:add(sources, value(plan, b, step, step.target), {
      owner = option(plan, b, step, step.owner), mode = option(plan, b, step, step.mode) })
  end,
  env = function(plan, b, step) set_pairs(plan, b, step, "env") end,
  label = function(plan, b, step) set_pairs(plan, b, step, "label") end,
  workdir = function(plan, b, step) b:workdir(value(plan, b, step, step.word)) end,
  user = function(plan, b, step) b:user(value(plan, b, step, step.word)) end,
  stop_signal = function(plan, b, step) b:stop_signal(value(plan, b, step, step.word)) end,
  expose = function(plan, b, step) b:expose(table.unpack(values(plan, b, step, step.words))) end,
  volume = function(plan, b, step) b:volume(table.unpack(values(plan, b, step, step.words))) end,
  entrypoint = function(_, b, step) b:entrypoint(step.command) end,
  cmd = function(_, b, step) b:cmd(step.command) end,
  shell = function(_, b, step) b:shell(step.command) end,
}

--- Carry out the steps of a stage.
---@param plan luactr.image.build.plan
---@param b luactr.image.builder
---@param stage luactr.image.dockerfile.stage
function M.carry_out(plan, b, stage)
  for _, step in ipairs(stage.steps) do
    b.at, b.text = { file = plan.path, line = step.line }, step.text
    CARRY_OUT[step.op](plan, b, step)
  end
  b.at, b.text = nil, nil
end

return M
