--- config.json: linux.resources. Pure.
--
-- A row: `path` below linux.resources, `type`, the recipe's `field` below limits, `to(value, b)`
-- from the one to the other and `from(limit, limits)` back. What `to` returns becomes the field,
-- nil says nothing. b has the resources, the context and problem(); context.update is true for a
-- change of limits, where the word for none has to be written.
--
-- Programs in Go write 0 for what they do not say, and so it is taken.
local T = require "luactr.oci.types"
local check = require "luactr.check"
local disks = require "luactr.oci.rows.disks"

local M = {}

local UNLIMITED <const> = "unlimited"

local function none(b)
  return b.context.update and UNLIMITED or nil
end

local function unless_zero(value)
  return value ~= 0 and value or nil
end

local function unless_empty(value)
  return value ~= "" and value or nil
end

local function same(limit)
  return limit
end

--- Below 0, and from 2^63 on: no limit.
local function bytes(value, b)
  if value < 0 then
    return none(b)
  end
  return unless_zero(value)
end

-- ---- memory

--- Memory and swap together.
local function swap(value, b)
  local limit = b.resources.memory.limit or 0
  if value == 0 and limit >= 0 then
    return nil
  elseif value <= 0 then
    return none(b)
  elseif limit <= 0 then
    return b:problem("limits memory and swap together: it needs memory.limit")
  elseif value < limit then
    return b:problem("%d is less than memory.limit, and limits memory and swap together", value)
  end
  return value - limit
end

local function swap_back(limit, limits)
  if limit < 0 then
    return -1
  end
  return limits.memory and limits.memory >= 0 and limits.memory + limit or nil
end

local function oom_kill(value, b)
  if value or b.context.update then
    return not value
  end
end

local function hierarchy(value, b)
  if not value then
    b:problem("memory is counted with what is below: since Linux 5.11 there is no other way")
  end
end

-- ---- cpu

local PERIOD <const> = 100000 -- the kernel's default, in microseconds

local function between(low, value, high)
  return value < 0 and high or math.max(low, math.min(value, high)) -- negative: above 2^63
end

local function shares(value)
  return value ~= 0 and between(2, value, 262144) or nil
end

--- The fewest shares of a weight, which is what other runtimes make of shares.
local function shares_of(weight)
  local to_weight = require("luactr.cgroup.limits").weight
  local low, high = 2, 262144
  while low < high do
    local middle = (low + high) // 2
    if to_weight(middle) < weight then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function period_of(cpu)
  return cpu.period and cpu.period ~= 0 and cpu.period or PERIOD
end

local function quota(value, b)
  if value < 0 then
    return none(b)
  end
  return value > 0 and value / period_of(b.resources.cpu) or nil
end

local function microseconds(seconds)
  return math.tointeger((seconds * 1e6 + 0.5) // 1)
end

local function quota_back(limit, limits)
  return limit < 0 and -1 or microseconds(limit * (limits.cpu_period or PERIOD / 1e6))
end

local function seconds(value)
  return value ~= 0 and value / 1e6 or nil
end

local function burst(value, b)
  local has_quota = (b.resources.cpu.quota or 0) > 0
  return has_quota and (value ~= 0 or b.context.update) and value / 1e6 or nil
end

local function idle(value, b)
  if value ~= 0 and value ~= 1 then
    return b:problem("0 or 1 expected, got %d", value)
  elseif value == 1 or b.context.update then
    return value == 1
  end
end

-- ---- huge pages

local UNITS <const> = { K = 1 << 10, M = 1 << 20, G = 1 << 30 }

local function hugepages(list, b)
  local result = {}
  for _, one in ipairs(list) do
    local number, unit = one.pageSize:match("^([1-9]%d*)([KMG])B$")
    if not number then
      return b:problem("a size is as \"2MB\", not %s", check.show(one.pageSize))
    end
    result[math.tointeger(number) * UNITS[unit]] = one.limit >= 0 and one.limit or none(b)
  end
  return next(result) and result or nil
end

local function hugepages_back(limit)
  local list = {}
  for _, size in ipairs(check.sorted_keys(limit)) do
    list[#list + 1] = { pageSize = size,
      limit = limit[size] < 0 and math.maxinteger or limit[size] }
  end
  return list
end

-- ---- network, pids, rdma

local function priorities(list)
  local result = {}
  for _, one in ipairs(list) do
    result[one.name] = one.priority
  end
  return next(result) and result or nil
end

local function priorities_back(limit)
  local list = {}
  for _, name in ipairs(check.sorted_keys(limit)) do
    list[#list + 1] = { name = name, priority = limit[name] }
  end
  return list
end

local function pids(value, b)
  if value < 0 then
    return none(b)
  end
  return value
end

local function unless_none(table)
  return next(table) and table or nil
end

local ADAPTER <const> = { handles = "hcaHandles", objects = "hcaObjects" }

local function renamed(names, back)
  return function(adapters)
    local result = {}
    for adapter, one in pairs(adapters) do
      result[adapter] = {}
      for ours, theirs in pairs(names) do
        result[adapter][back and theirs or ours] = one[back and ours or theirs]
      end
    end
    return unless_none(result)
  end
end

local adapters <const> = check.map(check.string { max = 63 }, T.object {
  { name = "hcaHandles", type = T.uint32 }, { name = "hcaObjects", type = T.uint32 },
})

-- ---- the rows

local rows <const> = {
  { path = "devices", field = "devices", type = T.list(T.object {
    { name = "allow", type = T.boolean, required = true },
    { name = "type", type = T.text }, { name = "major", type = T.int64 },
    { name = "minor", type = T.int64 }, { name = "access", type = T.text },
  }), to = function(list, b) return require("luactr.oci.rows.device_rules").limits(list, b) end,
    from = function(limit) return require("luactr.oci.rows.device_rules").document(limit) end },
  { path = "memory.limit", field = "memory", type = T.int64, to = bytes, from = same },
  { path = "memory.reservation", field = "memory_low", type = T.int64, to = bytes, from = same },
  { path = "memory.swap", field = "swap", type = T.int64, to = swap, from = swap_back },
  { path = "memory.kernel", field = "kernel_memory", type = T.int64, to = bytes, from = same },
  { path = "memory.kernelTCP", field = "kernel_memory_tcp", type = T.int64, to = bytes,
    from = same },
  { path = "memory.swappiness", field = "swappiness", type = T.uint64,
    to = function(value) return value >= 0 and value or nil end, from = same },
  { path = "memory.disableOOMKiller", field = "oom_kill", type = T.boolean, to = oom_kill,
    from = function(limit) return not limit end },
  { path = "memory.useHierarchy", type = T.boolean, to = hierarchy },
  { path = "memory.checkBeforeUpdate", field = "memory_check", type = T.boolean,
    to = function(value) return value or nil end, from = same },
  { path = "cpu.shares", field = "cpu_shares", type = T.uint64, to = shares, from = same },
  { path = "cpu.shares", field = "cpu_weight", from = shares_of },
  { path = "cpu.quota", field = "cpu", type = T.int64, to = quota, from = quota_back },
  { path = "cpu.period", field = "cpu_period", type = T.uint64, to = seconds,
    from = microseconds },
  { path = "cpu.burst", field = "cpu_burst", type = T.uint64, to = burst, from = microseconds },
  { path = "cpu.realtimeRuntime", field = "cpu_realtime", type = T.int64, to = seconds,
    from = microseconds },
  { path = "cpu.realtimePeriod", field = "cpu_realtime_period", type = T.uint64, to = seconds,
    from = microseconds },
  { path = "cpu.cpus", field = "cpus", type = T.text, to = unless_empty, from = same },
  { path = "cpu.mems", field = "mems", type = T.text, to = unless_empty, from = same },
  { path = "cpu.idle", field = "cpu_idle", type = T.int64, to = idle,
    from = function(limit) return limit and 1 or 0 end },
  { path = "hugepageLimits", field = "hugepages", to = hugepages, from = hugepages_back,
    type = T.list(T.object {
      { name = "pageSize", type = T.text, required = true },
      { name = "limit", type = T.uint64, required = true },
    }) },
  { path = "network.classID", field = "net_class", type = T.uint32, to = unless_zero,
    from = same },
  { path = "network.priorities", field = "net_priority", to = priorities,
    from = priorities_back, type = T.list(T.object {
      { name = "name", type = T.text, required = true },
      { name = "priority", type = T.uint32, required = true },
    }) },
  { path = "pids.limit", field = "pids", type = T.int64, to = pids, from = same },
  { path = "rdma", field = "rdma", type = adapters, to = renamed(ADAPTER, false),
    from = renamed(ADAPTER, true) },
  { path = "unified", field = "unified", type = T.map, to = unless_none, from = same },
}

M.rows = table.move(disks, 1, #disks, #rows + 1, rows)

return M
