--- The command line: which verb, its options, its arguments. `main` returns the exit status.
--
-- `luactr RECIPE` is on the way of every container, so this file reads plain words itself. Options
-- and help load luactr.cli.options, and with it argparse, which takes longer than a container does.
local M = {}

M.USAGE = 2 -- the caller's mistake
M.FAILED = 125 -- luactr could not do it

--- In the order of `luactr help`; each is a file here, see luactr.cli.run.
M.verbs = { "run", "check", "explain", "doctor", "version", "help" }

M.default_verb = "run"

---@class luactr.cli.verb
---@field name string
---@field summary string one line for `luactr help`
---@field usage string what follows the verb and its options
---@field help string the text of `luactr help VERB`
---@field options luactr.cli.option[]
---@field run fun(request: luactr.cli.request): integer returns the exit status

---@class luactr.cli.request
---@field arguments string[]
---@field options table<string, any> by the options' long names

---@param name string
---@return luactr.cli.verb?
function M.verb(name)
  for _, known in ipairs(M.verbs) do
    if name == known then
      return require("luactr.cli." .. name)
    end
  end
end

local function is_option(word)
  return word and word:find("^%-.") ~= nil
end

--- The leading options of `words`, and where they end. "--" ends them too.
local function take_options(words, at, options)
  while is_option(words[at]) do
    at = at + 1
    if words[at - 1] == "--" then
      break
    end
    options[#options + 1] = words[at - 1]
  end
  return at
end

--- Options may stand before or behind the verb. What follows the first other word belongs to it: a
--- recipe's own options are never looked at.
local function split(argv)
  local options = {}
  local at = take_options(argv, 1, options)
  local verb = argv[at - 1] ~= "--" and argv[at] and M.verb(argv[at])
  if verb then
    at = take_options(argv, at + 1, options)
  end
  return verb, options, table.move(argv, at, #argv, 1, {})
end

local function no_arguments()
  io.stderr:write(require("luactr.cli.help").overview())
  return M.USAGE
end

--- Run the command line.
---@param argv string[] without the program's name
---@return integer status
function M.main(argv)
  if #argv == 0 then
    return no_arguments()
  end
  local verb, words, arguments = split(argv)
  local request = { arguments = arguments, options = {} }
  if #words > 0 then
    local options, status = require("luactr.cli.options").parse(verb, words)
    if not options then
      return status
    end
    request.options = options
  end
  verb = verb or M.verb(M.default_verb)
  return verb.run(request)
end

return M
