--- `luactr [run] RECIPE [ARG...]`: run a recipe, and in the foreground the container it returns.
local cli = require "luactr.cli"

--- Most runs have nothing to say.
local function output()
  return require "luactr.cli.output"
end

local function several()
  return require "luactr.cli.several"
end

--- Most recipes do one thing.
local function has_loop()
  return require("luactr.poll").loop ~= nil
end

local M = {
  name = "run",
  summary = "run a recipe (the verb may be left out)",
  usage = "RECIPE [ARG...]",
  help = [[
Run a recipe, a Lua program. If it returns a container, that runs in the foreground, on this
terminal, and luactr ends with its status. Of a pod all members run; the status is that of the first
one, in the pod's order, that is not 0. What follows RECIPE are the recipe's own arguments: in ...
and arg. A recipe that is called - is read from the standard input.

With --image RECIPE is the name of an image, which runs as it says itself; what follows takes the
place of its command. What it writes is thrown away.]],
  options = {
    { "--image", help = "run an image: IMAGE [COMMAND [ARG...]] in place of RECIPE [ARG...]" },
    { "-d --detach", help = "leave the container to a monitor, print its name and return" },
    { "-t --tty", help = "give it a terminal of its own, whatever the recipe says" },
    { "-i --interactive", help = "with -d: keep its standard input open, for luactr attach" },
    { "--name", argument = "NAME", help = "the container's name, in place of the recipe's" },
    { "--restart", argument = "POLICY",
      help = "no, on-failure, on-failure:N or always, in place of the recipe's" },
    { "--json", value = "FILE", help = "write the result record to FILE, or to descriptor 3" },
  },
}

local RESULT_FD <const> = 3
local NOT_EXECUTABLE <const>, NOT_FOUND <const>, SIGNAL_BASE <const> = 126, 127, 128

-- ---- status

--- The shell's convention for a command that could not be executed.
---@param err luactr.error
---@return integer
local function status_of_error(err)
  local status = several().status_of_signal(err)
  if status then
    return status
  elseif err.code == "EUSAGE" then
    return cli.USAGE
  elseif err.op ~= "exec" then
    return cli.FAILED
  end
  return err.code == "ENOENT" and NOT_FOUND or NOT_EXECUTABLE
end

---@param result luactr.result
---@return integer
function M.status_of_result(result)
  if result.error then
    return status_of_error(result.error)
  elseif result.signal then
    return SIGNAL_BASE + result.signal
  end
  return result.exit_code or cli.FAILED
end

-- ---- the result record as JSON

local function sys()
  return require("luactr.core").sys
end

--- Where the record goes; `true` without the option. Asked before anything else is opened, which
--- could become descriptor 3 by chance.
---@param wanted? string[] the option's value
---@return any sink
---@return string? problem
function M.open_report(wanted)
  if not wanted then
    return true
  elseif wanted[1] then
    local flags = sys().O_WRONLY | sys().O_CREAT | sys().O_TRUNC
    local fd, message = sys().open(wanted[1], flags, "0666")
    return fd, message and "--json: " .. message
  end
  local fd = sys().dup(RESULT_FD)
  return fd, not fd and
    "--json writes to descriptor 3, which is closed: add 3>FILE, or say --json=FILE" or nil
end

local function write_all(fd, text)
  while text ~= "" do
    local count, message = fd:write(text)
    if not count then
      return nil, message
    end
    text = text:sub(count + 1)
  end
  return true
end

---@param sink any
---@param result luactr.result
function M.report(sink, result)
  if sink == true then
    return
  end
  local fine, message = write_all(sink, output().json(result))
  sink:close()
  if not fine then
    output().complain("cannot write the result record: " .. message)
  end
end

-- ---- run

local function fail(err)
  if not several().status_of_signal(err) then -- who sent it knows
    output().complain(err)
  end
  return { reason = "start_failed", error = err }, status_of_error(err)
end

--- A limit or the kernel ended it: who sees only the status would take it for a bug of the program.
local EXPLAINED <const> = {
  oom = "it used more memory than limits.memory allows",
  wall_time = "it ran longer than limits.wall_time",
  cpu_time = "it used more CPU time than limits.cpu_time",
  output = "it wrote more than limits.output",
  container = "its container ended",
  pids = "a fork was refused at limits.pids",
}

--- Say of an ending what its status does not say; the status.
---@param result luactr.result
---@param who? string of several
local function finish_result(result, who)
  local prefix = who and who .. ": " or ""
  if result.error then
    return select(2, fail(result.error))
  end
  for _, warning in ipairs(result.warnings or {}) do
    output().warn(prefix .. warning)
  end
  for _, wrong in ipairs(result.handler_errors or {}) do
    output().warn(string.format("%sseccomp.notify.%s: %s", prefix, wrong.call, wrong.message))
  end
  if EXPLAINED[result.reason] then
    output().warn(string.format("%s%s: %s", prefix, result.reason, EXPLAINED[result.reason]))
  end
  return M.status_of_result(result)
end

local function release_signals()
  require("luactr.poll").guarded = false
  if has_loop() then
    several().release_signals()
  end
end

--- Run a container, or a command in one, in the foreground.
---@param box luactr.container|luactr.command
---@return luactr.result
---@return integer status
function M.foreground(box)
  release_signals() -- they are the container's
  local result, err = box:run { forward_signals = true }
  if not result then
    return fail(err)
  end
  return result, finish_result(result)
end

local function run_pod(pod, detached)
  local pods = require "luactr.cli.pods"
  release_signals()
  local record, status = (detached and pods.detach or pods.run)(pod, finish_result)
  if not record then
    return fail(status)
  end
  return record, status
end

local function run_group(group)
  local record, status = several().run_group(group, finish_result)
  if not record then
    return fail(status)
  end
  return record, status
end

--- A program that has ended, or has left tasks that are not at their end.
local function run_tasks(outcome)
  local err = has_loop() and several().run_tasks()
  if err then
    return fail(err)
  elseif outcome.result then
    return outcome.result, M.status_of_result(outcome.result)
  elseif outcome.hint then
    output().warn(outcome.hint)
  end
  return { reason = "exit", exit_code = outcome.status or 0 }, outcome.status or 0
end

local function detach(box, options)
  local found, err = box:start { detach = true, interactive = options.interactive }
  if not found then
    return fail(err)
  end
  for _, warning in ipairs(found:inspect().warnings or {}) do
    output().warn(warning)
  end
  return { id = found.id, pid = found.record.pid }, output().print(found.id .. "\n")
end

--- The record and the status of what a recipe returned.
---@param outcome luactr.cli.outcome
---@param options table<string, any>
local function finish(outcome, options)
  local box = outcome.container
  local err = next(options) and require("luactr.cli.override").apply(outcome, options)
  if err then
    output().complain(err)
    return { reason = "start_failed", error = err }, cli.USAGE
  end
  if box then
    return (options.detach and detach or M.foreground)(box, options)
  elseif outcome.pod then
    return run_pod(outcome.pod, options.detach)
  elseif options.detach and not outcome.error then
    return fail(require("luactr.error").new { code = "EUSAGE", op = "run",
      message = "only a container or a pod can run detached, and the recipe returned none" })
  elseif outcome.error then
    return fail(outcome.error)
  elseif outcome.group then
    return run_group(outcome.group)
  end
  return run_tasks(outcome)
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local path = table.remove(request.arguments, 1)
  if not path then
    return output().usage("which recipe?", M)
  end
  local sink, problem = M.open_report(request.options.json)
  if not sink then
    return output().usage(problem, M)
  end
  local load = require("luactr.cli.recipe")[request.options.image and "image" or "run"]
  request.options.image = nil
  local outcome, err = load(path, request.arguments)
  local result, status
  if outcome then
    result, status = finish(outcome, request.options)
  else
    result, status = fail(err)
  end
  status = has_loop() and several().close(status) or status
  M.report(sink, result)
  return status
end

return M
