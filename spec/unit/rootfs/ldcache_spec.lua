local fake_fs = require "support.fake_fs"
local ldcache = require "luactr.rootfs.ldcache"

describe("luactr.rootfs.ldcache #unit", function()
  local cache = ldcache.open(fake_fs.cache {
    { "libz.so.10", "/new/libz.so.10" },
    { "libz.so.9", "/old/libz.so.9" },
    { "libfoo.so.1", "/lib/glibc-hwcaps/libfoo.so.1", hwcap = 1 << 62 },
    { "libfoo.so.1", "/lib/libfoo.so.1" },
    { "libfoo.so.1", "/lib32/libfoo.so.1" },
    { "liba.so", "/lib/liba.so" },
  })

  it("finds all paths of a name, in order", function()
    assert.are.same({ "/lib/libfoo.so.1", "/lib32/libfoo.so.1" }, cache:lookup("libfoo.so.1"))
  end)

  it("compares runs of digits as numbers, as the order of the file does", function()
    assert.are.same({ "/new/libz.so.10" }, cache:lookup("libz.so.10"))
    assert.are.same({ "/old/libz.so.9" }, cache:lookup("libz.so.9"))
  end)

  for _, name in ipairs { "", "libb.so", "libfoo.so", "libfoo.so.12", "~", "9" } do
    it("has nothing for " .. (name == "" and "the empty name" or name), function()
      assert.are.same({}, cache:lookup(name))
    end)
  end

  it("finds the new table behind the old one", function()
    local new = fake_fs.cache { { "liba.so", "/x/liba.so" } }
    local whole = ldcache.open("ld.so-1.7.0\0\0\0\0\0" .. new)
    assert.are.same({ "/x/liba.so" }, whole:lookup("liba.so"))
  end)

  it("refuses what is no cache", function()
    assert.is_nil(ldcache.open(""))
    assert.is_nil(ldcache.open("glibc-ld.so.cache1.1"))
  end)

  it("survives a cache that is cut off", function()
    local whole = fake_fs.cache { { "libz.so", "/x/libz.so" }, { "liba.so", "/x/liba.so" } }
    for length = 0, #whole do
      local short = ldcache.open(whole:sub(1, length))
      if short then short:lookup("liba.so") end
    end
  end)
end)
