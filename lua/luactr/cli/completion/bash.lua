--- The script for bash.
local M = {}

local HEAD <const> = [==[
# luactr for bash: eval "$(luactr completion bash)"
_luactr_names() {
  "${COMP_WORDS[0]}" ps --all --quiet "$@" 2>/dev/null
}

# The verb on the line, if the word at hand comes after it; of a group its two words.
_luactr_verb() {
  local i verb=''
  for (( i = 1; i < COMP_CWORD; i++ )); do
    [[ ${COMP_WORDS[i]} = -* ]] && continue
    verb+=${verb:+ }${COMP_WORDS[i]}
    [[ $verb = @(GROUPS) ]] || break
  done
  printf '%s' "$verb"
}

# Images by name; the colon before a tag is the end of a word for bash.
_luactr_image() {
  local whole=${COMP_WORDS[COMP_CWORD]} i
  for (( i = COMP_CWORD; i > 2; i-- )); do
    [[ ${COMP_WORDS[i]} = : || ${COMP_WORDS[i - 1]} = : ]] || break
    whole=${COMP_WORDS[i - 1]}$whole
  done
  mapfile -t COMPREPLY < <(
    compgen -W "$("${COMP_WORDS[0]}" image ls --quiet 2>/dev/null)" -- "$whole")
  COMPREPLY=("${COMPREPLY[@]#"${whole%"${whole##*:}"}"}")
}

_luactr() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local verb options='' value='' words=''
  verb=$(_luactr_verb)
  COMPREPLY=()
  case $verb in
]==]

local TAIL <const> = [==[
    '') options=%s words=%s ;;
  esac
  case $value in
    signal) mapfile -t COMPREPLY < <(compgen -W %s -- "$word"); return ;;
    value) compopt +o default 2>/dev/null; return ;;
    file) return ;;
  esac
  if [[ $word = -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    return
  fi
  case $words in
    @name) mapfile -t COMPREPLY < <(compgen -W "$(_luactr_names)" -- "$word") ;;
    @pod) mapfile -t COMPREPLY < <(
      compgen -W "$(_luactr_names; _luactr_names --pods)" -- "$word") ;;
    @place)
      mapfile -t COMPREPLY < <(compgen -S : -W "$(_luactr_names)" -- "$word"
        compgen -f -- "$word")
      compopt -o nospace 2>/dev/null ;;
    @image) _luactr_image ;;
    @file) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
  esac
  [[ $words = @file || -z $verb ]] || compopt +o default 2>/dev/null
}
complete -o default -F _luactr luactr
]==]

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function option_words(verb)
  local names = {}
  for _, option in ipairs(verb.options) do
    table.move(option.names, 1, #option.names, #names + 1, names)
  end
  return table.concat(names, " ")
end

--- What its arguments are: a list of words, or @name, @pod, @file or, for both, @place.
local function argument_words(verb, all)
  if #verb.words > 0 then
    return table.concat(verb.words, " ")
  elseif verb.takes.verb then
    return all
  end
  return verb.takes.name and verb.takes.file and "@place"
    or verb.takes.name and verb.pods and "@pod" or verb.takes.name and "@name"
    or verb.takes.image and "@image"
    or verb.takes.file and "@file" or ""
end

local function add_verb(lines, verb, all)
  lines[#lines + 1] = string.format("    %s)", quoted(verb.name))
  lines[#lines + 1] = string.format("      options=%s words=%s", quoted(option_words(verb)),
    quoted(argument_words(verb, all)))
  for _, option in ipairs(verb.options) do
    if option.takes then
      lines[#lines + 1] = string.format("      case $before in %s) value=%s ;; esac",
        table.concat(option.names, " | "), option.takes)
    end
  end
  lines[#lines + 1] = "      ;;"
end

---@param verbs luactr.cli.completion.verb[]
---@param signals string[]
---@return string
function M.script(verbs, signals)
  local names, groups, lines, default = {}, {}, {}, nil
  for _, verb in ipairs(verbs) do
    names[#names + 1] = not verb.name:find(" ") and verb.name or nil
    groups[#groups + 1] = verb.group and verb.name
    default = verb.name == require("luactr.cli").default_verb and verb or default
  end
  local all = table.concat(names, " ")
  for _, verb in ipairs(verbs) do
    add_verb(lines, verb, all)
  end
  return HEAD:gsub("GROUPS", table.concat(groups, "|")) .. table.concat(lines, "\n") .. "\n"
    .. TAIL:format(quoted(option_words(default)), quoted(all),
      quoted(table.concat(signals, " ")))
end

return M
