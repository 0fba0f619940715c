--- The life of a container of an OCI bundle: create, start, state, kill, delete. Between two of
--- these nothing of luactr runs: what is known is in its directory, and what is alive is a process
--- of whoever adopts it.
local container_module = require "luactr.oci.container"
local core = require "luactr.core"
local list = require "luactr.state.list"
local oci_state = require "luactr.oci.state"

local sys <const> = core.sys

local M = {}

---@class luactr.oci.creation what is asked for
---@field id string
---@field host luactr.host
---@field bundle string the directory
---@field config? string in place of its config.json
---@field raw? table a recipe in place of both
---@field pid_file? string gets the host's pid
---@field pidfd_socket? string that a descriptor of its process is sent to
---@field console_socket? string that the terminal's master is sent to
---@field preserve_fds? integer so many descriptors from 3 on are handed on
---@field no_pivot? boolean
---@field no_new_keyring? boolean
---@field systemd? boolean
---@field rootless? boolean
---@field no_cgroup? boolean it has none of its own, and no limits
---@field detach? boolean
---@field foreground? boolean luactr waits for its end
---@field keep? boolean
---@field spawn? function who makes its process, see luactr.oci.restore
---@field warn? fun(message: string) told what goes wrong and ends nothing
---@field report? fun(message: string) the same of errors that nobody waits for

-- ---- finding

--- A directory without a record: it is just being made, or a killed luactr has left it, which is
--- cleaned up. So is one that was in the foreground of such a luactr.
local function settle(host, id, record)
  if not list.is_name(id) or not sys.stat(host.state_dir .. "/containers/" .. id) then
    return nil
  elseif require("luactr.state").heal(host, id) == "removed" then
    return nil
  end
  local config = not record and list.read(host, id, "config.json")
  return record or config and config.oci and { id = id, oci = config.oci, creating = true } or nil
end

--- The container of exactly that id.
---@param host luactr.host
---@param id string
---@return luactr.oci.container?
---@return luactr.error? code "ENOENT"
function M.find(host, id)
  local record, err = list.exact(host, id)
  if not err and (not record or record.oci and record.owner) then
    record = settle(host, id, record)
  end
  if record and record.oci then
    return container_module.of(record, host)
  end
  return nil, err or select(2, container_module.unknown(id))
end

--- All of them, oldest first.
---@param host luactr.host
---@return luactr.oci.container[]?
---@return luactr.error? err when what is there cannot be trusted
function M.list(host)
  require("luactr.state").sweep(host)
  local found, records, err = {}, list.all(host)
  if err then
    return nil, err
  end
  for _, record in ipairs(records) do
    found[#found + 1] = record.oci and container_module.of(record, host) or nil
  end
  return found
end

-- ---- making

--- The recipe that a bundle is, with the document that it was.
local function recipe_of(request)
  if request.raw then
    return request.raw, nil, {}
  end
  local raw, where, document, warnings = require("luactr.oci.bundle").recipe({
    bundle = request.bundle, id = request.id, systemd = request.systemd,
    no_cgroup = request.no_cgroup, rootless = request.rootless, no_pivot = request.no_pivot,
    no_new_keyring = request.no_new_keyring, preserve_fds = request.preserve_fds,
    console_socket = request.console_socket,
  }, request.config)
  for _, warning in ipairs(request.warn and warnings or {}) do
    request.warn(warning)
  end
  return raw, where, document
end

--- What the administrator's recipes make of the recipe. Mostly there are none.
local function ask_recipes(request, raw, document)
  local annotations = document.annotations
  if not sys.stat(request.host.oci_recipes)
    and not (annotations and annotations["luactr.recipe"]) then
    return raw
  end
  local recipes, err = require("luactr.oci.recipes").load(request.host, document)
  if recipes then
    raw, err = recipes:change(raw)
  end
  if not recipes or not raw then
    return nil, err
  end
  return raw, recipes
end

--- Which hooks there are: most later verbs need not read more.
local function kinds_of(hooks)
  local kinds = {}
  for kind in pairs(hooks or {}) do
    kinds[kind] = true
  end
  return next(kinds) and kinds
end

--- The box, and what is kept of the document.
local function box_of(request)
  local raw, where, document = recipe_of(request)
  if not raw then
    return nil, where
  end
  local recipes
  raw, recipes = ask_recipes(request, raw, document)
  if not raw then
    return nil, recipes
  end
  raw.name = request.id
  local spec, err = require("luactr.spec").check(raw, where)
  if not spec then
    return nil, recipes and recipes:blame(err) or err
  end
  return require("luactr.container").of(spec), {
    version = oci_state.VERSION, ociVersion = document.ociVersion or "1.3.0",
    bundle = request.bundle, annotations = document.annotations, hooks = kinds_of(spec.hooks),
    recipes = recipes and recipes:listeners(),
  }, recipes
end

--- The box and what luactr.launch asks of it.
local function prepare(request)
  local words = require "luactr.oci.words"
  local fine, problem = words.check_id(request.id)
  if fine then
    fine, problem = words.check_preserved(request.preserve_fds,
      string.format("cannot create %q", request.id))
  end
  if not fine then
    return nil, problem
  end
  request.bundle = require("luactr.oci.bundle").absolute(request.bundle or ".")
  if request.no_pivot then -- as on an initramfs, where nobody can
    request.host = setmetatable({ initramfs = true }, { __index = request.host })
  end
  local box, oci, recipes = box_of(request)
  if not box then
    return nil, oci
  end
  fine, problem = words.check_console(box, request)
  if not fine then
    return nil, problem
  end
  return box, require("luactr.oci.birth").new(request, oci), recipes
end

--- The words of the others for an id that is taken.
local function in_use(err)
  if err.code == "EEXIST" and err.op == "claim" then
    err.message = err.message:gsub("^the name (.*) is in use$", "container %1 already exists")
    err.remedy = err.remedy and err.remedy:gsub("luactr rm", "luactr oci delete")
  end
  return err
end

--- A recipe may still refuse it.
local function tell_created(recipes, container)
  if not recipes then
    return true
  end
  return recipes:tell("created", container:state())
end

--- What it is from now on.
local function container_of(request, life)
  local container = container_module.of(life.record, request.host)
  container.report = request.report
  return container
end

--- Make the container of a bundle: all of it but its program, which start() begins.
---@param request luactr.oci.creation
---@return luactr.oci.container?
---@return luactr.error? code "EEXIST" when there is one of that id
function M.create(request)
  local box, life, recipes = prepare(request)
  if not box then
    return nil, life
  end
  local run, err = require("luactr.launch").start(box, request.host,
    { life = life, console = request.console_socket and life })
  if not run then
    return nil, in_use(err)
  end
  run:disown()
  local container = container_of(request, life)
  local told
  told, err = tell_created(recipes, container)
  if not told then
    container:delete { force = true }
    return nil, err
  end
  return container
end

local function run_detached(request)
  local container, err = M.create(request)
  if not container then
    return nil, err
  end
  local started
  started, err = container:start()
  if started then
    return container
  end
  container:delete { force = true }
  return nil, err
end

--- With a box's end its directory goes, unless that is to be kept.
local function keep(box, life)
  local entry = box.life.entry
  for i, resource in ipairs(box.life.resources) do
    if resource == entry then
      table.remove(box.life.resources, i)
      break
    end
  end
  return { close = function() life:keep(entry) end }
end

--- Make it and start it. In the foreground luactr waits for its end and removes it: then the result
--- is what is returned.
---@param request luactr.oci.creation
---@return luactr.oci.container|luactr.result|nil
---@return luactr.error?
function M.run(request)
  if request.detach then
    return run_detached(request)
  end
  request.foreground = true
  local box <close>, life, recipes = prepare(request)
  if not box then
    return nil, life
  end
  local started, err = require("luactr.container").start(box,
    { life = life, host = request.host, forward_signals = true,
      console = request.console_socket and life })
  local container = started and container_of(request, life)
  if started then
    started, err = tell_created(recipes, container)
  end
  if not started then
    return nil, in_use(err)
  end
  container:tell "started"
  if request.keep then
    table.insert(box.life.resources, 1, keep(box, life))
  end
  local result
  result, err = box:wait()
  container:tell "stopped"
  if not request.keep then
    container:tell "deleted"
  end
  return result, err
end

return M
