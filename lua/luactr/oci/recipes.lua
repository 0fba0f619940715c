--- The administrator's recipes for containers of engines: Lua files that see what config.json has
--- become before it is compiled, change or refuse it, and are told of the container's life.
--
-- Those of the directory are for all containers, in the order of their names; one below allowed/ is
-- for those that ask for it by the annotation luactr.recipe. Where the directory is missing there
-- are none, which is how luactr comes. What cannot be trusted, read or run is an error: a container
-- that a recipe was to be asked about does not start without.
local check = require "luactr.check"

local M = {}

M.ANNOTATION = "luactr.recipe"
M.ALLOWED = "allowed" -- the directory in the directory

local MOST_NAMED <const> = 16

-- ---- what a file gives

local fn <const> = check["function"]()

local shape <const> = check.record {
  { name = "applies", type = fn,
    help = "`(config) -> boolean`: whether it is for a container; for all if left out" },
  { name = "create", type = fn,
    help = "`(spec, config)`: change the spec, or `return nil, \"why not\"`" },
  { name = "on", type = check.record {
    { name = "created", type = fn, help = "`(state)`: an error refuses the container" },
    { name = "started", type = fn, help = "`(state)`" },
    { name = "stopped", type = fn, help = "`(state)`: told by the delete after it" },
    { name = "deleted", type = fn, help = "`(state)`" },
  }, help = "functions that are called with its state" },
}

M.fields = shape.fields

---@class luactr.oci.recipe
---@field path string
---@field applies? fun(config: table): any
---@field create? fun(spec: table, config: table): any, string?
---@field on table<string, fun(state: table)>

--- An error of a recipe tells which one, whatever it raised; the stack comes with it.
local function wrong(path, code, message)
  return require("luactr.error").new { code = code, op = "run", path = path,
    message = string.format("the recipe %s %s", path, message) }
end

--- Call one of its functions: whether it returned, then what.
local function call(path, what, f, ...)
  local values = table.pack(xpcall(f, function(value)
    return require("luactr.raised").object(value)
  end, ...))
  if values[1] then
    return true, table.unpack(values, 2, values.n)
  end
  local err = values[2]
  err.path = err.path or path
  return false, err:wrap(string.format("the recipe %s, in its %s", path, what))
end

--- Run a file for the recipe that it returns.
local function load_recipe(path, text)
  local chunk, message = load((text:gsub("^#[^\n]*", "", 1)), "@" .. path, "t")
  if not chunk then
    return nil, wrong(path, "ESYNTAX", "cannot be read: " .. message)
  end
  local fine, value = call(path, "main part", chunk)
  if not fine then
    return nil, value
  elseif type(value) == "function" then
    value = { create = value }
  end
  local problems = check.problems()
  local recipe = problems:check(shape, value, "")
  if #problems > 0 then
    local first = problems[1]
    return nil, wrong(path, "ESPEC", "returns what is none: "
      .. (first.path ~= "" and first.path .. ": " or "") .. first.message)
  end
  recipe.path, recipe.on = path, recipe.on or {}
  return recipe
end

-- ---- which ones are for a container

---@class luactr.oci.recipes those that are for one container
---@field [integer] luactr.oci.recipe
local Recipes = {}
Recipes.__index = Recipes

--- What recipes see of config.json is a copy: that what is in it is changed means nothing.
local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local result = setmetatable({}, getmetatable(value))
  for key, entry in next, value do
    result[key] = copy(entry)
  end
  return result
end

--- Read a file and add its recipe, if that is for this container.
local function add(list, directory, name, config)
  local text, err = directory:read(name)
  local recipe
  if text then
    recipe, err = load_recipe(directory.path .. "/" .. name, text)
  end
  if not recipe then
    return nil, err
  end
  local fine, applies = true, true
  if recipe.applies and config then
    fine, applies = call(recipe.path, "applies", recipe.applies, config)
  end
  if not fine then
    return nil, applies
  end
  list[#list + 1] = applies and recipe or nil
  return true
end

local function refuse_name(name, directory, known)
  local hint = require("luactr.nearest").hint(name, known)
  return require("luactr.error").new {
    code = "ENOENT", op = "open", path = directory,
    message = string.format("the annotation %s asks for %q, which is not allowed%s", M.ANNOTATION,
      name, hint),
    cause = #known > 0 and directory .. " has " .. table.concat(known, ", ")
      or directory .. " has no recipes", checked = true,
  }
end

local function names_of(directory)
  local names = directory and directory:names() or {}
  for i, name in ipairs(names) do
    names[i] = name:gsub("%.lua$", "")
  end
  return names
end

--- Those that the container asks for.
local function add_named(list, path, annotation, config)
  local allowed <close>, err = require("luactr.oci.recipes.trusted").open(path)
  if err then
    return nil, err
  end
  local known, count = names_of(allowed), 0
  for name in annotation:gmatch("[^,%s]+") do
    count = count + 1
    local found = false
    for _, candidate in ipairs(known) do
      found = found or candidate == name
    end
    if not found or count > MOST_NAMED then
      return nil, refuse_name(name, path, known)
    end
    local fine
    fine, err = add(list, allowed, name .. ".lua", config)
    if not fine then
      return nil, err
    end
  end
  return true
end

--- The recipes for a container that is about to be created.
---@param host luactr.host `oci_recipes` is the directory
---@param config table config.json
---@return luactr.oci.recipes? list
---@return luactr.error? err
function M.load(host, config)
  local list = setmetatable({}, Recipes)
  local directory <close>, err = require("luactr.oci.recipes.trusted").open(host.oci_recipes)
  if err then
    return nil, err
  end
  list.config = directory and copy(config)
  for _, name in ipairs(directory and directory:names() or {}) do
    local fine
    fine, err = add(list, directory, name, list.config)
    if not fine then
      return nil, err
    end
  end
  local annotation = type(config.annotations) == "table" and config.annotations[M.ANNOTATION]
  if type(annotation) == "string" then
    local fine
    fine, err = add_named(list, host.oci_recipes .. "/" .. M.ALLOWED, annotation,
      list.config or config)
    if not fine then
      return nil, err
    end
  end
  return list
end

-- ---- what they do

--- Have each look at what the recipe table of the container has become, and change it.
---@param raw table what ctr.container takes
---@return table? raw
---@return luactr.error? err code EREFUSED when one of them does not want it
function Recipes:change(raw)
  for _, recipe in ipairs(self) do
    if recipe.create then
      local fine, value, reason = call(recipe.path, "create", recipe.create, raw, self.config)
      if not fine then
        return nil, value
      elseif value == false or value == nil and reason ~= nil then
        return nil, wrong(recipe.path, "EREFUSED", "refuses the container: "
          .. (reason ~= nil and tostring(reason) or "it does not say why"))
      elseif type(value) == "table" then
        raw = value
      end
    end
  end
  return raw
end

--- Who may have caused a problem of the changed table, whose place in config.json is no help then.
---@param err luactr.error
---@return luactr.error err
function Recipes:blame(err)
  local paths = {}
  for _, recipe in ipairs(self) do
    paths[#paths + 1] = recipe.create and recipe.path or nil
  end
  if paths[1] then
    err.cause = "what config.json says has gone through " .. table.concat(paths, ", ")
    err.checked = true
  end
  return err
end

--- Where the files are of those who want to be told of the container's life; nil if there are none.
---@return string[]?
function Recipes:listeners()
  local paths = {}
  for _, recipe in ipairs(self) do
    paths[#paths + 1] = next(recipe.on) and recipe.path or nil
  end
  return paths[1] and paths
end

--- Tell them of an event.
---@param event "created"|"started"|"stopped"|"deleted"
---@param state table OCI's
---@return boolean? done
---@return luactr.error? err of the first that failed; those behind it are told all the same
function Recipes:tell(event, state)
  local failed
  for _, recipe in ipairs(self) do
    local f = recipe.on[event]
    local fine, err = true, nil
    if f then
      fine, err = call(recipe.path, "on." .. event, f, state)
    end
    failed = failed or (not fine and err or nil)
  end
  return not failed, failed
end

--- The same for a container that an earlier command created, which noted who listens.
---@param paths? string[] of listeners()
---@param event "started"|"stopped"|"deleted"
---@param state table
---@return boolean? done
---@return luactr.error? err
function M.tell(paths, event, state)
  local list, failed = setmetatable({}, Recipes), nil
  for _, path in ipairs(paths or {}) do
    local parent, name = path:match("^(.*)/([^/]+)$")
    local directory <close>, err = require("luactr.oci.recipes.trusted").open(parent)
    local fine = false
    if directory then
      fine, err = add(list, directory, name)
    end
    failed = failed or (not fine and (err or wrong(path, "ENOENT", "is gone")) or nil)
  end
  local fine, err = list:tell(event, state)
  return fine and not failed, failed or err
end

return M
