local units = require "luactr.units"

describe("luactr.units #unit", function()
  describe("size()", function()
    local cases = {
      { 0, 0 }, { 4096, 4096 }, { 2.0, 2 }, { "0", 0 }, { "4096", 4096 },
      { "1K", 1024 }, { "1KiB", 1024 }, { "64M", 67108864 }, { "64m", 67108864 },
      { "64 MiB", 67108864 }, { "1.5G", 1610612736 }, { "2T", 2 << 40 }, { "1P", 1 << 50 },
      { "10B", 10 }, { "0.5K", 512 },
    }
    for _, case in ipairs(cases) do
      it("reads " .. tostring(case[1]), function()
        assert.are.same(case[2], units.size(case[1]))
        assert.are.equal("integer", math.type(units.size(case[1])))
      end)
    end

    local refused = {
      { "64MB", "ambiguous" }, { "1kb", "ambiguous" }, { "12X", "unknown unit" },
      { "M", "size expected" }, { "", "size expected" }, { "-1", "size expected" },
      { -1, "out of range" }, { 1.5, "whole number" }, { "1.5", "whole number" },
      { 0 / 0, "out of range" }, { math.huge, "out of range" },
      { "99999999P", "out of range" },
      { true, "got boolean" }, { {}, "got table" },
      { "1e5", "size expected" }, { "0x10", "size expected" },
    }
    for _, case in ipairs(refused) do
      it("refuses " .. tostring(case[1]), function()
        local value, problem = units.size(case[1])
        assert.is_nil(value)
        assert.matches(case[2], problem, 1, true)
      end)
    end
  end)

  describe("time()", function()
    local cases = {
      { 0, 0 }, { 5, 5 }, { 1.5, 1.5 }, { "5s", 5 }, { "1.5s", 1.5 }, { "200ms", 0.2 },
      { "2m", 120 }, { "1m30s", 90 }, { "1h 5m", 3900 }, { "1d", 86400 }, { "50us", 50e-6 },
    }
    for _, case in ipairs(cases) do
      it("reads " .. tostring(case[1]), function()
        assert.is_true(math.abs(case[2] - units.time(case[1])) < 1e-12)
      end)
    end

    local refused = {
      { "90", 'write "90s"' }, { "1w", "time expected" }, { "", "time expected" },
      { "s", "time expected" }, { "1m30", "time expected" }, { -1, "out of range" },
      { 0 / 0, "out of range" }, { math.huge, "out of range" }, { {}, "got table" },
    }
    for _, case in ipairs(refused) do
      it("refuses " .. tostring(case[1]), function()
        local value, problem = units.time(case[1])
        assert.is_nil(value)
        assert.matches(case[2], problem, 1, true)
      end)
    end
  end)

  describe("mode()", function()
    it("reads strings as octal", function()
      assert.are.equal(420, units.mode("0644"))
      assert.are.equal(420, units.mode("644"))
      assert.are.equal(1023, units.mode("01777"))
    end)

    it("takes numbers as they are", function()
      assert.are.equal(493, units.mode(tonumber("755", 8)))
      assert.are.equal(0, units.mode(0))
    end)

    it("catches octal written without quotes", function()
      for _, slip in ipairs { 0755, 0644, 600, 1777, 22 } do
        local value, problem = units.mode(slip)
        assert.is_nil(value)
        assert.matches('write "0' .. slip, problem, 1, true)
      end
    end)

    it("refuses what is no mode", function()
      for _, wrong in ipairs { "888", "rwx", "", "0x1ff", "10000", -1, 4096, 1.5, true } do
        assert.is_nil(units.mode(wrong))
      end
    end)
  end)

  describe("cpu()", function()
    it("reads a number of CPUs or percent of one", function()
      assert.are.equal(0.4, units.cpu(0.4))
      assert.are.equal(2, units.cpu(2))
      assert.are.equal(0.4, units.cpu("40%"))
    end)

    it("refuses what is none", function()
      for _, wrong in ipairs { 0, -1, 0 / 0, math.huge, "0.4", "abc%", true, 1e9 } do
        assert.is_nil(units.cpu(wrong))
      end
    end)
  end)

  describe("format_size()", function()
    it("is exact, and read back by size()", function()
      for _, bytes in ipairs { 0, 1, 1000, 1024, 67108864, 1 << 40, (1 << 40) + 1 } do
        assert.are.equal(bytes, units.size(units.format_size(bytes)))
      end
      assert.are.equal("64M", units.format_size(67108864))
    end)
  end)
end)
