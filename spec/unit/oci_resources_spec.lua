-- linux.resources of config.json: to a recipe's limits, to the kernel's files, and back.

local cgroup = require("luactr.cgroup")
local check = require("luactr.check")
local core = require("luactr.core")
local json = require("luactr.oci.json")
local limits_type = require("luactr.spec.limits")
local resources = require("luactr.oci.resources")

local function limits_of(text, context)
  local limits, origins = resources.limits(assert(json.decode(text)), context or {})
  assert(limits, not limits and origins[1].path .. ": " .. origins[1].message)
  return limits, origins
end

local function problem(text, context)
  local limits, problems = resources.limits(assert(json.decode(text)), context or {})
  assert.is_nil(limits)
  assert.are.equal(1, #problems)
  return problems[1].path .. ": " .. problems[1].message
end

local function checked(limits)
  local problems = check.problems()
  local result = problems:check(limits_type, limits, "limits")
  assert.are.same({}, table.move(problems, 1, #problems, 1, {}))
  return result
end

local function layout(version)
  local lines = {}
  for i, name in ipairs { "cpu", "cpuset", "memory", "pids", "blkio", "devices", "hugetlb", "rdma",
    "net_cls", "net_prio" } do
    lines[i] = ("%d 1 0:%d / /c/%s rw - cgroup none rw,%s"):format(i, i, name, name)
  end
  if version == 2 then lines = { "1 1 0:1 / /c rw - cgroup2 none rw" } end
  local result = core.cgroup.layout(table.concat(lines, "\n"), "0::/\n",
    "cpu cpuset memory pids io hugetlb rdma", true)
  result.cpus, result.mems, result.hugepage_sizes = "0-3\n", "0\n", { ["2MB"] = true }
  return result
end

-- What is written: "file=text" of each write.
local function writes(text, version, context)
  local limits = checked(limits_of(text, context))
  local compiled, problems = cgroup.compile(limits, layout(version), "x")
  if not compiled then return problems[1].path .. ": " .. problems[1].message end
  local lines = {}
  for i, write in ipairs(compiled.writes) do lines[i] = write.file .. "=" .. write.text end
  return table.concat(lines, "; ")
end

-- resources, on v1, on v2
local WRITES <const> = {
  { '{"memory":{"limit":1048576,"reservation":524288}}',
    "memory.limit_in_bytes=1048576; memory.soft_limit_in_bytes=524288",
    "memory.max=1048576; memory.low=524288" },
  { '{"memory":{"limit":1048576,"swap":3145728}}',
    "memory.limit_in_bytes=1048576; memory.memsw.limit_in_bytes=3145728",
    "memory.max=1048576; memory.swap.max=2097152" },
  { '{"memory":{"limit":1048576,"swap":1048576}}',
    "memory.limit_in_bytes=1048576; memory.memsw.limit_in_bytes=1048576",
    "memory.max=1048576; memory.swap.max=0" },
  { '{"memory":{"swappiness":10,"disableOOMKiller":true}}',
    "memory.swappiness=10; memory.oom_control=1",
    "limits.swappiness: cgroup v2, where this host has the controller, cannot do that" },
  { '{"memory":{"kernel":4096,"kernelTCP":8192}}',
    "memory.kmem.limit_in_bytes=4096; memory.kmem.tcp.limit_in_bytes=8192",
    "limits.kernel_memory: cgroup v2, where this host has the controller, cannot do that" },
  { '{"cpu":{"shares":1024,"quota":50000,"period":200000}}',
    "cpu.cfs_period_us=200000; cpu.cfs_quota_us=50000; cpu.shares=1024",
    "cpu.max=50000 200000; cpu.weight=100" },
  { '{"cpu":{"quota":33333}}', "cpu.cfs_period_us=100000; cpu.cfs_quota_us=33333",
    "cpu.max=33333 100000" },
  { '{"cpu":{"period":50000}}', "cpu.cfs_period_us=50000; cpu.cfs_quota_us=-1",
    "cpu.max=max 50000" },
  { '{"cpu":{"quota":40000,"burst":20000,"idle":1}}',
    "cpu.cfs_period_us=100000; cpu.cfs_quota_us=40000; cpu.cfs_burst_us=20000; cpu.idle=1",
    "cpu.max=40000 100000; cpu.max.burst=20000; cpu.idle=1" },
  { '{"cpu":{"realtimeRuntime":950000,"realtimePeriod":1000000}}',
    "cpu.rt_period_us=1000000; cpu.rt_runtime_us=950000",
    "limits.cpu_realtime_period: cgroup v2, where this host has the controller, cannot do that" },
  { '{"cpu":{"shares":18446744073709551615}}', "cpu.shares=262144", "cpu.weight=10000" },
  { '{"cpu":{"shares":1}}', "cpu.shares=2", "cpu.weight=1" },
  { '{"cpu":{"cpus":"0-1","mems":"0"}}', "cpuset.cpus=0-1; cpuset.mems=0",
    "cpuset.cpus=0-1; cpuset.mems=0" },
  { '{"blockIO":{"weight":500}}', "blkio.bfq.weight=500", "io.weight=default 4500" },
  { '{"blockIO":{"leafWeight":300,"weightDevice":[{"major":8,"minor":0,"weight":50,'
    .. '"leafWeight":70}]}}',
    "blkio.leaf_weight=300; blkio.bfq.weight_device=8:0 50; blkio.leaf_weight_device=8:0 70",
    "limits.io.leaf_weight: cgroup v2, where this host has the controller, cannot do that" },
  { '{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],'
    .. '"throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":300}]}}',
    "blkio.throttle.read_bps_device=8:0 600; blkio.throttle.write_iops_device=8:16 300",
    "io.max=8:0 rbps=600; io.max=8:16 wiops=300" },
  { '{"hugepageLimits":[{"pageSize":"2MB","limit":209715200}]}',
    "hugetlb.2MB.limit_in_bytes=209715200; hugetlb.2MB.rsvd.limit_in_bytes=209715200",
    "hugetlb.2MB.max=209715200; hugetlb.2MB.rsvd.max=209715200" },
  { '{"network":{"classID":1048577,"priorities":[{"name":"eth0","priority":500}]}}',
    "net_cls.classid=1048577; net_prio.ifpriomap=eth0 500",
    "limits.net_class: this host has no net_cls controller (not in the kernel, or its hierarchy is "
    .. "not mounted)" },
  { '{"pids":{"limit":32771}}', "pids.max=32771", "pids.max=32771" },
  { '{"pids":{"limit":0}}', "pids.max=0", "pids.max=0" },
  { '{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000}}}',
    "rdma.max=mlx5_1 hca_handle=3 hca_object=10000",
    "rdma.max=mlx5_1 hca_handle=3 hca_object=10000" },
  { '{"unified":{"memory.high":"1000"}}',
    'limits.unified["memory.high"]: a raw key is of cgroup v2, and memory lives on cgroup v1 here',
    "memory.high=1000" },
  -- what programs in Go write for nothing, and what is no limit
  { '{"memory":{"limit":0,"swap":0,"disableOOMKiller":false,"useHierarchy":true},'
    .. '"cpu":{"shares":0,"quota":0,"period":0,"cpus":"","idle":0},"blockIO":{"weight":0},'
    .. '"hugepageLimits":[],"network":{"classID":0},"devices":[],"unified":{}}', "", "" },
  { '{"memory":{"limit":-1,"swap":-1,"reservation":-1,"kernel":-1},"cpu":{"quota":-1},'
    .. '"pids":{"limit":-1},"hugepageLimits":[{"pageSize":"2MB","limit":18446744073709551615}]}',
    "", "" },
}

local CHANGES <const> = {
  { '{"memory":{"limit":-1,"swap":-1,"reservation":-1},"pids":{"limit":-1}}',
    "memory.limit_in_bytes=-1; memory.memsw.limit_in_bytes=-1; "
    .. "memory.soft_limit_in_bytes=-1; pids.max=max",
    "memory.max=max; memory.swap.max=max; memory.low=max; pids.max=max" },
  { '{"cpu":{"quota":-1,"idle":0}}',
    "cpu.cfs_period_us=100000; cpu.cfs_quota_us=-1; cpu.idle=0", "cpu.max=max 100000; cpu.idle=0" },
  { '{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":0}]}}',
    "blkio.throttle.read_bps_device=8:0 0", "io.max=8:0 rbps=max" },
}

local PROBLEMS <const> = {
  { '{"memory":{"limit":10,"swap":5}}', "linux.resources.memory.swap: 5 is less than memory.limit, "
    .. "and limits memory and swap together" },
  { '{"memory":{"swap":5}}',
    "linux.resources.memory.swap: limits memory and swap together: it needs memory.limit" },
  { '{"memory":{"useHierarchy":false}}', "linux.resources.memory.useHierarchy: memory is counted "
    .. "with what is below: since Linux 5.11 there is no other way" },
  { '{"memory":{"limit":"64M"}}',
    'linux.resources.memory.limit: integer of 64 bits expected, got "64M"' },
  { '{"cpu":{"idle":2}}', "linux.resources.cpu.idle: 0 or 1 expected, got 2" },
  { '{"blockIO":{"weight":1001}}',
    "linux.resources.blockIO.weight: 1001 is out of range: 1 to 1000" },
  { '{"hugepageLimits":[{"pageSize":"2MiB","limit":0}]}',
    'linux.resources.hugepageLimits: a size is as "2MB", not "2MiB"' },
  { '{"hugepageLimits":[{"pageSize":"2MB"}]}',
    "linux.resources.hugepageLimits[1].limit: is missing: integer of 64 bits without sign "
    .. "expected" },
  { '{"devices":[{"allow":true,"type":"x"}]}',
    'linux.resources.devices: [0]: a, b or c expected, got "x"' },
  { '{"devices":[{"allow":true,"type":"c","access":"q"}]}',
    'linux.resources.devices: [0]: access is of r, w and m, not "q"' },
}

describe("luactr.oci.resources #unit", function()
  describe("limits()", function()
    for i, case in ipairs(WRITES) do
      it("become writes on cgroup v1 and v2 (" .. i .. ")", function()
        assert.are.equal(case[2], writes(case[1], 1))
        assert.are.equal(case[3], writes(case[1], 2))
      end)
    end

    for i, case in ipairs(CHANGES) do
      it("take a limit back in an update (" .. i .. ")", function()
        assert.are.equal(case[2], writes(case[1], 1, { update = true }))
        assert.are.equal(case[3], writes(case[1], 2, { update = true }))
      end)
    end

    for i, case in ipairs(PROBLEMS) do
      it("says what is wrong (" .. i .. ")", function()
        assert.are.equal(case[2], problem(case[1]))
      end)
    end

    it("tells where each limit came from", function()
      local _, origins = limits_of '{"cpu":{"quota":10000,"period":20000},"pids":{"limit":5}}'
      assert.are.equal("linux.resources.cpu.period", origins["limits.cpu_period"])
      assert.are.equal("linux.resources.pids.limit", origins["limits.pids"])
      assert.are.equal("linux.resources", origins.limits)
    end)

    it("leaves out what it does not know, as the specification wants", function()
      assert.are.same({ pids = 5 }, (limits_of '{"pids":{"limit":5,"new":1},"newer":{}}'))
    end)
  end)

  describe("device rules", function()
    local function rules(text, context)
      return limits_of(text, context).devices
    end

    it("keep their order, and the usual devices are open behind a refusal of all", function()
      local list = rules('{"devices":[{"allow":false,"access":"rwm"},'
        .. '{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},'
        .. '{"allow":true,"type":"b","major":8,"access":"r"}]}')
      assert.are.equal("deny a", list[1])
      assert.are.equal("allow c 10:229 rw", list[2])
      assert.are.equal("allow b 8:* r", list[3])
      assert.are.equal("allow c *:* m", list[4])
      assert.is_truthy(table.concat(list, "\n"):find("allow c 1:3 rwm", 1, true))
    end)

    it("stay open where all are allowed", function()
      assert.are.same({ "allow a" }, rules '{"devices":[{"allow":true,"access":"rwm"}]}')
    end)

    it("are none without the rights to refuse", function()
      assert.is_nil(rules('{"devices":[{"allow":false,"access":"rwm"}]}', { rootless = true }))
    end)

    it("are what both versions can do", function()
      local text = '{"devices":[{"allow":false,"access":"rwm"},'
        .. '{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}]}'
      assert.matches("^devices.deny=a; devices.allow=c 10:229 rw; devices.allow=c %*:%* m",
        writes(text, 1))
      assert.matches("^bpf:cgroup_device=deny a\nallow c 10:229 rw\n", writes(text, 2))
    end)
  end)

  describe("document()", function()
    local SAME <const> = {
      '{"memory":{"limit":1048576,"swap":3145728,"reservation":524288,"swappiness":10}}',
      '{"memory":{"disableOOMKiller":true,"checkBeforeUpdate":true}}',
      '{"cpu":{"shares":512,"quota":50000,"period":200000,"burst":1000,"cpus":"0-1","mems":"0"}}',
      '{"cpu":{"idle":1,"realtimeRuntime":950000,"realtimePeriod":1000000}}',
      '{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":0,"weight":50,'
        .. '"leafWeight":70}]}}',
      '{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}]}}',
      '{"hugepageLimits":[{"pageSize":"2MB","limit":209715200}],"pids":{"limit":5}}',
      '{"network":{"classID":1048577,"priorities":[{"name":"eth0","priority":500}]}}',
      '{"rdma":{"mlx5_1":{"hcaHandles":3}},"unified":{"memory.high":"1000"}}',
    }
    for i, text in ipairs(SAME) do
      it("is what the limits came from (" .. i .. ")", function()
        assert.are.same(json.decode(text), resources.document(checked(limits_of(text))))
      end)
    end

    it("has the rules for devices with those that always count", function()
      local list = resources.document({ devices = { "allow c 10:* rw" } }).devices
      assert.are.same({ { allow = false, access = "rwm" },
        { allow = true, type = "c", major = 10, access = "rw" } }, list)
    end)

    it("has shares for a weight", function()
      for shares, weight in pairs { [2] = 1, [1024] = 100, [262144] = 10000 } do
        local limits = require("luactr.cgroup.limits")
        assert.are.equal(weight, limits.weight(shares))
        local back = resources.document({ cpu_weight = weight }).cpu.shares
        assert.are.equal(weight, limits.weight(back))
      end
    end)
  end)
end)
