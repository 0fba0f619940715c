-- The verbs of `luactr oci` on containers that run, as engines call them.

local cjson = require("cjson")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local PATIENCE <const> = 60
-- Takes what is sent to a socket, and prints what the terminal says.
local CONSOLE <const> = [[
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print("ready", flush=True)
client, _ = server.accept()
name, ancillary, _, _ = client.recvmsg(4096, 64)
fd = array.array("i", ancillary[0][2])[0]
os.write(fd, b"typed\n")
while True:
    print(os.read(fd, 4096).decode(), flush=True)
]]
-- Takes what is sent to a socket, and prints which process it means.
local PIDFD <const> = [[
import array, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print("ready", flush=True)
client, _ = server.accept()
name, ancillary, _, _ = client.recvmsg(4096, 64)
fd = array.array("i", ancillary[0][2])[0]
for line in open("/proc/self/fdinfo/%d" % fd):
    if line.startswith("Pid:"):
        print("pid", line.split()[1], "is meant", flush=True)
]]
local SCRIPT <const> = "while :; do sleep 1000; done"

describe("luactr oci on a container #cli", function()
  local dir

  setup(world.adopt_orphans)

  local function oci(...)
    return support.luactr { "oci", "--root", dir .. "/state", ... }
  end

  local function must(...)
    local result = oci(...)
    assert.same({ 0, "" }, { result.code, result.stderr })
    return result.stdout
  end

  local function fails(message, ...)
    local result = oci(...)
    assert.matches(message, result.stderr, 1, true)
    assert.same({ 1, "" }, { result.code, result.stdout })
  end

  -- Its 1 would be the program's.
  local function exec_fails(message, ...)
    local result = oci("exec", ...)
    assert.matches(message, result.stderr, 1, true)
    assert.same({ 255, "" }, { result.code, result.stdout })
  end

  local function await(what, condition)
    local deadline = sys.clock_gettime() + PATIENCE
    while not condition() do
      assert.is_true(sys.clock_gettime() < deadline, what)
      sys.nanosleep(0.02)
    end
  end

  -- A bundle of busybox and a script.
  local function write_bundle(script)
    local config = cjson.decode(must("spec", "-f", "-"))
    config.process.terminal = false
    config.process.args = { "/bin/sh", "-c", script }
    config.root = { path = "rootfs", readonly = false }
    dir:write("config.json", cjson.encode(config))
  end

  local function state_of(id) return cjson.decode(must("state", id)) end

  -- Orphans are this process's children: nobody else reaps them.
  local function reap(pid)
    local deadline = sys.clock_gettime() + PATIENCE
    while sys.clock_gettime() < deadline do
      local done, _, errno = sys.waitid(pid, "nohang")
      if done or errno == sys.errno.ECHILD then return end
      sys.nanosleep(0.02)
    end
    error("process " .. pid .. " does not end")
  end

  before_each(function()
    world.check()
    dir = support.tmpdir()
    dir:mkdir("rootfs/bin")
    support.copy("/bin/busybox", dir .. "/rootfs/bin/busybox")
    for _, name in ipairs { "sh", "sleep", "cat", "id", "tty" } do
      support.symlink("busybox", dir .. "/rootfs/bin/" .. name)
    end
  end)

  after_each(function()
    for _, state in ipairs(cjson.decode(must("list", "--format", "json"))) do
      must("delete", "--force", state.id)
    end
    dir:close()
    world.check()
  end)

  local function start(id, script)
    write_bundle(script or SCRIPT)
    must("create", "--bundle", dir.path, "--pid-file", dir .. "/pid", id)
    must("start", id)
    return math.tointeger(tonumber(support.read(dir .. "/pid")))
  end

  it("is created, started, looked at, ended and removed", function()
    local id <const> = support.name("oci-verbs")
    write_bundle(SCRIPT)
    must("create", "--bundle=" .. dir.path, "--pid-file", dir .. "/pid", id)
    local pid = math.tointeger(tonumber(support.read(dir .. "/pid")))
    local state = state_of(id)
    assert.same({ "created", pid, dir.path }, { state.status, state.pid, state.bundle })
    assert.matches("^%d+%-%d+%-%d+T%d+:%d+:%d+", state.created)
    fails("exist", "create", "--bundle", dir.path, id)
    must("start", id)
    fails("already running", "start", id)
    assert.equal(id .. "\n", must("list", "-q"))
    assert.matches(" " .. pid .. " +running ", must("list"))
    assert.equal(pid, cjson.decode(must("list", "--format=json"))[1].pid)
    assert.equal(pid, cjson.decode(must("ps", "--format", "json", id))[1])
    assert.matches("UID.*\n.*" .. pid, must("ps", id))
    assert.matches("^ *PID\n *" .. pid .. "\n", must("ps", id, "-e", "-o", "pid"))
    fails("is not stopped", "delete", id)
    must("kill", id, "SIGKILL")
    reap(pid)
    assert.equal("stopped", state_of(id).status)
    fails("container not running", "kill", "--all", id, "9")
    must("delete", id)
    fails("does not exist", "state", id)
    fails("does not exist", "delete", id)
    must("delete", "--force", id)
  end)

  it("takes signals by any of their names", function()
    local id <const> = support.name("oci-signals")
    start(id, "trap 'echo usr1 >/got' USR1; while :; do sleep 0.1; done")
    for _, word in ipairs { "USR1", "SIGUSR1", "sigusr1", "10" } do
      os.remove(dir .. "/rootfs/got")
      await("nothing came", function() -- the trap may not be set yet
        must("kill", id, "0")
        must("kill", id, word == "10" and "10" or word)
        sys.nanosleep(0.2)
        return io.open(dir .. "/rootfs/got") ~= nil
      end)
    end
    fails("unknown signal", "kill", id, "NOSUCH")
    fails("signal", "kill", id, "4711")
  end)

  it("is paused and resumed", function()
    local id <const> = support.name("oci-pause")
    start(id)
    must("pause", id)
    assert.equal("paused", state_of(id).status)
    exec_fails("it is paused", id, "/bin/id")
    must("resume", id)
    assert.equal("running", state_of(id).status)
    fails("not paused", "resume", id)
  end)

  it("runs a program in it, as options say, and ends with its status", function()
    local id <const> = support.name("oci-exec")
    start(id)
    local script <const> = "echo $(id -u):$(id -g) $PWD $A; exit 7"
    local result = oci("exec", "--user=5:6", "--cwd", "/bin", "-e", "A=1=2", id, "sh", "-c",
      script)
    assert.same({ 7, "5:6 /bin 1=2\n", "" }, { result.code, result.stdout, result.stderr })
    exec_fails("No such file or directory", id, "/nosuch")
    exec_fails("No such file or directory", "--detach", id, "/nosuch")
    exec_fails("Permission denied", "--detach", id, "/bin")
    fails("unknown option", "exec", "--nosuch", id, "/bin/id")
    exec_fails("which command?", id)
    exec_fails("needs --console-socket", "-d", "-t", id, "/bin/id")
    assert.equal(0, oci("exec", "--tty", id, "tty").code)
  end)

  it("runs a program in it, as a process object says", function()
    local id <const> = support.name("oci-process")
    start(id)
    local file = dir:write("process.json", cjson.encode {
      args = { "/bin/sh", "-c", "echo $(id) $PWD $A" }, cwd = "/bin",
      env = { "A=x y" }, user = { uid = 5, gid = 6, additionalGids = { 7 } },
    })
    assert.equal("uid=5 gid=6 groups=7 /bin x y\n", must("exec", "--process", file, id))
    dir:write("process.json", cjson.encode { args = { "/bin/cat", "/proc/self/environ" },
      cwd = "/", env = { "A=x y" } })
    assert.equal("A=x y\0HOME=/\0", must("exec", "--process", file, id))
    exec_fails("either --process or a command", "--process", file, id, "/bin/id")
    dir:write("process.json", '{"args":["/bin/id"],"cwd":"bin","user":{"uid":-1}}')
    local result = oci("exec", "-p", file, id)
    assert.equal(255, result.code)
    assert.matches("user.uid: ", result.stderr, 1, true)
    dir:write("process.json", "{")
    assert.equal(255, oci("exec", "-p", file, id).code)
    exec_fails("cannot read", "-p", dir .. "/nosuch", id)
  end)

  it("leaves a detached program to its caller, with its pid", function()
    local id <const> = support.name("oci-detached")
    local pid = start(id)
    must("exec", "--detach", "--pid-file", dir .. "/pid2", id, "sh", "-c", "exit 9")
    local other = math.tointeger(tonumber(support.read(dir .. "/pid2")))
    assert.equal(9, assert(sys.waitid(other)).code)
    must("exec", "-d", "--pid-file", dir .. "/pid2", id, "sleep", "1000")
    other = math.tointeger(tonumber(support.read(dir .. "/pid2")))
    local seen = {}
    for _, one in ipairs(cjson.decode(must("ps", "-f", "json", id))) do seen[one] = true end
    assert.same({ true, true }, { seen[pid], seen[other] })
    must("kill", id, "KILL")
    reap(other)
    reap(pid)
    exec_fails("cannot", id, "/bin/id")
  end)

  it("runs a program in a paused one when that is resumed, if so told", function()
    local id <const> = support.name("oci-ignore-paused")
    start(id, "exec sleep 1000")
    must("pause", id)
    local one <close> = process.start { support.luactr_program, "oci", "--root", dir .. "/state",
      "exec", "--ignore-paused", id, "sh", "-c", "echo >/ran; exit 6" }
    await("it does not come", function()
      return #cjson.decode(must("ps", "--format", "json", id)) > 1
    end)
    assert.is_nil(io.open(dir .. "/rootfs/ran"))
    must("resume", id)
    assert.same({ code = 6 }, { code = one:wait().code })
    assert(io.open(dir .. "/rootfs/ran")):close()
  end)

  it("hands descriptors on to a program in it", function()
    local id <const> = support.name("oci-descriptors")
    start(id)
    local file = dir:write("handed", "handed on\n")
    local function exec(...)
      return support.run { "sh", "-c", 'exec 3<"$0" && exec "$@"', file, support.luactr_program,
        "oci", "--root", dir .. "/state", "exec", ... }
    end
    assert.equal("handed on\n", exec("--preserve-fds", "1", id, "sh", "-c", "cat <&3").stdout)
    assert.are_not.equal(0, exec(id, "sh", "-c", "cat <&3").code)
  end)

  it("runs a program in a cgroup below its own, in all hierarchies or in one", function()
    support.needs "controller:pids"
    support.needs "controller:memory"
    local id <const> = support.name("oci-cgroup")
    local pid = start(id)
    local own = support.read("/proc/" .. pid .. "/cgroup")
    local layout = require("luactr.host").facts().cgroup
    local made = 0
    for _, hierarchy in ipairs(layout.hierarchies) do
      local name = hierarchy.version == 2 and "" or hierarchy.options
      local path = ("\n" .. own):match("\n%d+:" .. name:gsub("%p", "%%%0") .. ":([^\n]*)")
      if path and path:find(id, 1, true) then
        assert(sys.mkdir(hierarchy.mount .. path .. "/sub"))
        made = made + 1
      end
    end
    local function inside(...)
      local _, count = must("exec", ...):gsub("/sub\n", "")
      return count
    end
    assert.equal(made, inside("--cgroup", "sub", id, "cat", "/proc/self/cgroup"))
    local one = inside("--cgroup", "pids:sub", "--cgroup=memory:sub/", id, "cat",
      "/proc/self/cgroup")
    assert.is_true(one > 0 and (one < made or made == 1))
    exec_fails("No such file or directory", "--cgroup", "pids:nowhere", id, "/bin/id")
    exec_fails("--cgroup: a path below", "--cgroup", "../..", id, "/bin/id")
    exec_fails("--cgroup: a path below", "--cgroup", "pids:a/../..", id, "/bin/id")
    exec_fails('--cgroup: a controller of this host expected, got "moon:sub"', "--cgroup",
      "moon:sub", id, "/bin/id")
    for _, word in ipairs { "a:b:c", ":sub", "pids:" } do
      exec_fails("--cgroup: CONTROLLER:PATH expected", "--cgroup", word, id, "/bin/id")
    end
    exec_fails("--cgroup: CONTROLLER:PATH expected", "--cgroup", "a", "--cgroup", "b", id, "x")
  end)

  it("sends its processes to sockets", function()
    support.needs("program:python3")
    local id, socket = support.name("oci-pidfd"), dir .. "/socket"
    local function receive(...)
      os.remove(socket)
      local agent <close> = process.start { "python3", "-c", PIDFD, socket }
      agent:expect("ready")
      local result = support.luactr { "oci", "--root", dir .. "/state", ... }
      assert.same({ 0, "", "" }, { result.code, result.stderr, result.stdout })
      local pid = support.read(dir .. "/pid")
      agent:expect("pid " .. pid .. " is meant")
      agent:wait()
      return math.tointeger(tonumber(pid))
    end
    write_bundle(SCRIPT)
    local pid = receive("create", "--bundle", dir.path, "--pidfd-socket", socket, "--pid-file",
      dir .. "/pid", id)
    must("start", id)
    local other = receive("exec", "--detach", "--pidfd-socket", socket, "--pid-file",
      dir .. "/pid", id, "sleep", "1000")
    assert.are_not.equal(pid, other)
    exec_fails("No such file or directory", "--detach", "--pidfd-socket", dir .. "/no", id, "sleep",
      "1000")
    must("kill", id, "KILL")
    reap(other)
    reap(pid)
  end)

  it("sends terminals to sockets", function()
    support.needs("program:python3")
    local id, socket = support.name("oci-console"), dir .. "/socket"
    local function receive(...)
      local words = { "oci", "--root", dir .. "/state", ... }
      os.remove(socket)
      local agent <close> = process.start { "python3", "-c", CONSOLE, socket }
      agent:expect("ready")
      local result = support.luactr(words)
      assert.same({ 0, "", "" }, { result.code, result.stderr, result.stdout })
      if words[4] == "create" then must("start", id) end
      agent:expect("got typed on /dev/")
      agent:signal("KILL")
      return math.tointeger(tonumber(support.read(dir .. "/pid")))
    end
    write_bundle("read -r word; echo got $word on $(tty); exec sleep 1000")
    local config = cjson.decode(support.read(dir .. "/config.json"))
    config.process.terminal = true
    dir:write("config.json", cjson.encode(config))
    local pid = receive("create", "--bundle", dir.path, "--console-socket", socket, "--pid-file",
      dir .. "/pid", id)
    local other = receive("exec", "--detach", "--tty", "--console-socket", socket, "--pid-file",
      dir .. "/pid", id, "sh", "-c", "read -r word; echo got $word on $(tty); exec sleep 1000")
    must("kill", id, "KILL")
    reap(other)
    reap(pid)
    fails("cannot create", "create", "--bundle", dir.path, "--console-socket", dir .. "/no", "x")
  end)

  it("has CRIU save its processes, and says what that says", function()
    local id <const> = support.name("oci-criu")
    local program = dir:write("criu", '#!/bin/sh\necho "$@" >"$(dirname "$0")/words"\n', "755")
    local function checkpoint(...)
      return oci("--criu", program, "checkpoint", "--image-path", dir .. "/images", ...)
    end
    start(id)
    assert.equal(0, checkpoint("--leave-running", "--tcp-established", id).code)
    local words = support.read(dir .. "/words")
    assert.matches("^dump %-%-tree %d+ %-%-images%-dir " .. dir.path:gsub("%-", "%%-")
      .. "/images ", words)
    assert.matches("--leave-running --tcp-established", words, 1, true)
    dir:write("criu", '#!/bin/sh\n{ echo "(00.1) Error (criu/tun.c:85): tun: no tunnels"\n'
      .. 'echo "(00.2) Error (criu/x.c:1): no luck"; } >"$7/dump.log"\nexit 1', "755")
    assert.matches("criu: no luck", checkpoint(id).stderr, 1, true)
    assert.matches("--lazy-pages is not supported", checkpoint("--lazy-pages", id).stderr, 1, true)
    local result = support.luactr { "oci", "--root", dir .. "/state", "checkpoint", id,
      env = { PATH = dir.path .. "/nowhere" } }
    assert.same({ 1, true }, { result.code,
      result.stderr:find("there is no program criu", 1, true) ~= nil })
  end)

  it("has CRIU restore processes, and adopts them", function()
    local id <const> = support.name("oci-restore")
    local function restore(...)
      return oci("--criu", dir .. "/criu", "restore", "--image-path", dir .. "/images",
        "--bundle", dir.path, "--detach", "--pid-file", dir .. "/pid", ...)
    end
    write_bundle(SCRIPT)
    dir:write("criu", '#!/bin/sh\necho "$@" >"$(dirname "$0")/words"\n'
      .. 'while [ "$1" != --pidfile ]; do shift; done\nsleep 1000 &\necho $! >"$2"\n', "755")
    assert.matches("luactr.json: No such file", restore(id).stderr, 1, true)
    dir:write("images/luactr.json", '{"external":["/proc/kcore"],"streams":["pipe:[7]","",""]}')
    local result = restore(id)
    assert.same({ 0, "" }, { result.code, result.stderr })
    local words = support.read(dir .. "/words")
    assert.matches("--external mnt[/proc/kcore]:/dev/null --inherit-fd fd[0]:pipe:[7]", words, 1,
      true)
    local pid = math.tointeger(tonumber(support.read(dir .. "/pid")))
    local state = state_of(id)
    assert.same({ "running", pid }, { state.status, state.pid })
    assert.matches("/luactr/" .. id, support.read("/proc/" .. pid .. "/cgroup"), 1, true)
    must("kill", id, "KILL")
    reap(pid)
    must("delete", id)
    dir:write("images/luactr.json", '{"external":["/nosuch"],"streams":[]}')
    assert.matches("nothing of the bundle is mounted at /nosuch", restore(id).stderr, 1, true)
    dir:write("images/luactr.json", '{"external":[],"streams":[]}')
    dir:write("criu", "#!/bin/sh\nexit 1\n", "755")
    assert.matches("criu: status 1", restore(id).stderr, 1, true)
    assert.equal("", must("list", "-q"))
  end)

  it("waits for it in the foreground and removes it", function()
    local id <const> = support.name("oci-run")
    write_bundle("echo out; exit 5")
    local result = oci("run", "-b", dir.path, id)
    assert.same({ 5, "out\n", "" }, { result.code, result.stdout, result.stderr })
    assert.equal("", must("list", "-q"))
    write_bundle("exit 5")
    must("run", "--detach", "-b", dir.path, "--pid-file", dir .. "/pid", id)
    reap(math.tointeger(tonumber(support.read(dir .. "/pid"))))
    assert.equal("stopped", state_of(id).status)
  end)

  it("is killed and deleted with others whose names fit", function()
    local ids, pids = {}, {}
    for i = 1, 2 do
      ids[i] = support.name("oci-regex-" .. i)
      pids[i] = start(ids[i])
    end
    fails("regular expression", "kill", "--regex", "(", "KILL")
    must("kill", "--regex", "oci-regex-[12]$", "KILL")
    for _, pid in ipairs(pids) do reap(pid) end
    must("delete", "--regex", "^" .. ids[1] .. "$")
    assert.equal(ids[2] .. "\n", must("list", "-q"))
    must("delete", "--regex", ".*")
    assert.equal("", must("list", "-q"))
  end)

  local names = { "", "..", ".", "../x", "a/b", "/", "-x\n", ("x"):rep((1 << 17) - 1), "a b",
    "\27[2J" }
  for _, name in ipairs(names) do
    it("makes nothing of the name " .. name:sub(1, 8):gsub("%c", "?"), function()
      write_bundle(SCRIPT)
      for _, verb in ipairs { "create", "state", "delete", "kill", "start" } do
        local result = oci(verb, "--", name)
        assert.equal(1, result.code)
        assert.is_nil(result.stderr:find("[^\n -~]"))
        assert.is_nil(result.stderr:find("internal", 1, true))
      end
      assert.equal("", must("list", "-q"))
    end)
  end

  it("is there for who looks for containers", function()
    local id <const> = support.name("oci-seen")
    write_bundle(SCRIPT)
    local one <close> = process.start { support.luactr_program, "oci", "run", "-b", dir.path, id }
    await("it does not run", function()
      return support.luactr({ "oci", "state", id }).stdout:find('"running"', 1, true) ~= nil
    end)
    assert.matches(id, support.luactr({ "ps" }).stdout, 1, true)
    assert.equal(0, support.luactr({ "oci", "kill", id, "KILL" }).code)
    assert.same({ code = 137 }, { code = one:wait().code })
  end)
end)
