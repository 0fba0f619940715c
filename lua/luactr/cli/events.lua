--- `luactr events`: print what happened to detached containers.
local output = require "luactr.cli.output"

local M = {
  name = "events",
  summary = "print what happened to containers",
  usage = "[NAME]",
  mixed = true,
  help = [[
Print what happened to detached containers, or to one: create, start, exec, oom, pause, resume,
update, rename, restart, exit with its reason, rm; health, and callback for an error in a callback.
The newest megabyte or two is kept.]],
  options = {
    { "-f --follow", help = "go on with what happens from now on" },
    { "--since", argument = "TIME", help = "only what came then or later: 10m ago, or "
      .. "2026-01-31T23:59:59" },
    { "--json", help = "a record a line" },
  },
}

local HEAD <const> = { time = true, name = true, event = true }

local function text_of(event)
  local words = {}
  for key, value in pairs(event) do
    if not HEAD[key] then
      value = type(value) == "table" and table.concat(value, " ") or tostring(value)
      words[#words + 1] = key .. "=" .. require("luactr.error").escape(value)
    end
  end
  table.sort(words)
  table.insert(words, 1, event.event)
  return string.format("%s %s %s\n", require("luactr.container.events").time_text(event.time),
    event.name, table.concat(words, " "))
end

local function print_all(events, form)
  for event in events do
    local fine, message = io.stdout:write(form(event))
    if fine then
      fine, message = io.stdout:flush()
    end
    if not fine then
      output.complain("cannot write: " .. message)
      return require("luactr.cli").FAILED
    end
  end
  return output.print("")
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local given = request.options
  if #request.arguments > 1 then
    return output.usage("one container at a time", M)
  end
  local since, problem
  if given.since then
    since, problem = require("luactr.cli.containers").since(given.since)
  end
  if problem then
    return output.usage("--since: " .. problem, M)
  end
  local events, err = require("luactr.container.events").read {
    follow = given.follow, since = since, name = request.arguments[1],
  }
  if not events then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  return print_all(events, given.json and output.json or text_of)
end

return M
