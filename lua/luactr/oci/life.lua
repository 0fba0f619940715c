--- The life of a container of an OCI bundle: create, start, state, kill, delete. Between two of
--- these nothing of luactr runs: what is known is in its directory, and what is alive is a process
--- of whoever adopts it.
local birth = require "luactr.oci.birth"
local core = require "luactr.core"
local found_module = require "luactr.container.found"
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
---@field console_socket? string that the terminal's master is sent to
---@field preserve_fds? integer so many descriptors from 3 on are handed on
---@field no_pivot? boolean
---@field no_new_keyring? boolean
---@field systemd? boolean
---@field rootless? boolean
---@field detach? boolean
---@field foreground? boolean luactr waits for its end
---@field keep? boolean
---@field warn? fun(message: string) told what goes wrong and ends nothing

---@class luactr.oci.container: luactr.found
local Container = setmetatable({}, { __index = found_module.methods })
Container.__index = Container
Container.__tostring = found_module.methods.__tostring

-- ---- errors: engines look for some of the words

local function refuse(id, code, what, cause)
  return nil, require("luactr.error").new {
    code = code, errno = sys.errno[code], op = what, checked = true, cause = cause,
    message = string.format("cannot %s container %q", what, id),
  }
end

local NOT_RUNNING <const> = "container not running"

-- ---- finding

local function unknown(id)
  return nil, require("luactr.error").new {
    code = "ENOENT", errno = sys.errno.ENOENT, op = "find",
    message = string.format("container %q does not exist", id),
  }
end

---@param host luactr.host
---@param record luactr.state.record
---@return luactr.oci.container
function M.of(record, host)
  return setmetatable({ id = record.id, host = host, record = record }, Container)
end

--- The container of exactly that id.
---@param host luactr.host
---@param id string
---@return luactr.oci.container?
---@return luactr.error? code "ENOENT"
function M.find(host, id)
  local record, err = list.exact(host, id)
  if record and record.oci then
    return M.of(record, host)
  end
  return nil, err or select(2, unknown(id))
end

--- All of them, oldest first.
---@param host luactr.host
---@return luactr.oci.container[]
---@return luactr.error? err when what is there cannot be trusted
function M.list(host)
  local found, records, err = {}, list.all(host)
  for _, record in ipairs(records) do
    found[#found + 1] = record.oci and M.of(record, host) or nil
  end
  return found, err
end

-- ---- looking

local function word_of(container)
  return list.state(container.host, container.record) or "stopped"
end

--- As the specification has it.
---@return luactr.oci.state
function Container:state()
  return oci_state.of(self.id, self.record.oci, word_of(self), self.record.pid)
end

---@return boolean
function Container:is_running()
  local word = word_of(self)
  return word == "running" or word == "paused"
end

-- ---- making

local function absolute(path)
  path = path:sub(1, 1) == "/" and path or sys.getcwd() .. "/" .. path
  path = path:gsub("/%.%f[/\0]", ""):gsub("//+", "/")
  return #path > 1 and path:gsub("/$", "") or "/"
end

--- The recipe that a bundle is, with the document that it was.
local function recipe_of(request)
  if request.raw then
    return request.raw, {}, {}
  end
  local document, err =
    require("luactr.oci.document").read(request.config or request.bundle .. "/config.json")
  if not document then
    return nil, err
  end
  local raw, origins = require("luactr.oci.config").recipe(document, {
    bundle = request.bundle, id = request.id, systemd = request.systemd,
    rootless = request.rootless, no_pivot = request.no_pivot,
    no_new_keyring = request.no_new_keyring, preserve_fds = request.preserve_fds,
    console_socket = request.console_socket,
  })
  return raw, origins, document
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

--- Tell the recipes that listen. What goes wrong in them changes nothing any more.
local function tell(container, event)
  local paths = container.record.oci.recipes
  if not paths then
    return
  end
  local told, err = require("luactr.oci.recipes").tell(paths, event, container:state())
  if not told then
    require("luactr.raised").report(err, string.format("container %q", container.id))
  end
end

--- Problems by the places in config.json that they come from.
local function with_origins(err, origins)
  for _, problem in ipairs(err.problems or {}) do
    problem.path = origins[problem.path] or problem.path
  end
  return err
end

--- The box, and what is kept of the document.
local function box_of(request)
  local raw, origins, document = recipe_of(request)
  if not raw then
    return nil, origins
  end
  local recipes
  raw, recipes = ask_recipes(request, raw, document)
  if not raw then
    return nil, recipes
  end
  raw.name = request.id
  local spec, err = require("luactr.spec").check(raw)
  if not spec then
    err = with_origins(err, origins)
    return nil, recipes and recipes:blame(err) or err
  end
  return require("luactr.container").of(spec), {
    version = oci_state.VERSION, ociVersion = document.ociVersion or "1.3.0",
    bundle = request.bundle, annotations = document.annotations,
    recipes = recipes and recipes:listeners(),
  }, recipes
end

--- The box and what luactr.launch asks of it.
local function prepare(request)
  request.bundle = absolute(request.bundle or ".")
  local box, oci, recipes = box_of(request)
  if not box then
    return nil, oci
  end
  return box, birth.new(request, oci), recipes
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
  local run, err = require("luactr.launch").start(box, request.host, { life = life })
  if not run then
    return nil, err
  end
  run:disown()
  local container, told = M.of(life.record, request.host), true
  if recipes then
    told, err = recipes:tell("created", container:state())
  end
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
    { life = life, host = request.host, forward_signals = true })
  if not started then
    return nil, err
  end
  local container, told = M.of(life.record, request.host), true
  if recipes then
    told, err = recipes:tell("created", container:state())
  end
  if not told then
    return nil, err
  end
  tell(container, "started")
  if request.keep then
    table.insert(box.life.resources, 1, keep(box, life))
  end
  local result
  result, err = box:wait()
  tell(container, "stopped")
  if not request.keep then
    tell(container, "deleted")
  end
  return result, err
end

-- ---- start

local function directory_of(container)
  return string.format("%s/containers/%s", container.host.state_dir, container.id)
end

local function open_directory(container)
  return sys.open(directory_of(container), { "rdonly", "directory", "nofollow" })
end

local STARTED <const> = {
  running = "cannot start an already running container",
  paused = "cannot start an already running container",
  stopped = "cannot start a container that has stopped",
}

--- What went wrong between the gate and the program.
local function start_failure(container, op, errno, aux)
  local command = container.record.command
  return require("luactr.error").new {
    op = op, errno = errno, aux = aux, path = op == "exec" and command[1] or nil,
    message = string.format("cannot start %q", container.id),
    action = require("luactr.explain").sentence { op = op, file = command[1] },
  }
end

--- Let it become its program.
---@return boolean? done
---@return luactr.error?
function Container:start()
  local why = STARTED[word_of(self)]
  if why then
    return refuse(self.id, "EINVAL", "start", why)
  end
  local directory <close> = open_directory(self)
  if not directory then
    return unknown(self.id)
  end
  local connection <close>, _, errno = core.gate.knock(directory)
  if not connection then
    return refuse(self.id, sys.errname(errno), "start", STARTED[word_of(self)])
  end
  sys.unlink(core.gate.SOCKET, directory)
  local event, a, op, code, aux = core.gate.open(connection)
  if event == "started" then
    tell(self, "started")
    return true
  end
  return nil, event and start_failure(self, op, code, aux) or start_failure(self, "exec", op, a)
end

-- ---- signals

--- Send a signal to its program, or to all of its processes.
---@param signal? string|integer default "TERM"
---@param options? { all?: boolean }
---@return boolean? done
---@return luactr.error? code "ESRCH" when it has stopped
function Container:kill(signal, options)
  local number = signal == 0 and 0
    or require("luactr.container").signal_number(signal or "TERM")
  local pidfd <close> = found_module.open_process(self.record)
  if not pidfd or word_of(self) == "stopped" then
    return refuse(self.id, "ESRCH", "kill", NOT_RUNNING)
  end
  if options and options.all then
    local cgroup <close> = found_module.cgroup(self, "kill")
    if cgroup then
      cgroup:kill(number)
      return true
    end
  end
  local done, message, errno = sys.pidfd_send_signal(pidfd, number)
  if not done then
    return nil, require("luactr.error").from_sys(message, errno, "kill")
  end
  return true
end

-- ---- the end

local PATIENCE <const> = 10
local PAUSE <const> = 0.005

--- End it, frozen or not, and wait until it has.
local function make_end(container)
  local pidfd <close> = found_module.open_process(container.record)
  if not pidfd then
    return true
  end
  sys.pidfd_send_signal(pidfd, sys.signals.KILL)
  local cgroup <close> = found_module.cgroup(container, "kill")
  if cgroup then
    cgroup:kill(sys.signals.KILL)
    cgroup:thaw()
  end
  return core.supervise.poll({ { fd = pidfd, events = "r" } }, PATIENCE) > 0
end

local function take_away(container)
  local deadline = sys.clock_gettime() + PATIENCE
  repeat
    if require("luactr.state").remove(container.host, container.id) then
      return true
    elseif not sys.stat(directory_of(container)) then
      return true
    end
    sys.nanosleep(PAUSE)
  until sys.clock_gettime() > deadline
  return refuse(container.id, "EBUSY", "delete", "another luactr holds it")
end

--- Remove it, with all that is left of it.
---@param options? { force?: boolean } end it first
---@return boolean? done
---@return luactr.error? code "EBUSY" when it has not stopped
function Container:delete(options)
  local word = word_of(self)
  if word ~= "stopped" then
    if not (options and options.force) then
      return refuse(self.id, "EBUSY", "delete",
        string.format("container is not stopped: %s", word))
    elseif not make_end(self) then
      return refuse(self.id, "EBUSY", "delete", "it does not end")
    end
  end
  tell(self, "stopped")
  local done, err = take_away(self)
  if done then
    tell(self, "deleted")
  end
  return done, err
end

return M
