-- Restart policies: who is started again, when, with what, and who ends it.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local PATIENCE <const> = 60 -- seconds

describe("restart #system", function()
  local name = support.name("restart")

  setup(world.adopt_orphans)
  before_each(world.check)
  after_each(function()
    local left = ctr.find(name)
    if left then assert(left:remove { force = true }) end
    world.check()
  end)

  local function box(policy, script, fields)
    local spec = {
      name = name, restart = policy, rootfs = ctr.rootfs.host { "sh", "sleep", "cat", "id" },
      command = { "sh", "-c", script },
    }
    for key, value in pairs(fields or {}) do spec[key] = value end
    return ctr.container(spec)
  end

  local function start(...)
    return assert(box(...):start { detach = true })
  end

  local function output(found)
    local texts = {}
    for record in assert(found:logs()) do
      texts[#texts + 1] = record.text .. (record.full and "\n" or "")
    end
    return table.concat(texts)
  end

  local function eventually(what, condition)
    local deadline = sys.clock_gettime() + PATIENCE
    while not condition() do
      assert(sys.clock_gettime() < deadline, "never: " .. what)
      sys.nanosleep(0.005)
    end
  end

  local function await_state(found, word)
    eventually(word, function() return found:state() == word end)
  end

  local function events()
    local list = {}
    for event in assert(ctr.events { name = name }) do
      list[#list + 1] = event
    end
    return list
  end

  it("starts a failed one again, as often as it says", function()
    local before = #events()
    local found = start("on-failure:3", "echo life; exit 3")
    local result = assert(found:wait())
    assert.same({ 3, "exit", 3 }, { result.exit_code, result.reason, result.restarts })
    assert.equal("life\nlife\nlife\nlife\n", output(found))
    local told, counts = {}, {}
    for i, event in ipairs(events()) do
      if i > before then
        told[event.event] = (told[event.event] or 0) + 1
        counts[#counts + 1] = event.restarts
      end
    end
    assert.same({ create = 1, start = 1, exit = 4, restart = 3 }, told)
    assert.same({ 1, 2, 3 }, counts)
    local seen = found:inspect()
    assert.same({ "exited", 3, 2 }, { seen.state, seen.restarts, seen.last.restarts })
  end)

  it("leaves one alone that ends well, unless it is always", function()
    assert.equal(0, assert(start("on-failure", "exit 0"):wait()).restarts)
    assert(ctr.find(name):remove())
    local found = start("always", "echo life")
    eventually("three lives", function() return select(2, output(found):gsub("life", "")) >= 3 end)
    assert(found:remove { force = true })
    assert.is_nil(found:state())
  end)

  it("takes unless-stopped for always", function()
    assert.equal("always", box("unless-stopped", "").spec.restart)
  end)

  for how, act in pairs {
    stop = function(found) return found:stop() end,
    ["kill KILL"] = function(found) return found:kill("KILL") end,
    ["kill with its stop_signal"] = function(found) return found:kill("TERM") end,
    ["remove by force"] = function(found) return found:remove { force = true } end,
  } do
    it("is ended for good by " .. how .. " while it runs", function()
      local found = start("always", "exec sleep 100")
      assert(act(found))
      local result, err = found:wait()
      if how == "remove by force" then
        assert.equal("ENOENT", err.code)
      else
        assert.same({ "killed", 0, "exited" }, { result.reason, result.restarts, found:state() })
      end
    end)

    it("is ended for good by " .. how .. " while it waits", function()
      local found = start("always", "exit 4")
      eventually("a wait that is long enough", function()
        return found:state() == "restarting" and found.record.restarts >= 2
      end)
      assert(act(found))
      local result, err = found:wait()
      if how == "remove by force" then
        assert.equal("ENOENT", err.code)
      else
        -- On a slow machine the next life may have begun.
        assert.is_true(result.exit_code == 4 or result.reason == "killed")
        assert.equal("exited", found:state())
        assert.is_true(result.restarts >= 2)
      end
    end)
  end

  it("is ended for good by stop at any moment between two lives", function()
    for i = 1, 10 do
      local found = start("always", "exit 1", { stop_timeout = 1 })
      sys.nanosleep(i * 0.02)
      assert(found:stop())
      assert.equal("exited", found:state())
      assert(found:remove())
    end
  end)

  it("is refused to be stopped or killed when it has ended", function()
    local found = start("always", "exec sleep 100")
    assert(found:stop(0))
    for _, act in ipairs { "stop", "kill" } do
      local done, err = found[act](found)
      assert.same({ nil, "ESRCH" }, { done, err and err.code })
    end
  end)

  it("is not removed without force while it waits", function()
    local found = start("always", "exit 1")
    await_state(found, "restarting")
    local removed, err = found:remove()
    assert.same({ nil, "EBUSY", "it is to be started again" }, { removed, err.code, err.cause })
  end)

  it("is the policy of any other signal's victim, too", function()
    local script = "trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done"
    local found = start("on-failure", script)
    eventually("its handler", function() return output(found) ~= "" end)
    assert(found:kill("USR1"))
    eventually("another life", function() return output(found) == "ready\nready\n" end)
    assert.equal(1, found:inspect().restarts)
  end)

  it("counts limits and what was used for each life", function()
    local found = start("on-failure:2", "while :; do :; done",
      { limits = { cpu_time = 0.2, pids = 10 } })
    local result = assert(found:wait())
    assert.same({ "cpu_time", 2 }, { result.reason, result.restarts })
    assert.is_true(result.proof.value < 1)
    assert.equal("cpu_time", found:inspect().last.reason)
  end)

  it("ends each life at wall_time", function()
    local found = start("on-failure:1", "sleep 100", { limits = { wall_time = 0.1 } })
    local result = assert(found:wait())
    assert.same({ "wall_time", 1 }, { result.reason, result.restarts })
  end)

  it("takes commands in a life after one that a limit ended", function()
    local found = start("on-failure:1", "echo up; exec sleep 100",
      { limits = { wall_time = 3, pids = 20 } })
    eventually("its second life", function() return output(found) == "up\nup\n" end)
    assert.equal(0, assert(found:exec { command = { "sh", "-c", "exit 0" } }).exit_code)
  end)

  it("gives each life the same: input, files, descriptors", function()
    local dir <close> = support.tmpdir()
    dir:write("input", "from a file\n")
    local out, written = assert(sys.pipe())
    local found = start("on-failure:1", "cat; cat /f; touch /new 2>/dev/null; echo 3 >&3; exit 1", {
      stdin = "fed\n", mounts = { ctr.bind(dir.path .. "/input", "/f") }, fds = { [3] = written },
    })
    written:close()
    assert(found:wait())
    assert.equal(("fed\nfrom a file\n"):rep(2), output(found))
    assert.equal("3\n3\n", out:read(100))
    out:close()
    assert(found:remove())
    found = start("on-failure:1", "cat; exit 1", { stdin = { file = dir.path .. "/input" } })
    assert(found:wait())
    assert.equal(("from a file\n"):rep(2), output(found))
  end)

  it("starts in the directory that luactr was in", function()
    local dir <close> = support.tmpdir()
    dir:mkdir("here")
    local child <close> = assert(sys.clone({}, function()
      assert(sys.chdir(dir.path))
      start("on-failure:1", "cd /x && echo there; exit 1", { mounts = { ctr.bind("here", "/x") } })
      return 0
    end))
    assert.equal(0, assert(sys.waitid(child)).code)
    local found = assert(ctr.find(name))
    assert(found:wait())
    assert.equal("there\nthere\n", output(found))
  end)

  it("has the terminal again", function()
    local found = start("on-failure:1", "[ -t 0 ] && [ -t 1 ] && echo tty; exit 1", { tty = true })
    assert.equal(1, assert(found:wait()).restarts)
    assert.equal("tty\r\ntty\r\n", output(found))
  end)

  it("pauses and updates another life as the first", function()
    local found = start("on-failure:1", "echo up; exec sleep 100", { limits = { pids = 10 } })
    eventually("its first life", function() return output(found) == "up\n" end)
    assert(found:pause())
    assert(found:resume())
    assert(found:update { pids = 7 })
    sys.kill(found:pid(), sys.signals.KILL)
    eventually("another life", function() return output(found) == "up\nup\n" end)
    assert.equal(7, found:inspect().spec.limits.pids)
    assert(found:pause())
    assert.equal("paused", found:state())
    sys.kill(found:pid(), sys.signals.KILL)
    found:resume()
    assert.same({ "signal", 1 }, { assert(found:wait()).reason, found:result().restarts })
  end)

  support.it(it, pending, "controller:pids")("lets no process of one life into the next", function()
    local script = "(trap '' TERM HUP; exec sleep 100) & cat /proc/self/cgroup >/dev/null; exit 1"
    local found = start("on-failure:2", script,
      { namespaces = { pid = "host" }, limits = { pids = 5 }, init = false })
    local result = assert(found:wait())
    assert.same({ 1, 2 }, { result.exit_code, result.restarts })
  end)

  it("maps users again", function()
    local found = start("on-failure:1", "id -u; cat /proc/self/uid_map; exit 1",
      { namespaces = { user = "new" }, idmap = { uid = { { 0, 100000, 10 } },
        gid = { { 0, 100000, 10 } } } })
    local result = assert(found:wait())
    assert.same({ 1, 1 }, { result.restarts, result.exit_code })
    local once = output(found)
    assert.equal(once:sub(1, #once // 2):rep(2), once)
    assert.matches("^0\n +0 +100000 +10\n", once)
  end)

  it("ends with an error where the next life cannot start", function()
    local dir <close> = support.tmpdir()
    local source = dir:mkdir("source")
    local mounts = { ctr.bind(source, "/x") }
    local found = start("on-failure:2", "sleep 0.1; exit 1", { mounts = mounts })
    assert(sys.rmdir(source))
    local result = assert(found:wait())
    assert.same({ "start_failed", "ENOENT", 2 },
      { result.reason, result.error.code, result.restarts })
    assert.matches("cannot start .* again", tostring(result.error))
  end)

  it("ends with its monitor, in a life and between two", function()
    for _, moment in ipairs { "running", "restarting" } do
      local found = start("always", moment == "running" and "exec sleep 100" or "exit 1")
      await_state(found, moment)
      sys.kill(found.record.owner.pid, sys.signals.KILL)
      assert.equal("lost", assert(found:wait()).reason)
      assert(found:remove())
    end
  end)

  it("is told by ps and inspect", function()
    local found = start("on-failure", "exit 1")
    eventually("a restart", function()
      return found:state() == "restarting" and found.record.restarts >= 2
    end)
    local seen = support.luactr { "ps" }.stdout
    assert.matches("\n" .. name:gsub("%-", "%%-") .. " +%l+, restart %d+ ", seen)
  end)

  it("is refused in the foreground, with a way out", function()
    local started, err = box("always", "exit 0"):run()
    assert.same({ nil, "ENOTSUP" }, { started, err.code })
    assert.matches("run %-d", err.remedy)
  end)

  it("is refused where only luactr could start another life", function()
    local filter = { defaultAction = "SCMP_ACT_ALLOW", listenerPath = "/nonexistent",
      syscalls = { { names = { "uname" }, action = "SCMP_ACT_NOTIFY" } } }
    local started, err = box("always", "exit 0", { seccomp = filter }):start { detach = true }
    assert.is_nil(started)
    assert.equal("ENOTSUP", err.code)
  end)
end)
