--- The script for fish.
local M = {}

local HEAD <const> = [==[
# luactr for fish: luactr completion fish | source
function __luactr_names
  luactr ps --all --quiet $argv 2>/dev/null
end
function __luactr_images
  luactr image ls --quiet 2>/dev/null
end
complete -c luactr -e
]==]

local function quoted(text)
  return "'" .. text:gsub("[\\']", "\\%0") .. "'"
end

local VALUES <const> = {
  signal = function(signals) return " -x -a " .. quoted(table.concat(signals, " ")) end,
  file = function() return " -r -F" end,
  value = function() return " -x" end,
}

local function option_line(condition, option, signals)
  local names = {}
  for i, name in ipairs(option.names) do
    local long = name:match("^%-%-(.+)")
    names[i] = long and "-l " .. long or "-s " .. name:sub(2)
  end
  return string.format("complete -c luactr -n %s %s%s -d %s", quoted(condition),
    table.concat(names, " "), option.takes and VALUES[option.takes](signals) or "",
    quoted(option.help))
end

local function argument_line(condition, verb, all)
  local from = quoted(condition)
  local words = #verb.words > 0 and table.concat(verb.words, " ") or verb.takes.verb and all
  if words then
    return string.format("complete -c luactr -n %s -f -a %s", from, quoted(words))
  elseif verb.takes.name then
    local files, colon = verb.takes.file and "" or " -f", verb.takes.file and ":" or ""
    local pods = verb.pods and " (__luactr_names --pods)" or ""
    return string.format("complete -c luactr -n %s%s -a '(__luactr_names)%s%s'", from, files, colon,
      pods)
  elseif verb.takes.image and not verb.takes.file then
    return string.format("complete -c luactr -n %s -f -a '(__luactr_images)'", from)
  elseif verb.takes.image then
    return string.format("complete -c luactr -n %s -a '(__luactr_images)'", from)
  elseif not verb.takes.file then
    return string.format("complete -c luactr -n %s -f", from)
  end
end

local SEEN <const> = "__fish_seen_subcommand_from "

--- When a verb's options and arguments are at hand. A verb in a group may have the name of another.
local function condition_of(verb, groups)
  local outer, inner = verb.name:match("^(%S+) (%S+)$")
  if outer then
    return SEEN .. outer .. "; and " .. SEEN .. inner
  elseif verb.group then
    return SEEN .. verb.name .. "; and not " .. SEEN .. table.concat(verb.group, " ")
  end
  return SEEN .. verb.name .. "; and not " .. SEEN .. table.concat(groups, " ")
end

---@param verbs luactr.cli.completion.verb[]
---@param signals string[]
---@return string
function M.script(verbs, signals)
  local names, groups, lines = {}, {}, {}
  for _, verb in ipairs(verbs) do
    names[#names + 1] = not verb.name:find(" ") and verb.name or nil
    groups[#groups + 1] = verb.group and verb.name
  end
  for _, verb in ipairs(verbs) do
    local condition = condition_of(verb, groups)
    if not verb.name:find(" ") then
      lines[#lines + 1] = string.format("complete -c luactr -n __fish_use_subcommand -a %s -d %s",
        verb.name, quoted(verb.summary))
    end
    for _, option in ipairs(verb.options) do
      lines[#lines + 1] = option_line(condition, option, signals)
    end
    lines[#lines + 1] = argument_line(condition, verb, table.concat(names, " "))
  end
  return HEAD .. table.concat(lines, "\n") .. "\n"
end

return M
