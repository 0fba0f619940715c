-- A state directory as another boot left it: whatever its processes' numbers mean by now, nothing
-- in it runs, and nobody else's process is taken for one of them.

local ctr = require("luactr")
local support = require("support")
local state = require("luactr.state")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("a state directory of another boot #system #layout", function()
  local host = require("luactr.host").facts()
  local kept, foreground = support.name("boot-kept"), support.name("boot-gone")

  setup(world.adopt_orphans)
  before_each(world.check)
  after_each(function()
    local left = ctr.find(kept)
    if left then assert(left:remove { force = true }) end
    world.check()
  end)

  --- As start() would have left it for a process that has our own numbers.
  local function write_state(name, detached)
    local path = host.state_dir .. "/containers/" .. name
    local us = { pid = sys.getpid(), start = assert(state.start_time(sys.getpid())) }
    assert(state.make(host))
    assert(sys.mkdir(path, "0700"))
    support.write(path .. "/state.json", state.json {
      id = name, created = sys.clock_gettime("realtime") - 1000, pid = us.pid, start = us.start,
      owner = us, detached = detached, command = { "sh" }, cgroup = "luactr/" .. name,
    })
    if detached then
      support.write(path .. "/config.json", state.json { spec = { stop_signal = 15 } })
      support.write(path .. "/log", "2026-01-31T23:59:59.123456Z stdout F before\n")
    end
    return path
  end

  it("leaves a clean ps; what was detached is kept as lost, with its log", function()
    write_state(kept, true)
    local gone = write_state(foreground, nil)
    local running = support.luactr { "ps", "-q" }.stdout
    assert.is_nil(running:find(kept, 1, true))
    assert.is_nil(running:find(foreground, 1, true))
    assert.is_nil(sys.stat(gone))
    local found = assert(ctr.find(kept))
    assert.same({ "exited", "lost" }, { found:state(), found:result().reason })
    assert.equal("before", assert(found:logs())().text)
  end)

  it("lets nobody signal who has the numbers now", function()
    write_state(kept, true)
    local found = assert(ctr.find(kept))
    for _, act in ipairs { "kill", "stop", "pause" } do
      local done, err = found[act](found)
      assert.same({ nil, "ESRCH" }, { done, err.code })
      assert.equal("its monitor was killed, and it ended with that", err.cause)
    end
    assert.is_nil(found:pid())
    assert(found:remove())
  end)

  it("lets its names be taken", function()
    write_state(foreground, nil)
    local result = assert(ctr.run { name = foreground, rootfs = ctr.rootfs.host { "true" },
      command = { "true" } })
    assert.equal(0, result.exit_code)
  end)
end)
