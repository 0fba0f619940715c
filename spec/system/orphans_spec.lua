-- PID 1 and the processes that nobody waits for.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("a container with many orphans #system #slow", function()
  before_each(world.check)
  after_each(world.check)

  local function assert_reaped(orphans)
    local result = assert(ctr.run {
      rootfs = ctr.rootfs.host { "sh", "cat", "sleep" }, stdout = "capture",
      limits = { pids = 500 },
      command = { "sh", "-c", ([[
        i=0; while [ $i -lt %d ]; do (: &); i=$((i + 1)); done
        look() {
          for status in /proc/[0-9]*/stat; do
            read -r pid name state rest <$status && [ "$state" = Z ] && echo zombie $pid
          done
        }
        n=0; while [ -n "$(look)" ] && [ $n -lt 100 ]; do sleep 0.2; n=$((n + 1)); done
        look
        cat /proc/1/stat /proc/uptime; exit 0]]):format(orphans) },
    })
    assert.same({ 0, "exit" }, { result.exit_code, result.reason })
    assert.is_nil(result.stdout:find("zombie", 1, true))
    local stat, uptime = result.stdout:match("%) ([^\n]*)\n([%d.]+)")
    local fields = {}
    for field in stat:gmatch("%S+") do fields[#fields + 1] = tonumber(field) or field end
    local busy, started = (fields[12] + fields[13]) / 100, fields[20] / 100
    assert.is_true(busy < 0.8 * (tonumber(uptime) - started), "PID 1 had no rest")
  end

  it("has none of them left, and a PID 1 that had time to spare", function()
    assert_reaped(1000)
  end)

  it("has none of 10,000 left #long", function()
    assert_reaped(10000)
  end)
end)
