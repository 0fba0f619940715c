-- `luactr rename`: names change, containers stay.

local cjson = require("cjson")
local ctr = require("luactr")
local detached = require("support.detached")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("luactr rename #cli", function()
  local here, luactr

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    here = detached.open()
    luactr = here.luactr
  end)

  after_each(function()
    here:close()
    world.check()
  end)

  local function inspect(name)
    return cjson.decode(luactr("inspect", name).stdout)[1]
  end

  it("renames one that runs: all verbs know the new name", function()
    local old, new = here:start("echo before; sleep 100", "old"), here:name("new")
    assert.same({ 0, "", "" }, (function(result)
      return { result.code, result.stdout, result.stderr }
    end)(luactr("rename", old, new)))
    here.fails(luactr("stop", old), 125, "no container")
    assert.same({ new, new, "running" },
      { inspect(new).id, inspect(new).spec.name, inspect(new).state })
    assert.equal(0, luactr("pause", new).code)
    assert.equal(0, luactr("resume", new).code)
    assert.equal("before\n", luactr("logs", new).stdout)
    assert.equal(0, luactr("stop", new).code)
    assert.equal("killed", inspect(new).result.reason)
  end)

  it("renames one that has ended", function()
    local old, new = here:start("exit 3", "old"), here:name("new")
    assert.equal(3, luactr("wait", old).code)
    assert.equal(0, luactr("rename", old, new).code)
    assert.equal(3, luactr("wait", new).code)
  end)

  it("tells of it, and the monitor goes on with the new name", function()
    local old, new = here:start("sleep 100", "old"), here:name("told")
    assert.equal(0, luactr("rename", old, new).code)
    assert.equal(0, luactr("stop", new).code)
    local events = {}
    for event in assert(ctr.events { name = new }) do
      events[#events + 1] = event.event
      if event.event == "rename" then assert.equal(old, event.from) end
    end
    assert.same({ "rename", "exit" }, events)
  end)

  it("leaves the old name, and a cgroup of its own, to the next container", function()
    support.needs("controller:pids")
    local old, new = here:start("sleep 100", "old"), here:name("new")
    assert.equal(0, luactr("rename", old, new).code)
    assert.equal(0, luactr("run", "-d", "--name", old, here.recipe, "sleep 100").code)
    assert.are_not.equal(inspect(old).cgroup, inspect(new).cgroup)
    assert.equal(0, luactr("update", old, "pids=7").code)
    assert.equal(40, inspect(new).spec.limits.pids)
    assert.equal(0, luactr("rm", "-f", new).code)
    assert.equal("running", inspect(old).state)
    assert.is_true(#assert(assert(ctr.find(old)):processes()) > 0)
  end)

  it("is followed by who waits", function()
    local old, new = here:start("sleep 100", "old"), here:name("new")
    local found = assert(ctr.find(old))
    local child <close> = assert(sys.clone({}, function()
      sys.nanosleep(0.1)
      assert(assert(ctr.find(old)):rename(new))
      assert(assert(ctr.find(new)):kill())
    end))
    assert.equal("killed", assert(found:wait(60)).reason)
    assert.equal(new, found.id)
    assert.equal(0, assert(sys.waitid(child)).code)
  end)

  it("removes what is left when the monitor of a renamed one is killed", function()
    local old, new = here:start("sleep 100", "old"), here:name("new")
    assert.equal(0, luactr("rename", old, new).code)
    local found = assert(ctr.find(new))
    local pidfd <close> = assert(sys.pidfd_open(found.record.pid))
    assert(sys.kill(found.record.owner.pid, sys.signals.KILL))
    require("luactr.core").supervise.poll({ { fd = pidfd, events = "r" } }, 60)
    luactr("gc")
    assert.equal("lost", inspect(new).result.reason)
    assert.equal(0, luactr("rm", new).code)
  end)

  it("refuses the name of another, running or not", function()
    local one, two = here:start("sleep 100", "one"), here:start("exit 0", "two")
    assert.equal(0, luactr("wait", two).code)
    here.fails(luactr("rename", one, two), 125, "is in use")
    here.fails(luactr("rename", two, one), 125, "is in use")
    here.fails(luactr("rename", one, one), 125, "is in use")
    assert.equal("running", inspect(one).state)
    assert.equal("exited", inspect(two).state)
  end)

  it("lets one of many win", function()
    local old, new = here:start("sleep 100", "old"), here:name("new")
    local children = {}
    for i = 1, 4 do
      children[i] = assert(sys.clone({}, function()
        local found = ctr.find(old)
        return found and found:rename(new) and 0 or 1
      end))
    end
    local won = 0
    for _, child in ipairs(children) do
      won = won + (assert(sys.waitid(child)).code == 0 and 1 or 0)
      child:close()
    end
    assert.equal(1, won)
    assert.equal("running", inspect(new).state)
  end)

  for _, bad in ipairs { "..", "../etc", "a/b", "a\nb", ("x"):rep(300), "" } do
    it(("refuses a bad name: %q"):format(bad:sub(1, 8):gsub("\n", ".")), function()
      local name = here:start("sleep 100")
      here.fails(luactr("rename", name, bad), 2, "luactr: name: ")
      assert.equal("running", inspect(name).state)
    end)
  end

  it("refuses what is not one name and another", function()
    here.fails(luactr("rename"), 2, "which container?")
    here.fails(luactr("rename", "one"), 2, "a new one expected")
    here.fails(luactr("rename", "a", "b", "c"), 2, "a new one expected")
    here.fails(luactr("rename", here:name("none"), "x"), 125, "no container")
  end)

  it("refuses one in the foreground", function()
    local name = support.name("front")
    local box <close> = ctr.container {
      name = name, rootfs = ctr.rootfs.host { "sleep" }, command = { "sleep", "100" },
    }
    assert(box:start())
    here.fails(luactr("rename", name, "other"), 125, "it runs in the foreground")
    box:kill()
    assert(box:wait())
  end)
end)
