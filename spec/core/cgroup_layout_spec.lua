-- Where controllers live, from the text of /proc: the layouts that exist in the field.

local core = require("luactr.core")

local cgroup = core.cgroup

local function mounts(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = ("%d 1 0:%d %s %s %s - %s %s %s"):format(i + 30, i + 20, row.root or "/", row[1],
      row.options or "rw,nosuid", row[2], row[2], row[3] or "rw")
  end
  return table.concat(lines, "\n")
end

local V1 <const> = mounts {
  { "/", "ext4" }, { "/sys/fs/cgroup", "tmpfs" },
  { "/sys/fs/cgroup/systemd", "cgroup", "rw,xattr,name=systemd" },
  { "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct" },
  { "/sys/fs/cgroup/memory", "cgroup", "rw,memory" },
  { "/sys/fs/cgroup/blkio", "cgroup", "rw,blkio" },
}

local OWN_V1 <const> =
  "5:blkio:/user.slice\n4:memory:/user.slice\n3:cpu,cpuacct:/\n1:name=systemd:/x\n"

describe("luactr.core.cgroup.layout() #core #layout", function()
  it("gives each controller of a v1 host its hierarchy", function()
    local layout = cgroup.layout(V1, OWN_V1)
    assert.are.equal("v1", layout.kind)
    assert.is_nil(layout.unified)
    assert.are.equal("/sys/fs/cgroup/cpu,cpuacct", layout.controllers.cpu.mount)
    assert.are.equal(layout.controllers.cpu, layout.controllers.cpuacct)
    assert.are.equal("cpu,cpuacct", layout.controllers.cpu.name)
    assert.are.equal("/user.slice", layout.controllers.memory.own)
    assert.are.equal("", layout.controllers.cpu.own)
    assert.is_nil(layout.controllers.pids)
  end)

  it("calls blkio io, and keeps the kernel's name for mount(2)", function()
    local io_home = cgroup.layout(V1, OWN_V1).controllers.io
    assert.are.equal("io", io_home.name)
    assert.are.equal("blkio", io_home.options)
  end)

  it("gives all of a v2 host to the one hierarchy", function()
    local layout = cgroup.layout(mounts { { "/sys/fs/cgroup", "cgroup2" } }, "0::/init.scope\n",
      "cpuset cpu io memory hugetlb pids rdma misc\n")
    assert.are.equal("v2", layout.kind)
    for _, name in ipairs { "cpu", "memory", "pids", "io", "cpuset", "hugetlb" } do
      assert.are.equal(layout.unified, layout.controllers[name])
    end
    assert.are.equal("/init.scope", layout.unified.own)
  end)

  it("knows what v2 has without a controller", function()
    local layout = cgroup.layout(mounts { { "/sys/fs/cgroup", "cgroup2" } }, "0::/\n", "")
    for _, name in ipairs { "cpuacct", "freezer", "devices", "core" } do
      assert.are.equal(2, layout.controllers[name].version, name)
    end
    assert.is_nil(layout.controllers.memory)
    assert.is_nil(layout.controllers.net_cls)
  end)

  it("decides by controller on a hybrid host", function()
    local text = V1 .. "\n" .. mounts { { "/sys/fs/cgroup/unified", "cgroup2" } }
    local layout = cgroup.layout(text, OWN_V1 .. "0::/\n", "hugetlb\n")
    assert.are.equal("hybrid", layout.kind)
    assert.are.equal(1, layout.controllers.memory.version)
    assert.are.equal(2, layout.controllers.hugetlb.version)
    assert.are.equal(2, layout.controllers.devices.version)
  end)

  it("sees its own cgroup through a mount that shows a part of the tree", function()
    local text = mounts { { "/sys/fs/cgroup", "cgroup2", root = "/docker/abc" } }
    assert.are.equal("/job", cgroup.layout(text, "0::/docker/abc/job\n").unified.own)
    assert.are.equal("", cgroup.layout(text, "0::/docker/abc\n").unified.own)
    assert.is_nil(cgroup.layout(text, "0::/docker/abcd\n").unified.own)
    assert.is_nil(cgroup.layout(text, "0::/\n").unified.own)
  end)

  it("does not look outside of its cgroup namespace", function()
    local text = mounts { { "/sys/fs/cgroup", "cgroup2" } }
    assert.is_nil(cgroup.layout(text, "0::/../other\n").unified.own)
  end)

  it("prefers the mount that can be written, then the one that shows all", function()
    local text = mounts {
      { "/part", "cgroup2", root = "/a" }, { "/readonly", "cgroup2", options = "ro,nosuid" },
      { "/all", "cgroup2" }, { "/again", "cgroup2" },
    }
    assert.are.equal("/all", cgroup.layout(text, "0::/\n").unified.mount)
  end)

  it("has nothing on a host without cgroups", function()
    local layout = cgroup.layout(mounts { { "/", "ext4" } }, "")
    assert.are.equal("none", layout.kind)
    assert.are.same({}, layout.controllers)
  end)

  it("refuses text that it cannot keep", function()
    local long = ("x"):rep(20000)
    local layout, message, errno = cgroup.layout(mounts { { "/" .. long, "cgroup2" } }, "0::/\n")
    assert.is_nil(layout)
    assert.is_string(message)
    assert.are.equal("ENOSPC", core.sys.errname(errno))
  end)
end)
