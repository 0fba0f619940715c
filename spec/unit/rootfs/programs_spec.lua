local fake_fs = require "support.fake_fs"
local programs = require "luactr.rootfs.programs"
local tree = require "luactr.rootfs.tree"

local function gather(files, names, path)
  local t = tree.new(fake_fs.host(files))
  local ok, problem = programs.gather(t, names, path or "/usr/bin:/bin")
  return ok and t.entries, problem
end

describe("luactr.rootfs.programs #unit", function()
  describe("find()", function()
    local fs = fake_fs.host {
      ["/home/user/tool"] = "x", ["/usr/bin/readme"] = { data = "x", mode = 420 },
      ["/usr/sbin/readme"] = "x",
    }

    for _, case in ipairs {
      { "a name in PATH", "sh", "/usr/bin/sh" },
      { "an absolute path, as it is", "/bin/sh", "/bin/sh" },
      { "a relative path", "./tool", "/home/user/./tool" },
      { "the first executable one", "readme", "/usr/sbin/readme" },
    } do
      it("finds " .. case[1], function()
        assert.are.equal(case[3], programs.find(fs, case[2], "/usr/bin:.:/usr/sbin"))
      end)
    end

    it("names the nearest program", function()
      local found, problem = programs.find(fs, "hs", "/usr/bin")
      assert.is_nil(found)
      assert.are.equal("ENOENT", problem.code)
      assert.are.equal("sh, which is there", problem.remedy)
    end)

    it("refuses a file that is not executable", function()
      local _, problem = programs.find(fs, "/usr/bin/readme")
      assert.are.equal("EACCES", problem.code)
    end)
  end)

  describe("gather()", function()
    it("adds program, loader and libraries with the links that lead to them", function()
      local entries = assert(gather({}, { "sh" }))
      for path, kind in pairs {
        ["/usr/bin/sh"] = "file", ["/lib64"] = "link",
        ["/usr/lib64/ld-linux-x86-64.so.2"] = "link", ["/lib"] = "link",
        ["/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"] = "file",
        ["/usr/lib/x86_64-linux-gnu/libc.so.6"] = "file",
      } do
        assert.are.equal(kind, entries[path] and entries[path].kind, path)
      end
      assert.is_nil(entries["/etc/ld.so.cache"])
    end)

    it("adds the cache when a library is found by it alone", function()
      local entries = assert(gather({
        ["/etc/ld.so.cache"] = fake_fs.cache { { "liba.so", "/opt/liba.so" } },
        ["/opt/liba.so"] = fake_fs.library("liba.so"),
        ["/usr/bin/tool"] = fake_fs.program("liba.so"),
      }, { "tool" }))
      assert.are.equal("file", entries["/etc/ld.so.cache"].kind)
    end)

    it("takes $ORIGIN from where a link leads", function()
      local entries = assert(gather({
        ["/usr/bin/tool"] = { link = "/opt/tool/bin/tool" },
        ["/opt/tool/bin/tool"] = fake_fs.elf {
          interpreter = fake_fs.LOADER, needed = { "liba.so" }, runpath = "$ORIGIN/../lib",
        },
        ["/opt/tool/lib/liba.so"] = fake_fs.library("liba.so"),
      }, { "tool" }))
      assert.is_not_nil(entries["/opt/tool/lib/liba.so"])
    end)

    it("follows #! to its interpreter", function()
      local entries = assert(gather({ ["/usr/bin/script"] = "#! /bin/sh -e\n" }, { "script" }))
      assert.is_not_nil(entries["/usr/bin/sh"])
    end)

    for _, line in ipairs { "#!/usr/bin/env sh", "#!/usr/bin/env -S A=1 sh -x" } do
      it("follows " .. line, function()
        local entries = assert(gather({ ["/usr/bin/script"] = line .. "\n" }, { "script" }))
        assert.is_not_nil(entries["/usr/bin/sh"])
        assert.is_not_nil(entries["/usr/bin/env"])
      end)
    end

    local arm = fake_fs.elf { machine = 183, interpreter = "/lib/ld-linux-aarch64.so.1" }
    for what, case in pairs {
      ["text without #!"] = { "just text, long enough", "ENOEXEC", "not an ELF file" },
      ["another machine"] = { arm, "ENOEXEC", "built for aarch64, this host is x86%-64" },
      ["a missing library"] =
        { fake_fs.program("libx.so.1"), "ENOENT", "/usr/bin/odd needs the library libx.so.1" },
      ["a missing loader"] =
        { fake_fs.elf { interpreter = "/lib/ld-odd.so" }, "ENOENT", "ld%-odd" },
      ["a missing interpreter"] = { "#!/usr/bin/perl9\n", "ENOENT", "/usr/bin/odd needs it" },
      ["a missing program of env"] = { "#!/usr/bin/env shh\n", "ENOENT", "no program shh" },
      ["an env without program"] = { "#!/usr/bin/env -i\n", "ENOENT", "names no program" },
    } do
      it("refuses " .. what, function()
        local ok, problem = gather({ ["/usr/bin/odd"] = case[1] }, { "odd" })
        assert.is_falsy(ok)
        assert.are.equal(case[2], problem.code)
        assert.matches(case[3], problem.cause)
      end)
    end

    it("gives up on scripts of scripts as the kernel does", function()
      local files = {}
      for i = 1, 6 do
        files["/usr/bin/s" .. i] = "#!/usr/bin/s" .. i + 1 .. "\n"
      end
      local ok, problem = gather(files, { "s1" })
      assert.is_falsy(ok)
      assert.are.equal("ELOOP", problem.code)
    end)
  end)
end)
