--- A program in a container of a bundle, beside its own, as `luactr oci exec` has it: as a process
--- object says, or as options do. In the foreground it is a command like any; detached it is left
--- to who called luactr.
local core = require "luactr.core"

local M = {}

---@class luactr.oci.exec_request the options of `luactr oci exec`
---@field process? string a JSON file
---@field detach? boolean
---@field tty? boolean
---@field console_socket? string
---@field pidfd_socket? string
---@field pid_file? string
---@field user? string
---@field additional_gids? integer[]
---@field cwd? string
---@field env? string[]
---@field cap? string[]
---@field no_new_privs? boolean
---@field apparmor? string
---@field process_label? string
---@field preserve_fds? integer
---@field ignore_paused? boolean
---@field cgroup? string[] [CONTROLLER[,CONTROLLER]...:]PATH

local function mistake(message)
  return nil, require("luactr.error").new { code = "EUSAGE", op = "exec", message = message }
end

-- ---- where it is to run

local function wrong_cgroup(problem, word)
  return mistake(string.format("--cgroup: %s, got %s", problem,
    require("luactr.oci.options").show(word)))
end

--- A path that leads out of the container's cgroup is none below it.
local function is_below(path)
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      return false
    end
  end
  return path ~= ""
end

local function knows(host, controller)
  for _, hierarchy in ipairs(host.cgroup and host.cgroup.hierarchies or {}) do
    if require("luactr.container.target").has_controller(hierarchy, controller) then
      return true
    end
  end
  return false
end

--- Directories below the container's by controller; "" is for the hierarchies of all others.
local function cgroups_of(words, host)
  local below = {}
  for _, word in ipairs(words or {}) do
    local names, path = word:match("^([^:]+):([^:]+)$")
    if not names and (#words > 1 or word:find(":", 1, true)) then
      return wrong_cgroup("CONTROLLER:PATH expected", word)
    elseif not is_below(path or word) then
      return wrong_cgroup("a path below the container's cgroup expected", word)
    end
    for name in (names or ""):gmatch("[^,]+") do
      if not knows(host, name) then
        return wrong_cgroup("a controller of this host expected", word)
      end
      below[name] = path
    end
    below[""] = not names and word or nil
  end
  return next(below) and below or false
end

-- ---- the fields of the command

local function descriptors(count)
  local fds = {}
  for number = 3, 2 + (count or 0) do
    fds[number] = number
  end
  return next(fds) and fds
end

--- VAR=VALUE; without a value it is luactr's own.
local function environment(list)
  local env = {}
  for _, text in ipairs(list) do
    local name, value = text:match("^([^=]*)=(.*)$")
    env[name or text] = value or true
  end
  return env
end

--- What the options say. The rest is as the container's own command has it.
local function raw_of_options(request, words)
  return {
    command = words, tty = request.tty or false, cwd = request.cwd, user = request.user,
    groups = request.additional_gids, env = request.env and environment(request.env),
    capabilities = request.cap and { add = request.cap },
    no_new_privileges = request.no_new_privs, apparmor = request.apparmor,
    selinux = request.process_label, fds = descriptors(request.preserve_fds),
  }
end

--- What a process object says; options beside it count where they say more.
local function raw_of_file(request, container, words)
  if #words > 0 then
    return mistake "either --process or a command"
  end
  local value, err = require("luactr.oci.document").value(request.process)
  if err then
    return nil, err
  end
  local raw, origins, warnings = require("luactr.oci.config").command(value, {
    bundle = container.record.oci.bundle, preserve_fds = request.preserve_fds })
  if not raw then
    return nil, origins
  end
  raw.apparmor, raw.selinux = raw.apparmor or request.apparmor,
    raw.selinux or request.process_label
  raw.tty = raw.tty or request.tty or false
  raw.no_new_privileges = raw.no_new_privileges or request.no_new_privs or false
  return raw, origins, warnings
end

--- Problems by the places in the file that they come from.
local function with_origins(err, origins)
  if not (origins and type(err) == "table" and err.problems) then
    return err
  end
  for _, problem in ipairs(err.problems) do
    problem.path = require("luactr.oci.config").path(problem.path, origins)
  end
  err.subject = "the process"
  return err
end

--- The command: `place` is asked where it is to run. A file has all variables that it is to have.
local function command_of(container, request, words)
  local below, raw, origins, warnings
  below, origins = cgroups_of(request.cgroup, container.host)
  if below == nil then
    return nil, origins
  elseif request.process then
    raw, origins, warnings = raw_of_file(request, container, words)
  elseif #words == 0 then
    raw, origins = mistake "which command? --process FILE, or COMMAND [ARG...]"
  else
    raw = raw_of_options(request, words)
  end
  if not raw then
    return nil, origins
  end
  local base = container:command_base()
  if request.process then
    base = setmetatable({ env = {} }, { __index = base })
  end
  local of = setmetatable({ place = function()
    local place, err = container:place()
    if place then
      place.below, place.paused_too = below or nil, request.ignore_paused
    end
    return place, err
  end }, { __index = container })
  local fine, command = pcall(require("luactr.container.command").new, of, base, raw)
  if not fine then
    return nil, with_origins(command, origins)
  end
  return command, nil, warnings
end

-- ---- what an engine wants of it

local function failure(container, message, errno, op, path)
  return nil, require("luactr.error").new {
    op = op, errno = errno, path = path, action = message:match("^(.*): "),
    message = string.format("cannot run a command in %q", container.id),
  }
end

--- Sends the master of its terminal to a socket.
local function console(container, path)
  return {
    send_console = function(_, master)
      local done, message, errno = core.notify.forward(master, path, "/dev/pts/ptmx")
      master:close()
      if not done then
        return failure(container, message, errno, "connect", path)
      end
      return true
    end,
  }
end

local function check_terminal(request, has_tty)
  if request.console_socket and not has_tty then
    return mistake "--console-socket is for a terminal: --tty, or terminal in the process"
  elseif request.console_socket and not request.detach then
    return mistake "--console-socket goes with --detach"
  elseif request.detach and has_tty and not request.console_socket then
    return mistake "--detach with a terminal needs --console-socket: who is to have it?"
  end
  return true
end

--- Tell whoever asked which process it is.
local function tell(container, request, pid, pidfd)
  if request.pid_file then
    local done, message, errno = require("luactr.oci.birth").write_pid_file(request.pid_file, pid)
    if not done then
      return failure(container, message, errno, "write", request.pid_file)
    end
  end
  if request.pidfd_socket then
    local done, message, errno = core.notify.forward(pidfd, request.pidfd_socket, "pidfd")
    if not done then
      return failure(container, message, errno, "connect", request.pidfd_socket)
    end
  end
  return true
end

local function detached(container, command, request)
  local left <close>, err = command:leave { host = container.host,
    console = request.console_socket and console(container, request.console_socket) or nil }
  if not left then
    return nil, err
  end
  local done
  done, err = tell(container, request, left.pid, left.pidfd)
  if done then
    left:release()
  end
  return done, err
end

local function foreground(container, command, request)
  local started, err = command:start { host = container.host, forward_signals = true }
  if not started then
    return nil, err
  end
  local pid = command:pid() -- nil: it has ended
  local pidfd <close> = pid and core.sys.pidfd_open(pid) or nil
  local done = true
  if pidfd then
    done, err = tell(container, request, pid, pidfd)
  end
  if not done then
    return nil, err
  end
  return command:wait()
end

--- Run a program in a container.
---@param container luactr.oci.container
---@param request luactr.oci.exec_request
---@param words string[] the command, without a process object
---@param warn? fun(message: string)
---@return true|luactr.result|nil done of a detached one that it runs, else how it ended
---@return luactr.error?
function M.exec(container, request, words, warn)
  local given, problem = require("luactr.oci.words").check_preserved(request.preserve_fds,
    string.format("cannot run a command in %q", container.id))
  if not given then
    return nil, problem
  end
  local command <close>, err, warnings = command_of(container, request, words)
  if not command then
    return nil, err
  end
  for _, warning in ipairs(warn and warnings or {}) do
    warn(warning)
  end
  local fine
  fine, err = check_terminal(request, command.spec.tty == true)
  if not fine then
    return nil, err
  end
  return (request.detach and detached or foreground)(container, command, request)
end

return M
