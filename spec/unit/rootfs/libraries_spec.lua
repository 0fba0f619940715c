local fake_fs = require "support.fake_fs"
local inspect = require "luactr.rootfs.inspect"
local libraries = require "luactr.rootfs.libraries"

local LIB <const> = "/lib/x86_64-linux-gnu/"

local function closure(files, options)
  local fs = fake_fs.host(files)
  options.interpreter = options.interpreter or fake_fs.LOADER
  fs.nodes["/usr/bin/tool"] = { data = fake_fs.elf(options), ino = 999 }
  local elf = inspect.file(fs, "/usr/bin/tool").elf
  return libraries.closure(fs, { path = "/usr/bin/tool", elf = elf })
end

describe("luactr.rootfs.libraries #unit", function()
  describe("closure()", function()
    it("is empty for a static program", function()
      assert.are.same({}, closure({}, {}).paths)
    end)

    it("finds libraries of libraries, each once and never the loader", function()
      local found = closure({
        ["/usr/lib/x86_64-linux-gnu/liba.so"] = fake_fs.library("liba.so", "libb.so", "libc.so.6"),
        ["/usr/lib/x86_64-linux-gnu/libb.so"] = fake_fs.library("libb.so", "liba.so", "libc.so.6"),
      }, { needed = { "liba.so", "libc.so.6" } })
      assert.are.same({ LIB .. "liba.so", LIB .. "libc.so.6", LIB .. "libb.so" }, found.paths)
      assert.is_false(found.needs_cache)
    end)

    it("prefers RUNPATH to the cache and the cache to the default directories", function()
      local files = {
        ["/etc/ld.so.cache"] = fake_fs.cache {
          { "libb.so", "/opt/cached/libb.so" }, { "liba.so", "/opt/cached/liba.so" },
        },
        ["/opt/run/liba.so"] = fake_fs.library("liba.so"),
        ["/opt/cached/liba.so"] = fake_fs.library("liba.so"),
        ["/opt/cached/libb.so"] = fake_fs.library("libb.so"),
        ["/usr/lib/libb.so"] = fake_fs.library("libb.so"),
      }
      local found = closure(files, { needed = { "liba.so", "libb.so" }, runpath = "/opt/run" })
      assert.are.same({ "/opt/run/liba.so", "/opt/cached/libb.so" }, found.paths)
      assert.is_true(found.needs_cache)
    end)

    it("expands $ORIGIN and ${ORIGIN} to the object's own directory", function()
      local found = closure({
        ["/usr/lib/tool/liba.so"] = fake_fs.elf {
          soname = "liba.so", needed = { "libb.so" }, runpath = "${ORIGIN}/deep",
        },
        ["/usr/lib/tool/deep/libb.so"] = fake_fs.library("libb.so"),
      }, { needed = { "liba.so" }, runpath = "$ORIGIN/../lib/tool" })
      assert.are.same({ "/usr/bin/../lib/tool/liba.so", "/usr/bin/../lib/tool/deep/libb.so" },
        found.paths)
    end)

    it("inherits RPATH, but not RUNPATH, from the program", function()
      local files = {
        ["/opt/x/liba.so"] = fake_fs.library("liba.so", "libb.so"),
        ["/opt/x/libb.so"] = fake_fs.library("libb.so"),
      }
      local inherited = closure(files, { needed = { "liba.so" }, rpath = "/opt/x" })
      assert.are.same({ "/opt/x/liba.so", "/opt/x/libb.so" }, inherited.paths)
      local found, missing = closure(files, { needed = { "liba.so" }, runpath = "/opt/x" })
      assert.is_nil(found)
      assert.are.equal("libb.so", missing.name)
      assert.are.equal("/opt/x/liba.so", missing.needed_by)
    end)

    it("passes over a library of another ABI", function()
      local files = {
        ["/opt/x/liba.so"] = fake_fs.elf { class = 32, machine = 3, soname = "liba.so" },
        ["/usr/lib/liba.so"] = fake_fs.library("liba.so"),
      }
      local found = closure(files, { needed = { "liba.so" }, runpath = "/opt/x" })
      assert.are.same({ "/lib/liba.so" }, found.paths)
      files["/usr/lib/liba.so"] = nil
      local none, missing = closure(files, { needed = { "liba.so" }, runpath = "/opt/x" })
      assert.is_nil(none)
      assert.are.equal("/opt/x/liba.so", missing.foreign)
    end)

    it("takes a name with a slash as a path", function()
      local found = closure({ ["/opt/x/liba.so"] = fake_fs.library("liba.so") },
        { needed = { "/opt/x/liba.so" } })
      assert.are.same({ "/opt/x/liba.so" }, found.paths)
    end)

    it("searches neither cache nor default directories for -z nodeflib", function()
      local found, missing = closure({}, { needed = { "libc.so.6" }, nodeflib = true })
      assert.is_nil(found)
      assert.are.same({}, missing.searched)
    end)

    it("says what was searched", function()
      local _, missing = closure({}, { needed = { "libnope.so" }, runpath = "/opt/a:/opt/b" })
      assert.are.equal("/opt/a", missing.searched[1])
      assert.are.equal("/opt/b", missing.searched[2])
      assert.are.equal("/usr/bin/tool", missing.needed_by)
    end)

    it("knows musl: its own names, its path file, RUNPATH that is inherited", function()
      local found = closure({
        ["/etc/ld-musl-x86_64.path"] = "/opt/musl\n/opt/more",
        ["/opt/more/liba.so"] = fake_fs.library("liba.so", "libb.so", "libc.so"),
        ["/opt/own/libb.so"] = fake_fs.library("libb.so"),
      }, {
        interpreter = "/lib/ld-musl-x86_64.so.1", runpath = "/opt/own",
        needed = { "liba.so", "libc.musl-x86_64.so.1" },
      })
      assert.are.same({ "/opt/more/liba.so", "/opt/own/libb.so" }, found.paths)
    end)
  end)
end)
