-- The verbs for containers of other processes, as people use them.

local cjson = require("cjson")
local ctr = require("luactr")
local lfs = require("lfs")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local RECIPE <const> = [[
local ctr = require "luactr"
return ctr.container {
  rootfs = ctr.rootfs.host { "sh", "sleep", "seq" }, stop_timeout = 1,
  labels = { of = "specs", note = "" },
  command = { "sh", "-c", ... },
}
]]

describe("verbs for detached containers #cli", function()
  local dir, names, recipe

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir, names = support.tmpdir(), {}
    recipe = dir:write("recipe.lua", RECIPE)
  end)

  after_each(function()
    for _, name in ipairs(names) do
      local found = ctr.find(name)
      if found then assert(found:remove { force = true }) end
    end
    dir:close()
    world.check()
  end)

  local function luactr(...)
    return support.luactr { ... }
  end

  local function start(script, text)
    local name = support.name("cli-" .. (text or "one"))
    names[#names + 1] = name
    local result = luactr("run", "-d", "--name", name, recipe, script)
    assert.same({ 0, name .. "\n", "" }, { result.code, result.stdout, result.stderr })
    return name
  end

  local function assert_fails(result, code, text)
    assert.equal(code, result.code, result.stderr)
    assert.is_truthy(result.stderr:find(text, 1, true), result.stderr)
    assert.equal("", result.stdout)
  end

  --- The row of a container in `ps`.
  local function row(name, ...)
    for line in luactr("ps", ...).stdout:gmatch("[^\n]+") do
      if line:find(name, 1, true) then return line end
    end
  end

  it("start, list, wait, print, inspect and remove", function()
    local name = start("trap 'exit 7' USR1; echo out; echo err >&2; while :; do sleep 0.01; done")
    assert.matches("running", row(name))
    while luactr("logs", name).stderr == "" do sys.nanosleep(0.01) end -- it has its trap
    assert.equal(0, luactr("kill", "-s", "USR1", name).code)
    assert.equal(7, luactr("wait", name).code)
    assert.is_nil(row(name))
    assert.matches("exited 7", row(name, "-a"))
    local logs = luactr("logs", name)
    assert.same({ 0, "out\n", "err\n" }, { logs.code, logs.stdout, logs.stderr })
    local seen = cjson.decode(luactr("inspect", name).stdout)[1]
    assert.same({ name, "exited", 7, "sh" },
      { seen.id, seen.state, seen.result.exit_code, seen.spec.command[1] })
    assert.same({ 0, "", "" }, { luactr("rm", name).code, luactr("ps", "-a", "--json").stderr, "" })
    assert.is_nil(row(name, "-a"))
  end)

  it("take the beginning of a name", function()
    local name = start("exit 3", "abc")
    assert.equal(3, luactr("wait", name:sub(1, -2)).code)
    start("exit 0", "abd")
    assert_fails(luactr("rm", name:sub(1, -2)), 125, "is the beginning of")
  end)

  it("tell what happened to one by the beginning of its name, or that there is none", function()
    local name = start("exit 0", "told")
    luactr("wait", name)
    assert.matches(name .. " start", luactr("events", name:sub(1, -2)).stdout, 1, true)
    luactr("rm", name)
    assert.matches(name .. " rm", luactr("events", name).stdout, 1, true)
    assert_fails(luactr("events", name .. "-none"), 125, "no container")
  end)

  it("stop, with the reason in the record", function()
    local name = start("exec sleep 100")
    assert.equal(0, luactr("stop", name).code)
    local result = cjson.decode(luactr("wait", "--json", name).stdout)
    assert.same({ "killed", 15 }, { result.reason, result.signal })
    assert_fails(luactr("stop", name), 125, "it is not running")
  end)

  it("kill with a signal, and end with 128 and its number", function()
    local name = start("exec sleep 100")
    assert.equal(0, luactr("kill", "-s", "USR1", name).code)
    assert.equal(128 + 10, luactr("wait", name).code)
    assert_fails(luactr("kill", "-s", "NOSUCH", name), 2, "unknown signal NOSUCH")
  end)

  it("list by label", function()
    local name = start("exec sleep 100")
    for _, labels in ipairs { { "of" }, { "of=specs" }, { "note=" }, { "note", "of=specs" } } do
      local words = {}
      for i, label in ipairs(labels) do words[2 * i - 1], words[2 * i] = "--label", label end
      assert.is_truthy(row(name, table.unpack(words)), table.concat(labels, " "))
    end
    for _, label in ipairs { "specs", "of=", "of=others", "=specs" } do
      assert.is_nil(row(name, "--label", label), label)
    end
    assert.is_nil(row(name, "--label", "of", "--label", "if"))
    for _, seen in ipairs(cjson.decode(luactr("ps", "--json", "--label", "of").stdout)) do
      assert.same({ of = "specs", note = "" }, seen.labels)
    end
  end)

  it("pause and resume", function()
    local name = start("exec sleep 100")
    assert.equal(0, luactr("pause", name).code)
    assert.matches("paused", row(name))
    assert_fails(luactr("pause", name), 125, "it is paused already")
    assert.equal(0, luactr("resume", name).code)
    assert_fails(luactr("resume", name), 125, "it is not paused")
    assert.equal(0, luactr("rm", "-f", name).code)
  end)

  it("show what it uses", function()
    support.needs("controller:memory")
    local name = start("exec sleep 100")
    local meters = cjson.decode(luactr("stats", "--json", name).stdout)[1]
    assert.is_true(meters.memory > 0)
    assert.matches(name, luactr("stats", "--no-stream", name).stdout, 1, true)
  end)

  it("change limits", function()
    support.needs("controller:pids")
    local name = start("exec sleep 100")
    assert.equal(0, luactr("update", name, "pids=9").code)
    assert.equal(9, cjson.decode(luactr("inspect", name).stdout)[1].spec.limits.pids)
    assert_fails(luactr("update", name, "pids"), 2, "LIMIT=VALUE expected")
    assert_fails(luactr("update", name), 2, "which limits?")
    assert_fails(luactr("update", name, "pid=9"), 125, "pids")
  end)

  it("print the last lines, those since a time, and records", function()
    local name = start("seq 100; printf part")
    assert.equal(0, luactr("wait", name).code)
    assert.equal("99\n100\npart", luactr("logs", "-n", "2", name).stdout)
    assert.equal("", luactr("logs", "--since", "2999-01-01", name).stdout)
    assert.equal(0, #luactr("logs", "-n", "0", name, "--since=1h").stdout - #"part")
    local first = luactr("logs", "--json", name).stdout:match("^[^\n]+")
    assert.same({ "1", "stdout", true },
      { cjson.decode(first).text, cjson.decode(first).stream, cjson.decode(first).full })
    assert.matches("^%d+%-%d+%-%d+T%d+:%d+:%d+%.%d+Z 1\n", luactr("logs", "-t", name).stdout)
    assert_fails(luactr("logs", "-n", "x", name), 2, "--lines: number expected")
    assert_fails(luactr("logs", "--since", "soon", name), 2, "--since: time expected")
  end)

  it("follow a log to the end of the container", function()
    local name = start("for i in 1 2 3 4 5; do echo $i; sleep 0.05; done")
    assert.equal("1\n2\n3\n4\n5\n", luactr("logs", "-f", name).stdout)
  end)

  it("see containers in the foreground, too", function()
    local name = support.name("cli-front")
    local box <close> = ctr.container {
      name = name, rootfs = ctr.rootfs.host { "sleep" }, command = { "sleep", "100" },
    }
    assert(box:start())
    assert.matches("running", row(name))
    assert_fails(luactr("logs", name), 125, "it runs in the foreground")
    assert_fails(luactr("rm", name), 125, "it is running")
    assert_fails(luactr("pause", name), 125, "it runs in the foreground of another luactr")
    assert_fails(luactr("wait", "-t", "10ms", name), 125, "it still runs")
    local child <close> = assert(sys.clone({}, function()
      return luactr("stop", name).code
    end))
    assert.equal(15, assert(box:wait()).signal)
    assert.equal(0, assert(sys.waitid(child)).code)
  end)

  -- A name whose monitor was killed, one whose luactr was, and what gc says then.
  local function kill_and_collect(turn)
    local name = start("exec sleep 100", "lost-" .. turn)
    local found = ctr.find(name)
    local gone = support.name("cli-gone-" .. turn)
    local child <close> = assert(sys.clone({}, function()
      assert(ctr.container({ name = gone, rootfs = ctr.rootfs.host { "sleep" },
        command = { "sleep", "100" } }):start())
      sys.kill(sys.getpid(), sys.signals.KILL)
    end))
    assert(sys.waitid(child))
    local pidfd <close> = assert(sys.pidfd_open(found.record.pid))
    sys.kill(found.record.owner.pid, sys.signals.KILL)
    require("luactr.core").supervise.poll({ { fd = pidfd, events = "r" } }, 60)
    return name, gone, (luactr("gc").stdout:gsub(" +", " "))
  end

  it("find what a killed luactr and a killed monitor left", function()
    local name, gone, text
    local turn = 0
    repeat -- a luactr of somebody else may have come first
      turn = turn + 1
      if name then luactr("rm", name) end
      name, gone, text = kill_and_collect(turn)
    until turn == 10 or text:find(name, 1, true) and text:find(gone, 1, true)
    assert.matches(gone .. " leftover removed\n", text, 1, true)
    assert.matches(name .. " monitor was killed: lost\n", text, 1, true)
    assert.matches("lost (monitor killed)", row(name, "-a"), 1, true)
    local waited = luactr("wait", name)
    assert.equal(125, waited.code)
    assert.matches("its monitor was killed, and it ended with that", waited.stderr, 1, true)
    assert.matches("luactr logs " .. name, waited.stderr, 1, true)
    assert.matches("its monitor was killed", luactr("stop", name).stderr, 1, true)
    assert.is_nil(luactr("gc", "--json").stdout:find(name, 1, true))
    assert.equal(0, luactr("rm", name).code)
    assert.is_nil(row(name, "-a"))
  end)

  it("work without root", function()
    support.needs("stranger")
    local runtime = dir:mkdir "run"
    assert.equal(0, support.run({ "chown", "-R", support.stranger, dir.path }).code)
    local function as_user(...)
      local argv = { ... }
      argv.user, argv.env = support.stranger, { XDG_RUNTIME_DIR = runtime }
      return support.luactr(argv)
    end
    local name = support.name("cli-user")
    assert.same({ 0, name .. "\n" }, (function(result)
      return { result.code, result.stdout }
    end)(as_user("run", "-d", "--name", name, recipe, "echo mine; exit 4")))
    assert.equal(4, as_user("wait", name).code)
    assert.equal("mine\n", as_user("logs", name).stdout)
    assert.equal(0, as_user("rm", name).code)
    assert.equal("[]\n", as_user("ps", "-a", "--json").stdout)
  end)

  describe("refuse", function()
    local LONG <const> = ("x"):rep(300)

    local function shown(name)
      return ("%q of %d bytes"):format(name:sub(1, 8):gsub("\n", "."), #name)
    end

    for _, bad in ipairs { "nobody", "..", "../etc", "a/b", "a\nb", LONG, "" } do
      it("a name that nobody has: " .. shown(bad), function()
        for _, verb in ipairs { "stop", "kill", "pause", "resume", "rm", "logs", "wait", "inspect",
          "stats" } do
          assert_fails(luactr(verb, "--", bad), 125, "no container \"")
        end
      end)
    end

    it("a name with bytes that could command the terminal, which are shown once", function()
      assert_fails(luactr("rm", "a\nb\27[31m"), 125, [[no container "a\x0ab\x1b[31m"]])
    end)

    for _, bad in ipairs { "..", "a/b", "a\nb", LONG, "-x" } do
      it("to start under a bad name: " .. shown(bad), function()
        assert_fails(luactr("run", "-d", "--name=" .. bad, recipe, "exit 0"), 2, "luactr: --name: ")
      end)
    end

    it("two containers with one name", function()
      local name = start("exec sleep 100")
      assert_fails(luactr("run", "-d", "--name", name, recipe, "exit 0"), 125, "is in use")
      assert.equal(0, luactr("rm", "-f", name).code)
    end)

    it("to remove one that runs", function()
      local name = start("exec sleep 100")
      assert_fails(luactr("rm", name), 125, "luactr stop " .. name)
      assert.equal(0, luactr("rm", "-f", name).code)
    end)

    it("to run a monitor from memory where the host forbids it, and say so", function()
      support.needs("file:/proc/sys/vm/memfd_noexec")
      if lfs.attributes(require("luactr.core").init_path) then return end -- the installed one runs
      local result = support.run { "unshare", "--pid", "--mount", "--fork", "sh", "-c",
        "mount -t proc proc /proc && echo 2 >/proc/sys/vm/memfd_noexec && exec \"$@\"", "sh",
        support.luactr_program, "run", "-d", "--name", support.name("cli-memfd"), recipe, "exit 0" }
      assert_fails(result, 125, "start the monitor\n  EACCES (Permission denied): vm.memfd_noexec")
    end)

    it("a recipe without a container", function()
      assert_fails(luactr("run", "-d", dir:write("none.lua", "return 0")), 2,
        "only a container or a pod can run detached")
    end)

    for _, verb in ipairs { "stop", "kill", "pause", "resume", "rm", "logs", "wait", "inspect" } do
      it("no name for " .. verb, function()
        assert_fails(luactr(verb), 2, "which container?")
      end)
    end
  end)

  it("run --restart starts it again, and is refused in the foreground", function()
    local name = support.name("cli-restart")
    names[#names + 1] = name
    local function run(...)
      return luactr("run", "--name", name, ...)
    end
    assert.equal(0, run("-d", "--restart", "on-failure:2", recipe, "echo life; exit 6").code)
    assert.equal(6, luactr("wait", name).code)
    assert.equal("life\nlife\nlife\n", luactr("logs", name).stdout)
    local seen = cjson.decode(luactr("inspect", name).stdout)
    assert.same({ 2, "on-failure:2" }, { seen[1].restarts, seen[1].spec.restart })
    local wrong = run("-d", "--restart", "sometimes", recipe, "exit 0")
    assert.equal(2, wrong.code)
    assert.matches("%-%-restart: \"no\", \"on%-failure\"", wrong.stderr)
    local refused = run("--restart", "always", recipe, "exit 0")
    assert.equal(125, refused.code)
    assert.matches("try: luactr run %-d", refused.stderr)
  end)

  it("ps names one whose monitor was killed", function()
    local name = start("exec sleep 100")
    local owner = assert(ctr.find(name)).record.owner.pid
    local pidfd <close> = assert(sys.pidfd_open(owner))
    sys.kill(owner, sys.signals.KILL)
    require("luactr.core").supervise.poll({ { fd = pidfd, events = "r" } })
    -- Another suite's luactr may be the one that finds it.
    local seen = luactr("ps", "-a")
    assert.matches("lost (monitor killed)", seen.stdout, 1, true)
    if seen.stderr:find(name, 1, true) then
      assert.matches(name .. ": its monitor was killed", seen.stderr, 1, true)
    end
  end)
end)
