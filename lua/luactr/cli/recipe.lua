--- Load a recipe and run it: what it returned, or the error that ended it.
local M = {}

--- Errors are rare: what they need is loaded by the first.
local function new_error(fields)
  return require("luactr.error").new(fields)
end

-- ---- reading

local function no_recipe(path, message)
  local err = new_error {
    code = "ENORECIPE", op = "open", path = path,
    message = "cannot read the recipe: " .. message,
  }
  -- A word without a slash or a dot was more likely meant as a verb.
  if not path:find("[/.]") then
    local hint = require("luactr.nearest").hint(path, require("luactr.cli").verbs)
    err.message = string.format("no verb or recipe %q%s", path, hint)
    err.code = "EUSAGE"
  end
  return err
end

local function read(path)
  if path == "-" then
    return io.stdin:read("a")
  end
  local file <close>, message = io.open(path, "rb")
  if not file then
    return nil, no_recipe(path, message)
  end
  local text, problem = file:read("a")
  if not text then
    return nil, no_recipe(path, path .. ": " .. problem)
  end
  return text
end

local function load_text(path, text)
  local name = path == "-" and "=stdin" or "@" .. path
  -- The line stays, empty: errors count from the file's first.
  local chunk, message = load((text:gsub("^#[^\n]*", "", 1)), name, "t")
  if not chunk then
    return nil, new_error { code = "ESYNTAX", op = "load", path = path, message = message }
  end
  return chunk
end

--- Modules beside the recipe come first; a directory whose name means something else on a search
--- path stays off it.
local function set_search_path(path)
  local directory = path:match("^(.*)/[^/]*$") or "."
  if directory == "" then
    directory = "/"
  end
  if not directory:find("[;?]") then
    package.path = string.format("%s/?.lua;%s/?/init.lua;%s", directory, directory, package.path)
  end
end

-- ---- running

local function on_error(value)
  return require("luactr.raised").object(value) -- a tail call: no level more in the traceback
end

local function is_result(value)
  return type(value) == "table" and type(value.reason) == "string"
end

local function is_group(value)
  local group = package.loaded["luactr.loop.group"]
  return group and group.is(value)
end

---@class luactr.cli.outcome
---@field container? luactr.container that the recipe returned
---@field group? luactr.group that it returned
---@field pod? luactr.pod the same
---@field result? luactr.result that it returned
---@field status? integer that it returned
---@field error? luactr.error that it returned behind nil

--- What the recipe did with containers, by the watcher in luactr.container.
local function watch()
  local seen = { made = 0, started = 0 }
  local watcher = require("luactr.container").watch
  local start = watcher.start
  watcher.made = function() seen.made = seen.made + 1 end
  watcher.start = function(box)
    seen.started = seen.started + 1
    start(box)
  end
  return seen
end

local function is_built(value)
  local build = package.loaded["luactr.image.build"]
  return build and build.is(value)
end

local function has_tasks()
  local poll = require "luactr.poll"
  return poll.loop ~= nil and poll.loop.is_busy()
end

local function nothing_returned(seen)
  if has_tasks() then
    return {}
  elseif seen.made > 0 and seen.started == 0 then
    return nil, new_error {
      code = "ENOTRUN", op = "run",
      message = "the recipe made a container, but did nothing with it",
      remedy = "return it: return ctr.container { ... }",
    }
  elseif seen.made == 0 and not package.loaded["luactr.sys"]
    and not package.loaded["luactr.image.build"] then
    return { hint = "the recipe made no container and returned none" }
  end
  return {}
end

local function wrong_value(value)
  return nil, new_error {
    code = "ERETURNED", op = "run",
    message = "the recipe returned a " .. type(value) .. ", which luactr cannot run",
    remedy = "return a container (return ctr.container { ... }), several (ctr.pod { ... }, "
      .. "ctr.all(a, b)), a result, a status or nothing",
  }
end

--- Name what a recipe returned.
---@return luactr.cli.outcome?
---@return luactr.error?
local function outcome_of(seen, value, err)
  if value == nil and err ~= nil and require("luactr.error").is(err) then
    return { error = err }
  elseif value == nil or value == true then
    return nothing_returned(seen)
  elseif math.type(value) == "integer" and value >= 0 and value <= 255 then
    return { status = value }
  elseif is_result(value) then
    return { result = value }
  elseif type(value) == "table" and require("luactr.container").is(value) then
    return { container = value }
  elseif is_group(value) then
    return { group = value }
  elseif is_built(value) then
    return {}
  elseif type(value) == "table" and require("luactr.pod").is(value) then
    return { pod = value }
  end
  return wrong_value(value)
end

--- Run the recipe at `path` ("-": standard input) with its arguments.
---@param path string
---@param arguments string[]
---@return luactr.cli.outcome?
---@return luactr.error?
function M.run(path, arguments)
  local text, chunk, err
  text, err = read(path)
  if text then
    chunk, err = load_text(path, text)
  end
  if not chunk then
    return nil, err
  end
  set_search_path(path)
  arg = table.move(arguments, 1, #arguments, 1, { [0] = path }) -- luacheck: ignore 121
  local seen = watch()
  require("luactr.poll").guarded = true
  local fine, value, second = xpcall(chunk, on_error, table.unpack(arguments))
  if not fine then
    return nil, value
  end
  return outcome_of(seen, value, second)
end

--- A container of an image, with a command of its own if there is one.
---@param name string
---@param arguments string[]
---@return luactr.cli.outcome?
---@return luactr.error?
function M.image(name, arguments)
  local ctr = require "luactr"
  local fine, value = xpcall(function()
    return ctr.container { rootfs = ctr.image(name),
      command = #arguments > 0 and arguments or nil }
  end, on_error)
  if not fine then
    value.where = nil -- there is no recipe that has a line
    return nil, value
  end
  value.spec.where, value.spec.rootfs.where = nil, nil
  return { container = value }
end

return M
