-- The recipes of lua/recipes, run as a user runs them. What they print is read back and compared
-- with what the host says.

local process = require("support.process")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

local function run(name, ...)
  local result = support.luactr { "lua/recipes/" .. name .. ".lua", ..., timeout = 180 }
  assert.are.equal(0, result.code, result.stderr)
  assert.are.equal("", result.stderr)
  return result.stdout
end

-- All numbers that a pattern captures in a text.
local function numbers(text, pattern)
  local list = {}
  for number in text:gmatch(pattern) do
    list[#list + 1] = tonumber(number)
  end
  return list
end

local function assert_between(low, number, high)
  assert.is_true(number and low <= number and number <= high,
    string.format("%s is not between %g and %g", number, low, high))
end

-- The bounds tell a limit from none, on a busy or an emulated machine too; how exact limits are is
-- for scripts/bench to say.
describe("lua/recipes #system", function()
  before_each(world.check)
  after_each(world.check)

  it("hello: runs one program", function()
    assert.matches("^Hello", run("hello"))
  end)

  it("background: is found, followed and asked to end", function()
    local text = run("background")
    assert.matches("stdout: line 1\nstdout: line 2\nstdout: line 3\n", text)
    assert.matches("exited with 3, after %d+%.%d s\n$", text)
  end)

  it("neighbours: the server is stopped when the client has ended", function()
    assert.equal("client: the server is ready, and I am done\nthe client exited with 0\n"
      .. "the server exited with 3\n", run("neighbours"))
  end)

  it("pipeline: everything passes, and a writer without a reader ends", function()
    assert.equal("the first with a 7: 7, 17, 27\nseq was ended by signal 13, as in a shell\n",
      run("pipeline"))
  end)

  it("parallel: all jobs are done, several at a time", function()
    local text = run("parallel")
    assert.matches("squares: 1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144\n", text)
    assert.matches("\n4 of them ran at the same time\n$", text)
  end)

  it("elastic: the limit is raised until there is enough", function()
    support.needs("controller:memory")
    local text = run("elastic")
    assert.matches(": 64 MiB from now on\n", text)
    local kills, peak = text:match("exit 0 after (%d+) kills, with (%d+) MiB at the most\n$")
    assert_between(1, tonumber(kills), 100)
    assert_between(33, tonumber(peak), 256)
  end)

  it("health: an ill container is found out and started again", function()
    local text = run("health")
    for life = 1, 3 do
      assert.matches(("life %d: healthy"):format(life), text)
      assert.matches(("life %d: unhealthy"):format(life), text)
    end
    assert.matches("given up after 3 lives %(killed%)\n$", text)
  end)

  it("chroot: bash, ls and pwd work, and clear is not found", function()
    local text = run("chroot")
    assert.matches("%$ pwd\n/\n", text)
    assert.matches("%$ ls /bin\nbash\nls\npwd\n", text)
    assert.matches("clear: command not found", text)
  end)

  it("namespaces: each is new, bash is PID 1, the host keeps its name", function()
    local name, text = sys.uname().nodename, run("namespaces")
    for kind, host, own, word in text:gmatch("\n(%l+) +(%d+) +(%d+) +(%l+)") do
      assert.are.equal(sys.readlink("/proc/self/ns/" .. kind):match("%d+"), host, kind)
      assert.are.equal(word == "new", host ~= own, kind)
      assert.are.equal(kind == "user" and "shared" or "new", word, kind)
    end
    local inside, outside = text:match("bash has the pid (%d+)"), text:match("bash (%d+)\n")
    assert.are.equal("1", inside)
    assert.is_true(tonumber(outside) > 1)
    assert.matches("host name is container;", text)
    assert.are.equal(name, sys.uname().nodename)
  end)

  it("overlay: the upper of two files is seen, and the layers below stay", function()
    local text = run("overlay")
    assert.matches("^one, of the base\ntwo, of the patch\nleft: three two\n", text)
    local written, base = text:match("\nin written:\n(.-)\n\nin base:\n(.*)")
    assert.matches("one%s+char", written)
    assert.matches("three%s+file", written)
    assert.matches("one%s+file", base)
    assert.is_nil(base:find("three", 1, true))
  end)

  it("cpu-quota: an endless loop gets 30 %", function()
    support.needs("controller:cpu")
    local text = run("cpu-quota", "2")
    assert_between(0, numbers(text, "([%d.]+) %%")[2], 42)
    assert_between(0, numbers(text, "held it back for ([%d.]+) s")[1], 60)
  end)

  it("container: 40 %, shared by its loops; one number inside, another outside", function()
    support.needs("controller:cpu")
    local text = run("container", "2", support.name("demo"))
    local whole = numbers(text, "the container: ([%d.]+) %%")
    assert_between(0, whole[1], 52)
    assert_between(0, whole[2], 52)
    local loops = numbers(text, "loop %d+: ([%d.]+) %%")
    assert.are.equal(3, #loops)
    assert_between(0, loops[2] + loops[3], 52) -- which of them gets more is up to their CPUs
    local inside, outside = text:match("\n +(%d+) bash +(%d+) bash")
    assert.are.equal("1", inside)
    assert.are_not.equal(inside, outside)
    inside, outside = text:match("\n +(%d+) eatcpu +(%d+) eatcpu")
    assert.are.equal("2", inside)
    assert.are_not.equal(inside, outside)
  end)

  it("memory: above the limit the kernel kills, and the counter says so", function()
    support.needs("controller:memory")
    local text = run("memory")
    assert.matches("signal 9, reason oom", text)
    assert_between(20, numbers(text, "([%d.]+) MiB of 32")[1], 32)
    assert.are.same({ 1 }, numbers(text, "counted (%d+) kill"))
  end)

  it("pids: fork is refused at the limit", function()
    support.needs("controller:pids")
    local text = run("pids")
    assert.are.same({ 6 }, numbers(text, "(%d+) of 10"))
    assert.matches("Cannot fork", text)
  end)

  it("io: a disk is as slow as it is told to be", function()
    support.needs("controller:" .. (support.layout() == "v2" and "io" or "blkio"))
    local text = run("io")
    if text:find("^skipped") then
      return pending(text)
    end
    assert_between(1, numbers(text, ": (%d+) KiB/s on disk")[1], 1200)
  end)

  it("devices: what the list does not name is refused", function()
    local text = run("devices")
    assert.matches("/dev/null: opened", text)
    assert.matches("/dev/zero: refused", text)
  end)

  it("syscalls: a fake uname, a full disk, a list of addresses", function()
    local text = run("syscalls")
    assert.matches("^uname\n  Minix 1.5\n", text)
    assert.matches("line 1\n  line 2\n  bash: [^\n]*: No space left on device\n  line 4\n", text)
    assert.matches("/80: Permission denied", text)
    assert.matches("/8080: Connection refused", text)
  end)

  it("pod: the client reads what the server has, in one network, below one limit", function()
    support.needs("program:busybox", "controller:memory")
    local text = run("pod")
    assert.matches("^here is web\nserved by one container, read by another\n", text)
    assert.matches("the client exited with 0, the server was killed\n", text)
    assert_between(0.1, tonumber(text:match("took ([%d.]+) of 32 MiB")), 32)
  end)

  it("subsystems: a frozen loop uses no CPU and goes on later", function()
    local text, running, after
    for _ = 1, 10 do -- a busy machine has no time for it now and then
      text = run("subsystems")
      local frozen
      running, frozen, after = text:match("([%d.]+) s.-([%d.]+) s.-([%d.]+) s")
      assert_between(0, tonumber(frozen), 0.01)
      if math.min(tonumber(running), tonumber(after)) > 0.01 then break end
    end
    assert_between(0.01, math.min(tonumber(running), tonumber(after)), math.huge)
    local has_net_cls = support.controller("net_cls") ~= nil
    assert.are.equal(has_net_cls, text:find("net_cls: skipped: ", 1, true) == nil)
  end)

  for _, name in ipairs { "hello", "chroot", "namespaces" } do
    it(name .. ": runs without root, in a user namespace", function()
      support.needs("stranger")
      local user, runtime <close> = support.stranger, support.tmpdir()
      assert(sys.chown(runtime.path, user, user))
      local result = support.luactr { "lua/recipes/" .. name .. ".lua", user = user,
        env = { XDG_RUNTIME_DIR = runtime.path } }
      assert.are.equal(0, result.code, result.stderr)
      assert.are_not.equal("", result.stdout)
    end)
  end

  -- On a terminal these end with a shell, which a person leaves.
  for name, case in pairs {
    chroot = { "chroot:/%$ ", "echo /bin/*", "/bin/bash /bin/ls /bin/pwd" },
    namespaces = { "container:/# ", "hostname; echo $$", "container\r\n1\r" },
    container = { "container:/# ", "echo $$; pwd", "1\r\n/\r" },
  } do
    it(name .. ": offers a shell on a terminal", function()
      local recipe = "lua/recipes/" .. name .. ".lua"
      local shell <close> = process.start { support.luactr_program, recipe, "0.2", tty = true }
      local prompt, command, answer = table.unpack(case)
      shell:expect(prompt)
      shell:write(command .. "\n")
      shell:expect("\n" .. answer)
      shell:write("exit 3\n")
      assert.are.equal(3, shell:wait().code)
    end)
  end

  it("has a header that teaches in each", function()
    for _, entry in ipairs(sys.readdir("lua/recipes")) do
      local text = support.read("lua/recipes/" .. entry.name)
      assert.is_truthy(text:find("^#!/usr/bin/env luactr\n%-%-%-? %u"), entry.name)
      assert.is_truthy(text:find("\n%-%-   luactr [%w/]*" .. entry.name:gsub("%p", "%%%0")),
        entry.name)
    end
  end)

  it("landlock: the rules hold, without a namespace", function()
    if (sys.landlock_abi() or 0) < 6 then return pending("needs Landlock ABI 6") end
    support.needs("file:/etc/passwd")
    local text = run("landlock")
    assert.matches("passwd\n%d+\n", text)
    assert.matches("ls /root\n[^\n]*Permission denied", text)
    assert.matches("var/tmp/[^\n]*\n[^\n]*Permission denied", text)
    assert.matches("mktemp works in /tmp", text)
    assert.matches("/dev/tcp/[^\n]*\n[^\n]*Permission denied", text)
    assert.matches("kill %-0 %d+\n[^\n]*not permitted", text)
    assert.are.equal("/\n", run("landlock", "pwd"))
  end)
end)
