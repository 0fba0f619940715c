-- Limits become writes, on hosts that this one is not.

local cgroup = require("luactr.cgroup")
local compile = require("luactr.cgroup.compile")
local core = require("luactr.core")
local reason = require("luactr.cgroup.reason")

-- A layout from mounts { path, "cgroup" or "cgroup2", controllers }, in which luactr may do all.
local function layout_of(rows, unified_controllers, facts)
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = ("%d 1 0:%d / %s rw - %s none rw%s"):format(i + 9, i + 9, row[1], row[2],
      row[3] and "," .. row[3] or "")
  end
  local layout = core.cgroup.layout(table.concat(lines, "\n"), "0::/\n", unified_controllers, true)
  for name, value in pairs(facts or { cpus = "0-3\n", mems = "0\n" }) do layout[name] = value end
  return layout
end

local function v1(facts)
  local rows = {}
  for _, name in ipairs { "cpu,cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "hugetlb",
    "freezer", "net_cls,net_prio" } do
    rows[#rows + 1] = { "/c/" .. name, "cgroup", name }
  end
  return layout_of(rows, nil, facts)
end

local function v2(facts)
  return layout_of({ { "/c", "cgroup2" } }, "cpuset cpu io memory hugetlb pids", facts)
end

local function hybrid()
  return layout_of({ { "/c/memory", "cgroup", "memory" }, { "/c/pids", "cgroup", "pids" },
    { "/c/cpuacct", "cgroup", "cpuacct" }, { "/c/unified", "cgroup2" } }, "cpu hugetlb")
end

local function writes(limits, layout)
  local compiled, problems = cgroup.compile(limits, layout, "x")
  assert(compiled, problems and problems[1] and problems[1].path .. ": " .. problems[1].message)
  local lines = {}
  for i, write in ipairs(compiled.writes) do
    lines[i] = ("%s: %s = %s"):format(write.from, write.file, write.text)
  end
  return lines
end

-- The message of the problem at `path`; there must be no other.
local function problem(limits, layout, path)
  local compiled, problems = cgroup.compile(limits, layout, "x")
  assert.is_nil(compiled)
  assert.are.equal(1, #problems)
  assert.are.equal(path, problems[1].path)
  return problems[1].message
end

local function names(compiled)
  local list = {}
  for i, place in ipairs(compiled.places) do list[i] = place.name end
  table.sort(list)
  return table.concat(list, " ")
end

describe("luactr.cgroup.compile() #unit", function()
  it("writes each limit in its controller's home", function()
    local limits = { cpu = 0.4, memory = 1 << 26, pids = 64 }
    assert.are.same({
      "limits.cpu: cpu.cfs_period_us = 100000", "limits.cpu: cpu.cfs_quota_us = 40000",
      "limits.memory: memory.limit_in_bytes = 67108864", "limits.pids: pids.max = 64",
    }, writes(limits, v1()))
    assert.are.same({
      "limits.cpu: cpu.max = 40000 100000", "limits.memory: memory.max = 67108864",
      "limits.pids: pids.max = 64",
    }, writes(limits, v2()))
    assert.are.same({
      "limits.cpu: cpu.max = 40000 100000", "limits.memory: memory.limit_in_bytes = 67108864",
      "limits.pids: pids.max = 64",
    }, writes(limits, hybrid()))
  end)

  it("names the group after the container", function()
    assert.are.equal("luactr/web", cgroup.compile({}, v2(), "web").path)
  end)

  describe("of a chosen place", function()
    it("has a directory in each hierarchy", function()
      local compiled = cgroup.compile({ pids = 5 }, v1(), "/a/b")
      assert.are.equal(9, #compiled.places)
      assert.matches("freezer.* io .*net_cls,net_prio", names(compiled))
      assert.are.equal("/a/b", compiled.at)
      assert.are.equal("a/b", compiled.path)
      assert.is_nil(compiled.freezer)
    end)

    it("has all controllers of v2 that are to be had, for whoever reads figures", function()
      local place = cgroup.compile({ pids = 5 }, v2(), "./a/b").places[1]
      assert.are.same({ "pids" }, place.controllers)
      for _, name in ipairs { "cpuset", "hugetlb", "io", "memory" } do
        assert.matches(" " .. name .. " ", " " .. table.concat(place.meters, " ") .. " ")
      end
    end)

    it("begins at the top of all, or below the parent", function()
      local layout = v2()
      layout.hierarchies[1].parent = "/user"
      assert.are.equal("", cgroup.compile({}, layout, "/a").places[1].parent)
      assert.are.equal("/user", cgroup.compile({}, layout, "./a").places[1].parent)
    end)

    it("is known by what state.json says of it", function()
      for _, id in ipairs { "x", "pod/x", "/luactr/x", "./a" } do
        assert.are.equal(id, compile.id_of(cgroup.compile({}, v2(), id).at))
      end
    end)
  end)

  it("makes directories only for limits and meters", function()
    assert.are.equal("cpu,cpuacct memory pids", names(cgroup.compile({}, v1(), "x")))
    assert.are.equal("cpu,cpuacct cpuset memory pids",
      names(cgroup.compile({ cpus = "0" }, v1(), "x")))
    assert.are.equal("unified", names(cgroup.compile({ cpus = "0" }, v2(), "x")))
  end)

  it("takes CPU time on a hybrid host from v2", function()
    assert.are.equal("memory pids unified", names(cgroup.compile({}, hybrid(), "x")))
  end)

  it("meters io where that costs no directory", function()
    local function meters(layout)
      local place = cgroup.compile({}, layout, "x").places[1]
      return " " .. table.concat(place.meters, " ") .. " "
    end
    assert.matches(" io ", meters(v2()))
    for _, place in ipairs(cgroup.compile({}, v1(), "x").places) do
      assert.are_not.equal("io", place.name)
    end
  end)

  it("attaches to v1 directories, and to them alone", function()
    local attach = cgroup.compile({}, hybrid(), "x").attach
    table.sort(attach)
    assert.are.same({ "cgroup:memory", "cgroup:pids" }, attach)
    assert.are.same({}, cgroup.compile({}, v2(), "x").attach)
  end)

  it("has nothing to do on a host without cgroups", function()
    local compiled = cgroup.compile({}, layout_of({}), "x")
    assert.are.same({}, compiled.places)
    assert.are.same({}, compiled.writes)
  end)

  it("adds memory to swap on v1", function()
    local limits = { memory = 100, swap = 20 }
    assert.are.equal("limits.swap: memory.memsw.limit_in_bytes = 120", writes(limits, v1())[2])
    assert.are.equal("limits.swap: memory.swap.max = 20", writes(limits, v2())[2])
  end)

  it("writes a share and a rate for each disk, in a stable order", function()
    local limits = { io = { weight = 50, weight_device = { ["8:0"] = 200 },
      read_bps = { ["8:16"] = 2, ["8:0"] = 1 }, write_iops = { ["8:0"] = 3 } } }
    assert.are.same({
      "limits.io.weight: io.weight = default 50",
      'limits.io.weight_device["8:0"]: io.weight = 8:0 200',
      'limits.io.read_bps["8:0"]: io.max = 8:0 rbps=1',
      'limits.io.read_bps["8:16"]: io.max = 8:16 rbps=2',
      'limits.io.write_iops["8:0"]: io.max = 8:0 wiops=3',
    }, writes(limits, v2()))
  end)

  it("finds the number of a disk that is named by its path", function()
    local facts = { device_number = function() return "254:0" end }
    assert.are.same({ 'limits.io.read_bps["/dev/vda"]: io.max = 254:0 rbps=1' },
      writes({ io = { read_bps = { ["/dev/vda"] = 1 } } }, v2(facts)))
  end)

  it("names huge pages as the kernel does", function()
    local limits = { hugepages = { [2 << 20] = 4, [1 << 30] = 5, [64 << 10] = 6 } }
    assert.are.same({
      'limits.hugepages["64KB"]: hugetlb.64KB.max = 6',
      'limits.hugepages["64KB"]: hugetlb.64KB.rsvd.max = 6',
      'limits.hugepages["2MB"]: hugetlb.2MB.max = 4',
      'limits.hugepages["2MB"]: hugetlb.2MB.rsvd.max = 4',
      'limits.hugepages["1GB"]: hugetlb.1GB.max = 5',
      'limits.hugepages["1GB"]: hugetlb.1GB.rsvd.max = 5',
    }, writes(limits, v2()))
  end)

  it("starts devices from those that every program expects", function()
    local lines = writes({ devices = { "c 10:200 rw" } }, v1())
    assert.are.equal("limits.devices: devices.deny = a", lines[1])
    assert.are.equal("limits.devices: devices.allow = c 10:200 rw", lines[#lines])
    local program = writes({ devices = {} }, v2())
    assert.are.equal(1, #program)
    assert.is_truthy(program[1]:find("allow c 1:3 rwm", 1, true))
  end)

  it("takes device rules as tables too", function()
    local rules = { { type = "b", major = 8, access = "r" } }
    local lines = writes({ devices = rules }, v1())
    assert.are.equal("limits.devices: devices.allow = b 8:* r", lines[#lines])
  end)

  it("leaves out what a rule for all makes void", function()
    local lines = writes({ devices = { "c 10:200 rw", "deny a", "c 1:3 r" } }, v1())
    assert.are.same({ "limits.devices: devices.deny = a",
      "limits.devices: devices.allow = c 1:3 r" }, lines)
  end)

  it("writes each line of a raw key by itself", function()
    assert.are.same({
      'limits.unified["io.max"]: io.max = 259:0 rbps=2097152',
      'limits.unified["io.max"]: io.max = 253:0 wiops=120',
    }, writes({ unified = { ["io.max"] = "259:0 rbps=2097152\n253:0 wiops=120" } }, v2()))
  end)

  it("marks packets on v1", function()
    assert.are.same({
      "limits.net_class: net_cls.classid = 65537",
      'limits.net_priority["eth0"]: net_prio.ifpriomap = eth0 5',
    }, writes({ net_class = 0x10001, net_priority = { eth0 = 5 } }, v1()))
  end)

  it("passes raw keys on", function()
    assert.are.same({ 'limits.unified["memory.high"]: memory.high = 1G',
      'limits.unified["memory.oom.group"]: memory.oom.group = 1' },
      writes({ unified = { ["memory.oom.group"] = "1", ["memory.high"] = "1G" } }, v2()))
  end)

  it("leaves the recipe's limits and the layout as they are", function()
    local limits, layout = { devices = {} }, v2()
    cgroup.compile(limits, layout, "x")
    local first = cgroup.compile(limits, layout, "x")
    assert.are.same(first, cgroup.compile(limits, layout, "x"))
    assert.are.same({}, limits.devices)
  end)

  describe("refuses", function()
    it("a controller that the host lacks", function()
      local layout = layout_of({ { "/c/memory", "cgroup", "memory" } })
      assert.matches("no pids controller", problem({ pids = 1 }, layout, "limits.pids"))
    end)

    it("a controller that is not delegated to this user", function()
      local layout = v1()
      layout.controllers.pids.parent, layout.controllers.pids.own = nil, "/user.slice"
      assert.matches("not delegated to this user: neither /c/pids/ nor /c/pids/user.slice",
        problem({ pids = 1 }, layout, "limits.pids"))
    end)

    it("a controller that the cgroup above does not give", function()
      local layout = v2()
      layout.unified.granted.pids = nil
      assert.matches("controller pids is not delegated: /c/cgroup.controllers",
        problem({ pids = 1 }, layout, "limits.pids"))
    end)

    it("what a version cannot do", function()
      assert.matches("cgroup v1.*cannot", problem({ memory_high = 1 }, v1(), "limits.memory_high"))
    end)

    it("v1's network settings on v2", function()
      assert.matches("no net_cls controller", problem({ net_class = 1 }, v2(), "limits.net_class"))
    end)

    it("CPUs and nodes outside of the host's", function()
      assert.matches("CPU 4 is not among those of this host: 0%-3$",
        problem({ cpus = "2-5" }, v2(), "limits.cpus"))
      assert.matches("memory node 1 is not", problem({ mems = "0-1" }, v1(), "limits.mems"))
    end)

    it("a list that is none", function()
      assert.matches("not a list", problem({ cpus = "3-1" }, v2(), "limits.cpus"))
    end)

    it("a share of a CPU below what the kernel takes", function()
      assert.matches("no such value", problem({ cpu = 0.0001 }, v2(), "limits.cpu"))
    end)

    it("a burst without a quota, or above it", function()
      assert.matches("needs limits.cpu", problem({ cpu_burst = 1 }, v2(), "limits.cpu_burst"))
      assert.matches("at most 0.04 s",
        problem({ cpu = 0.4, cpu_burst = 0.05 }, v2(), "limits.cpu_burst"))
    end)

    it("swap without memory on v1", function()
      assert.matches("needs limits.memory", problem({ swap = 1 }, v1(), "limits.swap"))
      assert.is_table(cgroup.compile({ swap = 1 }, v2(), "x"))
    end)

    it("a disk that is not there", function()
      local facts = { device_number = function() return nil, "stat /dev/x: No such file" end }
      local limits = { io = { read_bps = { ["/dev/x"] = 1 } } }
      assert.matches("No such file", problem(limits, v2(facts), 'limits.io.read_bps["/dev/x"]'))
    end)

    it("huge pages of a size that the host lacks", function()
      local facts = { hugepage_sizes = { ["2MB"] = true } }
      assert.matches("it has 2MB",
        problem({ hugepages = { [1 << 30] = 1 } }, v2(facts), 'limits.hugepages["1GB"]'))
    end)

    it("a device rule of another form", function()
      assert.matches("a rule is as", problem({ devices = { "c 1:3" } }, v2(), "limits.devices[1]"))
    end)

    it("a device rule that v1 cannot express", function()
      assert.matches("cannot take back",
        problem({ devices = { "c 1:* rwm", "deny c 1:11 rw" } }, v1(), "limits.devices"))
    end)

    it("raw keys where the controller lives on v1", function()
      assert.matches("memory lives on cgroup v1 here",
        problem({ unified = { ["memory.high"] = "1" } }, v1(), 'limits.unified["memory.high"]'))
    end)

    it("raw keys that are luactr's", function()
      local path = 'limits.unified["cgroup.procs"]'
      assert.is_string(problem({ unified = { ["cgroup.procs"] = "1" } }, v2(), path))
    end)

    it("all that is wrong at once", function()
      local _, problems = cgroup.compile({ cpus = "9", swap = 1, memory_high = 1 }, v1(), "x")
      assert.are.equal(3, #problems)
    end)
  end)

  it("makes problems warnings by word", function()
    local limits = { optional = true, memory_high = 1, pids = 5 }
    local compiled = cgroup.compile(limits, v1(), "x")
    assert.are.equal(1, #compiled.warnings)
    assert.matches("^limits.memory_high is not enforced: cgroup v1", compiled.warnings[1])
    assert.are.equal(1, #compiled.writes)
    assert.is_true(compiled.optional)
  end)
end)

describe("luactr.cgroup.reason.find() #unit", function()
  it("tells the causes of one errno apart by the file", function()
    assert.matches("processes live in", reason.find("/c/user/cgroup.subtree_control", "EBUSY"))
    assert.matches("in use, and the kernel", reason.find("/c/memory.limit_in_bytes", "EBUSY"))
    assert.matches("does not account swap", reason.find("/c/memory.memsw.limit_in_bytes", "ENOENT"))
    assert.matches("does not account swap", reason.find("/c/memory.swap.max", "ENOENT"))
    assert.matches("no such file", reason.find("/c/memory.zswap.max", "ENOENT"))
    assert.matches("threaded", reason.find("/c/cgroup.subtree_control", "EOPNOTSUPP"))
    assert.matches("not delegated", reason.find("/c/luactr", "EACCES"))
  end)

  it("says nothing about what it does not know", function()
    assert.is_nil(reason.find("/c/memory.max", "EIO"))
  end)
end)
