--- `luactr help [VERB]`, and the texts of help.
local cli = require "luactr.cli"

local M = {
  name = "help",
  summary = "explain a verb",
  usage = "[VERB]",
  help = "Print what a verb does and its options; without one, what luactr does.",
  options = {},
}

local EXIT_STATUS <const> = [[
`luactr help VERB` tells more. Exit status: the command's own; 128+n after
signal n; 125 luactr failed; 126 the command cannot be executed, 127 it was
not found; 2 wrong usage; 1 check or doctor found something.
]]

--- What luactr is and its verbs.
---@return string
function M.overview()
  local lines = {
    "Usage: luactr RECIPE [ARG...]",
    "       luactr VERB [OPTION]... [ARG...]",
    "",
    "Runs the container that a recipe describes: a Lua program that returns one.",
    "",
  }
  for _, name in ipairs(cli.verbs) do
    local verb = cli.verb(name)
    lines[#lines + 1] = string.format("  %-24s %s", name .. " " .. verb.usage, verb.summary)
  end
  return table.concat(lines, "\n") .. "\n\n" .. EXIT_STATUS
end

--- The help of one verb.
---@param verb luactr.cli.verb
---@return string
function M.of(verb)
  return require("luactr.cli.options").parser(verb):get_help() .. "\n"
end

function M.run(request)
  local output = require "luactr.cli.output"
  local name = request.arguments[1]
  if not name then
    return output.print(M.overview())
  end
  local verb = cli.verb(name)
  if not verb then
    return output.usage("no verb " .. name .. require("luactr.nearest").hint(name, cli.verbs))
  end
  return output.print(M.of(verb))
end

return M
