-- `luactr completion`: real shells complete with its scripts.

local cli = require("luactr.cli")
local detached = require("support.detached")
local images = require("support.images")
local support = require("support")
local world = require("support.world")

local it, root_it = it, support.it(it, pending, "root")

-- All verbs, those of groups by two words.
local function all_verbs()
  local list = {}
  for _, name in ipairs(cli.verbs) do
    list[#list + 1] = name
    for _, inner in ipairs(cli.verb(name).verbs or {}) do list[#list + 1] = name .. " " .. inner end
  end
  return list
end

-- What bash completes for the words of a line, the last of which is being typed.
local DRIVE <const> = [[
  eval "$1"
  shift
  complete -p luactr >/dev/null || exit 1
  COMP_WORDS=("$@")
  COMP_CWORD=$(( $# - 1 ))
  _luactr
  printf '%s\n' "${COMPREPLY[@]}"
]]

local images_root -- of the images that are completed
local bash_script -- made once


local function complete(...)
  bash_script = bash_script or support.luactr({ "completion", "bash" }).stdout
  local argv = { "bash", "--norc", "-c", DRIVE, "bash", bash_script, "luactr", ... }
  argv.env = { PATH = support.build .. ":" .. os.getenv("PATH"), LUACTR_IMAGES = images_root }
  local result = support.run(argv)
  assert.same({ 0, "" }, { result.code, result.stderr })
  local list = {}
  for line in result.stdout:gmatch("[^\n]+") do
    list[#list + 1] = line
  end
  return list
end

-- What it completes for "-" after each of the verbs, by one bash.
local DRIVE_OPTIONS <const> = [[
  eval "$1"
  shift
  for verb in "$@"; do
    COMP_WORDS=(luactr $verb -)
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
    _luactr
    for word in "${COMPREPLY[@]}"; do printf '%s|%s\n' "$verb" "$word"; done
  done
]]

local function complete_options(verbs)
  bash_script = bash_script or support.luactr({ "completion", "bash" }).stdout
  local result = support.run { "bash", "--norc", "-c", DRIVE_OPTIONS, "bash", bash_script,
    table.unpack(verbs) }
  assert.same({ 0, "" }, { result.code, result.stderr })
  local lists = {}
  for verb, word in result.stdout:gmatch("([^|\n]+)|([^\n]+)") do
    lists[verb] = lists[verb] or {}
    table.insert(lists[verb], word)
  end
  return lists
end

local function has(list, word)
  for _, known in ipairs(list) do
    if known == word then return true end
  end
  return false
end

describe("luactr completion bash #cli", function()
  setup(world.adopt_orphans)
  after_each(world.check)

  it("knows all verbs", function()
    local list = complete("")
    assert.same(cli.verbs, list)
    assert.same({ "resume", "rename" }, complete("re"))
  end)

  it("knows all options of each verb", function()
    local lists = complete_options(all_verbs())
    for _, name in ipairs(all_verbs()) do
      local list = lists[name]
      for _, row in ipairs(cli.verb(name).options) do
        for option in row[1]:gmatch("%S+") do
          assert.is_true(has(list, option), name .. " " .. option)
        end
      end
    end
  end)

  it("knows signals, verbs and shells where they are expected", function()
    assert.same({ "TERM" }, complete("kill", "--signal", "TE"))
    assert.same({ "inspect" }, complete("help", "insp"))
    assert.same({ "zsh" }, complete("completion", "z"))
    assert.same({}, complete("stop", "--time", ""))
    assert.same({ "--follow" }, complete("-v", "logs", "--f"))
  end)

  it("knows the verbs of a group", function()
    assert.same(cli.verb("image").verbs, complete("image", ""))
    assert.same({ "inspect" }, complete("-v", "image", "ins"))
  end)

  it("knows images, whose names have a colon for it", function()
    local here <close> = images.open()
    assert(here:make("app:1", { {} }))
    assert(here:make("app:2", { {} }))
    assert(here:make("host:5000/other:3", { {} }))
    images_root = here.path
    assert.same({ "app:1", "app:2", "host:5000/other:3" }, complete("image", "rm", ""))
    assert.same({ "1", "2" }, complete("image", "tag", "app", ":", ""))
    assert.same({ "1", "2" }, complete("image", "tag", "app", ":"))
    assert.same({ "3" }, complete("image", "rm", "x", "host", ":", "5000/other", ":", "3"))
    images_root = nil
  end)

  root_it("knows the names of containers, whether they run or not", function()
    world.check()
    local here <close> = detached.open()
    local one, two = here:start("sleep 100", "one"), here:start("exit 0", "two")
    assert.equal(0, here.luactr("wait", two).code)
    for _, verb in ipairs { "stop", "logs", "rm", "inspect", "tree", "rename" } do
      local list = complete(verb, "spec-")
      assert.is_true(has(list, one) and has(list, two), verb)
      assert.same({ two }, complete(verb, two))
    end
    assert.same({ one }, complete("logs", "-f", one:sub(1, -2)))
    assert.same({ one .. ":" }, complete("cp", one))
  end)

  it("knows files beside names", function()
    assert.same({ "README.md" }, complete("cp", "READ"))
  end)

  it("leaves files to the shell", function()
    assert.same({}, complete("run", "lua/"))
    assert.same({}, complete("lua/recipes/h"))
  end)
end)

describe("luactr completion #cli", function()
  local function script(shell)
    local result = support.luactr { "completion", shell }
    assert.same({ 0, "" }, { result.code, result.stderr })
    return result.stdout
  end

  for _, shell in ipairs { "bash", "zsh", "fish" } do
    local row = "program:" .. shell
    support.it(it, pending, row)("is a script that " .. shell .. " reads", function()
      local dir <close> = support.tmpdir()
      local path = dir:write("script", script(shell))
      local result = support.run { shell, "-n", path }
      assert.same({ 0, "" }, { result.code, result.stderr })
    end)

    it("names all verbs and options for " .. shell, function()
      local text = script(shell)
      for _, name in ipairs(all_verbs()) do
        assert.is_truthy(text:find(name:match("%S+$"), 1, true), name)
        for _, option in ipairs(cli.verb(name).options) do
          local long = option[1]:match("%-%-(%S+)$")
          assert.is_truthy(text:find(long, 1, true), name .. " " .. long)
        end
      end
    end)
  end

  for _, words in ipairs { {}, { "tcsh" }, { "bash", "zsh" } } do
    it("refuses " .. #words .. " shells that it does not know", function()
      local result = support.luactr { "completion", table.unpack(words) }
      assert.equal(2, result.code)
      assert.matches("which shell? bash, zsh, fish", result.stderr, 1, true)
    end)
  end
end)

describe("luactr ps --quiet #cli", function()
  setup(world.adopt_orphans)
  after_each(world.check)

  root_it("prints names only", function()
    world.check()
    local here <close> = detached.open()
    local name = here:start("sleep 100", "quiet")
    assert.matches("%f[^\n\0]" .. name:gsub("%-", "%%-") .. "\n", here.luactr("ps", "-q").stdout)
  end)
end)
