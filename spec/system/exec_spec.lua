-- box:exec, box:command, and the same of containers of other processes.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it, user_it = support.it(it, pending, "root"), support.it(it, pending, "root", "stranger")

local PATIENCE <const> = 120 -- seconds

local function eventually(holds)
  local deadline = sys.clock_gettime() + PATIENCE
  while not holds() do
    if sys.clock_gettime() > deadline then error("it did not come to that", 2) end
    sys.nanosleep(0.01)
  end
end

describe("a command in a container #system #layout", function()
  local rootfs, box

  setup(function()
    rootfs = ctr.rootfs.host { "sh", "sleep", "id", "cat", "ls", "readlink", "env", "grep" }
  end)

  before_each(world.check)

  after_each(function()
    if box then box:close() end
    box = nil
    world.check()
  end)

  local function start(fields)
    local spec = { name = support.name("exec"), rootfs = rootfs, command = { "sleep", "1000" } }
    for key, value in pairs(fields or {}) do spec[key] = value end
    box = ctr.container(spec)
    assert(box:start())
    return box
  end

  local function command(script, fields)
    local spec = { command = { "sh", "-c", script }, stdout = "capture", stderr = "capture" }
    for key, value in pairs(fields or {}) do spec[key] = value end
    return spec
  end

  -- What a script prints in the container, by us and as another process would do it.
  local function both(script, fields)
    local here = assert(box:exec(command(script, fields)))
    local there = assert(assert(ctr.find(box.id)):exec(command(script, fields)))
    assert.equal(here.stdout, there.stdout)
    assert.same({ "", "" }, { here.stderr, there.stderr })
    return here.stdout
  end

  it("is in all namespaces of the container, and in its root", function()
    start { clock = { boottime = 1000 }, mounts = { ctr.file("/etc/mark", "mine") } }
    local kinds <const> = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" }
    local lines = {}
    for i, kind in ipairs(kinds) do
      lines[i] = assert(sys.readlink("/proc/" .. box:pid() .. "/ns/" .. kind))
    end
    local list = "for i in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$i; done"
    assert.equal(table.concat(lines, "\n") .. "\n", both(list))
    assert.equal("mine", both "cat /etc/mark")
  end)

  it("is in the cgroup of the container", function()
    start { limits = { pids = 20, optional = true } }
    local paths = {}
    local running <close> = box:command { command = { "sleep", "1000" } }
    assert(running:start())
    local files = { "/proc/" .. box:pid() .. "/cgroup", "/proc/" .. running:pid() .. "/cgroup" }
    for i, file in ipairs(files) do paths[i] = support.read(file) end
    assert.equal(paths[1], paths[2])
    assert.matches("/luactr/" .. box.id, paths[1], 1, true)
  end)

  it("tells how it ended", function()
    start()
    local result = assert(box:exec(command "echo out; echo err >&2; exit 7"))
    assert.same({ 7, "exit", "out\n", "err\n" },
      { result.exit_code, result.reason, result.stdout, result.stderr })
    assert.is_true(result.wall_seconds > 0 and result.cpu_seconds > 0)
    result = assert(box:exec(command "kill -USR1 $$"))
    assert.same({ sys.signals.USR1, "signal" }, { result.signal, result.reason })
    result = assert(box:exec { command = { "cat" }, stdin = "fed", stdout = "capture" })
    assert.equal("fed", result.stdout)
  end)

  local STATUS <const> = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:|SigBlk|SigIgn)' "
    .. "/proc/self/status"

  -- The container's own command has printed the same before.
  local function printed_by_both(fields, script)
    local dir <close> = support.tmpdir()
    local own = { stdout = { file = dir .. "/out" },
      command = { "sh", "-c", script .. "; exec sleep 1000" } }
    for key, value in pairs(fields) do own[key] = value end
    start(own)
    local text
    eventually(function()
      text = support.read(dir .. "/out")
      return text:find("\nend\n", 1, true)
    end)
    return text, both(script)
  end

  local RIGHTS <const> = {
    ["by default"] = {},
    ["of another user"] = { user = { uid = 5, gid = 6 }, groups = { 7, 8 }, umask = "077" },
    ["of a user with ambient ones"] = { user = 5, capabilities = { bounding = { "chown" },
      effective = { "chown" }, permitted = { "chown" }, inheritable = { "chown" },
      ambient = { "chown" } } },
    ["of one with all"] = { capabilities = "all", seccomp = "unconfined" },
    ["without no_new_privileges"] = { no_new_privileges = false },
    ["with a filter of its own"] = { seccomp = { base = "default", rules = {
      { names = { "uname" }, action = "EPERM" } } } },
    ["in a user namespace"] = { namespaces = { user = "new" } },
    ["with limits"] = { rlimits = { nofile = 77, core = { soft = 0, hard = "unlimited" } },
      oom_score_adj = 300, nice = 3 },
    ["with PID 1 alone"] = { init = false },
    ["of the host's pids"] = { namespaces = { pid = "host" } },
  }

  for title, fields in pairs(RIGHTS) do
    it("has the rights of the container's own command: " .. title, function()
      local own, there = printed_by_both(fields, STATUS .. "; ulimit -Hn; ulimit -c; umask; "
        .. "cat /proc/self/oom_score_adj; ls -l /proc/self/fd | grep -c -- '->'; echo end")
      assert.equal(own, there)
    end)
  end

  it("is confined by the container's rules of Landlock", function()
    start { landlock = { read = { "/" }, execute = { "/usr", "/lib", "/bin" }, write = { "/dev" },
      optional = true }, mounts = { ctr.tmpfs("/tmp") } }
    local result = assert(box:exec(command "echo x >/tmp/x"))
    if #(box.plan.warnings) == 0 then assert.matches("Permission denied", result.stderr) end
  end)

  it("has more only by word", function()
    start { capabilities = { "chown" }, user = 5, env = { A = "1" }, seccomp = "strict" }
    local function field(name, fields)
      return both("grep ^" .. name .. ": /proc/self/status", fields):match("%s(%x+)\n")
    end
    assert.equal("0000000000000000", field("CapEff"))
    assert.equal("0000000000001000", field("CapEff", { capabilities = { add = { "net_admin" } } }))
    assert.equal("0000000000000001", field("CapEff", { user = 0 }))
    assert.equal("0", field("Seccomp", { seccomp = "unconfined" }))
    assert.equal("2 1 /tmp\n", both("echo $B $A $PWD", { cwd = "/tmp", env = { B = "2" } }))
  end)

  it("is a user of the container by name, with the groups that name it", function()
    start { mounts = {
      ctr.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:12:34::/home/user:/bin/sh\n"),
      ctr.file("/etc/group", "root:x:0:\nother:x:56:user\n") } }
    assert.equal("uid=12(user) gid=34 groups=34,56(other)\n/home/user\n",
      both("id; echo $HOME", { user = "user" }))
    local result, err = box:exec(command("id", { user = "nobody" }))
    assert.is_nil(result)
    assert.matches("/etc/passwd of the container has no user", tostring(err))
  end)

  it("is answered by the handlers of its program, and by no other", function()
    start { seccomp = { notify = { umask = function(call) return call:fail("ENOSPC") end } } }
    local result = assert(box:exec(command "umask 0 2>/dev/null; exit 3"))
    assert.equal(3, result.exit_code)
    local _, err = assert(ctr.find(box.id)):exec(command "true")
    assert.same({ "EOPNOTSUPP", "enter" }, { err.code, err.op })
  end)

  it("ends with its limits", function()
    start()
    local result = assert(box:exec(command("sleep 1000", { limits = { wall_time = 0.1 } })))
    assert.equal("wall_time", result.reason)
    result = assert(box:exec(command("while :; do echo x; done", { limits = { output = 100 } })))
    assert.same({ "output", 100, true }, { result.reason, #result.stdout, result.truncated })
  end)

  it("is started, signalled and waited for as a container is", function()
    start()
    local script <const> = "trap 'exit 5' TERM; while :; do sleep 0.1; done"
    local one <close> = box:command(command(script))
    assert(one:start())
    assert.is_nil((one:wait(0.01)))
    assert.has.errors(function() one:start() end)
    -- the trap may not be set yet: then TERM ends it
    one:kill("TERM")
    local result = assert(one:wait())
    assert.is_true(result.exit_code == 5 or result.reason == "killed")
    assert.equal(result, one.result)
    assert.is_true(one:start())
    assert(one:stop())
  end)

  it("does not stop the container when it ends, nor what else runs there", function()
    start()
    local one <close> = box:command { command = { "sleep", "1000" } }
    local other <close> = box:command { command = { "sleep", "1000" } }
    assert(one:start() and other:start())
    one:close()
    assert.is_nil((other:wait(0)))
    assert.equal("up\n", both "echo up")
  end)

  it("ends with the container, and says so", function()
    start()
    local one <close> = box:command { command = { "sleep", "1000" } }
    assert(one:start())
    box:close()
    local result = assert(one:wait())
    assert.same({ "container", sys.signals.KILL }, { result.reason, result.signal })
    local again, err = one:start()
    assert.is_nil(again)
    assert.same({ "ESRCH", "it is not running" }, { err.code, err.cause })
  end)

  for title, fields in pairs { ["by namespace"] = {}, ["by cgroup"] = {
    namespaces = { pid = "host" } } } do
    it("ends with the luactr that started it: " .. title, function()
      start(fields)
      local child = assert(sys.clone({}, function()
        local one = assert(ctr.find(box.id)):command {
          command = { "sh", "-c", "exec sleep 4567" }, stdout = "null" }
        assert(one:start())
        sys.nanosleep(1000)
      end))
      local function sleeps()
        for _, each in ipairs(box:processes()) do
          local file <close> = io.open("/proc/" .. each.host_pid .. "/cmdline")
          local line = file and file:read("a") or "" -- it may have ended
          if line:find("4567", 1, true) then return true end
        end
        return false
      end
      eventually(sleeps)
      child:signal("KILL")
      child:wait()
      eventually(function() return not sleeps() end)
      child:close()
    end)
  end

  it("dies with the process that reports its end", function()
    start()
    local one <close> = box:command { command = { "sleep", "1000" } }
    assert(one:start())
    assert(sys.kill(one:pid(), sys.signals.KILL))
    assert.equal(sys.signals.KILL, assert(one:wait()).signal)
    eventually(function() return #box:processes() == 2 end)
  end)

  -- ---- what goes wrong

  local function refused(fields)
    local result, err = box:exec(fields)
    assert.is_nil(result)
    return err
  end

  it("says which program, directory or right is missing", function()
    start()
    local err = refused { command = { "nonesuch" } }
    assert.same({ "ENOENT", "exec" }, { err.code, err.op })
    assert.matches("no directory of PATH has nonesuch", err.cause)
    err = refused { command = { "/bin/none" } }
    assert.matches("there is no /u?s?r?/?bin/none in the root", err.cause)
    err = refused { command = { "id" }, cwd = "/none/such" }
    assert.same({ "ENOENT", "chdir", "there is no /none in the root" },
      { err.code, err.op, err.cause })
    err = refused { command = { "/etc" } }
    assert.equal("exec", err.op)
    assert.matches("^luactr: cannot run a command in \"" .. box.id:gsub("%p", "%%%0"),
      tostring(err))
  end)

  it("waits for no paused container", function()
    start { limits = { pids = 20, optional = true } }
    assert(box:pause())
    local err = refused { command = { "id" } }
    assert.same({ "EBUSY", "it is paused", "resume it first" }, { err.code, err.cause, err.remedy })
    assert(box:resume())
    assert.equal("up\n", both "echo up")
  end)

  it("fails at each step, and leaves the container as it is", function()
    start()
    local one <close> = box:command { command = { "sh", "-c", "exit 0" } }
    assert(one:run())
    for step = 1, #one.plan.steps do
      local started, err = one:start { fail = { step = step, errno = sys.errno.EIO } }
      assert.is_nil(started)
      assert.same({ "EIO", step, one.plan.steps[step].op }, { err.code, err.step, err.op })
    end
    eventually(function() return #box:processes() == 2 end)
    assert.equal("up\n", both "echo up")
  end)

  it("does not start in a container that has just ended, and says so", function()
    start()
    local function failure(spawn)
      local one <close> = box:command { command = { "sh", "-c", "exit 0" } }
      return select(2, one:start { spawn = spawn, fail = { step = 1, errno = sys.errno.ENOMEM } })
    end
    assert.equal("ENOMEM", failure(nil).code)
    local err = failure(function(launch)
      assert(box:kill("KILL"))
      return require("luactr.core").spawn(launch)
    end)
    assert.same({ "ESRCH", "the container has just ended" }, { err.code, err.cause })
  end)

  it("is in a box that runs", function()
    local idle <close> = ctr.container { rootfs = rootfs, command = { "sleep", "1" } }
    assert.has.errors(function() idle:exec { command = { "id" } } end)
    start()
    assert.has.errors(function() box:exec { comand = { "id" } } end)
    assert.has.errors(function() box:command({ command = { "id" } }):start { detach = true } end)
  end)

  -- ---- without root

  user_it("runs in a container without root", function()
    local dir <close> = support.tmpdir()
    local recipe = dir:write("recipe.lua", [[
      local ctr = require "luactr"
      local box <close> = ctr.container { name = "other", command = { "sleep", "1000" },
        rootfs = ctr.rootfs.host { "sh", "sleep", "id", "cat" } }
      assert(box:start())
      local spec = { command = { "sh", "-c", "id -u; cat /proc/self/uid_map; echo $$" } }
      assert(box:exec(spec))
      assert(assert(ctr.find "other"):exec(spec))
    ]])
    local runtime = dir:mkdir "run"
    support.must { "chown", tostring(support.stranger), runtime }
    local result = support.luactr { recipe, user = support.stranger,
      env = { XDG_RUNTIME_DIR = runtime } }
    assert.equal("", result.stderr)
    local one = "0\n%s*0%s+" .. support.stranger .. "%s+1\n%d+\n"
    assert.matches("^" .. one .. one .. "$", result.stdout)
  end)
end)
