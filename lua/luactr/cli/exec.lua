--- `luactr exec`: run a command in a container that runs.
local cli = require "luactr.cli"

--- Most commands have nothing to say.
local function output()
  return require "luactr.cli.output"
end

local M = {
  name = "exec",
  summary = "run a command in a running container",
  usage = "NAME COMMAND [ARG...]",
  help = [[
Run a command in a container that runs, and end with its status. Its user, environment, directory
and rights are those of the container's own command, as far as no option says otherwise. It ends
with the container at the latest.]],
  options = {
    { "-i --interactive", help = "read the standard input" },
    { "-t --tty", help = "on a terminal of its own" },
    { "-u --user", argument = "USER", help = "user, or user:group, by number or name" },
    { "-w --workdir", argument = "DIR", help = "working directory" },
    { "-e --env", argument = "VAR=VALUE", many = true,
      help = "set a variable; VAR alone is luactr's own" },
    { "--cap", argument = "CAPABILITY", many = true, help = "a capability more" },
    { "--json", value = "FILE", help = "write the result record to FILE, or to descriptor 3" },
  },
}

--- The options as the fields of a command.
---@param options table<string, any>
---@param words string[]
---@return luactr.command_spec
local function fields_of(options, words)
  local caps, env = options.cap or {}, options.env or {}
  return {
    command = words, user = options.user, cwd = options.workdir, tty = options.tty or false,
    env = #env > 0 and env or nil, capabilities = #caps > 0 and { add = caps } or nil,
    stdin = not (options.interactive or options.tty) and "null" or nil,
  }
end

--- The command that is asked for; nil and the status when there is none.
---@param request luactr.cli.request
local function command_of(request)
  local name = table.remove(request.arguments, 1)
  if not name or #request.arguments == 0 then
    return nil, output().usage(name and "which command?" or "which container?", M)
  end
  local host = require("luactr.host").facts()
  require("luactr.state").sweep(host)
  local found, err = require("luactr.container.found").find(name, host)
  if not found or found.members then
    output().complain(err or require("luactr.cli.containers").refusal(found, M))
    return nil, cli.FAILED
  end
  local fine, command = pcall(found.command, found, fields_of(request.options, request.arguments))
  if not fine then
    output().complain(command)
    return nil, cli.USAGE
  end
  return command
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local run = require "luactr.cli.run"
  local sink, problem = run.open_report(request.options.json)
  if not sink then
    return output().usage(problem, M)
  end
  local command <close>, status = command_of(request)
  if command then
    local result
    result, status = run.foreground(command)
    run.report(sink, result)
  end
  return status
end

return M
