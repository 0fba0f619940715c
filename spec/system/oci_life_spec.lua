-- The life of a container of a bundle: made by one luactr, started, looked at, ended and removed by
-- others, with none of them between.

local ctr = require("luactr")
local life = require("luactr.oci.life")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local PATIENCE <const> = 60 -- seconds

describe("a container of a bundle #system #layout", function()
  local dir, host

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir = support.tmpdir()
    host = require("luactr.oci.host").facts(dir.path .. "/root")
  end)

  after_each(function()
    for _, left in ipairs(life.list(host)) do assert(left:delete { force = true }) end
    dir:close()
    world.check()
  end)

  local id <const> = support.name("oci")

  local function request(script, fields)
    local raw = {
      rootfs = ctr.rootfs.host { "sh", "sleep", "cat" }, init = false, tty = false,
      command = { "sh", "-c", script }, stdin = "null",
      stdout = { file = dir.path .. "/out" }, stderr = { file = dir.path .. "/err" },
    }
    for name, value in pairs(fields or {}) do raw[name] = value end
    return { id = id, host = host, bundle = dir.path, raw = raw }
  end

  local function create(script, fields) return assert(life.create(request(script, fields))) end

  local function await(what, condition)
    local deadline = sys.clock_gettime() + PATIENCE
    while not condition() do
      assert.is_true(sys.clock_gettime() < deadline, what)
      sys.nanosleep(0.01)
    end
  end

  local function await_status(status)
    await("it is not " .. status, function()
      local found = life.find(host, id)
      return found and found:state().status == status
    end)
  end

  local function refused(code, text, done, err)
    assert.is_nil(done)
    assert.equal(code, err.code)
    assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
  end

  it("leaves the old root mounted, if nobody is to pivot", function()
    for _, no_pivot in ipairs { false, true } do
      local wanted = request "exec sleep 1000"
      wanted.no_pivot = no_pivot
      local container = assert(life.create(wanted))
      local root = sys.readlink("/proc/" .. container.record.pid .. "/root")
      assert.equal(no_pivot, root ~= "/", root)
      container:delete { force = true }
    end
  end)

  it("is created without its program, runs when it is started, and is stopped", function()
    local container = create "echo ran; exec sleep 1000"
    local state = container:state()
    assert.same({ ociVersion = "1.3.0", id = id, status = "created", pid = container.record.pid,
      bundle = dir.path }, state)
    assert.is_nil(support.read(dir.path .. "/out"):match("ran"))
    container = assert(life.find(host, id))
    assert(container:start())
    await("it does not run", function() return support.read(dir.path .. "/out") == "ran\n" end)
    assert.equal("running", container:state().status)
    assert(container:kill "KILL")
    await_status "stopped"
    assert.is_nil(container:state().pid)
    assert(container:delete())
    refused("ENOENT", "does not exist", life.find(host, id))
  end)

  it("says of a program that cannot be found that there is none, at its creation", function()
    local asked = request "exit"
    asked.raw.command = { "/no/such/program" }
    refused("ENOENT", "No such file or directory", life.create(asked))
    asked.raw.command = { "/bin" }
    refused("EACCES", "Permission denied", life.create(asked))
    assert.same({}, life.list(host))
  end)

  it("says why a program that is there cannot be run, at its start", function()
    local cases <const> = {
      ["#!/no/interpreter\n"] = { "ENOENT", "interpreter of its #! line is not: /no/interpreter" },
      ["no program"] = { "ENOEXEC", "/program is neither an ELF program nor a script" },
    }
    for text, case in pairs(cases) do
      local asked = request "exit"
      asked.raw.mounts = { ctr.file("/program", text, { mode = "0755" }) }
      asked.raw.command = { "/program" }
      local container = assert(life.create(asked))
      refused(case[1], case[2], container:start())
      await_status "stopped"
      assert(container:delete())
    end
  end)

  it("says that it was ended before its program began", function()
    local container = create("exit", { seccomp = { default = "allow",
      rules = { { names = { "execve" }, action = "kill_process" } } } })
    refused("EOWNERDEAD", "its process was ended before it became sh", container:start())
  end)

  it("is paused while it waits, and cannot be started then", function()
    local container = create "exec sleep 1000"
    assert(container:pause())
    assert.equal("paused", container:state().status)
    refused("EALREADY", "it is paused already", container:pause())
    refused("EINVAL", "cannot start a container in the paused state", container:start())
    assert(container:resume())
    assert.equal("created", container:state().status)
    refused("EALREADY", "it is not paused", container:resume())
    assert(container:start())
    assert(container:pause())
    assert(container:resume())
    assert.equal("running", container:state().status)
    assert(container:kill "KILL")
    await_status "stopped"
    refused("ESRCH", "container not running", container:pause())
    refused("ESRCH", "container not running", container:resume())
  end)

  it("is ended by a signal while it waits, if that ends programs", function()
    for _, how in ipairs { {}, { all = true } } do
      local container = create "exec sleep 1000"
      for _, signal in ipairs { 0, "WINCH", "CHLD" } do
        assert(container:kill(signal, how))
        assert.equal("created", container:state().status)
      end
      assert(container:kill("TERM", how))
      await_status "stopped"
      assert(container:delete())
    end
  end)

  it("stays in luactr's cgroups, if it is to have none", function()
    local asked = request "exec sleep 1000"
    asked.no_cgroup = true
    local container = assert(life.create(asked))
    assert.equal(support.read "/proc/self/cgroup",
      support.read(string.format("/proc/%d/cgroup", container.record.pid)))
    assert(container:start())
    refused("ENOTSUP", "it has no cgroup", container:pause())
    assert(container:kill("KILL", { all = true }))
    await_status "stopped"
    assert(container:delete())
    asked.raw.limits = { pids = 20 }
    refused("ESPEC", "limits.pids: it is to have no cgroup", life.create(asked))
  end)

  it("is refused what does not fit how it is", function()
    local container = create "exec sleep 1000"
    refused("EEXIST", "already exists", life.create(request "exit"))
    refused("EBUSY", "container is not stopped: created", container:delete())
    assert(container:start())
    refused("EINVAL", "cannot start an already running container", container:start())
    refused("EBUSY", "container is not stopped: running", container:delete())
    assert(container:kill "KILL")
    await_status "stopped"
    refused("EINVAL", "cannot start a container that has stopped", container:start())
    refused("ESRCH", "container not running", container:kill "TERM")
    refused("EEXIST", "already exists", life.create(request "exit"))
  end)

  it("is removed by force whatever it does", function()
    assert(create("exit"):delete { force = true })
    local container = create "exec sleep 1000"
    assert(container:start())
    assert(container:delete { force = true })
    assert.same({}, life.list(host))
  end)

  it("runs in the foreground, and is gone with its end unless it is to be kept", function()
    assert.equal(7, assert(life.run(request "exit 7")).exit_code)
    assert.same({}, life.list(host))
    local asked = request "exit 7"
    asked.keep = true
    assert.equal(7, assert(life.run(asked)).exit_code)
    local container = assert(life.find(host, id))
    assert.equal("stopped", container:state().status)
    assert(container:delete())
  end)

  it("tells its process in a file, and nobody reads half of that", function()
    local asked = request "exec sleep 1000"
    asked.pid_file = dir.path .. "/pid"
    local container = assert(life.create(asked))
    assert.equal(tostring(container:state().pid), support.read(asked.pid_file))
  end)

  it("has its terminal from a socket, however long the path", function()
    local far = dir:mkdir(("x"):rep(100))
    local shown = dir.path .. "/shown"
    local program = support.program "receive"
    local receiver <close> = assert(sys.clone({}, function()
      sys.chdir(far)
      assert(sys.dup2(assert(sys.open(shown, sys.O_WRONLY | sys.O_CREAT, "0600")), 1))
      return sys.exec(program, { "receive", "console" })
    end))
    await("nobody listens", function() return sys.stat(far .. "/console") end)
    local asked = request("test -t 1 && echo hello", { tty = true, stdin = "inherit",
      stdout = "inherit", stderr = "inherit" })
    asked.console_socket = far .. "/console"
    local container = assert(life.create(asked))
    assert(container:start())
    await("nothing is shown", function()
      return support.read(shown):find("hello\r\n", 1, true)
    end)
    await_status "stopped"
    assert.equal(0, receiver:wait().code)
  end)

  it("is a child of whoever adopts it, also in the pid namespace of another", function()
    local first = create "exec sleep 1000"
    assert(first:start())
    local path = string.format("/proc/%d/ns/pid", first:state().pid)
    local asked = request("echo $$; exec sleep 1000",
      { namespaces = { pid = path } })
    asked.id = id .. "-2"
    local second = assert(life.create(asked))
    local pid = second:state().pid
    assert(second:start())
    local status
    await("it does not run", function()
      status = support.read(string.format("/proc/%d/status", pid))
      return status:match("Name:%s+(%S+)") == "sleep"
    end)
    assert.equal(sys.getpid(), tonumber(status:match("PPid:%s+(%d+)")))
    assert.is_true(tonumber(support.read(dir.path .. "/out")) > 1)
    assert(second:delete { force = true })
    assert(sys.waitid(pid)) -- before that its PID 1 cannot end
  end)

  -- A luactr that asks for what a table says; `more` is Lua.
  local function by_luactr(what, more)
    return support.luactr { dir:write("ask.lua", string.format([[
      local ctr, life = require "luactr", require "luactr.oci.life"
      local done, err = life.%s { id = %q, bundle = ".",
        host = require("luactr.oci.host").facts(%q), raw = {
          rootfs = ctr.rootfs.host { "sh", "sleep" }, init = false, tty = false, %s } }
      if err then print(err) end]], what, id, dir.path .. "/root", more)) }
  end

  it("leaves no luactr behind between its creation and its start", function()
    by_luactr("create", [[command = { "sleep", "1000" }, stdin = "null", stdout = "null",
      stderr = "null"]])
    local container = assert(life.find(host, id))
    local pid = container:state().pid
    local status = support.read(string.format("/proc/%d/status", pid))
    assert.equal(sys.getpid(), tonumber(status:match("PPid:%s+(%d+)")))
    assert(container:start())
    assert.equal("running", container:state().status)
  end)

  it("has streams that its user may open", function()
    local result = by_luactr("run", [[user = 4711,
      command = { "sh", "-c", "echo mine > /proc/self/fd/1" }]])
    assert.equal("mine\n", result.stdout)
  end)

  it("has all its processes signalled, also after its first has ended", function()
    local container = create("trap '' HUP TERM; sleep 1000 & sleep 1000",
      { namespaces = { pid = "host" } })
    assert(container:start())
    local function processes() return #(container:processes() or {}) end
    await("it has no processes", function() return processes() >= 3 end)
    assert(container:kill "KILL")
    await_status "stopped"
    assert(container:kill("KILL", { all = true }))
    await("some live on", function()
      return not container:kill("KILL", { all = true })
    end)
    assert(container:delete())
  end)
end)
