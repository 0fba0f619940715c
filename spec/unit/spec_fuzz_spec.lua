-- Throws made-up recipes at the schema and the compiler for LUACTR_FUZZ_SECONDS: they may refuse,
-- never raise, and what they accept is a plan that the C encoder and explain accept too.
local core = require "luactr.core"
local explain = require "luactr.explain"
local plan = require "luactr.plan"
local spec = require "luactr.spec"

local root <const> = setmetatable({}, {
  __name = "luactr.rootfs",
  __index = {
    steps = function() return { { op = "root_bind", source = "/srv", recursive = 1 } } end,
  },
})

local none <const> = require("luactr.rootfs").none()

local hosts <const> = {
  { uid = 0, gid = 0, privileged = true, last_cap = 40, capabilities = -1, terminal = true,
    cwd = "/", landlock = { abi = 7 } },
  { uid = 1000, gid = 1000, privileged = false, last_cap = 40, capabilities = 0, terminal = false,
    cwd = "/", landlock = { code = "ENOSYS" } },
}

local layout <const> = require("luactr.cgroup").detect()

for _, host in ipairs(hosts) do
  host.accounts = function() return { uid = 5, gid = 5 }, {} end
  host.maps_of = function(to)
    local map = { { inside = 0, outside = 100000, count = 65536 } }
    return to.path ~= "/proc" and { uid = map, gid = map } or nil
  end
  host.may_unshare = function() return false, "EPERM" end
  host.lsm = {
    apparmor = function() return true end,
    selinux = function() return nil, "this kernel runs without SELinux" end,
  }
  host.systemd = function()
    return host.privileged and { control_group = "", version = 252 } or nil, "no systemd answers"
  end
  host.environment, host.cgroup, host.stage = { TERM = "vt100" }, layout, "/run/luactr/stage"
end

local function bomb() error("a metamethod ran") end

local words <const> = {
  "", "x", "/", "/proc", "..", "a=b", "A\0B", "64M", "9e9", "1.5s", "-1", "0644", "new", "host",
  "none", "all", "default", "inherit", "capture", "%s%n", ("x"):rep(70), ("/"):rep(5000),
  "\xff\xfe",
  "nofile", "CAP_KILL", "TERM", "net.ipv4.ip_forward", "1000:1000",
  "app:staff", "01", "keep", "c 1:3 rwm", "signal", "container:other", "/proc/1/ns/user", "try",
}

local numbers <const> = {
  0, 1, -1, 18, 755, 0.5, -0.0, 0 / 0, math.huge, -math.huge, 1e308, 2 ^ 53, math.mininteger,
  math.maxinteger, 1 << 32,
}

local names = { 1, 2, 3, 1.5, true, root, none, "rootfs", "command" }

local function collect(fields)
  for _, row in ipairs(fields) do
    names[#names + 1] = row.name
    collect(row.type.fields or {})
  end
end

collect(spec.fields)
collect(require("luactr.spec.landlock").fields)
for _, name in ipairs { "soft", "hard", "add", "drop", "uid", "gid", "file", "source", "target",
  "type", "options", "content", "mode", "pid", "user", "nofile",
  "kernel.sem", "network", "ipc", "uts",
  "cgroup", "time", "monotonic", "boottime" } do
  names[#names + 1] = name
end

local function pick(list)
  return list[math.random(#list)]
end

local value

local function random_table(depth)
  local result = {}
  for _ = 1, math.random(0, 6) do
    result[pick(names)] = value(depth + 1)
  end
  for i = 1, math.random(0, 3) do
    result[i] = value(depth + 1)
  end
  if math.random(20) == 1 then
    result[1], result.x = result, result
  elseif math.random(20) == 1 then
    setmetatable(result, { __index = bomb, __len = bomb, __pairs = bomb, __tostring = bomb })
  end
  return result
end

local makers <const> = {
  function() return pick(words) end,
  function() return pick(numbers) end,
  function() return math.random(2) == 1 end,
  function() return nil end,
  function() return bomb end,
  function() return root end,
  function() return none end,
  function() return io.stdout end,
  function() return coroutine.create(bomb) end,
  function()
    local bytes = {}
    for i = 1, math.random(0, 12) do
      bytes[i] = string.char(math.random(0, 255))
    end
    return table.concat(bytes)
  end,
}

function value(depth)
  if depth < 5 and math.random(5) < 3 then
    return random_table(depth)
  end
  return pick(makers)()
end

--- A recipe of known fields with random values, so that most of it gets past the first check.
local function random_recipe()
  if math.random(50) == 1 then
    return value(0)
  end
  local raw = { rootfs = math.random(4) == 1 and none or root, command = { "/bin/true" } }
  for _ = 1, math.random(0, 5) do
    raw[pick(spec.fields).name] = value(1)
  end
  if math.random(10) == 1 then
    raw[pick(names)] = value(1)
  end
  return raw
end

local function check_and_compile(raw)
  local checked, err = spec.check(raw)
  if not checked then
    return nil, err
  end
  local compiled
  compiled, err = plan.compile(checked, pick(hosts))
  if compiled then
    core.plan.encode(compiled.steps, compiled.slots)
    explain.text(compiled)
  end
  return compiled, err
end

describe("luactr.spec and luactr.plan #unit #fuzz", function()
  it("never raise, whatever the recipe", function()
    local seed = tonumber(os.getenv("LUACTR_FUZZ_SEED")) or os.time()
    local stop = os.clock() + (tonumber(os.getenv("LUACTR_FUZZ_SECONDS")) or 0.5)
    math.randomseed(seed)
    repeat
      local fine, result, err = xpcall(check_and_compile, debug.traceback, random_recipe())
      assert(fine, string.format("LUACTR_FUZZ_SEED=%d: %s", seed, tostring(result)))
      assert(result or #tostring(err) > 0)
    until os.clock() > stop
  end)
end)
