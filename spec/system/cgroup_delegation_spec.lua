-- A user without privileges, in cgroups that root has handed over.

local cgroup = require("luactr.cgroup")
local core = require("luactr.core")
local group = require("support.group")
local support = require("support")
local world = require("support.world")

local sys = core.sys

local ID <const> = support.name "delegation"
local NOBODY <const> = 65534

-- What systemd's Delegate=yes hands over.
local HANDED_OVER <const> =
  { "", "/cgroup.procs", "/tasks", "/cgroup.threads", "/cgroup.subtree_control" }

local function hand_over(handle)
  for _, directory in ipairs(handle:paths()) do
    for _, file in ipairs(HANDED_OVER) do
      sys.chown(directory.path .. file, NOBODY, NOBODY)
    end
  end
end

local function open_as_root()
  return assert(cgroup.open((assert(cgroup.compile({ memory = 1 << 28, pids = 50 },
    cgroup.detect(), ID)))))
end

local function become_nobody()
  assert(sys.setgroups({}))
  assert(sys.setresgid(NOBODY, NOBODY, NOBODY))
  assert(sys.setresuid(NOBODY, NOBODY, NOBODY))
end

describe("luactr.cgroup without root #system #layout #root", function()
  local it = support.it(it, pending, "root")

  before_each(world.check)
  after_each(world.check)

  it("makes groups below the one that it was given", function()
    local handle <close> = open_as_root()
    hand_over(handle)
    assert.are.equal(0, group.run(handle, function()
      become_nobody()
      local compiled = assert(cgroup.compile({ pids = 5 }, cgroup.detect(), "inner"))
      local inner, err = cgroup.open(compiled)
      assert(inner, tostring(err))
      assert(inner:paths()[1].path:find("/luactr/" .. ID .. "/luactr/inner", 1, true))
      assert(inner:read("pids", "pids.max") == "5\n")
      -- It has stepped aside on v2, and finds the same place again.
      local again = assert(cgroup.open(assert(cgroup.compile({}, cgroup.detect(), "again"))))
      assert(again:paths()[1].path:find("/luactr/" .. ID .. "/luactr/again", 1, true))
      return inner:close() and again:close() and 0 or 1
    end))
  end)

  it("is told that nothing was handed over to it", function()
    local child <close> = sys.clone({}, function()
      become_nobody()
      local compiled, problems = cgroup.compile({ pids = 5 }, cgroup.detect(), ID)
      assert(not compiled and problems[1].message:find("not delegated to this user", 1, true))
      local without = assert(cgroup.compile({}, cgroup.detect(), ID))
      assert(#without.places == 0 and #without.attach == 0)
      return 0
    end)
    assert.are.equal(0, sys.waitid(child).code)
  end)

  it("is told what stands in the way of its group", function()
    if not cgroup.detect().controllers.pids or cgroup.detect().controllers.pids.version == 1 then
      return pending("pids lives on cgroup v1")
    end
    local handle <close> = open_as_root()
    hand_over(handle)
    local other <close> = group.child(handle, function() sys.nanosleep(60) end)
    assert.is_true(group.eventually(function() return #handle:processes() == 1 end))
    assert.are.equal(0, group.run(handle, function()
      become_nobody()
      local compiled = assert(cgroup.compile({ pids = 5 }, cgroup.detect(), "inner"))
      local inner, err = cgroup.open(compiled)
      assert(not inner)
      assert(err.code == "EBUSY" and err.cause:find("processes live in that cgroup"), tostring(err))
      assert(err.path:find("cgroup.subtree_control", 1, true) and err.remedy:find("Delegate=yes"))
      return 0
    end))
    other:close()
  end)
end)
