--- The command line: which verb, its options, its arguments. `main` returns the exit status.
--
-- `luactr RECIPE` is on the way of every container, so this file reads plain words itself. Options
-- and help load luactr.cli.options, and with it argparse, which takes longer than a container does.
local M = {}

M.USAGE = 2 -- the caller's mistake
M.FAILED = 125 -- luactr could not do it

--- In the order of `luactr help`; each is a file here, see luactr.cli.run.
M.verbs = {
  "run", "exec", "ps", "logs", "attach", "stop", "kill", "pause", "resume", "update", "wait",
  "rename", "rm", "cp", "diff", "export", "inspect", "tree", "stats", "top", "events", "gc",
  "check", "explain", "doctor", "completion", "version", "help",
}

M.default_verb = "run"

---@class luactr.cli.verb
---@field name string
---@field summary string one line for `luactr help`
---@field usage string what follows the verb and its options
---@field help string the text of `luactr help VERB`
---@field options luactr.cli.option[]
---@field mixed? boolean options may stand among its arguments, which are no recipe's
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

--- Whether an option of a verb is written as two words, `--name NAME`.
local function takes_next(verb, word)
  for _, row in ipairs(verb.options) do
    for name in row.argument and row[1]:gmatch("%S+") or function() end do
      if name == word then
        return true
      end
    end
  end
  return false
end

--- The leading options of `words`, and where they end. "--" ends them too.
local function take_options(words, at, options, verb)
  while is_option(words[at]) do
    at = at + 1
    if words[at - 1] == "--" then
      break
    end
    options[#options + 1] = words[at - 1]
    if words[at] and takes_next(verb or M.verb(M.default_verb), words[at - 1]) then
      options[#options + 1] = words[at]
      at = at + 1
    end
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
    at = take_options(argv, at + 1, options, verb)
  end
  local arguments = {}
  while at <= #argv do
    arguments[#arguments + 1] = argv[at]
    at = at + 1
    if verb and verb.mixed then
      at = take_options(argv, at, options, verb)
    end
  end
  return verb, options, arguments
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
