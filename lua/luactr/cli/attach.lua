--- `luactr attach`: a detached container on this terminal.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "attach",
  summary = "see and type into a container",
  usage = "NAME",
  mixed = true,
  help = [[
Show what a detached container writes from now on, and pass on what is typed, until it ends: then
luactr ends with its status. One with a terminal (run -d -t) has this one, until the keys to detach
are typed, ctrl-p and ctrl-q; it goes on. One without gets signals, and, if it was started with
run -d -i, the standard input to its end. Several may attach to one container.]],
  options = {
    { "--detach-keys", argument = "KEYS",
      help = "in place of ctrl-p,ctrl-q; \"\" for none" },
    { "--no-stdin", help = "pass on nothing that is typed" },
    { "--sig-proxy", argument = "BOOL", help = "false: signals are for luactr itself" },
  },
}

local SIGNAL_BASE <const> = 128
local BOOLEANS <const> = { ["true"] = true, ["false"] = false }

local function usage_of(options)
  local keys = options.detach_keys
  local _, problem = require("luactr.container.attach.keys").parse(keys or "")
  if problem then
    return "--detach-keys: " .. problem
  elseif options.sig_proxy and BOOLEANS[options.sig_proxy] == nil then
    return "--sig-proxy: true or false expected"
  end
end

local function status_of(found, outcome)
  if outcome.result then
    return require("luactr.cli.run").status_of_result(outcome.result)
  elseif outcome.signal then
    return SIGNAL_BASE + outcome.signal
  end
  io.stderr:write(string.format("\n[detached from %s]\n", found.id))
  return 0
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local options = request.options
  local problem = usage_of(options)
  if problem then
    return output.usage(problem, M)
  end
  local found, status = containers.one(request, M)
  if not found then
    return status
  end
  local outcome, err = found:attach {
    stdin = not options.no_stdin, detach_keys = options.detach_keys,
    forward_signals = BOOLEANS[options.sig_proxy or "true"],
  }
  if not outcome then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  return status_of(found, outcome)
end

return M
