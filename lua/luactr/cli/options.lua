--- Options by argparse, from the rows of a verb. Loaded only when there are options or help.
local cli = require "luactr.cli"
local output = require "luactr.cli.output"

local M = {}

---@class luactr.cli.option
---@field [1] string its names, "-v --verbose"; the last is its key in request.options
---@field help string
---@field value? string the option's value is optional, --json or --json=FILE; this is its name
---@field argument? string the option has a value, --name NAME or --name=NAME; this is its name
---@field many? boolean it may be given several times; then a list

local COMMON <const> = {
  { "-v --verbose", help = "print each step with its time (as LUACTR_LOG=1 does)" },
  { "-h --help", help = "print this help" },
}

-- `luactr --version`, as people try it
local TOP_LEVEL <const> = { { "--version", help = "print the version" } }

local function add_rows(parser, rows)
  for _, row in ipairs(rows) do
    if row.value then
      parser:option(row[1], row.help):argname(row.value):args("?")
    elseif row.argument then
      parser:option(row[1], row.help):argname(row.argument):count(row.many and "*" or "?")
    else
      parser:flag(row[1], row.help)
    end
  end
end

local function line_of_usage(name, verb)
  return string.format("Usage: luactr %s[OPTION]... %s", name and name .. " " or "", verb.usage)
end

--- A parser for a verb; with nothing for the command line without one.
---@param verb? luactr.cli.verb
function M.parser(verb)
  local known = verb or cli.verb(cli.default_verb)
  local parser = require("argparse")("luactr"):add_help(false)
  parser:usage(line_of_usage(verb and verb.name, known)):description(known.help)
  add_rows(parser, known.options)
  add_rows(parser, COMMON)
  if not verb then
    add_rows(parser, TOP_LEVEL)
  end
  return parser
end

--- What the flags that answer by themselves print.
local ANSWERS <const> = {
  help = function(verb)
    return verb and require("luactr.cli.help").of(verb) or require("luactr.cli.help").overview()
  end,
  version = function() return require("luactr.cli.version").text() end,
}

--- Parse a verb's options. nil and an exit status when there is nothing left to do.
---@param verb? luactr.cli.verb
---@param words string[]
---@return table<string, any>? options
---@return integer? status
function M.parse(verb, words)
  local fine, result = M.parser(verb):pparse(words)
  if not fine then
    return nil, output.usage(result, verb)
  end
  for name, answer in pairs(ANSWERS) do
    if result[name] then
      return nil, output.print(answer(verb))
    end
  end
  if result.verbose then
    require("luactr.trace").enabled = true
  end
  return result
end

return M
