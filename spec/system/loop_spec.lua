-- luactr.loop with containers: several at once, in one program.
local ctr = require("luactr")
local loop = require("luactr.loop")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

local PATIENCE <const> = 60

local function shell(script, fields)
  fields = fields or {}
  fields.rootfs = ctr.rootfs.host { "sh", "sleep", "cat", "head" }
  fields.stdin, fields.stdout = fields.stdin or "null", fields.stdout or "capture"
  fields.command = { "sh", "-c", script }
  return ctr.container(fields)
end

describe("luactr.loop #system", function()
  before_each(world.check)
  after_each(function()
    loop.close()
    world.check()
  end)

  it("runs ten containers at once, and keeps their outputs apart", function()
    local reader, writer = ctr.sys.pipe()
    local gate_reader, gate_writer = ctr.sys.pipe()
    local boxes = {}
    for i = 1, 10 do
      -- each says that it is there, and goes on when all are
      boxes[i] = shell(("echo %d; echo up >&3; cat <&4; echo %d; exit %d"):format(i, -i, i),
        { fds = { [3] = writer, [4] = gate_reader } })
    end
    local several <close> = ctr.all(boxes)
    several:start()
    local up = ""
    while #up < 30 do up = up .. assert(reader:read(100)) end
    gate_writer:close()
    local results = assert(several:wait(PATIENCE))
    for i = 1, 10 do
      assert.same({ i, ("%d\n%d\n"):format(i, -i) }, { results[i].exit_code, results[i].stdout })
      assert.equal(results[i], boxes[i].result)
    end
    gate_reader:close()
    reader:close()
    writer:close()
  end)

  it("lets timers go on while the main program runs a container", function()
    local reader, writer = ctr.sys.pipe()
    local box <close> = shell("while read line; do echo $line; done", { stdin = reader })
    local count = 0
    local timer <close> = ctr.every("1ms", function(timer)
      count = count + 1
      if count == 3 then
        timer:cancel()
        reader:close()
        writer:close() -- lets the container end
      end
    end)
    assert.equal("exit", box:run().reason)
    assert.equal(3, count)
    assert.is_true(timer.done)
  end)

  it("lets two tasks wait for one container, also when one leaves", function()
    local reader, writer = ctr.sys.pipe()
    local box <close> = shell("echo out; cat", { stdin = reader })
    assert(box:start())
    local first = ctr.spawn(function() return box:wait() end)
    local second = ctr.spawn(function() return box:wait() end)
    local _, err = box:wait(0.01)
    assert.equal("ETIMEDOUT", err.code)
    first:cancel()
    reader:close()
    writer:close()
    local result = assert(second:wait(PATIENCE))
    assert.equal("out\n", result.stdout)
    assert.equal(result, box:wait())
  end)

  it("wakes who waits for a container that another task closes", function()
    local box <close> = shell "exec sleep 1000"
    assert(box:start())
    local waits = ctr.spawn(function() return box:wait() end)
    box:close()
    local _, err = waits:wait(PATIENCE)
    assert.equal("ECANCELED", err.code)
  end)

  it("ends a container with the task that runs it", function()
    local box = shell "exec sleep 1000"
    local runs = ctr.spawn(function() return box:run() end)
    assert.is_table(box.life)
    runs:cancel()
    assert.is_nil(box.life)
  end)

  it("enforces limits that change while a task waits", function()
    local box <close> = shell "exec sleep 1000"
    assert(box:start())
    local waits = ctr.spawn(function() return box:wait() end)
    assert(box:update { wall_time = "10ms" })
    assert.equal("wall_time", waits:wait(PATIENCE).reason)
  end)

  it("has no container of several take the terminal unasked", function()
    local box <close> = shell("exit 0", { stdout = "inherit" })
    ctr.spawn(function() return box:run() end):wait()
    assert.is_false(box.plan.tty)
  end)

  it("returns the records of those that did not start", function()
    local bad, good = ctr.container { rootfs = ctr.rootfs.host { "sh" }, command = { "none" } },
      shell "exit 3"
    local _, err, results = ctr.all(bad, good):wait()
    assert.equal("ENOENT", err.code)
    assert.same({ "start_failed", 3 }, { results[1].reason, results[2].exit_code })
  end)

  it("stops a container when its neighbour exits", function()
    local ready = ctr.pipe()
    local server <close> = shell("trap 'exit 5' TERM; echo; while :; do sleep 0.01; done",
      { stdout = ready })
    local client <close> = shell("read -r line", { stdin = ready })
    assert(server:start())
    ctr.any(client):wait()
    local result = ctr.all(function() return server:stop() end, server):wait()[2]
    assert.equal(5, result.exit_code)
  end)

  it("waits for a container of another process beside others", function()
    local name = support.name("loop")
    local reader, writer = ctr.sys.pipe()
    local box = shell("cat; exit 4", { name = name, stdin = reader, stdout = "null" })
    local found = assert(box:start { detach = true })
    local waits = ctr.spawn(function() return found:wait() end)
    local _, err = waits:wait(0.01)
    assert.equal("ETIMEDOUT", err.code)
    reader:close()
    writer:close()
    assert.equal(4, waits:wait(PATIENCE).exit_code)
    assert(found:remove())
  end)
end)
