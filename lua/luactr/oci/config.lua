--- From the document of a config.json to the table that ctr.container takes. Pure. The way back has
--- luactr.oci.back.
--
-- luactr.oci.rows.* has a row for each field of the specification's schema: its name, type, whether
-- it is required, the recipe's field, and `to(value, builder, path)` where that is no plain copy;
-- `since` is the minor version that it came with, if that is not 1.0.
local T = require "luactr.oci.types"
local check = require "luactr.check"
local rows_of_process = require "luactr.oci.rows.process"
local rows_of_linux = require "luactr.oci.rows.linux"
local rows = require "luactr.oci.rows.container"

local M = {}

---@class luactr.oci.context what a config.json does not say
---@field bundle string its directory, absolute
---@field id? string
---@field systemd? boolean cgroupsPath is for systemd
---@field no_cgroup? boolean it is passed over, and so are resources
---@field rootless? boolean
---@field no_pivot? boolean
---@field no_new_keyring? boolean
---@field preserve_fds? integer how many descriptors from 3 on the command has, too

-- In this order: what the mounts mean depends on the namespaces.
M.sections = {
  { name = "linux", rows = rows_of_linux },
  { name = "process", rows = rows_of_process },
  { name = "", rows = rows },
}

local top <const> = table.move(rows, 1, #rows, 1, {})
top[#top + 1] = { name = "process", type = T.object(rows_of_process), required = true }
top[#top + 1] = { name = "linux", type = T.object(rows_of_linux), default = {} }

M.type = T.object(top)

-- ---- paths

-- What of a path is the same in both; config.json counts from 0.
local function counted_from_0(rest)
  return (rest:gsub("%[(%d+)%]", function(number)
    return "[" .. math.tointeger(number) - 1 .. "]"
  end))
end

--- The place in config.json that a path of the recipe came from.
---@param path string "mounts[2].options[1]"
---@param origins table<string, string>
---@return string
function M.path(path, origins)
  local prefix = path
  while prefix do
    if origins[prefix] then
      return counted_from_0(origins[prefix] .. path:sub(#prefix + 1))
    end
    prefix = prefix:match("^(.+)[.%[][^.%[]*$")
  end
  return path
end

-- ---- the builder that the rows work on

local Builder = {}
Builder.__index = Builder

function Builder:origin(field, path)
  self.origins[field] = path
end

--- A field of the recipe. An empty text is none.
function Builder:set(field, value, path)
  if value == nil or value == "" then
    return
  end
  self.raw[field] = value
  self.origins[field] = path
end

---@param path string counted from 1, as Lua does
function Builder:problem(path, message, ...)
  self.problems:add(path, message, ...)
end

function Builder:warn(message, ...)
  self.warnings[#self.warnings + 1] = string.format(message, ...)
end

function Builder:absolute(path)
  return path:sub(1, 1) == "/" and path or self.context.bundle .. "/" .. path
end

--- Whether recipes have the field.
function Builder:knows(field)
  local row = require("luactr.spec").field(field)
  return row ~= nil and not row.unsupported
end

-- What is not in config.json is not in the container: the opposite of a recipe's defaults.
local function empty_recipe(context)
  local namespaces = {}
  for _, kind in ipairs { "mount", "pid", "network", "uts", "ipc", "user", "cgroup", "time" } do
    namespaces[kind] = "host"
  end
  return {
    name = context.id, namespaces = namespaces, default_mounts = false, init = false, tty = false,
    capabilities = "none", no_new_privileges = false, seccomp = "unconfined", masked_paths = {},
    readonly_paths = {}, keyring = context.no_new_keyring and "inherit" or "new",
    env = { PATH = false, HOSTNAME = false, TERM = false },
  }
end

--- The names of a uts namespace. In one that others have made they are as those want them.
local function names(b)
  local uts = b.raw.namespaces.uts
  if uts == "host" or uts == "new" then
    b:set("hostname", b.hostname, b.hostname_path)
    b:set("domainname", b.domainname, b.domainname_path)
  end
  if not b.raw.hostname then
    b.raw.hostname = false
  end
end

local PROPERTY <const> = "^org%.systemd%.property%.(.+)$"

-- What the command line says of --rootless; whatever else it says, the host tells.
local USERS <const> = { ["true"] = true, ["false"] = false, [true] = true }

--- Its scope, when systemd is to make the cgroup.
local function scope(b)
  if not b.context.systemd then
    return
  end
  local place, problem = {}, nil
  if b.cgroups_path then
    place, problem = require("luactr.spec.scope").parse(b.cgroups_path)
  end
  if problem then
    return b:problem(b.cgroups_origin, "%s", problem)
  end
  place.properties, place.user = {}, USERS[b.context.rootless]
  for name, value in pairs(b.document.annotations or {}) do
    local property = name:match(PROPERTY)
    if property then
      place.properties[property] = value
      b:origin(check.join("scope.properties", property), check.join("annotations", name))
    end
  end
  b:set("scope", place, b.cgroups_origin or "linux.cgroupsPath")
end

local function descriptors(b)
  local count, fds = b.context.preserve_fds or 0, {}
  for number = 3, 2 + count do
    fds[number] = number
  end
  b.raw.fds = count > 0 and fds or nil
end

local function apply(b, section, prefix)
  local values = b.document
  if section.name ~= "" then
    values = values[section.name]
  end
  for _, row in ipairs(section.rows) do
    local value = values[row.name]
    local path = prefix .. row.name
    if value == nil then
      goto continue
    elseif row.to then
      row.to(value, b, path)
    elseif row.field then
      b:set(row.field, value, path)
    end
    ::continue::
  end
end

local function refusal(problems, where)
  for _, problem in ipairs(problems) do
    problem.path = counted_from_0(problem.path)
  end
  return require("luactr.error").new {
    code = "ESPEC", message = "config.json is wrong", subject = "config.json", where = where,
    problems = table.move(problems, 1, #problems, 1, {}),
  }
end

--- A document that was checked, and normalized: what is not in the specification is not in it.
---@param value table of luactr.oci.json
---@param where? luactr.where
---@return table? document nil, error code "ESPEC" with all problems
function M.check(value, where)
  local problems = check.problems()
  local document = problems:check(M.type, value, "")
  if #problems > 0 then
    return nil, refusal(problems, where)
  end
  return document
end

--- What ctr.container takes.
---@param document table of M.check
---@param context luactr.oci.context
---@return table? raw nil, error code "ESPEC" with all problems
---@return table<string, string>? origins for luactr.oci.config.path
---@return string[]? warnings
function M.recipe(document, context)
  local b = setmetatable({
    document = document, context = context, raw = empty_recipe(context), warnings = {},
    problems = check.problems(), origins = { namespaces = "linux.namespaces", env = "process.env" },
  }, Builder)
  for _, section in ipairs(M.sections) do
    apply(b, section, section.name == "" and "" or section.name .. ".")
  end
  names(b)
  scope(b)
  descriptors(b)
  if #b.problems > 0 then
    return nil, refusal(b.problems, M.where(context))
  end
  return b.raw, b.origins, b.warnings
end

local process_type -- made by the first

--- What a command in a container takes, of an object like that at `process`.
---@param value table of luactr.oci.json
---@param context luactr.oci.context
---@return table? raw nil, error code "ESPEC" with all problems
---@return table<string, string>? origins
---@return string[]? warnings
function M.command(value, context)
  process_type = process_type or T.object(rows_of_process)
  local b = setmetatable({
    context = context, of_command = true, warnings = {}, problems = check.problems(),
    origins = { env = "env" },
    raw = { tty = false, no_new_privileges = false,
      env = { PATH = false, HOSTNAME = false, TERM = false } },
  }, Builder)
  b.document = { process = b.problems:check(process_type, value, "") }
  if #b.problems == 0 then
    apply(b, M.sections[2], "")
    descriptors(b)
  end
  if #b.problems > 0 then
    return nil, refusal(b.problems)
  end
  return b.raw, b.origins, b.warnings
end

--- Where a spec of a config.json comes from, for messages: paths are told as config.json has them.
---@param context luactr.oci.context
---@param origins? table<string, string>
---@return luactr.where
function M.where(context, origins)
  return { file = context.bundle .. "/config.json", subject = "config.json",
    path = origins and function(path) return M.path(path, origins) end }
end

return M
