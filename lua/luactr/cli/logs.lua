--- `luactr logs`: print what a detached container has written.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "logs",
  summary = "print what a container has written",
  usage = "NAME",
  mixed = true,
  help = [[
Print the output of a detached container, its stdout to stdout and its stderr to stderr, as far as
the files of its log go back.]],
  options = {
    { "-f --follow", help = "go on until the container ends" },
    { "-n --lines", argument = "COUNT", help = "only the last lines" },
    { "--since", argument = "TIME", help = "only what came then or later: 10m ago, or "
      .. "2026-01-31T23:59:59" },
    { "-t --timestamps", help = "begin each line with its time" },
    { "--json", help = "a record a line, with time and stream" },
    { "--callbacks", help = "in place of its output what its recipe's functions have printed" },
  },
}

-- ---- options

local READ = {}

function READ.lines(text)
  local number = math.tointeger(tonumber(text))
  if number and number >= 0 then
    return number
  end
  return nil, "number expected"
end

READ.since = containers.since

local function read_options(given)
  local options = { follow = given.follow }
  for name, read in pairs(READ) do
    local problem
    if given[name] then
      options[name], problem = read(given[name])
    end
    if problem then
      return nil, string.format("--%s: %s", name, problem)
    end
  end
  return options
end

-- ---- printing

local function as_json(record)
  return io.stdout, output.json(record)
end

--- Texts as they are; between parts of a line there is no newline, and no time.
local function as_text(with_time)
  local inside = {} -- streams in the middle of a line
  return function(record)
    local stream = record.stream
    local prefix = with_time and not inside[stream] and record.time .. " " or ""
    inside[stream] = not record.full
    if stream == "luactr" then
      prefix = prefix .. "luactr: "
    end
    return stream == "stdout" and io.stdout or io.stderr,
      prefix .. record.text .. (record.full and "\n" or "")
  end
end

local function print_all(records, form, follow)
  for record in records do
    local file, text = form(record)
    local fine, message = file:write(text)
    if fine and (follow or file == io.stderr) then
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
  local options, problem = read_options(request.options)
  if not options then
    return output.usage(problem, M)
  end
  local found, status = containers.one(request, M)
  if not found then
    return status
  end
  if request.options.callbacks then
    return output.print(require("luactr.container.companion").printed(found) or "")
  end
  local records, err = found:logs(options)
  if not records then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  local form = request.options.json and as_json or as_text(request.options.timestamps)
  return print_all(records, form, options.follow)
end

return M
