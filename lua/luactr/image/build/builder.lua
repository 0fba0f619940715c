--- The `b` of a build: each method is a step, carried out when it is called. What fails ends the
--- build: an error object is raised, which luactr.image.build returns.
local configs = require "luactr.image.build.config"
local files = require "luactr.image.build.files"
local running = require "luactr.image.build.run"
local says = require "luactr.image.build.says"
local steps = require "luactr.image.build.step"

local M = {}

---@class luactr.image.builder
---@field args table<string, string> build arguments
local Builder = { __name = "luactr.image.builder" }
Builder.__index = Builder

for _, module in ipairs { files, says } do
  for name, method in pairs(module.methods) do
    Builder[name] = method
  end
end

-- ---- run

local function environment(self, fields)
  local env, hidden = {}, {}
  for name, value in pairs(self.args) do
    env[name] = value
  end
  for name, value in pairs(self.hidden) do
    hidden[name] = value
  end
  for _, entry in ipairs(self.config.Env or {}) do
    local name, value = entry:match("^([^=]+)=(.*)$")
    if name then
      env[name] = value
    end
  end
  for name, value in pairs(fields.env or {}) do
    env[name] = value
  end
  return env, hidden
end

--- The image's user, as who runs the image has it: one by number alone has the group of its line in
--- /etc/passwd, or root's.
local function user_of(self)
  local name = self.config.User or ""
  local uid = name:find("^%d+$") and #name <= 10 and math.tointeger(tonumber(name))
  if not uid then
    return name ~= "" and name or nil
  end
  local view <close> = require("luactr.image.build.view").open(steps.trees(self))
  local text = view and view:read("/etc/passwd")
  return { uid = uid,
    gid = text and require("luactr.account.database").group_of(text, uid) or 0 }
end

local function command_of(self, words)
  local command = { words = {}, fields = {} }
  for key, value in pairs(words) do
    if math.type(key) == "integer" then
      command.words[key] = value
    else
      command.fields[key] = value
    end
  end
  local fields = command.fields
  command.env, command.hidden = environment(self, fields)
  fields.env, fields.cache = nil, nil
  fields.cwd = fields.cwd or self.config.WorkingDir
  if fields.user == nil then
    fields.user = user_of(self)
  end
  fields.network = fields.network or self.network
  return command
end

--- Run a command in a container of the image so far: { "program", "argument", ... } with fields of
--- a container beside them, or a text for the shell. It has no network unless `network` is given
--- here or for the build.
---@param words string|table
---@return luactr.image.builder
function Builder:run(words)
  local text = type(words) == "string" and words or nil
  local list = text and says.shell_words(self, text) or words
  if type(list) ~= "table" or #list == 0 then
    error("b:run: a command expected, as { \"program\", \"argument\" } or a text for the shell", 2)
  end
  local mistake = running.mistake(list)
  if mistake then
    error("b:run: " .. mistake, 2)
  end
  text = self.text or "RUN " .. (text or table.concat(list, " "))
  return steps.run(self, text, function()
    local command = command_of(self, list)
    local what = list.cache ~= false and running.describe(command) or nil
    if what then
      what.op = "run"
    end
    return steps.layer(self, text, what, function(directory)
      return running.run(command, directory, steps.trees(self), self.quiet)
    end)
  end)
end

-- ---- use

---@class luactr.image.builder_options
---@field store luactr.image.store
---@field stage luactr.image.stage
---@field base luactr.image.build.base
---@field title string of what is built, for people
---@field context? luactr.image.build.context
---@field args table<string, string>
---@field hidden table<string, string>
---@field epoch? integer
---@field use_cache boolean
---@field network? any
---@field compression string
---@field quiet boolean
---@field total? integer
---@field first? integer steps before
---@field progress luactr.image.progress

---@param options luactr.image.builder_options
---@return luactr.image.builder
function M.new(options)
  local self = setmetatable({}, Builder)
  for name, value in pairs(options) do
    self[name] = value
  end
  self.layers, self.history = options.base:copies()
  self.config = configs.copy(options.base.config)
  self.created = options.base.created or steps.timestamp(steps.now(self))
  self.count = options.first or 0
  return self
end

return M
