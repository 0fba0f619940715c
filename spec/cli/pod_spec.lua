-- Recipes that return a pod, as a user runs them: in the foreground, and left to monitors.

local ctr = require("luactr")
local process = require("support.process")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

local RECIPE <const> = [[
local ctr = require "luactr"
local rootfs = ctr.rootfs.host { "sh", "sleep", "hostname" }
local first, second = ...
return ctr.pod {
  name = "%s", limits = { pids = 60 },
  { name = "one", rootfs = rootfs, command = { "sh", "-c", first } },
  { name = "two", rootfs = rootfs, command = { "sh", "-c", second } },
}
]]

local WAIT <const> = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done"

describe("luactr with a pod #cli", function()
  local dir, recipe, name

  setup(function()
    name = support.name("pod")
    dir = support.tmpdir()
    recipe = dir:write("pod.lua", RECIPE:format(name))
  end)
  teardown(function()
    dir:close()
  end)
  before_each(world.check)
  after_each(function()
    local found = ctr.find(name)
    if found then found:remove { force = true } end
    world.check()
  end)

  local function luactr(...)
    return support.luactr { ... }
  end

  describe("in the foreground", function()
    it("runs all members, and ends with the first status that is not 0", function()
      local result = luactr(recipe, "sleep 0.2; hostname; exit 5", "hostname; exit 6")
      assert.are.same({ 5, name .. "\n" .. name .. "\n", "" },
        { result.code, result.stdout, result.stderr })
      assert.are.equal(6, luactr(recipe, "exit 0", "exit 6").code)
      assert.are.equal(0, luactr(recipe, "exit 0", "exit 0").code)
    end)

    it("passes signals on to all", function()
      local run <close> = process.start { support.luactr_program, recipe, WAIT, WAIT }
      run:expect("ready\nready\n")
      local listed = luactr("ps", "--pod", name, "-q").stdout
      assert.are.equal(name .. ".one\n" .. name .. ".two\n", listed)
      run:signal("TERM")
      run:expect("bye\nbye\n")
      assert.are.equal(7, run:wait().code)
    end)

    it("writes the record of all", function()
      local file = dir.path .. "/result.json"
      assert.are.equal(3, luactr("run", "--json=" .. file, recipe, "exit 0", "exit 3").code)
      local record = require("cjson").decode(support.read(file))
      assert.are.equal(name, record.pod)
      assert.are.same({ "one", 0, "two", 3 }, { record.members[1].name,
        record.members[1].exit_code, record.members[2].name, record.members[2].exit_code })
    end)

    it("says which member did not start, and has the shell's status", function()
      local missing = dir:write("missing.lua", [[
        local ctr = require "luactr"
        return ctr.pod { { name = "one", rootfs = ctr.rootfs.host { "sh" },
          command = { "/no/such" } } }
      ]])
      local result = luactr(missing)
      assert.are.equal(127, result.code)
      assert.matches("^luactr: pod \"%x+\": cannot start \"%x+%.one\"\n", result.stderr)
    end)

    it("tells of all mistakes with their lines", function()
      local wrong = dir:write("wrong.lua", [[
        local ctr = require "luactr"
        return ctr.pod {
          { name = "one", rootfs = "/", command = { "/x" },
            hostnam = "x" },
          { name = "one", rootfs = "/", command = { "/x" } },
        }
      ]])
      local result = luactr(wrong)
      assert.matches("wrong.lua:4: %[1%].hostnam: unknown field", result.stderr)
      assert.matches("wrong.lua:5: %[2%].name: \"one\" is the name of %[1%] already", result.stderr)
    end)
  end)

  describe("that does not run", function()
    it("is explained: what is shared, then each member, with their lines", function()
      local text = luactr("explain", recipe, "exit 0", "exit 0").stdout
      assert.matches("^Make the cgroup luactr/" .. name:gsub("%p", "%%%0") .. "\n", text)
      assert.matches("pod.lua:5 +write%(\"[^\n]*/pids.max\", \"60\"%)", text)
      assert.matches("sethostname%(\"" .. name:gsub("%p", "%%%0") .. "\"", text)
      assert.matches("\n==== one\n.*\n==== two\n", text)
      assert.matches("setns%(network namespace of pod " .. name:gsub("%p", "%%%0"), text)
      assert.matches("pod.lua:7 +execvpe%(", text)
    end)

    it("is explained as data", function()
      local plans = require("cjson").decode(luactr("explain", "--json", recipe, "", "").stdout)
      assert.are.same({ 3, name, name .. ".one", name .. ".two" },
        { #plans, plans[1].id, plans[2].id, plans[3].id })
    end)

    it("is checked, with each member", function()
      assert.matches("pod \"" .. name:gsub("%p", "%%%0") .. "\" of 2, %d+ steps, no problems",
        luactr("check", recipe, "", "").stdout)
      local wrong = dir:write("host.lua", [[
        local ctr = require "luactr"
        return ctr.pod {
          { name = "one", rootfs = ctr.rootfs.host { "sh" }, command = { "sh" },
            user = "nobody-has-this-name" },
        }
      ]])
      local result = luactr("check", wrong)
      assert.are.equal(1, result.code)
      assert.matches("host.lua:4: user: ", result.stderr)
    end)
  end)

  describe("left to monitors", function()
    local function start(first, second)
      local result = luactr("run", "-d", recipe, first, second)
      assert.are.same({ 0, name .. "\n" }, { result.code, result.stdout }, result.stderr)
    end

    it("is found by its name, and its members by theirs", function()
      start("echo from one", WAIT)
      assert.are.equal(0, luactr("wait", name .. ".one").code)
      assert.are.equal("from one\n", luactr("logs", name .. ".one").stdout)
      local all = luactr("stats", "--no-stream", name .. ".two", name).stdout
      assert.matches(name:gsub("%p", "%%%0") .. " +running", all)
      assert.are.equal(0, luactr("stop", name).code)
      assert.are.equal(7, luactr("wait", name).code)
      local listed = require("cjson").decode(luactr("ps", "-a", "--json", "--pod", name).stdout)
      assert.are.same({ 2, name, "exited" }, { #listed, listed[2].pod, listed[2].state })
      assert.are.equal(0, luactr("rm", name).code)
      assert.are.equal("", luactr("ps", "-aq", "--pod", name).stdout)
    end)

    it("pauses, resumes, shows and removes all at once", function()
      start(WAIT, WAIT)
      assert.are.equal(0, luactr("pause", name).code)
      assert.are.equal("paused", ctr.find(name):state())
      assert.are.equal(0, luactr("resume", name).code)
      local _, trees = luactr("tree", name).stdout:gsub("HOST +INSIDE", "")
      assert.are.equal(2, trees)
      assert.matches("\"id\": \"" .. name:gsub("%p", "%%%0") .. "%.two\"",
        luactr("inspect", name).stdout)
      assert.matches("is running", luactr("rm", name).stderr)
      assert.are.equal(0, luactr("rm", "-f", name).code)
    end)

    it("takes the name and the policy of the command line", function()
      local other = support.name("other")
      local result = luactr("run", "-d", "--name", other, "--restart", "no", recipe, "exit 0",
        "exit 0")
      assert.are.equal(other .. "\n", result.stdout)
      assert.are.equal(0, luactr("wait", other .. ".two").code)
      assert.are.equal(0, luactr("rm", "-f", other).code)
    end)

    it("has a row of its own in ps --pods", function()
      start("exit 0", WAIT)
      assert.are.equal(0, luactr("wait", name .. ".one").code)
      assert.matches("\n" .. name:gsub("%p", "%%%0") .. " +running +%d+%l +1 of 2 +one two\n",
        luactr("ps", "--pods").stdout)
      assert.are.equal(0, luactr("stop", name).code)
      assert.is_nil(luactr("ps", "--pods", "-q").stdout:find(name, 1, true))
      assert.is_truthy(luactr("ps", "-aq", "--pods").stdout:find(name .. "\n", 1, true))
    end)

    it("is completed where a verb takes a pod", function()
      start("exit 0", "exit 0")
      local script = dir:write("complete.sh", luactr("completion", "bash").stdout)
      local function complete(verb)
        return support.must { "bash", "-c", "source " .. script .. [[;
          COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _luactr; printf '%s\n' "${COMPREPLY[@]}"]],
          "bash", support.luactr_program, verb, name }
      end
      assert.are.equal(name .. ".one\n" .. name .. ".two\n" .. name .. "\n", complete("stop"))
      assert.are.equal(name .. ".one\n" .. name .. ".two\n", complete("logs"))
    end)

    it("names the members to verbs that take one container", function()
      start("exit 0", "exit 0")
      local result = luactr("logs", name)
      assert.are.equal(125, result.code)
      assert.matches("luactr logs takes no pod", result.stderr)
      assert.matches("try: one of its members: .*%.one, .*%.two", result.stderr)
      assert.matches("luactr exec takes no pod", luactr("exec", name, "ls").stderr)
    end)

    it("tells what happened to its members, also when they are removed", function()
      start("exit 0", "exit 0")
      luactr("rm", "-f", name)
      local text = luactr("events", "--since", "10m", name).stdout
      assert.matches(name .. ".one start", text, 1, true)
      assert.matches(name .. ".two rm", text, 1, true)
      assert.not_matches(name .. ".one", luactr("events", name .. ".two").stdout, 1, true)
    end)

    it("has commands run in a member, and others join it by its name", function()
      start("sleep 1000", "sleep 1000")
      assert.are.equal(name .. "\n", luactr("exec", name .. ".two", "hostname").stdout)
      local other = dir:write("other.lua", ([[
        local ctr = require "luactr"
        return ctr.container { rootfs = ctr.rootfs.host { "hostname" }, command = { "hostname" },
          namespaces = { uts = "container:%s" } }
      ]]):format(name))
      assert.are.equal(name .. "\n", luactr(other).stdout)
    end)
  end)
end)
