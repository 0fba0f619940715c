-- `luactr run` with real containers: statuses, signals, the result record, the trace.
local cjson = require("cjson")
local process = require("support.process")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root", "program:busybox")

describe("luactr run #cli", function()
  local dir

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    dir:close()
  end)

  -- A recipe of a container with a shell; its path.
  local function recipe(command, more)
    local root = dir:mkdir("root/bin"):match("^(.*)/bin$")
    support.copy("/bin/busybox", root .. "/bin/sh")
    return dir:write("recipe.lua", ([[
local ctr = require "luactr"
return ctr.container { name = "run-spec", rootfs = %q, command = { %s }, %s }
]]):format(root, command, more or ""))
  end

  local function shell(script, more)
    return recipe(('"/bin/sh", "-c", %q'):format(script), more)
  end

  describe("status", function()
    local cases = {
      { "the command's", 0, '"/bin/sh", "-c", "exit 0"' },
      { "the command's, not 0", 7, '"/bin/sh", "-c", "exit 7"' },
      { "128 and the signal", 128 + 9, '"/bin/sh", "-c", "kill -9 $$"' },
      { "127 for a program that is not there", 127, '"/bin/none"' },
      { "127 for one that no directory has", 127, '"none"' },
      { "126 for one that cannot be executed", 126, '"/bin"' },
      { "125 when luactr fails", 125, '"/bin/sh"', 'cwd = "/none"' },
    }
    for _, case in ipairs(cases) do
      it("is " .. case[1], function()
        local result = support.luactr { recipe(case[3], case[4]) }
        assert.equal(case[2], result.code, result.stderr)
        local quiet = case[2] < 125 or case[2] > 127
        assert.equal(quiet, result.stderr == "", result.stderr)
      end)
    end

    it("is that of a result that the recipe returns", function()
      local path = recipe('"/bin/sh", "-c", "exit 9"')
      local text = support.read(path):gsub("return ctr.container", "return ctr.run")
      assert.equal(9, support.luactr({ dir:write("program.lua", text) }).code)
    end)

    it("is that of an error that the recipe returns", function()
      local path = recipe('"/bin/none"')
      local text = support.read(path):gsub("return ctr.container", "return ctr.run")
      local result = support.luactr { dir:write("program.lua", text) }
      assert.equal(127, result.code)
      assert.matches("there is no /bin/none in the root", result.stderr, 1, true)
    end)
  end)

  it("passes the streams on", function()
    local result = support.luactr { shell("read x; echo out $x; echo err >&2"), stdin = "in\n" }
    assert.same({ "out in\n", "err\n" }, { result.stdout, result.stderr })
  end)

  it("runs without stdin and stdout", function()
    local path = shell("read x || echo none >&2; echo lost; exit 4")
    local result = support.luactr { path, stdin = "closed", stdout = "closed" }
    assert.equal(4, result.code, result.stderr)
    assert.matches("none\n", result.stderr, 1, true)
  end)

  for _, name in ipairs { "TERM", "INT", "HUP", "USR1" } do
    it("forwards " .. name, function()
      local path = shell(("trap 'echo got; exit 3' %s; echo ready; while :; do sleep 0.02; done")
        :format(name))
      support.symlink("sh", dir.path .. "/root/bin/sleep")
      local luactr <close> = process.start { support.luactr_program, path }
      luactr:expect("ready")
      luactr:signal(name)
      luactr:expect("got")
      assert.same({ code = 3 }, { code = luactr:wait().code })
    end)
  end

  it("warns of limits that this host does not enforce, and records it", function()
    local file = dir.path .. "/result.json"
    -- one of the two is cgroup v1's alone, the other v2's
    local path = shell("exit 0", 'limits = { optional = true, net_class = 1, memory_high = "1G" }')
    local result = support.luactr { "--json=" .. file, path }
    assert.equal(0, result.code)
    assert.matches("luactr: warning: limits.[%w_]+ is not enforced", result.stderr)
    assert.matches("^limits.[%w_]+ is not enforced", cjson.decode(support.read(file)).warnings[1])
  end)

  describe("--json", function()
    it("writes the record to a file", function()
      local file = dir.path .. "/result.json"
      local result = support.luactr { "--json=" .. file, shell("echo hello; exit 5") }
      assert.same({ 5, "hello\n", "" }, { result.code, result.stdout, result.stderr })
      local record = cjson.decode(support.read(file))
      assert.same({ 5, "exit" }, { record.exit_code, record.reason })
      assert.is_true(record.wall_seconds > 0)
    end)

    it("writes it to descriptor 3", function()
      local file = dir.path .. "/result.json"
      local result = support.run { "sh", "-c", ("exec %s run --json %s 3>%s"):format(
        support.luactr_program, shell("kill -TERM $$"), file) }
      assert.equal(128 + 15, result.code)
      assert.equal(15, cjson.decode(support.read(file)).signal)
    end)

    it("does not show descriptor 3 to the command", function()
      local result = support.run { "sh", "-c", ("exec %s run --json %s 3>%s/out"):format(
        support.luactr_program, shell("echo leak >&3"), dir.path) }
      assert.is_true(result.code > 0)
      assert.is_nil(support.read(dir.path .. "/out"):find("leak", 1, true))
    end)

    it("needs that descriptor", function()
      local result = support.run { "sh", "-c", ("exec %s run --json %s 3>&-"):format(
        support.luactr_program, shell("true")) }
      assert.equal(2, result.code)
      assert.matches("descriptor 3, which is closed", result.stderr, 1, true)
    end)

    it("tells why nothing started", function()
      local file = dir.path .. "/result.json"
      support.luactr { "--json=" .. file, recipe('"/bin/none"') }
      local record = cjson.decode(support.read(file))
      assert.same({ "start_failed", "ENOENT", "exec", true },
        { record.reason, record.error.code, record.error.op, record.error.checked })
    end)

    it("tells what is wrong with a recipe", function()
      local file = dir.path .. "/result.json"
      support.luactr { "--json=" .. file, recipe('"/bin/sh"', "limit = {}") }
      local record = cjson.decode(support.read(file))
      assert.same({ "ESPEC", "limit" }, { record.error.code, record.error.problems[1].path })
    end)
  end)

  describe("the trace", function()
    local function assert_traced(result)
      assert.equal("", result.stdout)
      assert.matches("luactr:%s+0 us  step 1 of %d+: ", result.stderr)
      local last, of = result.stderr:match("step (%d+) of (%d+): exec /bin/sh\n$")
      assert.equal(of, last)
    end

    it("is printed with -v", function()
      assert_traced(support.luactr { "-v", shell("true") })
    end)

    it("is printed with LUACTR_LOG", function()
      assert_traced(support.luactr { shell("true"), env = { LUACTR_LOG = "1" } })
    end)

    it("ends with the step that failed", function()
      local result = support.luactr { "-v", recipe('"/bin/sh"', 'cwd = "/none"') }
      assert.matches("step %d+ of %d+: change to the directory /none\nluactr: ", result.stderr)
    end)
  end)

  describe("colour", function()
    local function on_terminal(env)
      local luactr <close> = process.start { support.luactr_program, dir.path .. "/none.lua",
        tty = true, env = env }
      luactr:wait()
      return luactr.stdout
    end

    it("is for terminals", function()
      assert.matches("\27[1;31mluactr:\27[0m cannot read", on_terminal { TERM = "xterm" }, 1, true)
      assert.is_nil(support.luactr({ dir.path .. "/none.lua" }).stderr:find("\27"))
    end)

    it("is off by NO_COLOR and for dumb ones", function()
      assert.is_nil(on_terminal({ TERM = "xterm", NO_COLOR = "1" }):find("\27"))
      assert.is_nil(on_terminal({ TERM = "dumb" }):find("\27"))
    end)
  end)

  it("says why a limit ended the command", function()
    local limits = 'limits = { wall_time = "0.1s" }'
    local result = support.luactr { shell("while :; do :; done", limits) }
    assert.equal(128 + 9, result.code)
    assert.matches("luactr: warning: wall_time: it ran longer than limits.wall_time", result.stderr,
      1, true)
  end)
end)
