-- `luactr exec`: commands in containers that run.

local cjson = require("cjson")
local ctr = require("luactr")
local detached = require("support.detached")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("luactr exec #cli", function()
  local here, luactr

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    here = detached.open [[host { "sh", "sleep", "cat", "id", "tty", "stty", "ps" }]]
    luactr = here.luactr
  end)

  after_each(function()
    here:close()
    world.check()
  end)

  local function prints(text, ...)
    local result = luactr("exec", ...)
    assert.same({ 0, "", text }, { result.code, result.stderr, result.stdout })
  end

  it("runs a command with the words that follow, and ends with its status", function()
    local name = here:start("sleep 100", "exec")
    prints("--json -u x\n", name, "sh", "-c", "echo $*", "sh", "--json", "-u", "x")
    assert.equal(7, luactr("exec", name, "sh", "-c", "exit 7").code)
    assert.equal(128 + 15, luactr("exec", name, "sh", "-c", "kill $$").code)
    assert.equal(7, luactr("exec", name:sub(1, -2), "sh", "-c", "exit 7").code)
  end)

  it("takes user, directory, variables and capabilities", function()
    local name = here:start("sleep 100", "exec")
    local script <const> = "echo $(id -u):$(id -g) $PWD $A $B; while read -r a b; do "
      .. "[ $a = CapEff: ] && echo $b; done </proc/self/status"
    local result = support.luactr { "exec", "-u", "5:6", "-w", "/usr", "-e", "A=1=2", "-e", "B",
      "--cap", "net_raw", name, "sh", "-c", script, env = { B = "ours" } }
    assert.same({ "", "5:6 /usr 1=2 ours\n0000000000002000\n" }, { result.stderr, result.stdout })
  end)

  it("reads the standard input only when it is told to", function()
    local name = here:start("sleep 100", "exec")
    assert.equal("", support.luactr { "exec", name, "cat", stdin = "text" }.stdout)
    assert.equal("text", support.luactr { "exec", "-i", name, "cat", stdin = "text" }.stdout)
  end)

  it("passes signals on, and leaves nothing running when it is killed", function()
    local name = here:start("sleep 100", "exec")
    local script <const> = "trap 'exit 9' USR1; echo up; while :; do sleep 0.1; done"
    local one <close> = process.start { support.luactr_program, "exec", name, "sh", "-c", script }
    one:expect("up\n")
    one:signal("USR1")
    assert.same({ code = 9 }, { code = one:wait().code })
    local two <close> = process.start { support.luactr_program, "exec", name, "sh", "-c", script }
    two:expect("up\n")
    two:signal("KILL")
    two:wait()
    local deadline = sys.clock_gettime() + 60
    local text
    repeat
      text = luactr("exec", name, "ps", "ax").stdout
      assert.is_true(sys.clock_gettime() < deadline, text)
    until not text:find("trap", 1, true)
  end)

  it("tells of it", function()
    local name = here:start("sleep 100", "exec")
    prints("", name, "sh", "-c", "true")
    local found
    for event in assert(ctr.events { name = name }) do
      found = event.event == "exec" and event or found
    end
    assert.same({ "sh", "-c", "true" }, found.command)
  end)

  it("writes the record", function()
    local name, file = here:start("sleep 100", "exec"), here.dir .. "/record"
    assert.equal(3, luactr("exec", "--json=" .. file, name, "sh", "-c", "exit 3").code)
    local record = cjson.decode(support.read(file))
    assert.same({ 3, "exit" }, { record.exit_code, record.reason })
  end)

  it("enters a container that another luactr runs in the foreground", function()
    local name = here:name("front")
    local recipe = here.dir:write("front.lua", ([[
      local ctr = require "luactr"
      return ctr.container { name = %q, rootfs = ctr.rootfs.host { "sh", "cat" }, user = 5,
        env = { A = "b" }, command = { "sh", "-c", "echo up; cat" } }]]):format(name))
    local front <close> = process.start { support.luactr_program, recipe }
    front:expect("up\n")
    prints("5 b\n", name, "sh", "-c", "while read -r a b c; do [ $a = Uid: ] && echo $b $A; done "
      .. "</proc/self/status; exit 0")
    front:end_input()
    front:wait()
  end)

  describe("on a terminal", function()
    -- A shell of the host on a terminal, which runs luactr there.
    local function start(name, script)
      return process.start { "sh", "-c", (script:gsub("LUACTR", support.luactr_program)
        :gsub("NAME", name)), tty = true }
    end

    it("is a shell with jobs, of the container's terminals, in the window's size", function()
      local name = here:start("sleep 100", "exec")
      local shell <close> = start(name, "exec LUACTR exec -it -e PS1=ready: NAME sh -i")
      shell:expect("ready:")
      shell:write("tty; stty size\n")
      shell:expect("/dev/pts/0\r\n24 80\r\n")
      shell:resize(40, 100)
      local deadline = sys.clock_gettime() + 60
      repeat
        shell:write("stty size\n")
        sys.nanosleep(0.1)
        shell:pump(0.1)
        assert.is_true(sys.clock_gettime() < deadline, shell.stdout)
      until shell.stdout:find("40 100", 1, true)
      shell:write("sh -c 'echo go''ing; exec sleep 1000'\n")
      shell:expect("going")
      shell:write("\26") -- Ctrl-Z
      shell:expect("%^Z.*ready:")
      shell:write("jobs\n")
      shell:expect("Stopped")
      shell:write("kill -9 %1; wait; sh -c 'echo ag''ain; exec sleep 1000'\n")
      shell:expect("again")
      shell:write("\3") -- Ctrl-C
      shell:write("echo is $((6 * 7))\n")
      shell:expect("is 42")
      assert.is_nil(shell.stdout:find("job control", 1, true))
      shell:write("exit 5\n")
      assert.same({ 5 }, { shell:wait().code })
    end)

    it("leaves the terminal as it was, and the container's console alone", function()
      local name = here:start("sleep 100", "exec")
      local shell <close> = start(name, "echo before $(stty -g); LUACTR exec -t NAME sh -c "
        .. "'stty raw -echo; [ -e /dev/console ] && echo console; exit 3'; "
        .. "echo status $?; echo after $(stty -g); echo end")
      shell:expect("end\r\n")
      assert.equal("3", shell.stdout:match("status (%d+)"))
      assert.equal(shell.stdout:match("before (%S+)"), shell.stdout:match("after (%S+)"))
      assert.is_nil(shell.stdout:find("console\r\n", 1, true))
    end)

    it("has what a pipe brings, and its end", function()
      local name = here:start("sleep 100", "exec")
      local result = support.luactr { "exec", "-t", name, "cat", stdin = "text\n" }
      assert.same({ 0, "text\r\ntext\r\n" }, { result.code, result.stdout })
    end)

    it("is of the user that it is for", function()
      local name = here:start("sleep 100", "exec")
      local result = support.luactr { "exec", "-t", "-u", "5", name, "sh", "-c",
        "[ -O $(tty) ] && [ -w $(tty) ] && echo mine" }
      assert.equal("mine\r\n", result.stdout)
    end)
  end)

  local FAILURES <const> = {
    { title = "no name", code = 2, text = "which container?" },
    { title = "no command", "NAME", code = 2, text = "which command?" },
    { title = "an unknown name", "none-such", "true", code = 125, text = "no container" },
    { title = "names of two", "BOTH", "true", code = 125, text = "is the beginning of" },
    { title = "one that has ended", "ENDED", "true", code = 125, text = "it is not running" },
    { title = "a program that is missing", "NAME", "nonesuch", code = 127,
      text = "no directory of PATH has nonesuch" },
    { title = "a directory as program", "NAME", "/usr", code = 126, text = "/usr is a directory" },
    { title = "an unknown user", "-u", "nobody", "NAME", "id", code = 125, text = "is not known" },
    { title = "a missing directory", "-w", "/none", "NAME", "id", code = 125,
      text = "there is no /none in the root" },
    { title = "an unknown capability", "--cap", "none", "NAME", "id", code = 2,
      text = "unknown capability" },
    { title = "a relative directory", "-w", "tmp", "NAME", "id", code = 2,
      text = "absolute path expected" },
  }

  it("says what is wrong", function()
    local words = { NAME = here:start("sleep 100", "exec-a") }
    words.ENDED = here:start("exit 0", "exec-b")
    assert.equal(0, luactr("wait", words.ENDED).code)
    words.BOTH = words.NAME:sub(1, -2)
    for _, failure in ipairs(FAILURES) do
      local argv = { "exec" }
      for i, word in ipairs(failure) do argv[i + 1] = words[word] or word end
      local result = support.luactr(argv)
      assert.is_truthy(result.stderr:find(failure.text, 1, true), failure.title .. result.stderr)
      assert.equal(failure.code, result.code, failure.title)
    end
  end)

  it("does not wait for a paused container", function()
    local name = here:start("sleep 100", "exec")
    assert.equal(0, luactr("pause", name).code)
    here.fails(luactr("exec", name, "id"), 125, "it is paused")
    assert.equal(0, luactr("resume", name).code)
  end)
end)
