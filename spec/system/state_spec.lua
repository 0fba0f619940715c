-- luactr.state: claiming a name, and what the next luactr finds after a kill -9.

local cjson = require("cjson")
local cgroup = require("luactr.cgroup")
local lfs = require("lfs")
local support = require("support")
local state = require("luactr.state")
local sys = require("luactr.core").sys

local function host_in(dir)
  return {
    uid = sys.geteuid(), state_dir = dir.path .. "/state", stage = dir.path .. "/state/stage",
    cgroup = cgroup.detect(),
  }
end

--- Claim `id` in a child that is killed without a chance to clean up.
local function claim_and_die(host, id)
  local child <close> = sys.clone({}, function()
    local entry = assert(state.claim(host, id))
    assert(entry:write {})
    support.write(entry.path .. "/left", "over")
    assert(sys.mkdir(entry.path .. "/tree"))
    assert(sys.symlink("/etc", entry.path .. "/tree/link"))
    sys.kill(sys.getpid(), sys.signals.KILL)
  end)
  assert(sys.waitid(child))
end

describe("luactr.state #system", function()
  describe("claim()", function()
    it("makes a private directory with a state that others can read back", function()
      local dir <close> = support.tmpdir()
      local host = host_in(dir)
      local record = { name = 'a "name"\n', list = { "x" } }
      local entry <close> = assert(state.claim(host, "one"))
      assert(entry:write(record))
      record = cjson.decode(support.read(entry.path .. "/state.json"))
      assert.same({ 'a "name"\n', "one", { "x" }, sys.getpid() },
        { record.name, record.id, record.list, record.owner.pid })
      assert.equal("rwx------", lfs.attributes(host.state_dir, "permissions"))
    end)

    it("refuses a name that is in use, by its code", function()
      local dir <close> = support.tmpdir()
      local host = host_in(dir)
      local entry <close> = assert(state.claim(host, "one"))
      local second, err = state.claim(host, "one")
      assert.is_nil(second)
      assert.equal("EEXIST", err.code)
      assert.is_truthy(entry)
    end)

    it("leaves nothing when closed, and may be closed twice", function()
      local dir <close> = support.tmpdir()
      local host = host_in(dir)
      local entry = assert(state.claim(host, "one"))
      support.write(entry.path .. "/extra", "")
      entry:close()
      entry:close()
      assert.is_nil(lfs.attributes(entry.path))
    end)

    it("takes over a leftover of the same name, cleaned", function()
      local dir <close> = support.tmpdir()
      local host = host_in(dir)
      claim_and_die(host, "one")
      assert.is_truthy(lfs.attributes(host.state_dir .. "/containers/one/left"))
      local entry <close> = assert(state.claim(host, "one"))
      assert.is_nil(lfs.attributes(entry.path .. "/left"))
      assert.is_nil(lfs.attributes(entry.path .. "/tree"))
    end)

    it("refuses a state directory that others can write to", function()
      local dir <close> = support.tmpdir()
      local host = host_in(dir)
      assert(sys.mkdir(host.state_dir))
      assert(sys.chmod(host.state_dir, "0777"))
      local entry, err = state.claim(host, "one")
      assert.is_nil(entry)
      assert.equal("EPERM", err.code)
    end)
  end)

  describe("sweep()", function()
    it("removes what has no living owner and nothing else", function()
      local dir <close> = support.tmpdir()
      local host = host_in(dir)
      local living <close> = assert(state.claim(host, "living"))
      assert(living:write {})
      claim_and_die(host, "dead")
      state.sweep(host)
      assert.is_nil(lfs.attributes(host.state_dir .. "/containers/dead"))
      assert.is_truthy(lfs.attributes(living.path .. "/state.json"))
      assert.is_truthy(lfs.attributes("/etc/passwd"))
    end)
  end)

  it("removes what a killed start or removal of a detached container left", function()
    local dir <close> = support.tmpdir()
    local host = host_in(dir)
    assert(state.claim(host, "one")):close() -- makes the directories
    local path = host.state_dir .. "/containers/half"
    assert(sys.mkdir(path, "0700"))
    support.write(path .. "/config.json", "{}")
    support.write(path .. "/exit.json", '{"lost":true,"finished_at":0}')
    assert.same({ { id = "half", what = "removed" } }, state.sweep(host))
    assert.is_nil(lfs.attributes(path))
  end)

  it("removes nobody's new directory in place of the old one of the name", function()
    local dir <close> = support.tmpdir()
    local host, healers, deadline = host_in(dir), {}, sys.clock_gettime() + 60
    for i = 1, 3 do
      healers[i] = assert(sys.clone({}, function()
        repeat state.heal(host, "one") until sys.clock_gettime() > deadline
      end))
    end
    local claimed, lost = 0, 0
    for _ = 1, 500 do
      local entry <close> = state.claim(host, "one") -- unless somebody looks all the time
      if entry then
        sys.nanosleep(0)
        claimed, lost = claimed + 1, lost + (sys.stat(entry.path) and 0 or 1)
      end
    end
    for _, healer in ipairs(healers) do
      healer:signal("KILL")
      assert(sys.waitid(healer))
      healer:close()
    end
    assert.same({ 0, true }, { lost, claimed > 0 })
  end)

  it("keeps a detached container that has ended", function()
    local dir <close> = support.tmpdir()
    local host = host_in(dir)
    local entry = assert(state.claim(host, "one"))
    assert(entry:write {})
    support.write(entry.path .. "/config.json", "{}")
    entry:disown()
    assert.same({ { id = "one", what = "lost" } }, state.sweep(host))
    assert.same({}, state.sweep(host))
    assert(state.remove(host, "one"))
    assert.is_nil(lfs.attributes(entry.path))
  end)

  it("knows a process by its start time", function()
    assert.equal(state.start_time("self"), state.start_time(sys.getpid()))
    assert.is_nil(state.start_time(0))
  end)

  it("makes ids that differ", function()
    assert.not_equal(state.random_id(), state.random_id())
    assert.is_truthy(state.random_id():match("^%x+$"))
  end)
end)
