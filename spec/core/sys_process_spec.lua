local inside = require("support.inside")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local NOBODY <const> = 0x7ffffff0 -- above any pid_max

local function fails(errno, _, message, number)
  assert.equal(errno, sys.errname(number), message)
end

local function sleeper()
  return assert(sys.clone({}, function() sys.nanosleep(60) end))
end

-- Run a program with lua5.4, as a process of its own: what it prints and how it ended.
local function script(text)
  local dir <close> = support.tmpdir()
  local path = dir:write("script.lua", 'local sys = require("luactr.sys")\n' .. text)
  return support.run { "lua5.4", path, env = {
    LUA_PATH = "lua/?.lua", LUA_CPATH = support.build .. "/lib/?.so",
    LD_PRELOAD = os.getenv("LD_PRELOAD") or "",
  } }
end

describe("luactr.sys processes #core", function()
  before_each(world.check)
  after_each(world.check)

  it("fail with the errno of the system call #unemulated", function()
    local plain <close> = assert(sys.open("/dev/null"))
    fails("ENOENT", sys.exec("/no/such/program", { "x" }))
    fails("EACCES", sys.exec("/etc/passwd", { "x" }))
    fails("ECHILD", sys.waitid())
    fails("ECHILD", sys.waitid(NOBODY))
    fails("ESRCH", sys.kill(NOBODY, 0))
    fails("ESRCH", sys.pidfd_open(NOBODY))
    fails("EBADF", sys.pidfd_send_signal(plain, "TERM"))
    fails("EBADF", sys.pidfd_getfd(plain, 0))
    fails("ESRCH", sys.getpgid(NOBODY))
    fails("ESRCH", sys.setpgid(NOBODY, 0))
    fails("ESRCH", sys.getsid(NOBODY))
    fails("EINVAL", sys.waitid(nil, 1 << 20))
  end)

  describe("clone()", function()
    it("runs the function with its arguments and gives its status", function()
      local child <close> = assert(sys.clone({}, function(a, b) return a + b end, 3, 4))
      local how = child:wait()
      assert.same({ child:pid(), 7, false }, { how.pid, how.code, how.core_dumped })
      assert.is_true(how.max_rss > 0 and how.user_seconds >= 0 and how.system_seconds >= 0)
    end)

    it("counts nothing and true as success, false as failure", function()
      for value, code in pairs { ["nil"] = 0, ["true"] = 0, ["false"] = 1, ["'text'"] = 0 } do
        local child <close> = assert(sys.clone(nil, assert(load("return " .. value))))
        assert.equal(code, child:wait().code, value)
      end
    end)

    it("makes the function pid 1 of a new pid namespace", function()
      support.needs("root")
      inside("newpid", function()
        assert.same({ 1, 0 }, { sys.getpid(), sys.getppid() })
      end)
    end)

    it("prints an error with its traceback and ends with 1", function()
      local run = script [[
        local child <close> = assert(sys.clone({}, function() error("boom") end))
        print(child:wait().code)]]
      assert.equal("1\n", run.stdout)
      assert.matches("boom\nstack traceback:", run.stderr)
    end)

    it("prints the message of a primitive that failed", function()
      local run = script [[
        local child <close> = assert(sys.clone({}, function()
          return sys.exec("/no/such", { "x" })
        end))
        print(child:wait().code)]]
      assert.equal("1\n", run.stdout)
      assert.equal("exec /no/such: No such file or directory\n", run.stderr)
    end)

    it("writes buffered output once", function()
      local run = script [[
        io.write("parent,")
        local child <close> = assert(sys.clone({}, function() io.write("child,") end))
        child:wait()
        io.write("end")]]
      assert.equal("parent,child,end", run.stdout)
    end)

    it("keeps os.exit from closing what belongs to the parent", function()
      local run = script [[
        setmetatable({}, { __gc = function() print("collected") end })
        local keep <close> = setmetatable({}, { __close = function() print("closed") end })
        local child <close> = assert(sys.clone({}, function() os.exit(3, true) end))
        print(child:wait().code)]]
      assert.equal("collected\n3\nclosed\n", run.stdout)
    end)

    it("refuses flags that are no namespaces, and things that are no functions", function()
      assert.error_matches(function() sys.clone("fs", print) end, "only CLONE_NEW flags")
      assert.error(function() sys.clone({}, "print") end)
    end)

    it("says why it fails", function()
      support.needs("root")
      inside({}, function()
        assert(sys.setuid(65534))
        fails("EPERM", sys.clone("newns", print))
      end)
    end)

    it("leaves handles of the parent alone in the child #unemulated", function()
      local other <close> = sleeper()
      inside({}, function() other:close() end)
      assert.is_nil(other:wait(0))
      assert(other:signal(0))
    end)
  end)

  describe("a child", function()
    it("is killed and reaped by close, which may be called twice", function()
      local child = sleeper()
      local pid = child:pid()
      child:close()
      child:close()
      fails("ESRCH", sys.kill(pid, 0))
      assert.equal(("child %d (closed)"):format(pid), tostring(child))
      assert.error_matches(function() child:wait() end, "closed child")
    end)

    it("is killed and reaped in collection", function()
      local pid = sleeper():pid()
      collectgarbage()
      collectgarbage()
      fails("ESRCH", sys.kill(pid, 0))
    end)

    it("is waited for with patience, and remembers the answer #unemulated", function()
      local child <close> = sleeper()
      assert.same({ nil, "timeout", n = 2 }, table.pack(child:wait(0.01)))
      assert(child:signal("TERM"))
      assert.equal(15, child:wait(120).signal)
      assert.equal(15, child:wait().signal)
      fails("ESRCH", child:signal("TERM"))
      assert.error_matches(function() sys.kill(child, 0) end, "has been waited for")
      assert.error(function() child:wait(-1) end)
    end)

    it("that something else has reaped is known as gone", function()
      local child <close> = sleeper()
      assert(sys.kill(child, "KILL"))
      assert(sys.waitid(child:pid()))
      fails("ECHILD", child:wait())
    end)
  end)

  describe("waitid()", function()
    it("waits by pid, handle, pidfd or for any #unemulated", function()
      for _, how in ipairs { "pid", "handle", "pidfd", "any" } do
        local child <close> = assert(sys.clone({}, function() return 5 end))
        local pidfd <close> = assert(sys.pidfd_open(child))
        local who = { pid = child:pid(), handle = child, pidfd = pidfd }
        assert.equal(5, assert(sys.waitid(who[how])).code, how)
      end
    end)

    it("tells stops, continues and no news #unemulated", function()
      local child <close> = sleeper()
      fails("EAGAIN", sys.waitid(child, "nohang"))
      assert(sys.kill(child, "SIGSTOP"))
      assert.equal(sys.signals.STOP, sys.waitid(child, "stopped").stopped)
      assert(sys.kill(child:pid(), sys.signals.CONT))
      assert.equal(sys.signals.CONT, sys.waitid(child, "continued").continued)
      assert(sys.pidfd_send_signal(child, "KILL"))
      assert.equal(9, sys.waitid(child, { "exited", "nowait" }).signal)
      assert.equal(9, child:wait().signal)
    end)
  end)

  it("take unknown signals for a mistake", function()
    for _, signal in ipairs { "TREM", "", 65, -1, 1.5 } do
      assert.is_false(pcall(sys.kill, sys.getpid(), signal), tostring(signal))
    end
  end)

  it("copy descriptors from each other #unemulated", function()
    support.needs("root")
    local reader, writer <close> = assert(sys.pipe())
    local _ <close> = reader
    local child <close> = sleeper()
    local pidfd <close> = assert(sys.pidfd_open(child:pid()))
    local copy <close> = assert(sys.pidfd_getfd(pidfd, writer:fileno()))
    copy:write("x")
    assert.equal("x", reader:read(1))
  end)

  describe("exec()", function()
    local function output_of(...)
      local reader, writer <close> = assert(sys.pipe())
      local _ <close> = reader
      local child <close> = assert(sys.clone({}, function(...)
        sys.dup2(writer, 1)
        return sys.exec(...)
      end, ...))
      writer:close()
      assert.equal(0, child:wait().code)
      return reader:read(4096)
    end

    it("passes arguments and the environment", function()
      assert.equal("a|b c|", output_of("/usr/bin/printf", { "printf", "%s|", "a", "b c" }))
      assert.equal("A=1\nB=2\n", output_of("/usr/bin/env", { "env" }, { "A=1", "B=2" }))
      assert.matches("PATH=", output_of("/usr/bin/env", { "env" }))
    end)

    it("starts a program by descriptor, and leaves it no other", function()
      local program <close> = assert(sys.open("/usr/bin/ls", "path"))
      local stays <const> = assert(sys.dup2(program, 300))
      local goes <close> = assert(sys.adopt(assert(sys.dup2(program, 301))))
      local listed = output_of(program, { "ls", "/proc/self/fd" })
      sys.close(stays)
      assert.matches("\n300\n", listed)
      assert.is_nil(listed:match("\n" .. goes:fileno() .. "\n"))
    end)

    it("wants a list of strings that starts with a name", function()
      assert.error(function() sys.exec("/bin/true", {}) end)
      assert.error(function() sys.exec("/bin/true", { "true", 5 }) end)
      assert.error(function() sys.exec("/bin/true", { "true" }, { "A=\0" }) end)
    end)
  end)

  it("lead sessions and groups", function()
    inside({}, function()
      local pid = sys.getpid()
      assert.equal(pid, sys.gettid())
      assert(sys.setpgid())
      assert.equal(pid, sys.getpgrp())
      assert.equal(pid, sys.getpgid(pid))
      fails("EPERM", sys.setsid())
      local child <close> = assert(sys.clone({}, function()
        assert(sys.setsid() == sys.getpid() and sys.getsid() == sys.getpid())
      end))
      assert.equal(0, child:wait().code)
    end)
  end)

  it("have attributes of prctl", function()
    inside({}, function()
      assert(sys.parent_death_signal("TERM"))
      assert.equal(15, sys.get_parent_death_signal())
      assert(sys.child_subreaper(true))
      assert.is_true(sys.get_child_subreaper())
      assert(sys.process_name("a name that is too long"))
      assert.equal("a name that is ", sys.get_process_name())
    end)
  end)

  it("exit with a status and no cleanup", function()
    for value, code in pairs { [true] = 0, [false] = 1, [9] = 9 } do
      local child <close> = assert(sys.clone({}, function()
        local _ <close> = setmetatable({}, { __close = function() os.exit(77) end })
        sys.exit(value)
      end))
      assert.equal(code, child:wait().code)
    end
  end)
end)
