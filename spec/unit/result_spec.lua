-- luactr.result: which reason a container's end has, and what proves it.

local result = require("luactr.result")

local function record(facts)
  facts.wall_seconds, facts.started_at, facts.finished_at = 1, 10, 11
  return result.of(facts)
end

describe("luactr.result #unit", function()
  local CASES <const> = {
    { "an exit", { ending = { code = 3 } }, "exit" },
    { "a signal", { ending = { signal = 15 } }, "signal" },
    { "wall_time",
      { ending = { signal = 9 }, fired = { reason = "wall_time", value = 2, limit = 1 } },
      "wall_time",
      { counter = "wall_time", value = 2, limit = 1 } },
    { "a limit of ours before the kernel's counters",
      { ending = { signal = 9 }, fired = { reason = "output", value = 9, limit = 8 },
        meters = { oom_kills = 1 } },
      "output", { counter = "output", value = 9, limit = 8 } },
    { "kill()", { ending = { signal = 15 }, sent = 15 }, "killed",
      { counter = "signal sent", value = 15 } },
    { "another signal than kill()'s", { ending = { signal = 11 }, sent = 15 }, "signal" },
    { "an exit in spite of kill()", { ending = { code = 0 }, sent = 15 }, "exit" },
    { "the OOM killer", { ending = { signal = 9 }, meters = { oom_kills = 2 } }, "oom",
      { counter = "oom_kill", value = 2 } },
    { "the OOM killer, told by a shell",
      { ending = { code = 137 }, meters = { oom_kills = 1 } }, "oom",
      { counter = "oom_kill", value = 1 } },
    { "a SIGKILL without the counter", { ending = { signal = 9 }, meters = { oom_kills = 0 } },
      "signal" },
    { "an exit after the OOM killer took a child",
      { ending = { code = 0 }, meters = { oom_kills = 1 } }, "exit" },
    { "a failure after a refused fork", { ending = { code = 1 }, meters = { pids_events = 4 } },
      "pids", { counter = "pids.events max", value = 4 } },
    { "success in spite of a refused fork", { ending = { code = 0 }, meters = { pids_events = 4 } },
      "exit" },
  }

  for _, case in ipairs(CASES) do
    it("recognises " .. case[1], function()
      local got = record(case[2])
      assert.equal(case[3], got.reason)
      assert.same(case[4], got.proof)
    end)
  end

  it("takes the figures of the cgroup", function()
    local got = record {
      ending = { code = 0, user_seconds = 9, system_seconds = 9, max_rss = 9 },
      meters = { cpu_seconds = 3, cpu_user_seconds = 2, cpu_system_seconds = 1, memory_peak = 5 },
    }
    assert.same({ "cgroup", 3, 2, 1, 5 }, { got.meters, got.cpu_seconds, got.cpu_user_seconds,
      got.cpu_system_seconds, got.memory_peak })
  end)

  it("falls back to what PID 1 saw, and says so", function()
    local ending = { code = 0, user_seconds = 2, system_seconds = 1, max_rss = 7 }
    local got = record { ending = ending }
    assert.same({ "rusage", 3, 7 }, { got.meters, got.cpu_seconds, got.memory_peak })
  end)

  it("passes on warnings, if there are any", function()
    local ending = { code = 0 }
    assert.same({ "weak" }, record({ ending = ending, warnings = { "weak" } }).warnings)
    assert.is_nil(record({ ending = ending, warnings = {} }).warnings)
  end)

  it("has a record for what did not start", function()
    local got = result.start_failed({ code = "ENOENT" }, 10)
    assert.same({ "start_failed", "ENOENT" }, { got.reason, got.error.code })
  end)
end)
