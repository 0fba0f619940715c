--- `luactr help [VERB]`, and the texts of help.
local cli = require "luactr.cli"

local M = {
  name = "help",
  summary = "explain a verb",
  usage = "[VERB [VERB]]",
  help = "Print what a verb does and its options; without one, what luactr does.",
  options = {},
}

local EXIT_STATUS <const> = [[
`luactr help VERB` tells more. Exit status: the command's own; 128+n after
signal n; 125 luactr failed; 126 the command cannot be executed, 127 it was
not found; 2 wrong usage; 1 check or doctor found something.
]]

--- A line for each verb.
---@param verbs string[]
---@param group? string that they are in
---@return string
local function list(verbs, group)
  local lines = {}
  for i, name in ipairs(verbs) do
    local verb = cli.verb(group and group .. " " .. name or name)
    lines[i] = string.format("  %-24s %s", name .. " " .. verb.usage, verb.summary)
  end
  return table.concat(lines, "\n") .. "\n\n"
end

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
  return table.concat(lines, "\n") .. "\n" .. list(cli.verbs) .. EXIT_STATUS
end

--- What a group of verbs is for, and its verbs.
local function of_group(verb)
  return string.format("Usage: luactr %s %s\n\n%s\n\n", verb.name, verb.usage, verb.help)
    .. list(verb.verbs, verb.name)
    .. string.format("`luactr help %s VERB` tells more.\n", verb.name)
end

--- The help of one verb.
---@param verb luactr.cli.verb
---@return string
function M.of(verb)
  if verb.verbs then
    return of_group(verb)
  end
  return require("luactr.cli.options").parser(verb):get_help() .. "\n"
end

--- A word that is no verb; returns the exit status.
---@param name string "rnu", "image sl"
---@return integer status
function M.unknown(name)
  local outer, inner = name:match("^(%S+) (.*)$")
  local group = outer and cli.verb(outer)
  local hint = group and group.verbs and require("luactr.nearest").hint(inner, group.verbs)
    or require("luactr.nearest").hint(name, cli.verbs)
  return require("luactr.cli.output").usage("no verb " .. name .. hint,
    group and group.verbs and group or nil)
end

function M.run(request)
  local output = require "luactr.cli.output"
  local name = table.concat(request.arguments, " ")
  if name == "" then
    return output.print(M.overview())
  end
  local verb = cli.verb(name)
  if not verb then
    return M.unknown(name)
  end
  return output.print(M.of(verb))
end

return M
