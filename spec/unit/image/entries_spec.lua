-- What entries of layers mean, both ways.

local entries = require("luactr.image.layer.entries")

local function file(path) return { path = path, type = "file", mtime = 5 } end

describe("luactr.image.layer.entries", function()
  for path, meant in pairs {
    ["etc/.wh.passwd"] = { path = "etc/passwd", type = "whiteout" },
    [".wh.x"] = { path = "x", type = "whiteout" },
    ["a/.wh..wh..opq"] = { path = "a/", type = "opaque" },
    [".wh..wh..opq"] = { path = ".", type = "opaque" },
    ["a/.wh.b/"] = { path = "a/b", type = "whiteout" },
  } do
    it("takes " .. path .. " for a mark", function()
      assert.same(meant, entries.unpacked(file(path)))
    end)
  end

  for _, path in ipairs { "a/x.wh.y", "wh.x", "a/.whx", ".wh.d/x" } do
    it("takes " .. path .. " for itself", function()
      assert.same(file(path), entries.unpacked(file(path)))
    end)
  end

  for _, path in ipairs { ".wh.", "a/.wh..", ".wh..." } do
    it("refuses " .. path, function()
      local entry, why, wrong = entries.unpacked(file(path))
      assert.is_nil(entry)
      assert.is_true(wrong)
      assert.matches("names no file to delete", why)
    end)
  end

  it("leaves out notes of other union file systems, and hand-made whiteouts", function()
    assert.is_nil(entries.unpacked(file(".wh..wh.plnk")))
    assert.is_nil(entries.unpacked { path = "x", type = "char", major = 0, minor = 0 })
  end)

  it("says the same of an overlay's files", function()
    local hidden = entries.packed { path = "a/b", type = "char", major = 0, minor = 0, mtime = 7 }
    assert.same({ "a/.wh.b", "file", 0, 7 },
      { hidden.path, hidden.type, hidden.size, hidden.mtime })
    local first, second = entries.packed { path = "d", type = "directory", opaque = true,
      mtime = 7 }
    assert.equal("d", first.path)
    assert.equal("d/.wh..wh..opq", second.path)
  end)

  it("clamps times, of a copy", function()
    local entry = file("x")
    assert.equal(3, entries.clamped(entry, 3).mtime)
    assert.equal(5, entry.mtime)
    assert.equal(entry, entries.clamped(entry, 9))
    assert.equal(entry, entries.clamped(entry, nil))
  end)
end)
