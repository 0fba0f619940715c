-- Pods: what members share and what they do not, limits of all together, the order of starts and
-- stops, and what is left of them.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local PATIENCE <const> = 60 -- seconds
local MOMENTS <const> = 10

local PROGRAMS <const> = { "sh", "sleep", "cat", "hostname", "readlink", "ls" }

--- A member that runs a script of sh.
local function member(name, script, fields)
  local spec = {
    name = name, rootfs = ctr.rootfs.host(PROGRAMS), command = { "sh", "-c", script },
    stdout = "capture", stop_timeout = PATIENCE,
  }
  for key, value in pairs(fields or {}) do
    spec[key] = value
  end
  return spec
end

--- Until a member's output has a text.
local function await_output(box, text)
  local deadline = sys.clock_gettime() + PATIENCE
  local capture = box.life.captures.stdout
  while not capture:text():find(text, 1, true) do
    assert.is_true(sys.clock_gettime() < deadline, "nothing was said")
    box:wait(0.01)
  end
end

local function namespaces_of(box)
  local found = {}
  for _, kind in ipairs { "net", "ipc", "uts", "mnt", "pid", "cgroup", "time", "user" } do
    found[kind] = sys.readlink(string.format("/proc/%d/ns/%s", box:pid(), kind))
  end
  return found
end

local WAIT <const> = "while :; do sleep 1; done"
local SAY_BYE <const> = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"

describe("a pod #system", function()
  before_each(world.check)
  after_each(world.check)

  describe("of members", function()
    it("shares what is to be shared, and nothing else", function()
      local pod <close> = ctr.pod { share = { "network", "uts", "time" },
        member("a", WAIT), member("b", WAIT) }
      assert(pod:start())
      local a, b = namespaces_of(pod.members.a), namespaces_of(pod.members.b)
      local own = namespaces_of { pid = sys.getpid }
      for kind, shared in pairs { net = true, uts = true, time = true, ipc = false, mnt = false,
        pid = false, cgroup = false } do
        assert.are.equal(shared, a[kind] == b[kind], kind)
        assert.are_not.equal(own[kind], a[kind], kind)
      end
    end)

    it("lets one reach the other by the loopback", function()
      support.needs("program:busybox")
      local busybox = ctr.rootfs.host { "busybox" }
      local ask = "n=0; until busybox nc 127.0.0.1 99 || [ $n = 600 ]; do n=$((n+1)); "
        .. "busybox sleep 0.1; done"
      local results = assert(ctr.pod {
        member("server", "", { rootfs = busybox, command = { "busybox", "sh", "-c",
          "echo hello | busybox nc -l -p 99" } }),
        member("client", "", { rootfs = busybox, command = { "busybox", "sh", "-c", ask },
          stderr = "null" }),
      }:run())
      assert.are.equal("hello\n", results.client.stdout)
    end)

    it("has the queues of all in one ipc namespace", function()
      support.needs("program:ipcmk", "program:ipcs")
      local rootfs = ctr.rootfs.host { "sh", "ipcmk", "ipcs", "sleep" }
      local pod <close> = ctr.pod { share = { "ipc" },
        member("a", "ipcmk -Q; " .. WAIT, { rootfs = rootfs }),
        member("b", "n=0; while [ $n -lt 600 ]; do case $(ipcs -q) in *0x*) ipcs -q; exit;; esac; "
          .. "n=$((n+1)); sleep 0.1; done", { rootfs = rootfs }) }
      assert(pod:start())
      assert.matches("0x%x+ 0 ", assert(pod.members.b:wait(PATIENCE)).stdout)
    end)

    it("sees the processes of all in one pid namespace, which ends with the first", function()
      local pod <close> = ctr.pod { share = { "pid" }, member("a", WAIT),
        member("b", "readlink /proc/self/ns/pid; cat /proc/1/comm; echo $$; sleep 1000") }
      assert(pod:start())
      await_output(pod.members.b, "\nluactr-init\n")
      local pid = sys.readlink("/proc/" .. pod.members.a:pid() .. "/ns/pid")
      assert.is_truthy(pod.members.b.life.captures.stdout:text():find(pid, 1, true))
      assert(pod.members.a:kill())
      local results = assert(pod:wait(PATIENCE))
      assert.are.equal("killed", results.a.reason)
      assert.are.equal(9, results.b.signal)
    end)

    it("has one host name for all, the pod's or its own", function()
      local results = assert(ctr.pod { hostname = "together",
        member("a", "hostname; echo $HOSTNAME"), member("b", "hostname") }:run())
      assert.are.equal("together\ntogether\n", results.a.stdout)
      assert.are.equal("together\n", results[2].stdout)
    end)

    it("mounts a root for each", function()
      local results = assert(ctr.pod {
        member("a", "echo a >/tmp/mark; ls /tmp", { mounts = { ctr.tmpfs "/tmp" } }),
        member("b", "ls /tmp", { mounts = { ctr.tmpfs "/tmp" } }) }:run())
      assert.are.equal("mark\n", results.a.stdout)
      assert.are.equal("", results.b.stdout)
    end)

    it("tells how each ended, by name and in order", function()
      local results = assert(ctr.pod { member("a", "exit 3"), member("b", "kill -9 $$") }:run())
      assert.are.equal(3, results.a.exit_code)
      assert.are.equal(9, results[2].signal)
    end)

    it("takes containers that were made before", function()
      local box = ctr.container(member("a", "exit 4"))
      local pod <close> = ctr.pod { box }
      assert.are.equal(4, assert(pod:run()).a.exit_code)
      assert.has_error(function() box:start() end,
        string.format("%q is a member of pod %q, which starts it", box.id, pod.id))
      local fine, err = pcall(ctr.pod, { box })
      assert.is_false(fine)
      assert.matches("is a member of pod \".*\" already", tostring(err))
    end)

    it("takes none that runs", function()
      local box <close> = ctr.container(member("a", WAIT))
      assert(box:start())
      local _, err = pcall(ctr.pod, { box })
      assert.matches("%[1%]: is running already", tostring(err))
    end)

    it("runs again and again", function()
      local pod <close> = ctr.pod { member("a", "echo once") }
      for _ = 1, 2 do
        assert.are.equal("once\n", assert(pod:run()).a.stdout)
      end
    end)
  end)

  describe("whose members are called back", function()
    it("ends when one of them says so", function()
      local pod
      pod = ctr.pod { member("server", SAY_BYE),
        member("client", "exit 3", { on = { exit = function() pod:stop() end } }) }
      local results = assert(pod:run())
      local server = results.server -- it may not have had its trap yet
      assert.are.same({ true, 3 }, { server.exit_code == 0 or server.signal == sys.signals.TERM,
        results.client.exit_code })
    end)

    it("starts one again among the others", function()
      local seen = {}
      local pod <close> = ctr.pod { member("a", WAIT),
        member("b", "readlink /proc/self/ns/net", { on = { exit = function(box, result)
          seen[#seen + 1] = result.stdout
          if #seen < 3 then assert(box:start()) end
        end } }) }
      assert(pod:start())
      local shared = namespaces_of(pod.members.a).net .. "\n"
      local deadline = sys.clock_gettime() + PATIENCE
      while #seen < 3 do
        assert.is_true(sys.clock_gettime() < deadline)
        pod:wait(0.05)
      end
      assert(pod:stop())
      assert.are.same({ shared, shared, shared }, seen)
    end)
  end)

  describe("with users of its own", function()
    it("has the same for all members, who own what is shared", function()
      local show = "cat /proc/self/uid_map; hostname renamed && hostname"
      local results = assert(ctr.pod { idmap = "range", member("a", show,
        { capabilities = { add = { "SYS_ADMIN" } }, seccomp = "unconfined" }),
        member("b", "cat /proc/self/uid_map") }:run())
      assert.matches("^ *0 +%d+ +65536\nrenamed\n$", results.a.stdout)
      assert.are.equal(results.a.stdout:match("^[^\n]*\n"), results.b.stdout)
    end)

    it("refuses a member's user that none of them is", function()
      local done, err = ctr.pod({ idmap = "single", member("a", "exit 0", { user = 7 }) }):run()
      assert.is_nil(done)
      assert.matches("user 7 does not exist in the user namespace", tostring(err))
    end)
  end)

  describe("with limits", function()
    it("ends who takes the memory of all", function()
      support.needs("controller:memory")
      local hold = "a=x; while [ ${#a} -lt 16777216 ]; do a=$a$a; done; echo ready; "
      local pod <close> = ctr.pod { limits = { memory = "48M" },
        member("holds", hold .. WAIT), member("wants", "sleep 1000") }
      assert(pod:start())
      await_output(pod.members.holds, "ready")
      assert.is_true(pod:stats().memory > 16 << 20)
      pod:close()
      local results = assert(ctr.pod { limits = { memory = "24M", swap = 0 },
        member("takes", "a=x; while :; do a=$a$a; done"), member("small", "sleep 0.1") }:run())
      assert.are.equal("oom", results.takes.reason)
      assert.are.equal(0, results.small.exit_code)
    end)

    it("counts the processes of all", function()
      support.needs("controller:pids")
      local pod <close> = ctr.pod { limits = { pids = 8 }, member("a", WAIT),
        member("b", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait", { stderr = "null" }) }
      assert(pod:start())
      local result = assert(pod.members.b:wait(PATIENCE))
      assert.are_not.equal(0, result.exit_code)
      assert.is_true(pod:stats().pids <= 8)
    end)

    it("refuses one that the host cannot enforce", function()
      local pod <close> = ctr.pod { limits = { net_class = 1, unified = { ["x.y"] = "1" } },
        member("a", "exit 0") }
      local done, err = pod:start()
      assert.is_nil(done)
      assert.matches("limits%.", tostring(err))
    end)

    it("has meters of all together, at the end, too", function()
      local pod <close> = ctr.pod { member("a", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"),
        member("b", "exit 0") }
      local results = assert(pod:run())
      assert.is_true(pod.usage.cpu_seconds >= results.a.cpu_seconds)
    end)
  end)

  describe("in its order", function()
    it("starts one after the other and stops in reverse, each in its own way", function()
      local reader <close>, writer = sys.pipe()
      local function says(name)
        return member(name, "trap 'echo -" .. name .. "; exit 0' USR1; echo +" .. name
          .. "; while :; do sleep 0.05; done", { stdout = writer, stop_signal = "USR1" })
      end
      local pod <close> = ctr.pod { says "a", says "b" }
      assert(pod:start())
      writer:close()
      local text = ""
      while #text < 6 do text = text .. reader:read(100) end
      local results = assert(pod:stop())
      repeat
        local more = reader:read(100)
        text = text .. more
      until more == ""
      assert.are.equal("-b\n-a\n", text:sub(7))
      assert.are.equal(0, results.a.exit_code)
    end)

    it("stops those that have started when one does not, and says which and why", function()
      local reader <close>, writer = sys.pipe()
      local pod <close> = ctr.pod { name = support.name("pod"),
        member("a", SAY_BYE, { stdout = writer }),
        member("b", "", { command = { "/no/such" } }), member("c", WAIT, { stdout = writer }) }
      local done, err = pod:start()
      writer:close()
      assert.is_nil(done)
      assert.are.equal("ENOENT", err.code)
      assert.are.equal("exec", err.op)
      assert.is_number(err.step)
      assert.matches("pod \"" .. support.name("pod"):gsub("%-", "%%-")
        .. "\": cannot start \".*%.b\"", tostring(err))
      assert.is_nil((reader:read(100):find("c", 1, true)))
      local first = pod.members.a.result -- it may not have had its trap yet
      assert.is_true(first.exit_code == 0 or first.signal == sys.signals.TERM)
      assert.is_nil(pod.members.c.result)
    end)

    it("tells of a namespace that cannot be set up", function()
      local pod <close> = ctr.pod { member("a", "exit 0") }
      local done, err = pod:start { fail = { step = 1, errno = sys.errno.EPERM } }
      assert.is_nil(done)
      assert.are.same({ "EPERM", "sethostname", 1, 3 }, { err.code, err.op, err.step, err.steps })
    end)
  end)

  it("is one at a time of its name", function()
    local name = support.name("twice")
    local pod <close> = ctr.pod { name = name, member("a", WAIT) }
    assert(pod:start())
    local other <close> = ctr.pod { name = name, member("b", WAIT) }
    local done, err = other:start()
    assert.is_nil(done)
    assert.are.equal("EEXIST", err.code)
    assert.has_error(function() pod:start() end, string.format("pod %q is running already", name))
  end)

  it("pauses and resumes all, and passes signals on to all", function()
    local pod <close> = ctr.pod { member("a", SAY_BYE), member("b", SAY_BYE) }
    assert(pod:start())
    await_output(pod.members.a, "ready")
    await_output(pod.members.b, "ready")
    assert(pod:pause())
    assert.are.equal("ETIMEDOUT", select(2, pod:wait(0.1)).code)
    assert(pod:resume())
    assert(pod:kill("TERM"))
    local results = assert(pod:wait(PATIENCE))
    assert.are.same({ "ready\nbye\n", "ready\nbye\n" }, { results.a.stdout, results.b.stdout })
  end)

  it("runs without root, with the users that all share", function()
    support.needs("stranger")
    local dir <close> = support.tmpdir()
    local runtime = dir:mkdir("run")
    assert(sys.chown(runtime, support.stranger, support.stranger))
    local recipe = dir:write("pod.lua", [[
      local ctr = require "luactr"
      local function member(name)
        return { name = name, rootfs = ctr.rootfs.host { "sh", "readlink", "hostname" },
          command = { "sh", "-c", "echo $(hostname) $(readlink /proc/self/ns/user) "
            .. "$(readlink /proc/self/ns/net)" } }
      end
      local pod = ctr.pod { hostname = "rootless", member "a", member "b" }
      if ... == "detached" then
        local found = assert(pod:start { detach = true })
        for _, result in ipairs(assert(found:wait(60))) do assert(result.exit_code == 0) end
        return assert(found:remove())
      end
      return pod
    ]])
    for _, argument in ipairs { "", "detached" } do
      local result = support.luactr { recipe, argument,
        user = support.stranger, env = { XDG_RUNTIME_DIR = runtime } }
      assert.are.same({ 0, "" }, { result.code, result.stderr })
      if argument == "" then
        local one, other = result.stdout:match("^(rootless user:%S+ net:%S+)\n(.*)\n$")
        assert.are.equal(one, other)
      end
    end
  end)

  it("shares no pid namespace without root, and says why", function()
    support.needs("stranger")
    local dir <close> = support.tmpdir()
    local runtime = dir:mkdir("run")
    assert(sys.chown(runtime, support.stranger, support.stranger))
    local recipe = dir:write("pod.lua", [[
      local ctr = require "luactr"
      return ctr.pod { share = { "pid" },
        { name = "a", rootfs = ctr.rootfs.host { "sh" }, command = { "sh" } } }
    ]])
    local result = support.luactr { recipe, user = support.stranger,
      env = { XDG_RUNTIME_DIR = runtime } }
    assert.are.equal(125, result.code)
    assert.matches("without root luactr cannot enter the first member's", result.stderr)
  end)

  it("lets nobody but root look into a member without root, and says so", function()
    support.needs("stranger")
    local dir <close> = support.tmpdir()
    local runtime, name = dir:mkdir("run"), support.name("rootless")
    assert(sys.chown(runtime, support.stranger, support.stranger))
    local recipe = dir:write("pod.lua", [[
      local ctr = require "luactr"
      return ctr.pod { name = ...,
        { name = "a", rootfs = ctr.rootfs.host { "sleep" }, command = { "sleep", "1000" } } }
    ]])
    local function luactr(...)
      return support.luactr { user = support.stranger, env = { XDG_RUNTIME_DIR = runtime }, ... }
    end
    local started = luactr("run", "-d", recipe, name)
    assert.are.equal(0, started.code, started.stderr)
    local result = luactr("exec", name .. ".a", "sleep", "0")
    assert.are.equal(0, luactr("rm", "-f", name).code)
    assert.are.equal(125, result.code)
    assert.matches("joined users of others, as a pod's members do", result.stderr)
  end)

  it("that is left open by kill -9 leaves nothing that the next run does not remove", function()
    sys.child_subreaper(true)
    finally(function() sys.child_subreaper(false) end)
    local reader <close>, writer = sys.pipe()
    local name = support.name("killed")
    local child <close> = assert(sys.clone({}, function()
      ctr.pod({ name = name, limits = { pids = 20 },
        member("a", WAIT, { stdout = writer }),
        member("b", "echo ready; " .. WAIT, { stdout = writer }) }):run()
      return 0
    end))
    writer:close()
    assert.are.equal("ready\n", reader:read(100))
    child:signal(sys.signals.KILL)
    sys.waitid(child)
    assert.are.equal("", reader:read(100)) -- nobody holds the other end
    local deadline = sys.clock_gettime() + PATIENCE
    repeat -- the orphans are ours by now
      assert.is_true(sys.clock_gettime() < deadline, "a process of the pod lives")
      sys.nanosleep(0.002)
    until not sys.waitid(nil, "nohang") and select(3, sys.waitid(nil, "nohang")) == sys.errno.ECHILD
    require("luactr.state").sweep(require("luactr.host").facts())
  end)

  describe("that is detached", function()
    local function start(...)
      local pod = ctr.pod { name = support.name("pod"), limits = { pids = 30 }, ... }
      local found = assert(pod:start { detach = true })
      return found, setmetatable({}, { __close = function() found:remove { force = true } end })
    end

    it("is found by its name, and has its members' names", function()
      local found, _ <close> = start(member("a", WAIT), member("b", WAIT))
      assert.are.equal(found.id .. ".b", found.members[2].id)
      assert.are.equal("running", ctr.find(found.id):state())
      assert.are.equal(found.id .. ".a", ctr.find(found.id .. ".a").id)
      assert.is_true(found:stats().pids >= 4)
      assert.are.equal(namespaces_of(found.members[1]).net, namespaces_of(found.members[2]).net)
    end)

    it("stops in reverse, and tells how each ended", function()
      local found, _ <close> = start(member("a", "exit 5"), member("b", SAY_BYE))
      for line in found.members[2]:logs { follow = true } do
        if line.text == "ready" then break end
      end
      assert(found:stop())
      local results = assert(found:wait(PATIENCE))
      assert.are.same({ 5, 0 }, { results.a.exit_code, results[2].exit_code })
      assert.are.equal("exited", found:state())
      local _, err = found:stop()
      assert.are.equal("ESRCH", err.code)
      assert(found:remove())
      assert.is_nil(ctr.find(found.id))
    end)

    it("starts one again in what the others share", function()
      local found, _ <close> = start(member("a", WAIT),
        member("b", "readlink /proc/self/ns/net; exit 1", { restart = "on-failure:1" }))
      local shared = namespaces_of(found.members[1]).net
      assert.are.equal(1, assert(found.members[2]:wait(PATIENCE)).exit_code)
      local lines = {}
      for line in found.members[2]:logs() do lines[#lines + 1] = line.text end
      assert.are.same({ shared, shared }, lines)
    end)

    it("takes its cgroup along with the last member", function()
      local found, _ <close> = start(member("a", "exit 0"), member("b", WAIT))
      assert(found.members[1]:wait(PATIENCE))
      assert(found:stats())
      assert(found.members[2]:kill())
      assert(found:wait(PATIENCE)) -- and the world check looks for the rest
    end)

    it("starts as a whole or not at all", function()
      local pod = ctr.pod { name = support.name("half"), member("a", SAY_BYE),
        member("b", "", { command = { "/no/such" } }) }
      local found, err = pod:start { detach = true }
      assert.is_nil(found)
      assert.matches("half%.b", tostring(err))
      assert.is_nil(ctr.find(support.name("half")))
    end)

    -- Until the first member is left to its monitor all of them end; from then on it is known.
    it("is known or gone, whenever its luactr is killed in the start #long", function()
      sys.child_subreaper(true)
      finally(function() sys.child_subreaper(false) end)
      local name, host = support.name("moment"), require("luactr.host").facts()
      local function start_in_child(hook)
        local child <close> = assert(sys.clone({}, function()
          debug.sethook(hook, "c")
          ctr.pod({ name = name, limits = { pids = 20 }, member("a", WAIT), member("b", WAIT) })
            :start { detach = true }
          debug.sethook()
          hook("end")
          return 0
        end))
        return sys.waitid(child)
      end
      local function has_directory()
        for _, entry in ipairs(sys.readdir(host.state_dir .. "/containers") or {}) do
          if entry.name:find(name, 1, true) then return true end
        end
        return false
      end
      --- Until no member is half-way; true if there are any.
      local function settle()
        local deadline, started = sys.clock_gettime() + PATIENCE, false
        while true do
          assert.is_true(sys.clock_gettime() < deadline, "a member stays half-way")
          require("luactr.state").sweep(host)
          while sys.waitid(nil, "nohang") do end -- monitors, which are ours by now
          local found, running = ctr.find(name), 0
          for _, one in ipairs(found and found.members or {}) do
            running = running + (one:is_running() and 1 or 0)
          end
          if found and running == #found.members then
            assert(found:remove { force = true })
            started = true
          elseif not has_directory() then
            return started
          end
          sys.nanosleep(0.01)
        end
      end
      local reader <close>, writer = sys.pipe()
      local calls = 0
      start_in_child(function(event)
        calls = calls + 1
        if event == "end" then writer:write(tostring(calls)) end
      end)
      writer:close()
      calls = tonumber(reader:read(100))
      assert.is_true(settle())
      for moment = 1, MOMENTS do
        local seen, last = 0, moment * calls // (MOMENTS + 1)
        start_in_child(function()
          seen = seen + 1
          if seen == last then sys.kill(sys.getpid(), sys.signals.KILL) end
        end)
        settle()
      end
      while sys.waitid(nil, "nohang") do end
    end)

    it("keeps its name until it is removed", function()
      local found, _ <close> = start(member("a", "exit 0"))
      assert(found:wait(PATIENCE))
      local done, err = ctr.pod({ name = found.id, member("z", "exit 0") }):start()
      assert.is_nil(done)
      assert.are.equal("EEXIST", err.code)
      assert.matches("luactr rm", err.remedy)
    end)

    it("whose monitors were killed is lost, and swept up", function()
      local found, _ <close> = start(member("a", WAIT), member("b", WAIT))
      for _, one in ipairs(found.members) do
        sys.kill(one.record.owner.pid, sys.signals.KILL)
      end
      local results = assert(found:wait(PATIENCE))
      assert.are.same({ "lost", "lost" }, { results.a.reason, results.b.reason })
    end)
  end)
end)
