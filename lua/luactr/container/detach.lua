--- Start a container that lives on without this process: its monitor becomes the parent.
local core = require "luactr.core"
local state = require "luactr.state"

local sys <const> = core.sys

local M = {}

-- ---- what a detached container's streams are

local REPLACED <const> = {
  stdin = { inherit = { kind = "null" } },
  stdout = { inherit = { kind = "log" }, capture = { kind = "log" } },
  stderr = { inherit = { kind = "log" }, capture = { kind = "log" } },
}

--- The spec without what belongs to this process and its terminal.
local function detached_spec(spec, interactive)
  local copy = setmetatable({ tty = spec.tty == true }, { __index = spec })
  for stream, kinds in pairs(REPLACED) do
    copy[stream] = not copy.tty and kinds[spec[stream].kind] or spec[stream]
  end
  if interactive and not copy.tty and spec.stdin.kind == "inherit" then
    copy.stdin = { kind = "attach" }
  end
  return copy
end

-- ---- the job

local function failure(box, what, message, errno)
  return require("luactr.error").new {
    op = what, errno = errno, message = string.format("cannot start %q", box.id),
    action = message:match("^(.*): "), where = box.spec.where,
  }
end

local function path_at(place, compiled)
  return string.format("%s%s/%s", place.mount, place.parent, compiled.path)
end

local function freezer_path(compiled)
  local place = compiled and compiled.freezer
  return place and path_at(place, compiled)
end

local function has_freezer(place)
  for _, controller in ipairs(place.controllers) do
    if controller == "freezer" then
      return true
    end
  end
  return false
end

--- What only this process could do, as long as the container lives.
local function unfit(box)
  local spec, plan = box.spec, box.plan
  if type(spec.seccomp) == "table" and spec.seccomp.handlers and not spec.seccomp.listener then
    return "seccomp.handlers are functions of this program, which does not stay"
  elseif spec.hooks then
    return "its hooks are run by luactr, which does not stay: on = { ... } has its companion"
  elseif plan.spec.namespaces.pid ~= "new" and not (plan.cgroup and #plan.cgroup.places > 0) then
    return "without a pid namespace or a cgroup nobody could end all its processes"
  end
end

--- What is to be held as long as the container lives: locks, those of its pod among them.
local function held_by(run)
  local held = {}
  for _, resource in ipairs(run.resources) do
    held[#held + 1] = type(resource) == "table" and resource.held and resource:held() or nil
  end
  local pod = run.options.pod
  return pod and table.move(pod.held, 1, #pod.held, #held + 1, held) or held
end

local function refusal(box, action, why)
  return require("luactr.error").new {
    code = "ENOTSUP", op = "detach", message = string.format("cannot start %q", box.id),
    action = action, cause = why, checked = true, where = box.spec.where,
  }
end

-- What fails as another operation does, for the same causes.
local OPERATIONS <const> = { ["start the monitor"] = "spawn" }

--- In place of core.spawn: the monitor spawns.
local function spawn(_, launch, box, run)
  local why = unfit(box)
  if why then
    return nil, refusal(box, "leave it to a monitor", why)
  end
  local again
  again, why = require("luactr.container.restart").job(box, run)
  if why then
    return nil, refusal(box, "start it again after its end", why)
  end
  launch.name = box.id
  launch.group, launch.freezer = run.cgroup, freezer_path(run.cgroup and box.plan.cgroup)
  launch.state, launch.streams = run.entry.directory, run.logs
  launch.streams.news = run.options.companion and run.options.companion.news
  launch.held, launch.limits, launch.log = held_by(run), box.spec.limits, box.spec.log
  launch.again = again
  local monitor, message, errno, what = core.monitor.start(launch)
  if what == "keep mounts" then
    return nil, refusal(box, "start it again after its end", "before Linux 6.15 a mount that luactr"
      .. " opens for other users cannot be copied for the next life")
  end
  return monitor, message, errno, OPERATIONS[what] or what
end

-- ---- what other processes read

--- A copy of what JSON can carry; functions, handles and the like are left out.
local function plain(value, depth)
  local kind = type(value)
  if kind == "string" or kind == "boolean" or math.type(value) == "integer" then
    return value
  elseif kind == "number" then
    return value == value and math.abs(value) < math.huge and value or tostring(value)
  elseif kind ~= "table" or depth == 0 then
    return nil
  end
  local copy = {}
  for key, element in pairs(value) do
    if type(key) == "string" or math.type(key) == "integer" then
      copy[key] = plain(element, depth - 1)
    end
  end
  return copy
end

local DEEPEST <const> = 6

--- The recipe as it was checked, and what the verbs need of the plan.
local function config_of(box, run)
  local spec = {}
  for _, field in ipairs(require("luactr.spec").fields) do
    spec[field.name] = plain(box.spec[field.name], DEEPEST)
  end
  spec.name, spec.rootfs = box.id, plain(box.spec.rootfs.path, 1)
  local compiled = box.plan.cgroup
  compiled = compiled and #compiled.places > 0 and compiled
  return {
    spec = spec, where = plain(box.spec.where, 1),
    root = plain(require("luactr.container.subject").root_of(box, run), DEEPEST),
    cgroup = compiled and plain({
      id = compiled.id, path = compiled.path, places = compiled.places,
      freezer = compiled.freezer, writes = {},
    }, DEEPEST),
    scope = plain(box.plan.scope, DEEPEST),
  }
end

--- The file by which another process sees that the container is paused.
---@param compiled? luactr.cgroup.compiled
---@return string? path
function M.freezer_file(compiled)
  local path
  for _, place in ipairs(compiled and compiled.places or {}) do
    if place.version == 1 and has_freezer(place) then -- a host may have both
      return path_at(place, compiled) .. "/freezer.state"
    elseif place.version == 2 then
      path = path_at(place, compiled) .. "/cgroup.freeze"
    end
  end
  local made = freezer_path(compiled)
  return path or made and made .. "/freezer.state"
end

local function write_file(run, name, value)
  local file <close>, message, errno = sys.open(name,
    sys.O_WRONLY | sys.O_CREAT | sys.O_EXCL, 384, { dir = run.entry.directory })
  if not file then
    return nil, message, errno
  end
  local text = state.json(value) .. "\n"
  while text ~= "" do
    local done
    done, message, errno = file:write(text)
    if not done then
      return nil, message, errno
    end
    text = text:sub(done + 1)
  end
  return true
end

---@param box luactr.container
---@param run luactr.run
---@param more? table
---@return boolean? done
---@return string? message
---@return integer? errno
function M.write_config(box, run, more)
  local config, copied = config_of(box, run), box.spec.rootfs.copied
  for name, value in pairs(more or {}) do
    config[name] = value
  end
  config.warnings = #run.warnings > 0 and run.warnings or nil
  local done, message, errno = true, nil, nil
  if copied then
    local name = require("luactr.container.subject").COPIED
    done, message, errno = write_file(run, name, copied)
  end
  if done then
    done, message, errno = write_file(run, "config.json", config)
  end
  return done, message, errno
end

--- The state is what others find the container by: without it there is none.
local function publish(_, box, run, record, host)
  state.sweep_once(host)
  local monitor = run.process:monitor_pid()
  record.owner = { pid = monitor, start = state.start_time(monitor) }
  record.restart = box.spec.restart ~= "no" and box.spec.restart or nil
  local companion = run.options.companion
  record.callbacks = companion and { pid = companion.pid, start = companion.start }
  record.detached, record.freezer = true, M.freezer_file(run.cgroup and box.plan.cgroup)
  local done, message, errno = M.write_config(box, run)
  if done then
    done, message, errno = run.entry:write(record)
  end
  return done, not done and failure(box, "write", message, errno) or nil
end

local function nothing()
  return true
end

--- Whom luactr.launch leaves the container to.
---@type luactr.keeper
M.MONITOR = { announce = nothing, spawn = spawn, publish = publish, created = nothing }

-- ---- start

--- The error of a start whose monitor has gone, in words.
local function told(err)
  if err.code == "EOWNERDEAD" and not err.step then
    err.cause, err.checked = "its monitor was killed", true
  end
  return err
end

--- First of all: what the start opens is not open there.
local function begin_companion(box, host)
  local companion = require "luactr.container.companion"
  if companion.is_wanted(box) then
    return companion.begin(box, host)
  end
end

--- Start a box with a monitor, which ends it again unless commit() follows.
---@param box luactr.container
---@param host luactr.host
---@param options luactr.start_options
---@return luactr.run?
---@return luactr.error?
function M.begin(box, host, options)
  local spec = detached_spec(box.spec, options.interactive)
  local detached = setmetatable({ spec = spec, id = box.id }, getmetatable(box))
  local companion <close>, problem = begin_companion(box, host)
  if problem then
    return nil, problem
  end
  options.companion = companion
  local run, err = require("luactr.launch").start(detached, host, options)
  if not run then
    return nil, told(err)
  end
  return run
end

--- Leave it to its monitor.
---@param box luactr.container
---@param run luactr.run
---@param host luactr.host
---@return luactr.found?
---@return luactr.error?
function M.commit(box, run, host)
  local done, message, errno = run.process:commit()
  if not done then
    run:close()
    return nil, told(failure(box, "commit", message, errno))
  end
  run:disown()
  return require("luactr.container.found").find(box.id, host)
end

---@param box luactr.container
---@param host luactr.host
---@param options luactr.start_options
---@return luactr.found?
---@return luactr.error?
function M.start(box, host, options)
  local run, err = M.begin(box, host, options)
  if not run then
    return nil, err
  end
  return M.commit(box, run, host)
end

return M
