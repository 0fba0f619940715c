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
  "rename", "rm", "cp", "diff", "commit", "export", "inspect", "tree", "stats", "top", "events",
  "gc", "image", "oci", "check", "explain", "doctor", "completion", "version", "help",
}

M.default_verb = "run"

local ENGINES_NAME <const> = "luactr-oci" -- of the executable, for those that take a path alone

---@class luactr.cli.verb
---@field name string that of a verb in a group has two words, "image ls"
---@field verbs? string[] of a group; each is a file in a directory of the group's name
---@field summary string one line for `luactr help`
---@field usage string what follows the verb and its options
---@field help string the text of `luactr help VERB`
---@field options luactr.cli.option[]
---@field raw? boolean it reads all words behind its name itself
---@field mixed? boolean|fun(first: string): boolean options may stand among its arguments, as no
---  recipe's do
---@field run fun(request: luactr.cli.request): integer returns the exit status

---@class luactr.cli.request
---@field arguments string[]
---@field options table<string, any> by the options' long names

local function find(verbs, name, prefix)
  for _, known in ipairs(verbs or {}) do
    if name == known then
      return require(prefix .. name)
    end
  end
end

---@param name string "run", "image ls"
---@return luactr.cli.verb?
function M.verb(name)
  local outer, inner = name:match("^(%S+) (%S+)$")
  local verb = find(M.verbs, outer or name, "luactr.cli.")
  if verb and inner then
    return find(verb.verbs, inner, "luactr.cli." .. outer .. ".")
  end
  return verb
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

local function is_mixed(verb, first)
  local mixed = verb and verb.mixed
  return mixed == true or mixed and mixed(first)
end

--- Options may stand before or behind the verb. What follows the first other word belongs to it: a
--- recipe's own options are never looked at.
local function split(argv)
  local options = {}
  local at = take_options(argv, 1, options)
  local verb = argv[at - 1] ~= "--" and argv[at] and M.verb(argv[at])
  while verb do
    at = verb.raw and at + 1 or take_options(argv, at + 1, options, verb)
    local inner = verb.verbs and not verb.raw and argv[at - 1] ~= "--" and argv[at]
      and M.verb(verb.name .. " " .. argv[at])
    if not inner then
      break
    end
    verb = inner
  end
  local arguments = {}
  while at <= #argv do
    arguments[#arguments + 1] = argv[at]
    at = at + 1
    if is_mixed(verb, arguments[1]) then
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
---@param argv string[] with the program's name as argv[0]
---@return integer status
function M.main(argv)
  if (argv[0] or ""):match("[^/]*$") == ENGINES_NAME then
    return require("luactr.cli.oci").main(argv)
  elseif #argv == 0 then
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
