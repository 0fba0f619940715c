--- The cgroup's limits, one function each: what it has to be, and the settings it becomes. Pure.
--
-- A function gets the compiler (luactr.cgroup.compile), the limit's path for messages, its value
-- and all limits. It calls compiler:set for each setting, or compiler:problem.
local check = require "luactr.check"
local core = require "luactr.core"

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

local function cpu_burst(self, path, value, limits)
  -- The kernel refuses a burst above the quota of one period (0.1 s).
  local most = limits.cpu and limits.cpu * 0.1
  if not most then
    return self:problem(path, "a burst saves up unused quota: it needs limits.cpu")
  elseif value > most then
    return self:problem(path, string.format("at most %g s with limits.cpu = %g", most, limits.cpu))
  end
  self:set(path, "cpu_burst", value, "cpu")
end

local function swap(self, path, value, limits)
  local home = self.layout.controllers.memory
  if home and home.version == 1 and value >= 0 then
    if not limits.memory then
      return self:problem(path, "cgroup v1 limits memory and swap together: it needs limits.memory")
    end
    value = limits.memory + value
  end
  self:set(path, "swap", value, "memory")
end

local function device_number(self, path, device)
  if device:find("^%d+:%d+$") then
    return device
  end
  local number, why = self.layout.device_number(device)
  return number or self:problem(path, why)
end

-- Of one disk each.
local OF_DISKS <const> = { "weight_device", "read_bps", "write_bps", "read_iops", "write_iops" }

local function io_limits(self, path, value)
  if value.weight then
    self:set(path .. ".weight", "io.weight", value.weight, "io")
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

--- As the kernel names a page size in its files: "2MB", "1GB", "64KB".
---@param bytes integer
---@return string
function M.page_size(bytes)
  for _, unit in ipairs { { 1 << 30, "GB" }, { 1 << 20, "MB" } } do
    if bytes >= unit[1] then
      return bytes // unit[1] .. unit[2]
    end
  end
  return bytes // 1024 .. "KB"
end

local function hugepages(self, path, value)
  for _, bytes in ipairs(check.sorted_keys(value)) do
    local size = type(bytes) == "string" and bytes or M.page_size(bytes)
    local at, sizes = string.format("%s[%q]", path, size), self.layout.hugepage_sizes
    if sizes and not sizes[size] then
      self:problem(at, "this host has no huge pages of that size: it has "
        .. table.concat(check.sorted_keys(sizes), ", "))
    else
      self:set(at, "hugepages", value[bytes], "hugetlb", size)
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
      self:set(at, "unified", value[file], controller, file)
    end
  end
end

-- In the order of the writes. Memory goes before swap (v1 refuses a limit of both below that of
-- memory), a quota before its burst, and what the recipe says in the kernel's own words comes last.
M.rows = {
  { "cpus", list("cpus", "CPU") },
  { "mems", list("mems", "memory node") },
  { "cpu", plain("cpu", "cpu") },
  { "cpu_burst", cpu_burst },
  { "cpu_weight", plain("cpu_weight", "cpu") },
  { "memory", plain("memory", "memory") },
  { "swap", swap },
  { "memory_high", plain("memory_high", "memory") },
  { "memory_low", plain("memory_low", "memory") },
  { "pids", plain("pids", "pids") },
  { "io", io_limits },
  { "hugepages", hugepages },
  { "net_class", plain("net_class", "net_cls") },
  { "net_priority", net_priority },
  { "unified", unified },
  { "devices", devices },
}

return M
