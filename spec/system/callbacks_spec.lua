-- `on`: functions of the recipe that are called when something happens to its container.
local core = require("luactr.core")
local ctr = require("luactr")
local loop = require("luactr.loop")
local support = require("support")
local world = require("support.world")

local needs <const> = function(...) return support.it(it, pending, "root", ...) end
local it = needs()

local PATIENCE <const> = 60

local function shell(script, fields)
  fields.rootfs = ctr.rootfs.host { "sh", "sleep", "cat", "tail", "head" }
  fields.stdin, fields.stdout = fields.stdin or "null", fields.stdout or "capture"
  fields.stderr = "null"
  fields.command = { "sh", "-c", script }
  return ctr.container(fields)
end

local function unified_home()
  return require("luactr.cgroup").detect().controllers.core
end

--- Whether luactr may ask this host's cgroup v2 for figures of pressure.
local function has_stalls()
  local home = unified_home()
  local file = home and home.parent and io.open(home.mount .. "/cpu.pressure")
  if file then file:close() end
  return file ~= nil
end

--- What is reported on stderr meanwhile.
local function reported(fn)
  local texts, stderr = {}, io.stderr
  io.stderr = { write = function(_, ...) -- luacheck: ignore 122
    texts[#texts + 1] = table.concat { ... }
  end }
  local fine, err = pcall(fn)
  io.stderr = stderr -- luacheck: ignore 122
  assert(fine, err)
  return table.concat(texts)
end

describe("on #system #layout", function()
  before_each(world.check)
  after_each(function()
    loop.close()
    world.check()
  end)

  it("tells of the start and of the end, with the result, before wait() returns", function()
    local seen = {}
    local box <close> = shell("exit 3", { on = {
      start = function(box) seen[#seen + 1] = "start " .. tostring(box.life ~= nil) end,
      exit = function(box, result)
        ctr.sleep(0.02)
        seen[#seen + 1] = ("exit %d %s"):format(result.exit_code, box.life)
      end,
    } })
    local result = assert(box:run())
    assert.same({ "start true", "exit 3 nil" }, seen)
    assert.is_nil(result.callback_errors)
  end)

  it("lets exit start the container again: run() returns at the last end", function()
    local lives = 0
    local box <close> = shell("exit 0", { on = { exit = function(box)
      lives = lives + 1
      if lives < 3 then assert(box:start()) end
    end } })
    assert.equal(0, assert(box:run()).exit_code)
    assert.equal(3, lives)
  end)

  it("lets start run for long beside its container", function()
    local seen
    local box <close> = shell("while :; do sleep 0.01; done", { on = { start = function(box)
      ctr.sleep(0.02)
      seen = true
      box:stop()
    end } })
    assert.equal("killed", assert(box:run()).reason)
    assert.is_true(seen)
  end)

  it("are called while the program waits for something else", function()
    local seen = {}
    local box <close> = shell("exit 3", { on = { exit = function(_, result)
      ctr.sleep(0.01)
      seen[#seen + 1] = result.exit_code
    end } })
    assert(box:start())
    assert(shell("exit 0", {}):run())
    assert.equal(3, assert(box:wait(PATIENCE)).exit_code)
    assert.same({ 3 }, seen)
  end)

  it("tells of an error, with its line, and leaves the container alone", function()
    local box <close> = shell("exit 4", { on = { start = function() error "broken" end } })
    local result
    local text = reported(function() result = assert(box:run()) end)
    assert.equal(4, result.exit_code)
    assert.matches("^luactr: on%.start of .*callbacks_spec%.lua:%d+: broken\n  .*:%d+", text)
    assert.equal("on.start", result.callback_errors[1].call)
    assert.matches("broken", result.callback_errors[1].message)
  end)

  it("stops a neighbour at the exit", function()
    local ready = ctr.pipe()
    local server <close> = shell("trap 'exit 5' TERM; echo; while :; do sleep 0.01; done",
      { stdout = ready })
    local client <close> = shell("read -r line", { stdin = ready,
      on = { exit = function() server:stop() end } })
    local results = assert(ctr.all(server, client):wait(PATIENCE))
    assert.same({ 5, 0 }, { results[1].exit_code, results[2].exit_code })
  end)

  needs("controller:memory")("tells of memory that ran out, before the exit", function()
    local seen = {}
    local box <close> = shell("(tail /dev/zero); (tail /dev/zero); exit 0", {
      limits = { memory = "16M" },
      on = {
        oom = function(_, event) seen[#seen + 1] = event.kills end,
        exit = function(_, result) seen[#seen + 1] = "exit " .. result.oom_kills end,
      },
    })
    assert.equal("exit", assert(box:run()).reason)
    assert.equal("exit 2", seen[#seen])
    assert.equal(2, seen[#seen - 1])
  end)

  needs("controller:memory")("lets oom raise the limit", function()
    local box <close> = shell([[
      until head -c 24000000 /dev/zero | tail >/dev/null 2>&1; do sleep 0.05; done; exit 6]], {
      limits = { memory = "16M" },
      on = { oom = function(box) assert(box:update { memory = "64M" }) end },
    })
    local result = assert(box:run())
    assert.same({ 6 }, { result.exit_code })
    assert.is_true(result.oom_kills > 0)
  end)

  describe("pressure", function()
    if not has_stalls() then
      pending("on cgroup v2 (this host lacks it, or the figures)")
    else
      needs("controller:cpu")("is told by the kernel's figures of stalls", function()
        local seen
        local box <close> = shell("while :; do :; done", {
          limits = { cpu = 0.1 },
          on = { pressure = { cpu = "200ms", call = function(box, event)
            seen = event
            box:kill()
          end } },
        })
        assert.equal("killed", assert(box:run()).reason)
        assert.equal("cpu", seen.resource)
        assert.is_true(seen.some.total > 0)
      end)

      it("is an error where the kernel refuses, which names the cause", function()
        local fields = { on = { pressure = { call = print, window = "1s" } } }
        local box <close> = shell("exit 0", fields)
        local started, err = box:start()
        if started then return pending("who has CAP_SYS_RESOURCE may take any window") end
        assert.same({ "EINVAL", 'window = "2s"' }, { err.code, err.remedy })
        fields.on.pressure.optional = true
        local warned <close> = shell("exit 0", fields)
        assert.matches("on.pressure is not called for memory: without CAP_SYS_RESOURCE",
          assert(warned:run()).warnings[1], 1, true)
      end)
    end

    local home = require("luactr.cgroup").detect().controllers.memory
    if not (home and home.version == 1 and home.parent) then
      pending("of memory on cgroup v1 (it is on v2 here)")
    else
      it("of memory is told by cgroup v1", function()
        -- as on a host without v2: the box's group has the figures of stalls, but is not asked
        local stall_open = core.cgroup.stall_open
        core.cgroup.stall_open = function() -- luacheck: ignore 122
          return nil, "watch: No such file or directory", core.sys.errno.ENOENT
        end
        local seen
        local box <close> = shell("while :; do (tail /dev/zero); done", {
          limits = { memory = "16M", wall_time = PATIENCE },
          on = { pressure = { level = "critical", call = function(box, event)
            seen = event
            box:kill()
          end } },
        })
        local fine, result = pcall(box.run, box)
        core.cgroup.stall_open = stall_open -- luacheck: ignore 122
        assert.is_true(fine, result)
        assert.equal("killed", result.reason)
        assert.same({ "memory", "critical" }, { seen.resource, seen.level })
      end)
    end
  end)
end)
