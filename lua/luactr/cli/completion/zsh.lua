--- The script for zsh.
local M = {}

local HEAD <const> = [==[
#compdef luactr
# luactr for zsh: eval "$(luactr completion zsh)", or a file _luactr in $fpath
_luactr() {
  local verb= value= words_of= word before=$words[CURRENT-1]
  local -a verbs options names signals
  verbs=(
%s
  )
  signals=(%s)
  for word in "${(@)words[2,CURRENT-1]}"; do
    [[ $word == -* ]] && continue
    verb=${verb:+$verb }$word
    [[ $verb == (%s) ]] || break
  done
  case $verb in
]==]

local TAIL <const> = [==[
  esac
  case $value in
    (signal) compadd -a signals; return ;;
    (value) _message value; return ;;
    (file) _files; return ;;
  esac
  if [[ $words[CURRENT] == -* ]]; then
    _describe -o option options
    return
  fi
  case $words_of in
    (@name)
      names=(${(f)"$($words[1] ps --all --quiet 2>/dev/null)"})
      compadd -a names ;;
    (@pod)
      names=(${(f)"$($words[1] ps --all --quiet 2>/dev/null; $words[1] ps --all --quiet --pods \
        2>/dev/null)"})
      compadd -a names ;;
    (@place)
      names=(${(f)"$($words[1] ps --all --quiet 2>/dev/null)"})
      compadd -S : -a names; _files ;;
    (@image)
      names=(${(f)"$($words[1] image ls --quiet 2>/dev/null)"})
      compadd -a names ;;
    (@file) _files ;;
    (@verb) _describe verb verbs ;;
    (@start) _describe verb verbs; _files ;;
    (?*) compadd -- ${=words_of} ;;
  esac
}
compdef _luactr luactr
]==]

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- "name:help" for _describe.
local function described(name, help)
  return quoted(name:gsub(":", "\\:") .. ":" .. help:gsub("\n", " "))
end

local function argument_words(verb)
  if #verb.words > 0 then
    return table.concat(verb.words, " ")
  end
  return verb.takes.verb and "@verb" or verb.takes.name and verb.takes.file and "@place"
    or verb.takes.name and verb.pods and "@pod" or verb.takes.name and "@name"
    or verb.takes.image and "@image"
    or verb.takes.file and "@file" or ""
end

local function option_list(verb)
  local list = {}
  for _, option in ipairs(verb.options) do
    for _, name in ipairs(option.names) do
      list[#list + 1] = "        " .. described(name, option.help)
    end
  end
  return table.concat(list, "\n")
end

local function add_verb(lines, pattern, verb, words)
  lines[#lines + 1] = string.format("    (%s)", pattern)
  lines[#lines + 1] = string.format("      words_of=%s", quoted(words))
  lines[#lines + 1] = "      options=(\n" .. option_list(verb) .. "\n      )"
  for _, option in ipairs(verb.options) do
    if option.takes then
      lines[#lines + 1] = string.format("      case $before in (%s) value=%s ;; esac",
        table.concat(option.names, "|"), option.takes)
    end
  end
  lines[#lines + 1] = "      ;;"
end

---@param verbs luactr.cli.completion.verb[]
---@param signals string[]
---@return string
function M.script(verbs, signals)
  local list, groups, lines = {}, {}, {}
  for _, verb in ipairs(verbs) do
    list[#list + 1] = not verb.name:find(" ") and "    " .. described(verb.name, verb.summary)
      or nil
    groups[#groups + 1] = verb.group and verb.name
    add_verb(lines, quoted(verb.name), verb, argument_words(verb))
    if verb.name == require("luactr.cli").default_verb then
      add_verb(lines, "''", verb, "@start")
    end
  end
  local head = HEAD:format(table.concat(list, "\n"), table.concat(signals, " "),
    table.concat(groups, "|"))
  return head .. table.concat(lines, "\n") .. "\n" .. TAIL
end

return M
