--- `luactr oci list`
local M = {
  name = "oci list",
  summary = "list containers",
  usage = "",
  help = "List the containers that luactr oci create or run has made below this --root.",
  options = {
    { "-f --format", argument = "FORMAT", words = { "table", "json" }, help = "table or json" },
    { "-q --quiet", help = "names only" },
  },
}

local COLUMNS <const> = {
  { "ID", function(state) return state.id end },
  { "PID", function(state) return state.pid or 0 end },
  { "STATUS", function(state) return state.status end },
  { "BUNDLE", function(state) return state.bundle end },
  { "CREATED", function(state) return state.created or "" end },
}

local function rows_of(states)
  local rows = { {} }
  for i, column in ipairs(COLUMNS) do
    rows[1][i] = column[1]
  end
  for _, state in ipairs(states) do
    local row = {}
    for i, column in ipairs(COLUMNS) do
      row[i] = require("luactr.error").escape(tostring(column[2](state)))
    end
    rows[#rows + 1] = row
  end
  return rows
end

--- Columns as wide as what is in them.
local function aligned(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, #cell)
    end
  end
  for i, row in ipairs(rows) do
    local cells = {}
    for j, cell in ipairs(row) do
      cells[j] = cell .. (" "):rep(widths[j] - #cell)
    end
    lines[i] = table.concat(cells, "   "):gsub(" +$", "")
  end
  return table.concat(lines, "\n") .. "\n"
end

local FORMATS <const> = {
  table = function(states) return aligned(rows_of(states)) end,
  json = function(states)
    local lines = {}
    for i, state in ipairs(states) do
      lines[i] = require("luactr.cli.output").json(state):sub(1, -2)
    end
    return "[" .. table.concat(lines, ",") .. "]\n"
  end,
  quiet = function(states)
    local names = {}
    for i, state in ipairs(states) do
      names[i] = state.id .. "\n"
    end
    return table.concat(names)
  end,
}

function M.run(request)
  local containers, err = require("luactr.oci.life").list(request:host())
  if not containers then
    return nil, err
  end
  local states = {}
  for _, container in ipairs(containers) do
    states[#states + 1] = request:describe(container)
  end
  local format = request.options.quiet and "quiet" or request.options.format or "table"
  return require("luactr.cli.output").print(FORMATS[format](states))
end

return M
