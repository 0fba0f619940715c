--- `luactr oci ps`
local M = {
  name = "oci ps",
  summary = "list the processes of a container",
  usage = "CONTAINER [PS-OPTION...]",
  help = [[
List the processes of a container: their pids on the host as JSON, or those lines of ps -ef, or of
ps with the given options, that are about them.]],
  options = {
    { "-f --format", argument = "FORMAT", words = { "table", "json" }, help = "table or json" },
  },
  least = 1, most = math.huge, ordered = true,
}

local function by_pid(processes)
  local known, list = {}, {}
  for i, process in ipairs(processes) do
    known[process.host_pid], list[i] = true, process.host_pid
  end
  table.sort(list)
  return known, list
end

--- Where a table of ps has the pids.
local function pid_column(title)
  local at = 0
  for word in title:gmatch("%S+") do
    at = at + 1
    if word == "PID" then
      return at
    end
  end
end

local function pid_of(line, column)
  local at = 0
  for word in line:gmatch("%S+") do
    at = at + 1
    if at == column then
      return math.tointeger(tonumber(word))
    end
  end
end

--- The title and the lines that are about known pids.
local function select_lines(text, known)
  local lines, column = {}, nil
  for line in text:gmatch("[^\n]+") do
    if #lines == 0 then
      column, lines[1] = pid_column(line), line
    elseif known[pid_of(line, column)] then
      lines[#lines + 1] = line
    end
  end
  return column and table.concat(lines, "\n") .. "\n"
end

local function failure(cause, remedy)
  return nil, require("luactr.error").new { code = "ENOTSUP", op = "ps", checked = true,
    message = "cannot print a table of processes", cause = cause, remedy = remedy }
end

local function table_of(words, known)
  local program = require "luactr.program"
  local path = program.find("ps")
  if not path then
    return failure("there is no program ps on this host", "--format json")
  end
  local command = table.move(words, 1, #words, 2, { path })
  command[2] = command[2] or "-ef"
  command.env = program.environment { "PATH", "COLUMNS", "LANG" }
  local ended, err = program.run(command)
  if not ended then
    return nil, err
  end
  local text = select_lines(ended.stdout, known)
  if not text then
    return failure("ps printed no column PID: " .. ended.stderr:match("^[^\n]*"))
  end
  return text
end

function M.run(request)
  local output = require "luactr.cli.output"
  local container, err = request:find()
  local processes
  if container then
    processes, err = container:processes()
  end
  if not processes then
    return nil, err
  end
  local known, list = by_pid(processes)
  if request.options.format == "json" then
    return output.print("[" .. table.concat(list, ",") .. "]\n")
  end
  local text
  text, err = table_of(table.move(request.arguments, 2, #request.arguments, 1, {}), known)
  return text and output.print(text), err
end

return M
