local elf = require "luactr.rootfs.elf"
local fake_fs = require "support.fake_fs"

local function parse(bytes)
  return elf.parse(function(offset, size)
    if offset < 0 or size <= 0 or offset >= #bytes then return nil end
    return bytes:sub(offset + 1, offset + size)
  end)
end

describe("luactr.rootfs.elf #unit", function()
  describe("parse()", function()
    for _, class in ipairs { 32, 64 } do
      for _, big in ipairs { false, true } do
        it(string.format("reads class %d, %s endian", class, big and "big" or "little"), function()
          local parsed = assert(parse(fake_fs.elf {
            class = class, big = big, machine = 8, interpreter = "/lib/ld.so", soname = "me.so",
            needed = { "a.so", "b.so" }, rpath = "$ORIGIN", runpath = "/x:/y", nodeflib = true,
          }))
          assert.are.same({
            class = class, little = not big, machine = 8, interpreter = "/lib/ld.so",
            soname = "me.so", needed = { "a.so", "b.so" }, rpath = "$ORIGIN", runpath = "/x:/y",
            nodeflib = true,
          }, parsed)
        end)
      end
    end

    it("reads a file without loader and libraries", function()
      local parsed = assert(parse(fake_fs.elf {}))
      assert.is_nil(parsed.interpreter)
      assert.are.same({}, parsed.needed)
    end)

    for what, bytes in pairs {
      ["an empty file"] = "", ["text"] = "#!/bin/sh\n" .. ("x"):rep(100),
    } do
      it("says that " .. what .. " is no ELF file", function()
        local parsed, reason = parse(bytes)
        assert.is_nil(parsed)
        assert.are.equal("not an ELF file", reason)
      end)
    end

    it("refuses an unknown class", function()
      local parsed, reason = parse("\127ELF\9\1" .. ("\0"):rep(60))
      assert.is_nil(parsed)
      assert.matches("unknown class", reason)
    end)

    it("never raises on a file that is cut off anywhere", function()
      local whole = fake_fs.program("libc.so.6", "libm.so.6")
      for length = 0, #whole - 1 do
        local parsed, reason = parse(whole:sub(1, length))
        assert.is_true(parsed ~= nil or type(reason) == "string")
      end
    end)

    it("never raises on a file with any byte changed", function()
      local whole = fake_fs.program("libc.so.6")
      for position = 5, #whole do
        for _, byte in ipairs { "\0", "\127", "\255" } do
          parse(whole:sub(1, position - 1) .. byte .. whole:sub(position + 1))
        end
      end
    end)
  end)

  describe("runs_on()", function()
    local host = { class = 64, little = true, machine = 62 }
    for _, case in ipairs {
      { "its own kind", { class = 64, little = true, machine = 62 }, true },
      { "its 32-bit sister", { class = 32, little = true, machine = 3 }, true },
      { "another machine", { class = 64, little = true, machine = 183 }, false },
      { "the other byte order", { class = 64, little = false, machine = 62 }, false },
    } do
      it("knows " .. case[1], function()
        assert.are.equal(case[3], elf.runs_on(case[2], host))
      end)
    end
  end)

  it("names machines", function()
    assert.are.equal("x86-64", elf.machine_name { class = 64, little = true, machine = 62 })
    assert.are.equal("i386", elf.machine_name { class = 32, little = true, machine = 3 })
    assert.are.equal("32-bit arm, big endian",
      elf.machine_name { class = 32, little = false, machine = 40 })
    assert.are.equal("machine 999", elf.machine_name { class = 64, little = true, machine = 999 })
  end)
end)
