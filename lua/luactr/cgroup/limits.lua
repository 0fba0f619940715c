--- The cgroup's limits, one function each: what it has to be, and the settings it becomes. Pure.
--
-- A function gets the compiler (luactr.cgroup.compile), the limit's path for messages, its value
-- and all limits. It calls compiler:set for each setting, or compiler:problem.
local check = require "luactr.check"
local core = require "luactr.core"
local units = require "luactr.units"

local cgroup <const> = core.cgroup

local M = {}

--- The device nodes that `limits.devices` starts from: those that every program expects. The
--- container may make any node, since one that it may not open is only a name.
M.DEFAULT_DEVICES = {
  "deny a",
  "allow c *:* m", "allow b *:* m",
  "allow c 1:3 rwm", -- null
  "allow c 1:5 rwm", -- zero
  "allow c 1:7 rwm", -- full
  "allow c 1:8 rwm", -- random
  "allow c 1:9 rwm", -- urandom
  "allow c 5:0 rwm", -- tty
  "allow c 5:1 rwm", -- console
  "allow c 5:2 rwm", -- ptmx
  "allow c 136:* rwm", -- pts/*
}

local function plain(setting, controller)
  return function(self, path, value)
    self:set(path, setting, value, controller)
  end
end

--- A list of CPUs or nodes; those of the parent that are not there cannot be used.
local function list(setting, what)
  return function(self, path, value)
    local have = self.layout[setting]
    local fine, _, errno, outside = cgroup.check_list(value, have)
    if fine then
      return self:set(path, setting, value, "cpuset")
    elseif core.sys.errname(errno) ~= "ERANGE" then
      return self:problem(path, string.format("not a list as \"0-3,5\": %q", value))
    end
    self:problem(path, string.format("%s %d is not among those of this host: %s", what, outside,
      have:gsub("%s+$", "")))
  end
end

local PERIOD <const> = 0.1 -- the kernel's default, in seconds

local function microseconds(seconds)
  return math.tointeger((seconds * 1e6 + 0.5) // 1)
end

local function cpu(self, path, value, limits)
  if not limits.cpu_period then
    self:set(path, "cpu", value < 0 and math.huge or value, "cpu")
  end
end

local function cpu_period(self, path, value, limits)
  local period, quota = microseconds(value), -1
  if limits.cpu and limits.cpu > 0 then
    quota = microseconds(limits.cpu * value)
  end
  if period < 1000 or period > 1000000 then
    return self:problem(path, "a period is from 1 ms to 1 s")
  elseif quota >= 0 and quota < 1000 then
    return self:problem(path, "limits.cpu is less than 1 ms in each of those periods")
  end
  self:set(path, "cpu_quota", string.format("%d %d", quota, period), "cpu")
end

--- The weight for shares of v1: 2 is 1, 1024 is 100 and 262144 is 10000, as other runtimes have it.
---@param shares integer
---@return integer weight
function M.weight(shares)
  local log = math.log(math.max(2, math.min(shares, 262144)), 2)
  local weight = math.ceil(10 ^ ((log * log + 125 * log) / 612 - 7 / 34) - 1e-9)
  return math.max(1, math.min(weight, 10000))
end

local function cpu_shares(self, path, value, limits)
  local home = self.layout.controllers.cpu
  if limits.cpu_weight then
    self:problem(path, "says the same as limits.cpu_weight: leave one out")
  elseif home and home.version == 2 then
    self:set(path, "cpu_weight", M.weight(value), "cpu")
  else
    self:set(path, "cpu_shares", value, "cpu")
  end
end

local function realtime(setting)
  return function(self, path, value)
    self:set(path, setting, microseconds(value), "cpu")
  end
end

local function cpu_burst(self, path, value, limits)
  -- The kernel refuses a burst above the quota of one period.
  local has_quota = limits.cpu and limits.cpu > 0
  local most = has_quota and limits.cpu * (limits.cpu_period or PERIOD)
  if value == 0 then
    most = 0
  end
  if not most then
    return self:problem(path, "a burst saves up unused quota: it needs limits.cpu")
  elseif value > most then
    return self:problem(path, string.format("at most %g s with limits.cpu = %g", most, limits.cpu))
  end
  self:set(path, "cpu_burst", value, "cpu")
end

--- A setting whose file the kernel need not have.
local function set_spare(self, ...)
  local before = #self.writes
  self:set(...)
  for i = before + 1, #self.writes do
    self.writes[i].spare = true
  end
end

local function swap(self, path, value, limits)
  local home = self.layout.controllers.memory
  if home and home.version == 1 and value >= 0 then
    if not limits.memory or limits.memory < 0 then
      return self:problem(path, "cgroup v1 limits memory and swap together: it needs limits.memory")
    end
    value = limits.memory + value
  end
  local set = value < 0 and set_spare or self.set -- what is not counted is not limited
  set(self, path, "swap", value, "memory")
end

--- On v2 it is always there, which is what true wants.
local function oom_kill(self, path, value)
  local home = self.layout.controllers.memory
  if not value or home and home.version == 1 then
    self:set(path, "oom_control", value and 0 or 1, "memory")
  end
end

local function device_number(self, path, device)
  if device:find("^%d+:%d+$") then
    return device
  end
  local number, why = self.layout.device_number(device)
  return number or self:problem(path, why)
end

-- Of one disk each.
local OF_DISKS <const> = {
  "weight_device", "leaf_weight_device", "read_bps", "write_bps", "read_iops", "write_iops",
}

local function io_limits(self, path, value)
  for _, name in ipairs { "weight", "leaf_weight" } do
    if value[name] then
      self:set(path .. "." .. name, "io." .. name, value[name], "io")
    end
  end
  for _, name in ipairs(OF_DISKS) do
    for _, device in ipairs(check.sorted_keys(value[name] or {})) do
      local at = string.format("%s.%s[%q]", path, name, device)
      local number = device_number(self, at, device)
      if number then
        self:set(at, "io." .. name, value[name][device], "io", number)
      end
    end
  end
end

local function hugepages(self, path, value)
  for _, bytes in ipairs(check.sorted_keys(value)) do
    local size = type(bytes) == "string" and bytes or units.page_size(bytes)
    local at, sizes = string.format("%s[%q]", path, size), self.layout.hugepage_sizes
    if sizes and not sizes[size] then
      self:problem(at, "this host has no huge pages of that size: it has "
        .. table.concat(check.sorted_keys(sizes), ", "))
    else
      self:set(at, "hugepages", value[bytes], "hugetlb", size)
      set_spare(self, at, "hugepages_reserved", value[bytes], "hugetlb", size) -- since Linux 5.7
    end
  end
end

local function device_rule(rule)
  if type(rule) == "string" then
    return rule:find("^%l%l+ ") and rule or "allow " .. rule
  end
  local verb, type = rule.allow == false and "deny" or "allow", rule.type or "a"
  if type == "a" then
    return verb .. " a"
  end
  return string.format("%s %s %s:%s %s", verb, type, rule.major or "*", rule.minor or "*",
    rule.access or "rwm")
end

local function devices(self, path, value)
  local rules = table.move(M.DEFAULT_DEVICES, 1, #M.DEFAULT_DEVICES, 1, {})
  local bad = 0
  for i, rule in ipairs(value) do
    rule = device_rule(rule)
    if rule:find("^%l+ a$") then -- it counts for all, so what was said before is void
      rules = {}
    end
    rules[#rules + 1] = rule
    if not cgroup.device_program(rule) then
      bad = bad + 1
      self:problem(string.format("%s[%d]", path, i),
        string.format("a rule is as \"c 1:3 rwm\", \"b 8:* r\" or \"deny a\", not %q", rule))
    end
  end
  if bad == 0 then
    self:set(path, "devices", table.concat(rules, "\n"), "devices")
  end
end

local function net_priority(self, path, value)
  for _, interface in ipairs(check.sorted_keys(value)) do
    local at = string.format("%s[%q]", path, interface)
    self:set(at, "net_priority", value[interface], "net_prio", interface)
  end
end

local function most(number)
  return number and (number < 0 and "max" or tostring(number))
end

local function rdma(self, path, value)
  for _, adapter in ipairs(check.sorted_keys(value)) do
    local words = {}
    words[#words + 1] = value[adapter].handles and "hca_handle=" .. most(value[adapter].handles)
    words[#words + 1] = value[adapter].objects and "hca_object=" .. most(value[adapter].objects)
    self:set(string.format("%s[%q]", path, adapter), "rdma", table.concat(words, " "), "rdma",
      adapter)
  end
end

local function unified(self, path, value)
  for _, file in ipairs(check.sorted_keys(value)) do
    local at, prefix = string.format("%s[%q]", path, file), file:match("^(%l+)%.")
    local controller = prefix == "cgroup" and "core" or prefix
    local home = controller and self.layout.controllers[controller]
    if home and home.version == 1 then
      self:problem(at, string.format("a raw key is of cgroup v2, and %s lives on cgroup v1 here",
        controller))
    elseif not controller then
      self:problem(at, "a file of cgroup v2 is named as \"memory.high\"")
    else
      for line in value[file]:gmatch("[^\n]+") do -- each is a write: io.max takes one disk
        self:set(at, "unified", line, controller, file)
      end
    end
  end
end

-- In the order of the writes. Memory goes before swap (v1 refuses a limit of both below that of
-- memory), a quota before its burst, and what the recipe says in the kernel's own words comes last.
M.rows = {
  { "cpus", list("cpus", "CPU") },
  { "mems", list("mems", "memory node") },
  { "cpu", cpu },
  { "cpu_period", cpu_period },
  { "cpu_burst", cpu_burst },
  { "cpu_shares", cpu_shares },
  { "cpu_idle", function(self, path, value)
    self:set(path, "cpu_idle", value and 1 or 0, "cpu")
  end },
  { "cpu_realtime_period", realtime "cpu_realtime_period" },
  { "cpu_realtime", realtime "cpu_realtime" },
  { "cpu_weight", plain("cpu_weight", "cpu") },
  { "memory", plain("memory", "memory") },
  { "swap", swap },
  { "swappiness", plain("swappiness", "memory") },
  { "oom_kill", oom_kill },
  { "kernel_memory", plain("kernel_memory", "memory") },
  { "kernel_memory_tcp", plain("kernel_memory_tcp", "memory") },
  { "memory_high", plain("memory_high", "memory") },
  { "memory_low", plain("memory_low", "memory") },
  { "pids", plain("pids", "pids") },
  { "io", io_limits },
  { "hugepages", hugepages },
  { "net_class", plain("net_class", "net_cls") },
  { "net_priority", net_priority },
  { "rdma", rdma },
  { "unified", unified },
  { "devices", devices },
}

return M
