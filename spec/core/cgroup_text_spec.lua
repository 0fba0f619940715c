-- The parsers of the kernel's text about cgroups: what they read, and that hostile text is refused.

local core = require("luactr.core")
local support = require("support")

local cgroup, sys = core.cgroup, core.sys

local function code(_, _, errno)
  return errno and sys.errname(errno)
end

describe("luactr.core.cgroup #core", function()
  describe("parse_mountinfo()", function()
    local LINE <const> = "31 23 0:28 /a /sys/fs/x rw,nosuid shared:1 master:2 - cgroup2 src rw,cpu"

    it("cuts a line into its fields", function()
      assert.are.same({
        id = 31, parent = 23, major = 0, minor = 28, root = "/a", target = "/sys/fs/x",
        options = "rw,nosuid", propagation = "shared:1 master:2", type = "cgroup2", source = "src",
        super_options = "rw,cpu",
      }, cgroup.parse_mountinfo(LINE))
    end)

    it("takes a line without optional fields", function()
      local mount = cgroup.parse_mountinfo("1 2 3:4 / / rw - ext4 /dev/vda rw")
      assert.are.equal("", mount.propagation)
      assert.are.equal("/dev/vda", mount.source)
    end)

    it("takes an empty source", function()
      assert.are.equal("", cgroup.parse_mountinfo("1 2 3:4 / / rw - tmpfs  rw").source)
    end)

    it("undoes octal escapes and leaves other backslashes", function()
      local line = [[1 2 3:4 /r\040\011\012\134 /t\04x\9 rw - tmpfs a\043b rw]]
      local mount = cgroup.parse_mountinfo(line)
      assert.are.equal("/r \t\n\\", mount.root)
      assert.are.equal([[/t\04x\9]], mount.target)
      assert.are.equal("a#b", mount.source)
    end)

    for _, line in ipairs {
      "", " ", "1", "1 2", "1 2 3", "1 2 3:4", "1 2 3:4 /", "1 2 3:4 / /", "1 2 3:4 / / rw",
      "1 2 3:4 / / rw -", "1 2 3:4 / / rw - t", "1 2 3:4 / / rw - t s", "x 2 3:4 / / rw - t s o",
      "1 -2 3:4 / / rw - t s o", "1 2 3 / / rw - t s o", "1 2 3:4x / / rw - t s o",
      "1 2 3: / / rw - t s o", "99999999999 2 3:4 / / rw - t s o", "1 2 3:4 / / rw -t s o",
      "+1 2 3:4 / / rw - t s o", "1  2 3:4 / / rw - t s o",
    } do
      it("refuses " .. string.format("%q", line), function()
        assert.are.equal("EINVAL", code(cgroup.parse_mountinfo(line)))
      end)
    end
  end)

  describe("parse_number()", function()
    it("reads what the kernel writes", function()
      assert.are.equal(0, cgroup.parse_number("0\n"))
      assert.are.equal(12, cgroup.parse_number("12"))
      assert.are.equal(math.maxinteger, cgroup.parse_number("9223372036854775807\n"))
      assert.are.equal(-1, cgroup.parse_number("max\n"))
    end)

    it("refuses other text", function()
      local others = { "", "\n", "-1", "+1", " 1", "1 ", "1x", "0x1", "max1", "ma", "1\n2" }
      for _, text in ipairs(others) do
        assert.are.equal("EINVAL", code(cgroup.parse_number(text)), text)
      end
      for _, text in ipairs { "9223372036854775808", ("9"):rep(400) } do
        assert.are.equal("ERANGE", code(cgroup.parse_number(text)), text)
      end
    end)
  end)

  describe("parse_flat()", function()
    local TEXT <const> = "usage_usec 10\nuser_usec 7\nuser 3\nbad x\nlast 5"

    it("finds the line of a key, as a whole word", function()
      assert.are.equal(10, cgroup.parse_flat(TEXT, "usage_usec"))
      assert.are.equal(3, cgroup.parse_flat(TEXT, "user"))
      assert.are.equal(5, cgroup.parse_flat(TEXT, "last"))
    end)

    it("says what is missing and what is wrong", function()
      assert.are.equal("ENOENT", code(cgroup.parse_flat(TEXT, "sage_usec")))
      assert.are.equal("ENOENT", code(cgroup.parse_flat("", "a")))
      assert.are.equal("EINVAL", code(cgroup.parse_flat(TEXT, "bad")))
    end)
  end)

  describe("parse_sum()", function()
    it("adds up the disks of io.stat", function()
      local text = "8:0 rbytes=10 wbytes=3 rios=1\n8:16 rbytes=5 wbytes=0 dbytes=7\n"
      assert.are.equal(15, cgroup.parse_sum(text, "rbytes", "="))
      assert.are.equal(3, cgroup.parse_sum(text, "wbytes", "="))
    end)

    it("adds up the disks of blkio", function()
      local text = "8:0 Read 10\n8:0 Write 3\n8:16 Read 1\nTotal 14\n"
      assert.are.equal(11, cgroup.parse_sum(text, "Read", " "))
    end)

    it("counts whole words with a number only", function()
      assert.are.equal(0, cgroup.parse_sum("xrbytes=1 rbytes=x rbytes= rbytes", "rbytes", "="))
    end)

    it("stays at the end of its range", function()
      local most = math.maxinteger .. ""
      assert.are.equal(math.maxinteger, cgroup.parse_sum(" a=" .. most .. " a=1", "a", "="))
    end)
  end)

  describe("parse_pressure()", function()
    it("reads both lines", function()
      local pressure = cgroup.parse_pressure(
        "some avg10=1.50 avg60=0.25 avg300=0.00 total=2500000\n"
        .. "full avg10=0.50 avg60=0.00 avg300=0.00 total=1000000\n")
      assert.are.same({ avg10 = 1.5, avg60 = 0.25, avg300 = 0.0, total = 2.5 }, pressure.some)
      assert.are.equal(1.0, pressure.full.total)
    end)

    it("takes a missing second line as zero", function()
      local text = "some avg10=1.50 avg60=0.25 avg300=0.00 total=1\n"
      assert.are.equal(0.0, cgroup.parse_pressure(text).full.total)
    end)

    it("refuses other text", function()
      local full_alone = "full avg10=0 avg60=0 avg300=0 total=1"
      for _, text in ipairs { "", "some", "some avg10=x", full_alone } do
        assert.are.equal("EINVAL", code(cgroup.parse_pressure(text)), text)
      end
    end)
  end)

  describe("check_list()", function()
    it("takes lists of the kernel's form", function()
      for _, list in ipairs { "0", "0-3", "0,2,5-7", "0-1\n", "65535" } do
        assert.is_true(cgroup.check_list(list), list)
      end
    end)

    it("refuses other text", function()
      for _, list in ipairs { "", "\n", ",", "0,", "0,,1", "-1", "1-", "3-1", "a", "0 1", "0-1-2",
        "0x1", "1,a", "65536", "99999999999999999999" } do
        assert.are.equal("EINVAL", code(cgroup.check_list(list)), list)
      end
    end)

    it("names the first number that is not among those allowed", function()
      assert.is_true(cgroup.check_list("1-2,4", "0-2,4-9\n"))
      local cases = { { "3", 3 }, { "0-4", 3 }, { "9,10", 10 }, { "5-12", 10 } }
      for _, case in ipairs(cases) do
        local fine, _, errno, outside = cgroup.check_list(case[1], "0-2,4-9\n")
        assert.is_nil(fine)
        assert.are.equal("ERANGE", sys.errname(errno))
        assert.are.equal(case[2], outside)
      end
    end)
  end)

  it("survives arbitrary text #fuzz", function()
    local ALPHABET <const> = { "0", "1", "9", "-", ",", " ", "\n", ":", "/", "=", "\\", "max",
      "some", "cpu", "cgroup", "cgroup2", " - ", "rw", "a", "allow", "deny", "c ", "b ", "*",
      "\255" }
    support.fuzz(function()
      local parts = {}
      for i = 1, math.random(0, 40) do parts[i] = ALPHABET[math.random(#ALPHABET)] end
      local text = table.concat(parts)
      cgroup.parse_mountinfo(text)
      cgroup.parse_number(text)
      cgroup.parse_flat(text, "a")
      cgroup.parse_sum(text, "a", "=")
      cgroup.parse_pressure(text)
      cgroup.check_list(text, text)
      cgroup.device_program(text)
      cgroup.layout(text, text, text)
      cgroup.layout("1 2 0:3 / /c rw - cgroup c rw," .. text:gsub("[ \n]", ""), text, text)
    end)
  end)
end)
