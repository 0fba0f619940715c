local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root", "controller:cpu")

local SPIN <const> = "timeout 2 sh -c 'while :; do :; done'"

local function by_hand(...)
  return support.run {
    env = {
      LUA_PATH = "lua/?.lua",
      LUA_CPATH = support.build .. "/lib/?.so",
      LD_PRELOAD = os.getenv("LD_PRELOAD") or "",
    },
    "lua5.4", "lua/recipes/by-hand.lua", ...
  }
end

local function shell(which, script)
  return by_hand(which, "/bin/sh", "-c", script)
end

-- The numbers of the group that is there while the container runs; polls until it is.
local function quota_of_running_group()
  local point, version = support.controller("cpu")
  for _ = 1, 6000 do
    for _, entry in ipairs(assert(sys.readdir(point))) do
      local group = entry.name:find("^luactr%-by%-hand%-") and point .. "/" .. entry.name
      if group and support.read(group .. "/cgroup.procs") ~= "" then
        if version == 2 then return support.read(group .. "/cpu.max") end
        return support.read(group .. "/cpu.cfs_quota_us"):gsub("\n", " ")
          .. support.read(group .. "/cpu.cfs_period_us")
      end
    end
    sys.nanosleep(0.01)
  end
end

describe("lua/recipes/by-hand.lua #system", function()
  before_each(world.check)
  after_each(world.check)

  it("gives the first program process 1 and a host name of its own", function()
    local host = sys.gethostname()
    local run = shell("namespaces", "echo $$ $(cat /proc/sys/kernel/hostname) /proc/[0-9]*")
    assert.matches("\n?1 container /proc/1[^\n]*\n", run.stdout)
    assert.is_nil(run.stdout:find("/proc/%d%d%d"))
    assert.equal(host, sys.gethostname())
    assert.equal(0, run.code)
  end)

  it("tells the process ids outside", function()
    local run = shell("namespaces", "exit 3")
    local parent, child = run.stdout:match("process (%d+), its child (%d+)")
    assert.is_true(tonumber(child) > tonumber(parent))
    assert.equal(3, run.code)
  end)

  it("shows the second program nothing but its root directory", function()
    local run = shell("container", "pwd; ls /; ls /home; touch /usr/x")
    assert.matches("\n?/\nbin\ndev\n", run.stdout)
    assert.matches("cannot access '/home'", run.stderr)
    assert.matches("Read%-only file system", run.stderr)
    assert.equal(1, run.code)
  end)

  it("holds the second program to 40 % of a CPU", function()
    local run = shell("container", SPIN)
    local used = tonumber(run.stdout:match("used (%d+) %%"))
    assert(used <= 60, run.stdout) -- less on a busy machine
  end)

  it("writes the quota where the kernel reads it", function()
    local child <close> = assert(sys.clone({}, function()
      return shell("container", "exec sleep 1").code
    end))
    assert.equal("40000 100000\n", quota_of_running_group())
    assert.equal(0, child:wait().code)
  end)

  it("fails with the reason and cleans up", function()
    local run = by_hand("container", "/no/such/program")
    assert.equal(1, run.code)
    assert.matches("exec /no/such/program: No such file or directory", run.stderr)
  end)
end)
