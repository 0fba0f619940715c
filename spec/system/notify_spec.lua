-- System calls that a recipe answers: each handler's effect as the program inside sees it.
local core = require("luactr.core")
local ctr = require("luactr")
local inside = require("support.inside")
local process = require("support.process")
local support = require("support")
local world = require("support.world")

local sys <const> = core.sys
local it = support.it(it, pending, "root", "program:gcc")

local PATIENCE <const> = 60 -- seconds

describe("seccomp.notify #system", function()
  local ID <const> = support.name("notify")
  local dir

  setup(function()
    dir = support.tmpdir()
    dir:mkdir("root/tmp")
    support.copy(support.program "calls", dir.path .. "/root/calls")
    support.copy("/bin/busybox", dir.path .. "/root/busybox")
  end)

  teardown(function() dir:close() end)

  before_each(world.check)
  after_each(world.check)

  local function fields_of(handlers, fields)
    fields.rootfs, fields.name = dir.path .. "/root", ID
    fields.stdout, fields.stderr = "capture", "capture"
    fields.seccomp = fields.seccomp or { notify = handlers }
    return fields
  end

  local function run(handlers, fields)
    return assert(ctr.run(fields_of(handlers, fields)))
  end

  -- What the program `calls` prints of one system call.
  local function call(name, handlers, fields)
    fields = fields or {}
    fields.command = { "/calls", name }
    local result = run(handlers, fields)
    return result.stdout:gsub("\n$", ""), result
  end

  local function shell(script, handlers, fields)
    fields = fields or {}
    fields.command = { "/busybox", "sh", "-c", script }
    return run(handlers, fields)
  end

  describe("a handler", function()
    it("answers with a value", function()
      local result = shell("/busybox id -u",
        { getuid = function() return 77 end, geteuid = function() return 77 end })
      assert.equal("77\n", result.stdout)
    end)

    it("fails a call with a named errno", function()
      assert.equal("ENOSPC", (call("socketpair", { socketpair = function()
        return nil, "ENOSPC"
      end })))
      assert.equal("EDQUOT", (call("socketpair", { socketpair = function()
        return nil, sys.errno.EDQUOT
      end })))
    end)

    it("lets the kernel make the call", function()
      assert.equal("ok", (call("socketpair", { socketpair = function() return "continue" end })))
    end)

    it("is asked before the rules, and has conditions", function()
      local seccomp = {
        rules = { { names = { "socket" }, action = "EXDEV" } },
        notify = { socket = { args = { { index = 0, op = "==", value = 1 } },
          handler = function() return nil, "ENOMEM" end } },
      }
      assert.equal("ENOMEM", (call("socket(AF_UNIX)", nil, { seccomp = seccomp })))
      assert.equal("EXDEV", (call("socket(AF_INET)", nil, { seccomp = seccomp })))
    end)

    it("sees the name, the caller and 64 bits of each argument", function()
      local seen
      call("wide arguments", { lseek = function(given)
        seen = { given.name, given.args[0], given.args[1], given.args[2], given.abi,
          sys.readlink("/proc/" .. given.pid .. "/exe"):match("[^/]*$") }
        return 0
      end })
      local machine = support.run({ "uname", "-m" }).stdout:match("%S+")
      assert.same({ "lseek", 0x123456789abcdef0, -1, math.mininteger, machine, "calls" }, seen)
    end)

    it("answers for another ABI", function()
      support.needs "int80"
      local abi
      assert.equal("EBADE", (call("int 0x80", nil, { seccomp = { architectures = { "x86" },
        notify = { getpid = function(given)
          abi = given.abi
          return abi == "x86" and 0 or nil, "EBADE"
        end } } }):gsub("ok", "EBADE")))
      assert.equal("x86", abi)
    end)

    it("stands for a group", function()
      local names = {}
      shell("cd /tmp; > x; mv x y; rm y", { ["@file-system"] = function(given)
        names[given.name] = true
        return "continue"
      end })
      assert.is_true(names.chdir and (names.rename or names.renameat or names.renameat2)
        and (names.unlink or names.unlinkat))
    end)
  end)

  describe("the caller's memory", function()
    it("is read as strings and bytes", function()
      local path, bytes
      shell("> /tmp/hello", { openat = function(given)
        path = given:string(given.args[1])
        bytes = given:read(given.args[1], 4)
        return "continue"
      end })
      assert.same({ "/tmp/hello", "/tmp" }, { path, bytes })
    end)

    it("is written", function()
      local result = shell("uname -n", { uname = function(given)
        local names = {}
        for i, name in ipairs { "Linux", "made-up", "9", "#9", "none", "none" } do
          names[i] = name .. ("\0"):rep(65 - #name)
        end
        local done, errno = given:write(given.args[0], table.concat(names))
        return done and 0, errno
      end })
      assert.equal("made-up\n", result.stdout)
    end)

    it("has ends", function()
      local problems = {}
      assert.equal("EFAULT", (call("bad address", { uname = function(given)
        for i, what in ipairs { { given:read(16, 4) }, { given:string(16) },
          { given:write(16, "x") } } do
          problems[i] = what[1] == nil and what[2]
        end
        return nil, problems[1]
      end })))
      assert.same({ "EFAULT", "EFAULT", "EFAULT" }, problems)
    end)

    it("has strings up to a length", function()
      local found
      shell("> /tmp/0123456789", { openat = function(given)
        found = { given:string(given.args[1], 5) }
        return "continue"
      end })
      assert.same({ [2] = "ENAMETOOLONG" }, found)
    end)

    it("is out of reach once the caller is gone", function()
      local found = {}
      local result = shell("/calls socketpair; echo after", { socketpair = function(given)
        assert.is_true(given:valid())
        assert(given:read(given.args[3], 4))
        sys.kill(given.pid, sys.signals.KILL)
        local deadline = sys.clock_gettime() + PATIENCE
        while given:valid() and sys.clock_gettime() < deadline do sys.nanosleep(0.001) end
        found = { given:valid(), select(2, given:read(given.args[3], 4)),
          select(2, given:string(given.args[3])), select(2, given:write(given.args[3], "x")),
          select(2, given:add_fd(0)) }
        return 0
      end })
      assert.same({ false, "ENOENT", "ENOENT", "ENOENT", "ENOENT" }, found)
      assert.equal("after\n", result.stdout)
      assert.same({}, result.handler_errors)
    end)
  end)

  describe("a descriptor", function()
    local function memory(text)
      local fd = assert(sys.memfd_create("secret"))
      assert(fd:write(text))
      assert(sys.lseek(fd, 0, "set"))
      return fd
    end

    it("is an answer: a copy appears inside, at once", function()
      local fd
      local text = call("open secret", { openat = function(given)
        if given:string(given.args[1]) ~= "/secret" then return "continue" end
        fd = memory("treasure")
        return fd
      end })
      assert.equal("treasure in 3 ok", text)
      assert.has_error(function() fd:fileno() end) -- luactr's own is closed
    end)

    it("is put at a number", function()
      local text = call("open secret", { openat = function(given)
        if given:string(given.args[1]) ~= "/secret" then return "continue" end
        local fd <close> = memory("treasure")
        return assert(given:add_fd(fd, { number = 9, cloexec = true }))
      end })
      assert.equal("treasure in 9 ok", text)
    end)

    it("stays open when it is to be kept", function()
      local fd <close> = memory("")
      call("open secret", { openat = function(given)
        if given:string(given.args[1]) ~= "/secret" then return "continue" end
        return fd, { keep = true }
      end })
      assert.is_true(fd:fileno() > 2)
    end)
  end)

  describe("a connection", function()
    local function dial(port, handler)
      return shell("nc -w 1 127.0.0.1 " .. port .. " < /busybox", { connect = handler }).stderr
    end

    it("is made in the caller's place, with the address that was looked at", function()
      local function handler(given)
        local address = assert(given:read(given.args[1], given.args[2]))
        if string.unpack(">I2", address, 3) ~= 8080 then return nil, "EACCES" end
        return given:connect(address)
      end
      assert.matches("Permission denied", dial(80, handler))
      assert.matches("Connection refused", dial(8080, handler))
    end)

    it("is not made to a path, which would be luactr's", function()
      assert.matches("Invalid argument", dial(80, function(given)
        return given:connect(string.pack("=I2z", 1, "/run/x"))
      end))
    end)

    it("goes where was looked, though another thread exchanges the address", function()
      local function race(answer)
        local text = call("race connect", { connect = function(given)
          local address = assert(given:read(given.args[1], 16))
          if string.unpack(">I2", address, 3) ~= 8080 then return nil, "EACCES" end
          return answer(given, address)
        end })
        local wanted, unwanted = text:match("^(%d+) (%d+) ok$")
        assert.is_true(tonumber(wanted) > 0, text)
        return tonumber(unwanted)
      end
      assert.equal(0, race(function(given, address) return given:connect(address) end))
      -- what the kernel reads again is another address: the race is real
      for _ = 1, 20 do
        if race(function() return "continue" end) > 0 then return end
      end
      pending("the address was never exchanged between two looks")
    end)

    it("uses a copy of the caller's socket", function()
      local kind
      dial(80, function(given)
        local fd <close> = assert(given:fd(given.args[0]))
        kind = sys.stat(fd).type
        return nil, select(2, given:fd(999))
      end)
      assert.equal("socket", kind)
    end)
  end)

  describe("a wrong handler", function()
    local function complaint(handler)
      local text, result = call("socketpair", { socketpair = handler })
      assert.equal("ENOSYS", text)
      assert.equal("socketpair", result.handler_errors[1].call)
      return result.handler_errors[1].message
    end

    it("that raises answers ENOSYS, and the result says why", function()
      assert.matches("notify_spec.lua:%d+: broken", complaint(function() error("broken") end))
      assert.matches("attempt to index a nil value", complaint(function() return (nil).x end))
    end)

    it("that returns nonsense does too", function()
      assert.matches('unknown errno "ENOSPACE", did you mean ENOSPC?',
        complaint(function() return nil, "ENOSPACE" end), 1, true)
      local expected = 'a handler returns a number, nil and an errno, "continue" or a file '
        .. "descriptor, not "
      assert.equal(expected .. "nil", complaint(function() end))
      assert.equal(expected .. "true", complaint(function() return true end))
      assert.matches(expected .. '"ok"', complaint(function() return "ok" end), 1, true)
    end)

    it("is told on the command line", function()
      local script = dir:write("wrong.lua", ([[
return require("luactr").container { name = %q, rootfs = %q,
  command = { "/calls", "socketpair" },
  seccomp = { notify = { socketpair = function() error("broken") end } } }
]]):format(ID, dir.path .. "/root"))
      local result = support.luactr { script }
      assert.equal("ENOSYS\n", result.stdout)
      assert.matches("seccomp.notify.socketpair: .*wrong.lua:3: broken", result.stderr)
    end)

    it("that is wrong often is reported some times", function()
      local result = shell("for i in $(seq 50); do /calls socketpair; done",
        { socketpair = function() error("again") end })
      assert.equal(("ENOSYS\n"):rep(50), result.stdout)
      assert.equal(20, #result.handler_errors)
    end)
  end)

  describe("the listener", function()
    it("comes to luactr whatever the filter holds up, and no program inside gets it", function()
      for _, fields in ipairs { {}, { init = false }, { user = 1000 },
        { no_new_privileges = false }, { namespaces = { pid = "host" } } } do
        local count = 0
        local result = shell("echo $(ls /proc/self/fd); /busybox sh -c 'exit 3'", {
          ["@known"] = function()
            count = count + 1
            return "continue"
          end }, fields)
        assert.equal(3, result.exit_code)
        assert.equal("0 1 2 3\n", result.stdout) -- 3 is ls's own
        assert.is_true(count > 20, count)
        assert.same({}, result.handler_errors)
      end
    end)

    it("leaves no process inside", function()
      for _, init in ipairs { true, false } do
        local result = shell("exec ps -o pid,comm", { getuid = function() return 0 end },
          { init = init })
        local _, lines = result.stdout:gsub("\n", "")
        assert.equal(init and 3 or 2, lines, result.stdout)
      end
    end)

    it("serves several processes at once, output and limits beside", function()
      local count = 0
      local result = shell("for i in 1 2 3 4; do (for k in $(seq 25); do /calls socketpair; done) "
        .. "& done; wait", { socketpair = function()
          count = count + 1
          return 0
        end }, { limits = { wall_time = 60, output = "1M" } })
      assert.equal(("ok\n"):rep(100), result.stdout)
      assert.equal(100, count)
    end)

    it("does not keep a limit from ending the container", function()
      local result = shell("while :; do /calls socketpair; done",
        { socketpair = function() return 0 end }, { limits = { wall_time = 0.3 } })
      assert.equal("wall_time", result.reason)
    end)

    it("serves a container that was started and is waited for later", function()
      local box <close> = ctr.container(fields_of({ socketpair = function()
        return nil, "EXDEV"
      end }, { command = { "/calls", "socketpair" } }))
      assert(box:start())
      assert.equal("EXDEV\n", box:wait().stdout)
    end)

    it("asks once, whatever signals the caller gets", function()
      local count = 0
      assert.equal("ok", (call("in the rain", { uname = function()
        count = count + 1
        sys.nanosleep(0.05)
        return 0
      end })))
      assert.equal(1, count)
    end)

    it("lets a handler end the container", function()
      local box
      box = ctr.container(fields_of({ socketpair = function()
        box:kill()
        return 0
      end }, { command = { "/calls", "socketpair" } }))
      assert.equal(9, box:run().signal)
    end)

    it("belongs to a filter that was compiled elsewhere, too", function()
      local number = require("luactr.spec.seccomp.syscalls").abis()[1].numbers.socketpair
      local function instruction(code, jt, jf, k)
        return string.pack("<I2I1I1I4", code, jt, jf, k)
      end
      local seccomp = {
        bpf = instruction(0x20, 0, 0, 0) .. instruction(0x15, 0, 1, number)
          .. instruction(6, 0, 0, 0x7fc00000) .. instruction(6, 0, 0, 0x7fff0000),
        notify = { socketpair = function() return nil, "EXDEV" end },
      }
      assert.equal("EXDEV", (call("socketpair", nil, { seccomp = seccomp })))
    end)

    it("is there without root", function()
      support.needs("stranger")
      local user, runtime <close> = support.stranger, support.tmpdir()
      assert(sys.chown(runtime.path, user, user))
      local script = runtime:write("rootless.lua", [[
local ctr = require "luactr"
local paths = {}
local result = assert(ctr.run { rootfs = ctr.rootfs.host { "cat" }, stdout = "capture",
  command = { "cat", "/secret" },
  seccomp = { notify = { openat = function(call)
    local path = assert(call:string(call.args[1]))
    if path ~= "/secret" then return "continue" end
    local fd = ctr.sys.memfd_create("secret")
    fd:write("treasure")
    ctr.sys.lseek(fd, 0, "set")
    return fd
  end } } })
assert(#result.handler_errors == 0, result.handler_errors[1])
print(result.stdout)
]])
      local result = support.luactr { script, user = user,
        env = { XDG_RUNTIME_DIR = runtime.path } }
      assert.same({ "treasure\n", "" }, { result.stdout, result.stderr })
    end)

    it("dies with luactr, and the container with both", function()
      local script = dir:write("sleep.lua", ([[
local ctr = require "luactr"
ctr.run { name = %q, rootfs = %q, command = { "/busybox", "sh", "-c",
  "echo $$; while :; do /calls socketpair > /dev/null; done" },
  seccomp = { notify = { socketpair = function() return 0 end } } }
]]):format(ID, dir.path .. "/root"))
      local running <close> = process.start { support.luactr_program, script }
      running:expect("%d")
      running:signal("KILL")
      running:wait()
      local function survivor()
        for _, found in ipairs(sys.readdir("/proc")) do
          local exe = found.name:match("^%d+$") and sys.readlink("/proc/" .. found.name .. "/exe")
          if exe and exe:find(dir.path, 1, true) then return exe end
        end
      end
      local deadline = sys.clock_gettime() + PATIENCE
      while survivor() do assert.is_true(sys.clock_gettime() < deadline, survivor()) end
      call("fork") -- the next container cleans up after a luactr that was killed
    end)
  end)

  it("cannot be had twice, and the error says so", function()
    inside({}, function()
      local allow = string.pack("<I2I1I1I4", 6, 0, 0, 0x7fff0000)
      local _ <close> = assert(sys.seccomp(allow, "new_listener"))
      local result, err = ctr.run(fields_of({ uname = function() return 0 end },
        { command = { "/calls", "fork" } }))
      assert.is_nil(result)
      assert.same({ "EBUSY", "seccomp", true }, { err.code, err.op, err.checked })
      assert.matches("luactr itself runs under a filter that somebody answers for", err.cause)
    end)
  end)

  describe("an agent", function()
    local AGENT <const> = [[
import array, fcntl, socket, struct, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print("ready", flush=True)
client, _ = server.accept()
message, ancillary, _, _ = client.recvmsg(4096, 64)
fd = array.array("i", ancillary[0][2])[0]
print(message.decode(), flush=True)
while True:
    call = bytearray(80)
    fcntl.ioctl(fd, 0xc0502100, call)
    answer = bytearray(struct.pack("<QqiI", struct.unpack_from("<Q", call)[0], 0, -18, 0))
    fcntl.ioctl(fd, 0xc0182101, answer)
]]

    it("behind listenerPath gets the listener and the state", function()
      support.needs("program:python3")
      local socket = dir.path .. "/agent"
      local agent <close> = process.start { "python3", "-c", AGENT, socket }
      agent:expect("ready")
      local seccomp = { defaultAction = "SCMP_ACT_ALLOW", listenerPath = socket,
        listenerMetadata = "a \"b\"", syscalls = { { names = { "socketpair" },
          action = "SCMP_ACT_NOTIFY" } } }
      assert.equal("EXDEV", (call("socketpair", nil, { seccomp = seccomp })))
      agent:expect('"fds":%["seccompFd"%].*"metadata":"a \\u0022b\\u0022","state":.*"id":"'
        .. ID:gsub("%-", "%%-") .. '"')
      agent:signal("KILL")
    end)

    it("that is not there is an error", function()
      local result, err = ctr.run(fields_of(nil, { command = { "/calls", "fork" }, seccomp = {
        defaultAction = "SCMP_ACT_ALLOW", listenerPath = dir.path .. "/nobody", syscalls = {
          { names = { "socketpair" }, action = "SCMP_ACT_NOTIFY" } } } }))
      assert.is_nil(result)
      assert.same({ "ENOENT", "connect", dir.path .. "/nobody" }, { err.code, err.op, err.path })
    end)
  end)
end)
