--- `luactr completion`: a script by which a shell completes luactr's command lines, made of the
--- tables of the verbs.
local cli = require "luactr.cli"
local output = require "luactr.cli.output"

local M = {
  name = "completion",
  summary = "print a script for a shell's completion",
  usage = "bash|zsh|fish",
  mixed = true,
  help = [[
Print a script by which a shell completes verbs, options and the names of containers. In ~/.bashrc:
eval "$(luactr completion bash)"; in ~/.zshrc, after compinit: eval "$(luactr completion zsh)"; in
~/.config/fish/config.fish: luactr completion fish | source]],
  options = {},
}

local SHELLS <const> = { "bash", "zsh", "fish" }

-- ---- what is to be known of a verb

---@class luactr.cli.completion.option
---@field names string[] "-s", "--signal"
---@field help string
---@field takes? string what its value is: "signal", "file" or "value"

---@class luactr.cli.completion.verb
---@field name string "run", "image ls"
---@field summary string
---@field options luactr.cli.completion.option[]
---@field takes table<string, boolean> what its arguments are: "name", "image", "file", "verb"
---@field words string[] that its argument is one of
---@field group? string[] the verbs in it
---@field pods boolean names of pods, too

local COMMON <const> = {
  { names = { "-v", "--verbose" }, help = "print each step with its time" },
  { names = { "-h", "--help" }, help = "print this help" },
}

-- What an option's value or a verb's argument is, by its word in the usage.
local KINDS <const> = {
  SIGNAL = "signal", FILE = "file", NAME = "name", RECIPE = "file", DEST = "file", SRC = "file",
  VERB = "verb", IMAGE = "image",
}

local function option_of(row)
  local option = { names = {}, help = row.help, takes = row.argument
    and (KINDS[row.argument] or "value") }
  -- The value of --json=FILE is optional and never a word of its own.
  for name in row[1]:gmatch("%S+") do
    option.names[#option.names + 1] = name
  end
  if option.takes == "name" or option.takes == "image" then
    option.takes = "value" -- of a container or an image that is to be
  end
  return option
end

local function words_of(usage)
  local words = {}
  for word in usage:gmatch("%l+") do
    words[#words + 1] = usage:find("|", 1, true) and word or nil
  end
  return words
end

local function describe(name)
  local verb = cli.verb(name)
  local known = { name = name, summary = verb.summary, options = {}, takes = {},
    pods = verb.pods ~= nil, words = verb.verbs or words_of(verb.usage), group = verb.verbs }
  for i, row in ipairs(verb.options) do
    known.options[i] = option_of(row)
  end
  table.move(COMMON, 1, #COMMON, #known.options + 1, known.options)
  for word in verb.usage:gmatch("%u+") do
    known.takes[KINDS[word] or "value"] = true
  end
  return known
end

local function signals()
  local names = {}
  for name in pairs(require("luactr.core").sys.signals) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local shell = request.arguments[1]
  local is_known = false
  for _, known in ipairs(SHELLS) do
    is_known = is_known or known == shell
  end
  if not is_known or #request.arguments > 1 then
    return output.usage("which shell? " .. table.concat(SHELLS, ", "), M)
  end
  local verbs = {}
  for _, name in ipairs(cli.verbs) do
    local verb = describe(name)
    verbs[#verbs + 1] = verb
    for _, inner in ipairs(verb.group or {}) do
      verbs[#verbs + 1] = describe(name .. " " .. inner)
    end
  end
  return output.print(require("luactr.cli.completion." .. shell).script(verbs, signals()))
end

return M
