-- Groups of resctrl, in a directory that stands in for the file system: no CPU here has one.

local lfs = require("lfs")
local resctrl = require("luactr.resctrl")
local spec = require("luactr.spec")
local support = require("support")
local sys = require("luactr.core").sys

describe("luactr.resctrl #unit", function()
  local dir, root, entry

  before_each(function()
    dir = support.tmpdir()
    dir:mkdir("resctrl/pool/mon_groups")
    dir:mkdir("resctrl/info")
    dir:mkdir("entry")
    dir:write("resctrl/pool/schemata", "    MB:0=50;1=100\n    L3:0=0ff;1=00f\n")
    dir:write("resctrl/pool/tasks", "")
    dir:write("resctrl/schemata", "L3:0=fff\n")
    root = dir.path .. "/resctrl"
    entry = assert(sys.open(dir.path .. "/entry", { "rdonly", "directory" }))
  end)

  after_each(function()
    entry:close()
    dir:close()
  end)

  local function exists(path) return lfs.attributes(root .. "/" .. path, "mode") ~= nil end

  local function open(wanted) return resctrl.open(wanted, "box", root, entry) end

  local function fails(text, wanted)
    local group, fields = open(wanted)
    assert.is_nil(group)
    assert.is_truthy((fields.cause or fields.action):find(text, 1, true))
    assert.are.equal("resctrl", fields.from)
  end

  it("makes a group of the container's own, and removes it", function()
    local group = assert(open { l3 = "L3:0=f", bandwidth = "MB:0=20", schemata = { "L2:0=1" } })
    assert.are.equal("L2:0=1\n", support.read(root .. "/box/schemata")) -- each line is a write
    assert(group:enter(42))
    assert.are.equal("42\n", support.read(root .. "/box/tasks"))
    os.remove(root .. "/box/schemata")
    os.remove(root .. "/box/tasks")
    group:close()
    assert.is_false(exists("box"))
  end)

  it("leaves it to whoever finds it written down", function()
    local group = assert(open { monitoring = false })
    group:disown()
    group:close()
    assert.is_true(exists("box"))
    resctrl.remove(entry)
    assert.is_false(exists("box"))
  end)

  it("uses a group that is there, and leaves it", function()
    local group = assert(open { group = "pool" })
    assert(group:enter(42))
    assert.are.equal("42\n", support.read(root .. "/pool/tasks"))
    group:close()
    assert.is_true(exists("pool"))
    group = assert(open { group = "pool", l3 = "L3:0=ff", bandwidth = "MB:1=100" })
    group:close()
    assert.are.equal(root, assert(open { group = "/" }).path)
  end)

  it("makes one that has a name and a schema, which stays", function()
    local group = assert(open { group = "new", l3 = "L3:0=f" })
    group:close()
    assert.are.equal("L3:0=f\n", support.read(root .. "/new/schemata"))
    assert.is_nil(sys.readlink("resctrl.group", entry))
  end)

  it("counts a container by itself", function()
    local group = assert(open { group = "pool", monitoring = true })
    assert(group:enter(42))
    assert.are.equal("42\n", support.read(root .. "/pool/mon_groups/box/tasks"))
    os.remove(root .. "/pool/mon_groups/box/tasks")
    group:close()
    assert.is_false(exists("pool/mon_groups/box"))
  end)

  it("refuses another schema than the group has, and a group that is not there", function()
    fails('with another schema than "L3:0=f"', { group = "pool", l3 = "L3:0=f" })
    fails("there is no such group", { group = "none" })
    dir:write("resctrl/info/last_cmd_status", "mask has no bits\n")
    assert(sys.mkdir(root .. "/box"))
    fails("cannot mkdir", {})
  end)

  it("is refused where there is no such file system", function()
    local steps, problems = resctrl.wait {}
    assert.is_nil(steps)
    assert.matches("this host has no resctrl file system", problems[1].message)
    assert.are.equal("rendezvous", resctrl.wait({ resctrl = root })[1].op)
  end)

  it("has values that are checked", function()
    local function problem(value)
      local checked, err = spec.check { rootfs = "/", command = { "x" }, resctrl = value }
      assert.is_nil(checked)
      return err.problems[1].path .. ": " .. err.problems[1].message
    end
    assert.are.equal('resctrl.group: is one name, or "/": "a/b"', problem { group = "a/b" })
    assert.are.equal('resctrl.bandwidth: begins with MB: "L3:0=1"',
      problem { bandwidth = "L3:0=1" })
    assert.matches("^resctrl.schemata%[1%]: contains a line break",
      problem { schemata = { "a\nb" } })
  end)
end)
