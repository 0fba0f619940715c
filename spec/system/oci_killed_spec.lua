-- kill -9 of luactr at moments spread over the creation, the start and the removal of a bundle's
-- container: what it leaves is known, or cleaned up by who looks for it.

local ctr = require("luactr")
local life = require("luactr.oci.life")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local MOMENTS <const> = 12

describe("kill -9 in the life of a bundle's container #system #layout", function()
  local id <const> = support.name("oci-killed")
  local dir, host, raw

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir = support.tmpdir()
    host = require("luactr.oci.host").facts(dir.path .. "/root")
    raw = { rootfs = ctr.rootfs.host { "sleep" }, command = { "sleep", "1000" }, init = false,
      tty = false, stdin = "null", stdout = "null", stderr = "null", limits = { pids = 20 } }
  end)

  after_each(function()
    for _, left in ipairs(life.list(host)) do assert(left:delete { force = true }) end
    dir:close()
    world.check()
  end)

  local function live()
    local container = assert(life.create { id = id, host = host, bundle = dir.path, raw = raw })
    assert(container:start())
    assert(container:delete { force = true })
  end

  local function live_in_child()
    return assert(sys.clone({}, function()
      local fine, err = xpcall(live, debug.traceback)
      if not fine then io.stderr:write(tostring(err), "\n") end
      return fine and 0 or 1
    end))
  end

  local function length_of_life()
    local began = sys.clock_gettime()
    local child <close> = live_in_child()
    assert.equal(0, assert(child:wait()).code)
    return sys.clock_gettime() - began
  end

  it("leaves nothing that a removal does not find", function()
    local length = length_of_life()
    for moment = 1, MOMENTS do
      local child <close> = live_in_child()
      sys.nanosleep(length * moment / (MOMENTS + 1))
      sys.kill(child:pid(), sys.signals.KILL)
      child:wait()
      local left = life.find(host, id)
      if left then assert(left:delete { force = true }) end
      assert.is_nil((life.find(host, id)))
      assert.same({}, sys.readdir(host.state_dir .. "/containers") or {})
    end
  end)

  it("leaves an id that is free", function()
    local length = length_of_life()
    for _, part in ipairs { 0.2, 0.4 } do
      local child <close> = live_in_child()
      sys.nanosleep(length * part)
      sys.kill(child:pid(), sys.signals.KILL)
      child:wait()
      local left = life.find(host, id)
      if left then assert(left:delete { force = true }) end
      live()
    end
  end)

  -- Kill a luactr that waits for a container; true when that is known no more.
  local function kill_in_foreground()
    local child <close> = assert(sys.clone({}, function()
      life.run { id = id, host = host, bundle = dir.path, raw = raw }
      return 0
    end))
    local deadline = sys.clock_gettime() + 60
    while not (life.find(host, id) and life.find(host, id):state().status == "running") do
      assert.is_true(sys.clock_gettime() < deadline)
      sys.nanosleep(0.01)
    end
    sys.kill(child:pid(), sys.signals.KILL)
    child:wait()
    while life.find(host, id) do
      assert.is_true(sys.clock_gettime() < deadline)
      sys.nanosleep(0.01)
    end
    return true
  end

  it("takes a container in the foreground along", function()
    assert.is_true(kill_in_foreground())
  end)

  it("leaves the hooks after its end to who cleans up, once", function()
    local log = dir.path .. "/log"
    raw.hooks = { poststop = { { path = "/bin/sh",
      args = { "sh", "-c", "cat >>" .. log .. "; echo >>" .. log } } } }
    kill_in_foreground()
    life.list(host)
    local states = support.read(log)
    assert.equal(1, select(2, states:gsub("\n", "")))
    assert.matches('"status":"stopped"', states, 1, true)
    assert.matches('"id":"' .. id .. '"', states, 1, true)
  end)

  it("is no second one's chance: of two that are created at once one is refused", function()
    local children = {}
    for i = 1, 4 do
      children[i] = assert(sys.clone({}, function()
        local container, err = life.create { id = id, host = host, bundle = dir.path, raw = raw }
        return container and 0 or err.code == "EEXIST" and 1 or 2
      end))
    end
    local codes = {}
    for i, child in ipairs(children) do codes[i] = assert(child:wait()).code end
    table.sort(codes)
    assert.same({ 0, 1, 1, 1 }, codes)
    assert.equal("created", assert(life.find(host, id)):state().status)
  end)
end)
