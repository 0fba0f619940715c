-- Each row of the settings: the files and texts of cgroup v1 and v2.

local core = require("luactr.core")

local cgroup, sys = core.cgroup, core.sys

local function shown(writes)
  local lines = {}
  for i, write in ipairs(writes) do
    lines[i] = write.file .. "=" .. write.text
    if write.instead then
      lines[i] = lines[i] .. " or " .. write.instead.file .. "=" .. write.instead.text
    end
  end
  return table.concat(lines, "; ")
end

-- setting, value, key, text on v1, text on v2; false: no such setting there
local CASES <const> = {
  { "cpu", 0.4, nil, "cpu.cfs_period_us=100000; cpu.cfs_quota_us=40000", "cpu.max=40000 100000" },
  { "cpu", 2, nil, "cpu.cfs_period_us=100000; cpu.cfs_quota_us=200000", "cpu.max=200000 100000" },
  { "cpu", 0.01, nil, "cpu.cfs_period_us=100000; cpu.cfs_quota_us=1000", "cpu.max=1000 100000" },
  { "cpu", 0.005, nil, "cpu.cfs_period_us=1000000; cpu.cfs_quota_us=5000", "cpu.max=5000 1000000" },
  { "cpu", math.huge, nil, "cpu.cfs_period_us=100000; cpu.cfs_quota_us=-1", "cpu.max=max 100000" },
  { "cpu_burst", 0.025, nil, "cpu.cfs_burst_us=25000", "cpu.max.burst=25000" },
  { "cpu_weight", 100, nil, "cpu.shares=1024", "cpu.weight=100" },
  { "cpu_weight", 1, nil, "cpu.shares=10", "cpu.weight=1" },
  { "cpu_weight", 10000, nil, "cpu.shares=102400", "cpu.weight=10000" },
  { "cpu_quota", "5000 20000", nil, "cpu.cfs_period_us=20000; cpu.cfs_quota_us=5000",
    "cpu.max=5000 20000" },
  { "cpu_quota", "-1 20000", nil, "cpu.cfs_period_us=20000; cpu.cfs_quota_us=-1",
    "cpu.max=max 20000" },
  { "cpu_shares", 512, nil, "cpu.shares=512", false },
  { "cpu_idle", 1, nil, "cpu.idle=1", "cpu.idle=1" },
  { "cpu_realtime", 9000, nil, "cpu.rt_runtime_us=9000", false },
  { "cpu_realtime_period", 90000, nil, "cpu.rt_period_us=90000", false },
  { "cpus", "0-1,3", nil, "cpuset.cpus=0-1,3", "cpuset.cpus=0-1,3" },
  { "mems", "0", nil, "cpuset.mems=0", "cpuset.mems=0" },
  { "memory", 67108864, nil, "memory.limit_in_bytes=67108864", "memory.max=67108864" },
  { "memory", -1, nil, "memory.limit_in_bytes=-1", "memory.max=max" },
  { "memory_high", 1024, nil, false, "memory.high=1024" },
  { "memory_low", 1024, nil, "memory.soft_limit_in_bytes=1024", "memory.low=1024" },
  { "swap", 0, nil, "memory.memsw.limit_in_bytes=0", "memory.swap.max=0" },
  { "swappiness", 10, nil, "memory.swappiness=10", false },
  { "oom_control", 1, nil, "memory.oom_control=1", false },
  { "kernel_memory", 4096, nil, "memory.kmem.limit_in_bytes=4096", false },
  { "kernel_memory_tcp", -1, nil, "memory.kmem.tcp.limit_in_bytes=-1", false },
  { "pids", 64, nil, "pids.max=64", "pids.max=64" },
  { "pids", -1, nil, "pids.max=max", "pids.max=max" },
  { "io.weight", 100, nil, "blkio.bfq.weight=100 or blkio.weight=100",
    "io.weight=default 100 or io.bfq.weight=default 100" },
  { "io.weight", 10000, nil, "blkio.bfq.weight=1000 or blkio.weight=1000",
    "io.weight=default 10000 or io.bfq.weight=default 1000" },
  { "io.weight", 1, nil, "blkio.bfq.weight=1 or blkio.weight=10",
    "io.weight=default 1 or io.bfq.weight=default 1" },
  { "io.weight_device", 10000, "8:0",
    "blkio.bfq.weight_device=8:0 1000 or blkio.weight_device=8:0 1000",
    "io.weight=8:0 10000 or io.bfq.weight=8:0 1000" },
  { "io.leaf_weight", 10000, nil, "blkio.leaf_weight=1000", false },
  { "io.leaf_weight_device", 5, "8:0", "blkio.leaf_weight_device=8:0 10", false },
  { "io.read_bps", -1, "8:0", "blkio.throttle.read_bps_device=8:0 0", "io.max=8:0 rbps=max" },
  { "io.read_bps", 100, "8:0", "blkio.throttle.read_bps_device=8:0 100", "io.max=8:0 rbps=100" },
  { "io.write_bps", 100, "8:0", "blkio.throttle.write_bps_device=8:0 100", "io.max=8:0 wbps=100" },
  { "io.read_iops", 9, "8:0", "blkio.throttle.read_iops_device=8:0 9", "io.max=8:0 riops=9" },
  { "io.write_iops", 9, "8:0", "blkio.throttle.write_iops_device=8:0 9", "io.max=8:0 wiops=9" },
  { "hugepages", 4096, "2MB", "hugetlb.2MB.limit_in_bytes=4096", "hugetlb.2MB.max=4096" },
  { "hugepages_reserved", -1, "2MB", "hugetlb.2MB.rsvd.limit_in_bytes=-1",
    "hugetlb.2MB.rsvd.max=max" },
  { "hugepages", -1, "2MB", "hugetlb.2MB.limit_in_bytes=-1", "hugetlb.2MB.max=max" },
  { "rdma", "hca_handle=3", "mlx5_1", "rdma.max=mlx5_1 hca_handle=3",
    "rdma.max=mlx5_1 hca_handle=3" },
  { "devices", "deny a\nallow c 1:* rw", nil, "devices.deny=a; devices.allow=c 1:* rw",
    "bpf:cgroup_device=deny a\nallow c 1:* rw" },
  { "net_class", 0x100001, nil, "net_cls.classid=1048577", false },
  { "net_priority", 5, "eth0", "net_prio.ifpriomap=eth0 5", false },
  { "unified", "1G", "memory.high", false, "memory.high=1G" },
}

-- setting, value, key, errno
local REFUSED <const> = {
  { "cpu", 0, nil, "ERANGE" }, { "cpu", -1, nil, "ERANGE" }, { "cpu", 0.0009, nil, "ERANGE" },
  { "cpu", 0 / 0, nil, "ERANGE" }, { "cpu", 1e12, nil, "ERANGE" },
  { "cpu", -math.huge, nil, "ERANGE" },
  { "cpu_burst", -1, nil, "ERANGE" }, { "cpu_burst", 0 / 0, nil, "ERANGE" },
  { "cpu_weight", 0, nil, "ERANGE" }, { "cpu_weight", 10001, nil, "ERANGE" },
  { "io.weight", 0, nil, "ERANGE" }, { "io.weight_device", 0, "8:0", "ERANGE" },
  { "io.read_bps", 1, nil, "EINVAL" }, { "memory", 1, "key", "EINVAL" },
  { "hugepages", 1, "../2MB", "EINVAL" },
  { "devices", "allow c 1:3", nil, "EINVAL" }, { "cpu_quota", "5000", nil, "EINVAL" },
  { "rdma", "hca_handle=3", "a b", "EINVAL" },
  { "unified", "1", "cgroup.procs", "EINVAL" }, { "unified", "1", "cgroup.kill", "EINVAL" },
  { "unified", "1", "cgroup.subtree_control", "EINVAL" },
  { "unified", "1", "../memory.max", "EINVAL" },
  { "unified", "1", "memory", "EINVAL" }, { "unified", "1", ".x", "EINVAL" },
  { "unified", "1", ("x"):rep(200) .. ".y", "ENOSPC" },
  { "unified", ("x"):rep(20000), "memory.high", "ENOSPC" },
}

describe("luactr.core.cgroup.encode() #core #layout", function()
  for _, case in ipairs(CASES) do
    local setting, value, key = case[1], case[2], case[3]
    for version = 1, 2 do
      local wanted = case[3 + version]
      it(("%s = %s on v%d"):format(setting, tostring(value):gsub("\n", "; "), version), function()
        local writes, _, errno = cgroup.encode(setting, value, version, key)
        if wanted then
          assert.are.equal(wanted, shown(writes))
        else
          assert.are.equal("EOPNOTSUPP", sys.errname(errno))
        end
      end)
    end
  end

  for _, case in ipairs(REFUSED) do
    local value, key = tostring(case[2]), tostring(case[3])
    it(("refuses %s = %.20s (%.20s)"):format(case[1], value, key), function()
      local writes, _, errno = cgroup.encode(case[1], case[2], 2, case[3])
      assert.is_nil(writes)
      assert.are.equal(case[4], sys.errname(errno))
    end)
  end

  it("raises for an unknown setting and a wrong type", function()
    assert.has_error(function() cgroup.encode("nonsense", 1, 1) end)
    assert.has_error(function() cgroup.encode("memory", "a lot", 1) end)
    assert.has_error(function() cgroup.encode("memory", 1, 3) end)
  end)

  it("has a case for every row", function()
    local seen = {}
    for _, case in ipairs(CASES) do seen[case[1]] = true end
    for _, row in ipairs(cgroup.settings()) do assert.is_true(seen[row.name], row.name) end
  end)

  it("takes back on v1 only what an earlier rule named exactly", function()
    local function v1(rules)
      local errno = select(3, cgroup.encode("devices", rules, 1))
      return errno and sys.errname(errno)
    end
    assert.is_nil(v1 "deny a\nallow c 1:3 rwm\ndeny c 1:3 w")
    assert.is_nil(v1 "allow a\ndeny c 1:3 rwm\nallow c 1:3 r")
    assert.is_nil(v1 "deny a\nallow c 1:* r\ndeny c 1:3 w")
    assert.is_nil(v1 "deny a\nallow c 1:* r\ndeny a")
    assert.is_nil(v1 "deny a\ndeny c 10:229 rwm\nallow c *:* m") -- nothing was taken back
    assert.is_nil(v1 "allow a\nallow c 1:3 r\ndeny c 1:* r")
    assert.are.equal("EOPNOTSUPP", v1 "deny a\nallow c 1:* rwm\ndeny c 1:3 w")
    assert.are.equal("EOPNOTSUPP", v1 "allow a\ndeny c 1:3 rwm\nallow c *:* r")
  end)
end)

describe("luactr.core.cgroup.weight() #core #layout", function()
  it("is the inverse of the shares, as the kernel converts", function()
    assert.are.equal(100, cgroup.weight(1024))
    assert.are.equal(1, cgroup.weight(2))
    assert.are.equal(10000, cgroup.weight(262144))
    for weight = 1, 10000, 37 do
      local shares = math.tointeger(tonumber(cgroup.encode("cpu_weight", weight, 1)[1].text))
      assert.are.equal(weight, cgroup.weight(shares))
    end
  end)
end)
