local attributes = require "luactr.explain.attributes"
local scheduling = require "luactr.security.scheduling"
local spec = require "luactr.spec"

local root <const> = setmetatable({}, { __name = "luactr.rootfs" })

describe("luactr.spec.scheduling #unit", function()
  local function check(name, value)
    return spec.check { rootfs = root, command = { "true" }, [name] = value }
  end

  local function problem(name, value)
    local result, err = check(name, value)
    assert.is_nil(result, name)
    return err.problems[1].path .. ": " .. err.problems[1].message
  end

  local function scheduler(fields)
    for _, name in ipairs { "flags", "nice", "priority", "runtime", "deadline", "period" } do
      fields[name] = fields[name] or 0
    end
    return fields
  end

  local accepted <const> = {
    { "nice", -20, -20 },
    { "scheduler", "batch", scheduler { policy = 3 } },
    { "scheduler", { policy = "SCHED_OTHER", nice = 5 }, scheduler { policy = 0, nice = 5 } },
    { "scheduler", { policy = "rr", priority = 9, flags = { "SCHED_FLAG_RESET_ON_FORK" } },
      scheduler { policy = 2, priority = 9, flags = 1 } },
    { "scheduler", { policy = "deadline", runtime = "10ms", deadline = "50ms", period = 0.1 },
      scheduler { policy = 6, runtime = 10000000, deadline = 50000000, period = 100000000 } },
    { "io_priority", "idle", { class = 3, priority = 0 } },
    { "io_priority", "IOPRIO_CLASS_BE", { class = 2, priority = 4 } },
    { "io_priority", { class = "realtime", priority = 0 }, { class = 1, priority = 0 } },
    { "cpu_affinity", "0-3,5", { final = { 0, 1, 2, 3, 5 } } },
    { "cpu_affinity", { 7, 2, 7 }, { final = { 2, 7 } } },
    { "cpu_affinity", { initial = "1", final = "0" }, { initial = { 1 }, final = { 0 } } },
    { "memory_policy", "local", { mode = 4, nodes = {} } },
    { "memory_policy", { mode = "MPOL_BIND", nodes = "0-1", flags = { "MPOL_F_STATIC_NODES" } },
      { mode = 2 | 1 << 15, nodes = { 0, 1 } } },
    { "securebits", { "noroot", "SECBIT_KEEP_CAPS_LOCKED" }, 1 | 32 },
    { "keyring", "inherit", "inherit" },
  }
  for i, case in ipairs(accepted) do
    it(("takes %s (%d)"):format(case[1], i), function()
      assert.same(case[3], assert(check(case[1], case[2]))[case[1]])
    end)
  end

  local refused <const> = {
    { "nice", 20, "nice: 20 is out of range" },
    { "scheduler", "fast", "unknown scheduling policy \"fast\"" },
    { "scheduler", "iso", "unknown scheduling policy" },
    { "scheduler", { policy = "fifo" }, "needs a priority of 1 to 99" },
    { "scheduler", { policy = "batch", priority = 3 }, "priority means nothing" },
    { "scheduler", { policy = "fifo", priority = 3, nice = 1 }, "nice means nothing" },
    { "scheduler", { policy = "deadline", runtime = "1s" }, "needs runtime and deadline" },
    { "scheduler", { policy = "deadline", runtime = "2s", deadline = "1s" }, "order of size" },
    { "scheduler", { policy = "other", flags = { "turbo" } }, "unknown scheduling flag" },
    { "io_priority", { class = "idle", priority = 3 }, "no priorities" },
    { "io_priority", { class = "be", priority = 8 }, "out of range" },
    { "cpu_affinity", "", "is empty" },
    { "cpu_affinity", "3-1", "counts down" },
    { "cpu_affinity", "0-99999999999999999999", "list as \"0-3,5\" expected" },
    { "cpu_affinity", "1,,2", "list as \"0-3,5\" expected" },
    { "cpu_affinity", "0-8192", "out of range" },
    { "cpu_affinity", {}, "elements expected" },
    { "memory_policy", "bind", "needs nodes" },
    { "memory_policy", { mode = "local", nodes = "0" }, "takes no nodes" },
    { "securebits", { "root" }, "unknown securebit \"root\"" },
    { "keyring", "mine", "expected" },
    { "argv0", "a\0b", "NUL" },
  }
  for i, case in ipairs(refused) do
    it(("refuses %s (%d)"):format(case[1], i), function()
      local said = problem(case[1], case[2])
      assert.is_truthy(said:find(case[3], 1, true), said)
    end)
  end

  it("takes nice once", function()
    local _, err = spec.check { rootfs = root, command = { "true" }, nice = 1,
      scheduler = "batch" }
    assert.equal("nice", err.problems[1].path)
  end)

  it("makes masks as the kernel reads them", function()
    assert.equal("", scheduling.mask {})
    assert.equal("\x21" .. ("\0"):rep(7), scheduling.mask { 0, 5 })
    assert.equal(("\0"):rep(7) .. "\x80\x01" .. ("\0"):rep(7), scheduling.mask { 63, 64 })
  end)

  it("tells the calls", function()
    local function tell(op, step) return attributes[op](step) end
    assert.equal("sched_setaffinity({0-2,70})",
      tell("sched_setaffinity", { cpus = scheduling.mask { 0, 1, 2, 70 }, exact = 1 }))
    assert.equal("set_mempolicy(MPOL_BIND|MPOL_F_STATIC_NODES, {0-1})",
      tell("set_mempolicy", { mode = 2 | 1 << 15, nodes = scheduling.mask { 0, 1 } }))
    assert.equal("sched_setattr({SCHED_RR, priority = 9})",
      tell("sched_setattr", scheduler { policy = 2, priority = 9 }))
    assert.equal("ioprio_set(IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_BE, 4)",
      tell("ioprio_set", { class = 2, level = 4 }))
  end)
end)
