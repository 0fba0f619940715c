--- What a cgroup has used, in the shape of runc's `events --stats`. A figure that the host does not
--- have is left out.
local M = {}

-- runc has 2^64 - 1 here, which is no number for many readers of JSON.
local UNLIMITED <const> = math.maxinteger

-- ---- the forms of the kernel's files

local function number(text)
  return text:find("^max") and UNLIMITED or math.tointeger(tonumber(text:match("^%-?%d+")))
end

local function flat(text)
  local result = {}
  for key, value in text:gmatch("([%w_.]+) (%d+)") do
    result[key] = math.tointeger(tonumber(value))
  end
  return result
end

local function numbers(text)
  local list = {}
  for value in text:gmatch("%d+") do
    list[#list + 1] = math.tointeger(tonumber(value))
  end
  return #list > 0 and list or nil
end

--- "0-2,5" as { 0, 1, 2, 5 }.
local function range(text)
  local list = {}
  for first, last in text:gmatch("(%d+)%-?(%d*)") do
    for value = tonumber(first), tonumber(last ~= "" and last or first) do
      list[#list + 1] = value
    end
  end
  return #list > 0 and list or nil
end

--- "8:0 Read 5"
local function disks_v1(text)
  local list = {}
  for major, minor, op, value in text:gmatch("(%d+):(%d+) (%a+) (%d+)") do
    list[#list + 1] = { major = math.tointeger(tonumber(major)),
      minor = math.tointeger(tonumber(minor)), op = op, value = math.tointeger(tonumber(value)) }
  end
  return #list > 0 and list or nil
end

--- "8:0 rbytes=5 wbytes=6": one entry for each of two words.
local function disks_v2(words)
  return function(text)
    local list = {}
    for line in text:gmatch("[^\n]+") do
      local major, minor = line:match("^(%d+):(%d+)")
      for op, word in pairs(words) do
        local value = line:match(" " .. word .. "=(%d+)")
        list[#list + 1] = value and { major = math.tointeger(tonumber(major)),
          minor = math.tointeger(tonumber(minor)), op = op,
          value = math.tointeger(tonumber(value)) }
      end
    end
    return #list > 0 and list or nil
  end
end

local function key(name)
  return function(text)
    return flat(text)[name]
  end
end

-- ---- where each figure is

-- Of two rows with a place the first counts that the host has.
local ROWS <const> = {
  { "cpu.usage.percpu", "cpuacct", "cpuacct.usage_percpu", numbers },
  { "cpu.throttling.periods", "cpu", "cpu.stat", key "nr_periods" },
  { "cpu.throttling.throttledPeriods", "cpu", "cpu.stat", key "nr_throttled" },
  { "cpuset.cpus", "cpuset", "cpuset.cpus.effective", range },
  { "cpuset.cpus", "cpuset", "cpuset.cpus", range },
  { "cpuset.mems", "cpuset", "cpuset.mems.effective", range },
  { "cpuset.mems", "cpuset", "cpuset.mems", range },
  { "memory.raw", "memory", "memory.stat", flat },
  { "memory.cache", "memory", "memory.stat", key "cache" },
  { "memory.cache", "memory", "memory.stat", key "file" },
  { "memory.usage.usage", "memory", "memory.current", number },
  { "memory.usage.usage", "memory", "memory.usage_in_bytes", number },
  { "memory.usage.max", "memory", "memory.peak", number },
  { "memory.usage.max", "memory", "memory.max_usage_in_bytes", number },
  { "memory.usage.limit", "memory", "memory.max", number },
  { "memory.usage.limit", "memory", "memory.limit_in_bytes", number },
  { "memory.usage.failcnt", "memory", "memory.events", key "max" },
  { "memory.usage.failcnt", "memory", "memory.failcnt", number },
  { "memory.swap.usage", "memory", "memory.swap.current", number },
  { "memory.swap.usage", "memory", "memory.memsw.usage_in_bytes", number },
  { "memory.swap.limit", "memory", "memory.swap.max", number },
  { "memory.swap.limit", "memory", "memory.memsw.limit_in_bytes", number },
  { "memory.swap.max", "memory", "memory.memsw.max_usage_in_bytes", number },
  { "memory.swap.failcnt", "memory", "memory.swap.events", key "fail" },
  { "memory.swap.failcnt", "memory", "memory.memsw.failcnt", number },
  { "memory.kernel.usage", "memory", "memory.kmem.usage_in_bytes", number },
  { "memory.kernel.max", "memory", "memory.kmem.max_usage_in_bytes", number },
  { "memory.kernel.failcnt", "memory", "memory.kmem.failcnt", number },
  { "memory.kernelTCP.usage", "memory", "memory.kmem.tcp.usage_in_bytes", number },
  { "memory.kernelTCP.limit", "memory", "memory.kmem.tcp.limit_in_bytes", number },
  { "memory.kernelTCP.failcnt", "memory", "memory.kmem.tcp.failcnt", number },
  { "pids.current", "pids", "pids.current", number },
  { "pids.limit", "pids", "pids.max", number },
  { "blkio.ioServiceBytesRecursive", "io", "io.stat",
    disks_v2 { Read = "rbytes", Write = "wbytes", Discard = "dbytes" } },
  { "blkio.ioServiceBytesRecursive", "io", "blkio.throttle.io_service_bytes_recursive", disks_v1 },
  { "blkio.ioServicedRecursive", "io", "io.stat",
    disks_v2 { Read = "rios", Write = "wios", Discard = "dios" } },
  { "blkio.ioServicedRecursive", "io", "blkio.throttle.io_serviced_recursive", disks_v1 },
}

local function get(from, path)
  for name in path:gmatch("[^.]+") do
    from = from and from[name]
  end
  return from
end

local function put(into, path, value)
  for name in path:gmatch("([^.]+)%.") do
    into[name] = into[name] or {}
    into = into[name]
  end
  into[path:match("[^.]+$")] = value
end

local function nanoseconds(seconds)
  return seconds and math.tointeger((seconds * 1e9 + 0.5) // 1)
end

local function with_meters(data, group)
  local meters = group:meters()
  put(data, "cpu.usage.total", nanoseconds(meters.cpu_seconds))
  put(data, "cpu.usage.user", nanoseconds(meters.cpu_user_seconds))
  put(data, "cpu.usage.kernel", nanoseconds(meters.cpu_system_seconds))
  put(data, "cpu.throttling.throttledTime", nanoseconds(meters.throttled_seconds))
end

local SECTIONS <const> = { cpu = "cpu.psi", memory = "memory.psi", io = "blkio.psi" }

local function with_pressure(data, group)
  for resource, figures in pairs(group:pressure() or {}) do
    for kind, stall in pairs(figures) do
      for name, value in pairs(stall) do
        local path = table.concat({ SECTIONS[resource], kind, name }, ".")
        put(data, path, name == "total" and math.tointeger((value * 1e6 + 0.5) // 1) or value)
      end
    end
  end
end

-- Field, file of v2, file of v1.
local HUGE <const> = {
  { "usage", "current", "usage_in_bytes" }, { "max", nil, "max_usage_in_bytes" },
  { "failcnt", "events", "failcnt" },
}

local function with_hugepages(data, group, sizes)
  for size in pairs(sizes or {}) do
    local entry = {}
    for _, row in ipairs(HUGE) do
      local text = row[2] and group:read("hugetlb", "hugetlb." .. size .. "." .. row[2])
        or group:read("hugetlb", "hugetlb." .. size .. "." .. row[3])
      entry[row[1]] = text and (flat(text).max or number(text))
    end
    if next(entry) then
      put(data, "hugetlb", data.hugetlb or {})
      data.hugetlb[size] = entry
    end
  end
end

--- The figures of a group.
---@param group luactr.cgroup
---@param layout table of luactr.cgroup.detect
---@return table data
function M.of(group, layout)
  local data = { cpu = {}, cpuset = {}, memory = {}, pids = {}, blkio = {}, hugetlb = {},
    intel_rdt = {} }
  for _, row in ipairs(ROWS) do
    local text = get(data, row[1]) == nil and group:has(row[2]) and group:read(row[2], row[3])
    local value = text and row[4](text)
    if value ~= nil and value ~= false then
      put(data, row[1], value)
    end
  end
  with_meters(data, group)
  with_pressure(data, group)
  with_hugepages(data, group, layout.hugepage_sizes)
  return data
end

return M
