--- Hooks: programs of the host, or functions, that are run at moments of a container's life, with
--- its state on their stdin. All of them are run by luactr, by argv.
local core = require "luactr.core"
local oci_state = require "luactr.oci.state"

local sys <const> = core.sys

local M = {}

-- What of a hook's output an error tells, bytes.
local SHOWN <const> = 4096

-- ---- how one went wrong

--- What it said, on one line.
local function said(ending)
  local text = ending.stderr ~= "" and ending.stderr or ending.stdout
  text = text:sub(-SHOWN):gsub("%s+$", ""):gsub("^%s+", ""):gsub("%s*\n%s*", "; ")
  return text ~= "" and ": " .. text or ""
end

local function how(ending, hook)
  if ending.late then
    return string.format("it was killed after %gs%s", hook.timeout, said(ending))
  elseif ending.signal then
    return string.format("signal %s%s", sys.signame(ending.signal) or ending.signal, said(ending))
  elseif ending.code ~= 0 then
    return string.format("exit status %d%s", ending.code or -1, said(ending))
  end
end

local function failure(context, kind, number, hook, cause, errno)
  return require("luactr.error").new {
    code = not errno and "EHOOK" or nil, errno = errno, op = "hook",
    path = type(hook) == "table" and hook.path or nil, cause = cause, checked = cause ~= nil,
    message = string.format("%q: hook %s[%d]%s failed", context.id, kind, number,
      type(hook) == "table" and " (" .. hook.path .. ")" or ""),
  }
end

-- ---- running one

---@class luactr.oci.hook_context
---@field id string
---@field state luactr.oci.state
---@field enter? luactr.target namespaces that programs are in
---@field command? fun(hook: table, input: string): luactr.program.ending?, luactr.error? in place
---  of a program of the host

local function run_program(context, hook, input)
  if context.command then
    return context.command(hook, input)
  end
  local options = table.move(hook.args or { hook.path }, 1, #(hook.args or { 1 }), 1, {})
  options.path, options.env, options.seconds = hook.path, hook.env, hook.timeout
  options.input, options.enter, options.leaves = input, context.enter, true
  return require("luactr.program").run(options)
end

local function run_one(context, kind, number, hook)
  if type(hook) == "function" then
    local fine, err = xpcall(hook, require("luactr.raised").object, context.state)
    return fine, not fine and err:wrap(failure(context, kind, number, hook).message) or nil
  end
  local ending, err = run_program(context, hook, require("luactr.state").json(context.state))
  if not ending then
    return nil, failure(context, kind, number, hook, err.cause or err.message, err.errno)
  end
  local cause = how(ending, hook)
  return not cause, cause and failure(context, kind, number, hook, cause) or nil
end

--- Run those of a kind, in their order, up to the first that fails.
---@param hooks? table of the spec
---@param kind string
---@param context luactr.oci.hook_context
---@return boolean? done
---@return luactr.error? code "EHOOK", "ERAISED", or that of a program that could not be run
function M.run(hooks, kind, context)
  for number, hook in ipairs(hooks and hooks[kind] or {}) do
    local done, err = run_one(context, kind, number, hook)
    if not done then
      return nil, err
    end
  end
  return true
end

--- The same of those whose failures end nothing: each is run, each failure told.
---@param warn fun(text: string)
function M.run_all(hooks, kind, context, warn)
  for number, hook in ipairs(hooks and hooks[kind] or {}) do
    local done, err = run_one(context, kind, number, hook)
    if not done then
      warn((tostring(err):gsub("^luactr: ", ""):gsub("\n%s*", ": ")))
    end
  end
end

-- ---- of a container that this process starts

--- What its hooks are told of it. Of a recipe without a bundle that is where luactr is.
local function state_of(box, run, status)
  local life = run.options.life
  local oci = life and life.oci or { ociVersion = oci_state.OCI_VERSION, bundle = sys.getcwd(),
    annotations = box.spec.labels }
  return oci_state.of(box.id, oci, status, run.process and run.process:pid())
end

local function context_of(box, run, status)
  return { id = box.id, state = state_of(box, run, status) }
end

--- Where its process is, as something to enter.
local function place_of(run)
  local pid = run.process:pid()
  local pidfd, message, errno = sys.pidfd_open(pid)
  return pidfd and { pid = pid, pidfd = pidfd }, { op = "open", errno = errno, action = message }
end

local function create_container(box, run, host)
  local place, fields = place_of(run)
  local target
  if place then
    target, fields = require("luactr.container.target").open(place, {}, host)
  end
  if not target then
    fields.message = string.format("cannot enter %q", box.id)
    return nil, require("luactr.error").new(fields)
  end
  local _ <close> = setmetatable({}, { __close = function() target:close() end })
  local context = context_of(box, run, "creating")
  context.enter = target
  return M.run(box.spec.hooks, "create_container", context)
end

--- Before it is in its root: those of the host, then those in its namespaces.
---@param box luactr.container
---@param run luactr.run
---@param host luactr.host
---@return boolean? done
---@return luactr.error?
function M.before_root(box, run, host)
  local hooks, context = box.spec.hooks, context_of(box, run, "creating")
  local done, err = M.run(hooks, "prestart", context)
  if done then
    done, err = M.run(hooks, "create_runtime", context)
  end
  if done and hooks.create_container then
    return create_container(box, run, host)
  end
  return done, err
end

-- ---- in the container

-- What a command has unless it says something else; a hook has what it says.
local NO_DEFAULTS <const> = { PATH = false, HOME = false, HOSTNAME = false, TERM = false }

local function environment(list)
  local env = {}
  for name in pairs(NO_DEFAULTS) do
    env[name] = false
  end
  for _, text in ipairs(list or {}) do
    local name, value = text:match("^([^=]+)=(.*)$")
    env[name] = value
  end
  return env
end

--- A hook as a command in the container.
---@param of luactr.container|luactr.oci.container|table what has id and place()
---@param base luactr.base
---@return fun(hook: table, input: string): luactr.program.ending?, luactr.error?
function M.command_in(of, base)
  base = setmetatable({ env = {} }, { __index = base })
  return function(hook, input)
    local command = { hook.path }
    table.move(hook.args or {}, 2, #(hook.args or {}), 2, command)
    local box <close> = require("luactr.container.command").new(of, base, {
      command = command, argv0 = hook.args and hook.args[1], env = environment(hook.env),
      stdin = input, stdout = "capture", stderr = "capture", tty = false,
      limits = { wall_time = hook.timeout },
    })
    local result, err = box:run()
    if not result then
      return nil, err
    end
    return { code = result.exit_code, signal = result.signal, late = result.reason == "wall_time",
      stdout = result.stdout, stderr = result.stderr }
  end
end

--- Right before its command, while that waits for luactr.
---@param box luactr.container
---@param run luactr.run
---@param host luactr.host
---@return boolean? done
---@return luactr.error?
function M.before_command(box, run, host)
  local context = context_of(box, run, "created")
  local of = { id = box.id, place = function() return place_of(run) end }
  context.command = M.command_in(of, require("luactr.container.base").of(box.plan, host))
  return M.run(box.spec.hooks, "start_container", context)
end

---@param box luactr.container
---@param run luactr.run
function M.after_start(box, run)
  M.run_all(box.spec.hooks, "poststart", context_of(box, run, "running"), function(text)
    run:warn { text }
  end)
end

--- A resource whose release is that they are run: it is the first of a run, and released last. Let
--- go of, it does nothing.
---@param box luactr.container
---@param run luactr.run
---@return { close: fun(self), disown: fun(self) }
function M.at_end(box, run)
  local context = context_of(box, run, "stopped")
  local hooks = box.spec.hooks
  return {
    close = function()
      local pending = hooks
      hooks = nil
      M.run_all(pending, "poststop", context, M.warn)
    end,
    disown = function() hooks = nil end,
  }
end

--- Told of what nobody else can be told of.
---@param text string
function M.warn(text)
  io.stderr:write("luactr: warning: ", require("luactr.error").escape(text), "\n")
end

return M
