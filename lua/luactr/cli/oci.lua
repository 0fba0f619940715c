--- `luactr oci VERB`, and the executable under the name luactr-oci: the command line that engines
--- call, with runc's and crun's spelling of all options. On the way of every container of theirs,
--- so it loads the one verb that is asked for and no argparse.
local cli = require "luactr.cli"
local options = require "luactr.oci.options"

local M = {
  name = "oci",
  summary = "be the OCI runtime of podman, Docker, containerd",
  usage = "[OPTION]... VERB [OPTION]... [ARG...]",
  verbs = { "create", "start", "state", "kill", "delete", "run", "exec", "list", "ps", "pause",
    "resume", "update", "events", "features", "spec", "checkpoint", "restore" },
  help = [[
The runtime of OCI bundles, as container engines call it: a directory with a config.json and a root
file system becomes a container. The same as luactr-oci.

Options before VERB: --root DIR (state, /run/luactr), --log FILE, --log-format text|json,
--log-level LEVEL, --debug, --systemd-cgroup, --cgroup-manager MANAGER, --rootless BOOL.]],
  options = {},
  raw = true,
}

M.FAILED = 1 -- what engines know of runc

local MANAGERS <const> = { "cgroupfs", "systemd", "disabled" }

M.global = {
  { "--root", argument = "DIR", help = "where the state of containers is" },
  { "--log", argument = "FILE", help = "write errors to FILE, too" },
  { "--log-format", argument = "FORMAT", words = { "text", "json" }, help = "text or json" },
  { "--log-level", argument = "LEVEL", help = "error, warning, info or debug" },
  { "--debug", help = "log everything" },
  { "-s --systemd-cgroup", help = "have systemd make the cgroup" },
  { "--cgroup-manager", argument = "MANAGER", words = MANAGERS,
    help = "cgroupfs, systemd or disabled" },
  { "--rootless", argument = "BOOL", words = { "true", "false", "auto" },
    help = "whether to do without root" },
  { "--criu", argument = "PATH", help = "the program for checkpoint and restore" },
  { "-v -V --version", help = "print the version" },
  { "-h -? --help", help = "print this help" },
}

-- Of each verb, beside its own.
local COMMON <const> = {
  { "--verbose", help = "print each step with its time" },
  { "-h --help", help = "print this help" },
}

-- ---- what a verb gets

---@class luactr.cli.oci.verb: luactr.cli.verb
---@field least? integer how many arguments it takes at least
---@field most? integer and at most
---@field ordered? boolean its options come before its first argument
---@field failed? integer the exit status when luactr fails, in place of 1
---@field run fun(request: luactr.cli.oci.request): integer?, luactr.error? the exit status

---@class luactr.cli.oci.request
---@field global table<string, any>
---@field options table<string, any>
---@field arguments string[]
---@field log luactr.oci.log
---@field verb luactr.cli.oci.verb
local Request = {}
Request.__index = Request

--- The facts of the host, with the state directory that is asked for; read once.
---@return luactr.host
function Request:host()
  self.facts = self.facts or require("luactr.oci.host").facts(self.global.root)
  return self.facts
end

--- Whether systemd makes the cgroups.
---@return boolean
function Request:wants_systemd()
  return self.global.systemd_cgroup or self.global.cgroup_manager == "systemd" or false
end

--- What errors are told to that nobody waits for.
---@return fun(message: string)
function Request:reporter()
  return function(message) self.log:write("error", message) end
end

--- The container of exactly that name.
---@param id? string the first argument
---@return luactr.oci.container?
---@return luactr.error?
function Request:find(id)
  local container, err =
    require("luactr.oci.life").find(self:host(), id or self.arguments[1])
  if container then
    container.report = self:reporter()
  end
  return container, err
end

--- What is told of a container: its state and, as engines want to know that, too, when it was made.
---@param container luactr.oci.container
---@return table
function Request:describe(container)
  local state, created = container:state(), container.record.created
  if created then
    state.created = os.date("!%Y-%m-%dT%H:%M:%S", math.floor(created))
      .. string.format(".%06dZ", math.floor((created - math.floor(created)) * 1000000))
  end
  return state
end

--- Do something to the container that the first argument names; the exit status.
---@param act fun(container: luactr.oci.container): boolean?, luactr.error?
---@return integer? status
---@return luactr.error?
function Request:with(act)
  local container, err = self:find()
  if not container then
    return nil, err
  end
  local done
  done, err = act(container)
  return done and 0 or nil, err
end

-- ---- texts

local function mistake(message, verb)
  return require("luactr.error").new { code = "EUSAGE", op = "oci", message = message,
    remedy = verb and "luactr help " .. verb.name or "luactr oci --help" }
end

--- In the shape that podman, Docker and containerd look for.
local function version()
  return string.format("luactr version %s\nspec: %s\n", require("luactr.core").version,
    require("luactr.oci.features").VERSION)
end

local function help()
  local lines = { "Usage: luactr oci " .. M.usage, "       luactr-oci " .. M.usage, "", M.help, "" }
  for _, name in ipairs(M.verbs) do
    local verb = M.verb(name)
    lines[#lines + 1] = string.format("  %-36s %s", name .. " " .. verb.usage, verb.summary)
  end
  lines[#lines + 1] = "\n`luactr oci VERB --help` tells more.\n"
  return table.concat(lines, "\n")
end

-- ---- main

---@param name string "create"
---@return luactr.cli.oci.verb?
function M.verb(name)
  return cli.verb("oci " .. name)
end

--- A verb's options are its own and --help.
local function parse_verb(verb, words, at)
  local rows = table.move(verb.options, 1, #verb.options, 1, {})
  table.move(COMMON, 1, #COMMON, #rows + 1, rows)
  return options.parse(rows, words, at + 1, verb.ordered)
end

local function check_count(verb, arguments)
  local least, most = verb.least or 0, verb.most or verb.least or 0
  if #arguments < least then
    return mistake(string.format("%s: %s expected", verb.name, verb.usage), verb)
  elseif #arguments > most then
    return mistake(string.format("%s takes no argument %s", verb.name,
      options.show(arguments[most + 1])), verb)
  end
end

--- What a verb raises is a mistake of the caller; anything else is one of luactr's.
local function told(problem)
  if require("luactr.error").is(problem) then
    return problem
  end
  return debug.traceback("internal error: " .. tostring(problem), 2)
end

local function run(verb, request)
  local fine, status, err = xpcall(verb.run, told, request)
  if not fine then
    return nil, status, verb.failed
  end
  return status, err, verb.failed
end

--- The status of the verb that the words name; nil, an error, and the status of that if it is not
--- the usual one.
local function dispatch(global, words, at, log)
  local name = words[at]
  local verb = name and M.verb(name)
  if not verb then
    return nil, mistake(name and "no verb " .. options.show(name)
      .. require("luactr.nearest").hint(name, M.verbs) or "which verb?")
  end
  local given, arguments = parse_verb(verb, words, at)
  if not given then
    return nil, mistake(string.format("%s: %s", verb.name, arguments), verb)
  elseif given.help then
    return require("luactr.cli.output").print(require("luactr.cli.help").of(verb))
  end
  local err = check_count(verb, arguments)
  if given.verbose then
    require("luactr.trace").enabled = true
  end
  if err then
    return nil, err
  end
  return run(verb, setmetatable({ global = global, options = given, arguments = arguments,
    log = log, verb = verb }, Request))
end

local TELL <const> = {
  error = function(message) require("luactr.cli.output").complain(message) end,
  warning = function(message) require("luactr.cli.output").warn(tostring(message)) end,
}

local function to_stderr(level, message)
  local tell = TELL[level]
  if tell then
    tell(message)
  else
    io.stderr:write("luactr: ", tostring(message), "\n")
  end
end

local function fail(message)
  to_stderr("error", message)
  return M.FAILED
end

--- Run the command line.
---@param words string[] without the program's name and without "oci"
---@return integer status
function M.main(words)
  local global, problem, at = options.parse(M.global, words, 1, true)
  if not global then
    return fail(mistake(problem))
  elseif global.version or global.help then
    return require("luactr.cli.output").print((global.version and version or help)())
  end
  local log <close>, err = require("luactr.oci.log").open(global, to_stderr)
  if not log then
    return fail(err)
  end
  local status, failed
  status, err, failed = dispatch(global, words, at, log)
  if not status then
    log:write("error", err)
    return failed or M.FAILED
  end
  return status
end

--- `luactr help oci` and what completes words know it as a group of verbs.
---@param request luactr.cli.request
---@return integer status
function M.run(request)
  return M.main(request.arguments)
end

return M
