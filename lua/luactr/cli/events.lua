--- `luactr events`: print what happened to detached containers.
local output = require "luactr.cli.output"

local M = {
  name = "events",
  summary = "print what happened to containers",
  usage = "[NAME]",
  mixed = true,
  pods = "members",
  help = [[
Print what happened to detached containers, to one, or to those of a pod: create, start, exec, oom,
pause, resume, update, rename, restart, exit with its reason, rm; health, and callback for an error
in a callback. The newest megabyte or two is kept.]],
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

--- The name that events have: of what has any, though it be removed, else of what is there.
local function known(name)
  local events, err = require("luactr.container.events").read { name = name }
  if not events then
    return nil, err
  elseif events() then
    return name
  end
  local found
  found, err = require("luactr.container.found").find(name)
  return found and found.id, err
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
  local name, events, err = request.arguments[1], nil, nil
  if name then
    name, err = known(name)
  end
  if name or given.follow or not err then -- who follows may wait for one to come
    events, err = require("luactr.container.events").read {
      follow = given.follow, since = since, name = name or request.arguments[1],
    }
  end
  if not events then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  return print_all(events, given.json and output.json or text_of)
end

return M
