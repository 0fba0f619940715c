--- What may be in an image's config. Pure.
local descriptor = require "luactr.image.document.descriptor"
local reference = require "luactr.image.reference"

local M = {}

M.LAYERS = 256
M.ENTRIES = 1000

---@class luactr.image.config
---@field architecture string
---@field os string
---@field created? string "2026-01-31T23:59:59Z"
---@field author? string
---@field config? luactr.image.run_config
---@field rootfs { type: "layers", diff_ids: string[] } the lowest first
---@field history? luactr.image.history[]

---@class luactr.image.run_config
---@field User? string
---@field ExposedPorts? table<string, table>
---@field Env? string[] "NAME=VALUE"
---@field Entrypoint? string[]
---@field Cmd? string[]
---@field Volumes? table<string, table>
---@field WorkingDir? string
---@field Labels? table<string, string>
---@field StopSignal? string

---@class luactr.image.history
---@field created? string
---@field created_by? string
---@field author? string
---@field comment? string
---@field empty_layer? boolean

local function is_texts(value)
  for key, element in pairs(value) do
    if math.type(key) ~= "integer" or type(element) ~= "string" then
      return false
    end
  end
  return true
end

local function is_map(of)
  return function(value)
    for key, element in pairs(value) do
      if type(key) ~= "string" or type(element) ~= of then
        return false
      end
    end
    return true
  end
end

-- What a field of `config` is, and the test beyond its type.
local RUN_FIELDS <const> = {
  User = { "string" }, WorkingDir = { "string" }, StopSignal = { "string" },
  Env = { "table", is_texts, "a list of texts" }, Cmd = { "table", is_texts, "a list of texts" },
  Entrypoint = { "table", is_texts, "a list of texts" },
  Shell = { "table", is_texts, "a list of texts" },
  OnBuild = { "table", is_texts, "a list of texts" },
  Labels = { "table", is_map "string", "a table of texts" },
  Volumes = { "table", is_map "table", "a table of paths" },
  ExposedPorts = { "table", is_map "table", "a table of ports" },
}

local function run_problem(config)
  if config == nil then
    return nil
  elseif type(config) ~= "table" then
    return "its config is no object"
  end
  for name, row in pairs(RUN_FIELDS) do
    local value = config[name]
    if value ~= nil and (type(value) ~= row[1] or row[2] and not row[2](value)) then
      return string.format("config.%s is not %s", name, row[3] or "text")
    end
  end
end

local function history_problem(history)
  if history == nil then
    return nil
  end
  local problem = descriptor.list_problem(history, "history's entries", M.ENTRIES)
  for i, entry in ipairs(problem and {} or history) do
    if type(entry) ~= "table" then
      return string.format("entry %d of its history is no object", i)
    end
  end
  return problem
end

local function diff_ids_problem(rootfs, layers)
  if type(rootfs) ~= "table" then
    return "it has no rootfs"
  end
  local problem = descriptor.list_problem(rootfs.diff_ids, "diff ids", M.LAYERS)
  for i, digest in ipairs(problem and {} or rootfs.diff_ids) do
    problem = reference.digest_problem(digest)
    if problem then
      return string.format("diff id %d: %s", i, problem)
    end
  end
  if not problem and layers and #rootfs.diff_ids ~= layers then
    return string.format("it has %d diff ids, the manifest has %d layers", #rootfs.diff_ids, layers)
  end
  return problem
end

--- What is wrong with a config.
---@param value table
---@param layers? integer how many the manifest has
---@return string? problem
function M.problem(value, layers)
  for _, name in ipairs { "architecture", "os" } do
    if type(value[name]) ~= "string" then
      return "it names no " .. name
    end
  end
  if value.created ~= nil and type(value.created) ~= "string" then
    return "its time of creation is no text"
  end
  return diff_ids_problem(value.rootfs, layers) or run_problem(value.config)
    or history_problem(value.history)
end

return M
