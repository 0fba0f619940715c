--- `luactr ps`: list containers.
local output = require "luactr.cli.output"
local containers = require "luactr.cli.containers"

local M = {
  name = "ps",
  summary = "list containers",
  usage = "",
  mixed = true,
  help = [[
List the containers that run, in the foreground of a luactr or detached; with -a also those that
have ended and are kept until `luactr rm`.]],
  options = {
    { "-a --all", help = "also those that have ended" },
    { "--label", argument = "NAME[=VALUE]", many = true, help = "only those with this label" },
    { "--pod", argument = "NAME", help = "only the members of this pod" },
    { "--pods", help = "the pods in place of their members" },
    { "-q --quiet", help = "only the names" },
    { "--json", help = "a list of records" },
  },
}

local HEADS <const> = { "NAME", "STATE", "SINCE", "PID", "COMMAND" }

local function ending(result)
  if result.reason == "lost" then
    return "lost (monitor killed)"
  elseif result.exit_code then
    return result.reason == "exit" and string.format("exited %d", result.exit_code)
      or string.format("%s (exit %d)", result.reason, result.exit_code)
  elseif result.signal then
    return string.format("%s (signal %d)", result.reason, result.signal)
  end
  return result.reason
end

local function row_of(seen, now)
  local state = seen.state
  if seen.health or seen.callbacks == "lost" then
    state = string.format("%s (%s)", state, seen.health and "health " .. seen.health
      or "callbacks lost")
  end
  if (seen.restarts or 0) > 0 then
    state = string.format("%s, restart %d", state, seen.restarts)
  end
  local since = seen.result and seen.result.finished_at or seen.created
  return {
    seen.id, seen.result and ending(seen.result) or state,
    containers.span(now - since), seen.result and "-" or tostring(seen.pid),
    table.concat(seen.command or {}, " "),
  }
end

local function health_of(found, word)
  local health = (word == "running" or word == "paused") and found:health()
  return health and health.state or nil
end

local function callbacks_of(found)
  return found.record.callbacks and require("luactr.container.companion").word(found)
end

--- Whether a container has all of the labels that are asked for.
local function has_labels(record, wanted)
  for _, label in ipairs(wanted) do
    local name, value = label:match("^([^=]*)=?(.*)$")
    local has = record.labels and record.labels[name]
    if not has or label:find("=", 1, true) and has ~= value then
      return false
    end
  end
  return true
end

local function is_of_pod(record, wanted)
  return not wanted or record.pod ~= nil and record.pod.name == wanted
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments > 0 then
    return output.usage("ps takes no names: see luactr inspect NAME", M)
  end
  local list, all, err, swept = {}, require("luactr.container.found").all()
  if err then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  for _, one in ipairs(swept) do
    if one.what == "lost" then
      output.warn(string.format("%s: %s; luactr logs %s has what it wrote, luactr rm %s removes it",
        one.id, require("luactr.result").LOST, one.id, one.id))
    end
  end
  if request.options.pods then
    return require("luactr.cli.pods").list(all, request.options)
  end
  for _, found in ipairs(all) do
    local word = found:state()
    local shown = word and (word ~= "exited" or request.options.all)
    if shown and has_labels(found.record, request.options.label or {})
      and is_of_pod(found.record, request.options.pod) then
      list[#list + 1] = {
        id = found.id, state = word, created = found.record.created, pid = found.record.pid,
        detached = found.record.detached or false, command = found.record.command,
        labels = found.record.labels, pod = found.record.pod and found.record.pod.name,
        restarts = found.record.restarts, health = health_of(found, word),
        callbacks = word ~= "exited" and callbacks_of(found) or nil,
        result = word == "exited" and found:result() or nil,
      }
    end
  end
  if request.options.json then
    return output.print(#list == 0 and "[]\n" or output.json(list))
  end
  if request.options.quiet then
    local names = {}
    for i, seen in ipairs(list) do
      names[i] = seen.id .. "\n"
    end
    return output.print(table.concat(names))
  end
  local now, rows = require("luactr.core").sys.clock_gettime("realtime"), {}
  for i, seen in ipairs(list) do
    rows[i] = row_of(seen, now)
  end
  return output.print(containers.columns(HEADS, rows))
end

return M
