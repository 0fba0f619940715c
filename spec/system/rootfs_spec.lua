-- luactr.rootfs in real containers: what is there, what is not, what is left behind.

local ctr = require("luactr")
local fake_fs = require("support.fake_fs")
local inspect = require("luactr.rootfs.inspect")
local libraries = require("luactr.rootfs.libraries")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

-- Run a bash script in a container with this root; its output, without the last newline.
local function output(rootfs, script, mounts)
  local result = assert(ctr.run {
    rootfs = rootfs, mounts = mounts, stdin = "null", stdout = "capture", stderr = "stdout",
    command = { "/bin/bash", "-c", script },
  })
  return (result.stdout:gsub("\n$", ""))
end

-- The error of a container with this root, which cannot start.
local function start_error(rootfs)
  local result, err = ctr.run { rootfs = rootfs, command = { "/bin/true" }, stdout = "capture" }
  assert.is_nil(result)
  return err
end

local function sh(...)
  local done = support.run { ... }
  assert.are.equal(0, done.code, done.stderr)
  return done.stdout
end

describe("luactr.rootfs #system", function()
  before_each(world.check)
  after_each(world.check)

  describe("host()", function()
    it("has the programs that were asked for and no others", function()
      local rootfs = ctr.rootfs.host { "bash", "ls", "pwd" }
      assert.are.equal("bash\nls\npwd", output(rootfs, "ls /bin/"))
      assert.are.equal("/", output(rootfs, "pwd"))
      assert.matches("clear: command not found", output(rootfs, "clear"))
    end)

    it("takes programs by path, from where links lead", function()
      local dir <close> = support.tmpdir()
      dir:write("real/tool", "#!/bin/bash\necho from a script\n", "755")
      assert(ctr.sys.symlink("real/tool", dir.path .. "/tool"))
      local rootfs = ctr.rootfs.host { "bash", dir.path .. "/tool" }
      assert.are.equal("from a script", output(rootfs, dir.path .. "/tool"))
    end)

    it("brings the interpreter that a script asks env for", function()
      local dir <close> = support.tmpdir()
      dir:write("tool", "#!/usr/bin/env lua5.4\nprint(6 * 7)\n", "755")
      local rootfs = ctr.rootfs.host { "bash", dir.path .. "/tool" }
      assert.are.equal("42", output(rootfs, dir.path .. "/tool"))
    end)

    it("brings a library that lies beside its program", function()
      local dir <close> = support.tmpdir()
      dir:write("x.c", "int answer(void) { return 42; }")
      dir:write("main.c", "int answer(void); int main(void) { return answer(); }")
      dir:mkdir("lib")
      sh("gcc", "-shared", "-fPIC", "-o", dir.path .. "/lib/libx.so", dir.path .. "/x.c")
      sh("gcc", "-o", dir.path .. "/tool", dir.path .. "/main.c", "-L" .. dir.path .. "/lib",
        "-lx", "-Wl,-rpath,$ORIGIN/lib")
      local rootfs = ctr.rootfs.host { "bash", dir.path .. "/tool" }
      assert.are.equal("42", output(rootfs, dir.path .. "/tool; echo $?"))

      os.remove(dir.path .. "/lib/libx.so")
      local err = start_error(ctr.rootfs.host { dir.path .. "/tool" })
      assert.are.equal("ENOENT", err.code)
      assert.are.equal(dir.path .. "/tool", err.path)
      assert.matches("needs the library libx.so", err.cause, 1, true)
      assert.matches(dir.path .. "/lib", err.cause, 1, true)
    end)

    it("shows the host's files read-only", function()
      local rootfs = ctr.rootfs.host { "bash", files = { "/etc/passwd" } }
      assert.matches("Read%-only file system", output(rootfs, ": > /etc/passwd"))
      assert.matches("Read%-only file system", output(rootfs, ": > /bin/bash"))
      assert.are.equal("mine", output(rootfs, "echo mine > /new; echo $(< /new)"))
    end)

    it("shows files and directories elsewhere", function()
      local dir <close> = support.tmpdir()
      dir:write("data/deep/x", "found")
      local rootfs = ctr.rootfs.host { "bash", files = { ["/srv/data"] = dir:mkdir("data") } }
      assert.are.equal("found", output(rootfs, "echo $(< /srv/data/deep/x)"))
    end)

    it("finds what ldd finds", function()
      local fs = require("luactr.rootfs.fs")
      for _, name in ipairs { "bash", "ls", "ps", "lua5.4", "git", "gcc", "python3", "mount" } do
        local path = sh("sh", "-c", "readlink -f $(command -v " .. name .. ")"):gsub("\n", "")
        local file = inspect.file(fs, path)
        if file and file.elf then
          local closure = assert(libraries.closure(fs, { path = path, elf = file.elf }))
          local expected = {}
          for library in sh("env", "-u", "LD_PRELOAD", "ldd", path):gmatch("=> (/%S+)") do
            expected[#expected + 1] = library
          end
          table.sort(expected)
          table.sort(closure.paths)
          assert.are.same(expected, closure.paths, path)
        end
      end
    end)

    it("copies into a directory that stays", function()
      local dir <close> = support.tmpdir()
      local place = dir.path .. "/container"
      local rootfs = ctr.rootfs.host { "bash", "ls", copy = place }
      assert.are.equal("bash\nls", output(rootfs, "ls /bin/"))
      assert.are.equal("file", ctr.sys.stat(place .. "/usr/bin/bash").type)
      local before = ctr.sys.stat(place .. "/usr/bin/bash")
      assert.are.equal(ctr.sys.stat("/usr/bin/bash").mode, before.mode)
      assert.are.equal("yes", output(rootfs, "echo yes > /kept; echo $(< /kept)"))
      assert.are.equal("yes\n", support.read(place .. "/kept"))
      assert.are.equal(before.ino, ctr.sys.stat(place .. "/usr/bin/bash").ino)
    end)

    it("does not leave the directory by a link that a container put there", function()
      local dir <close> = support.tmpdir()
      local place = dir:mkdir("container")
      dir:mkdir("outside/bin")
      assert(ctr.sys.symlink(dir.path .. "/outside", place .. "/usr"))
      local err = start_error(ctr.rootfs.host { "bash", copy = place })
      assert.matches("^E[A-Z]+$", err.code)
      assert.matches("/container/usr", err.path, 1, true)
      assert.are.same({}, ctr.sys.readdir(dir.path .. "/outside/bin"))
    end)

    it("removes a temporary copy with the container", function()
      local place
      local rootfs = ctr.rootfs.host { "bash", copy = true }
      assert.are.equal("yes", output(rootfs, "echo yes"))
      place = rootfs.directory
      assert.is_nil(ctr.sys.stat(place))
    end)

    for _, case in ipairs {
      { "a program that is not there", "bassh", "ENOENT", "no program bassh" },
      { "a path that is not there", "/usr/bin/nope", "ENOENT", "No such file" },
      { "a file that is no program", "/etc/passwd", "EACCES", "not an executable" },
    } do
      it("refuses " .. case[1] .. ", at the line that asks for it", function()
        local err = start_error(ctr.rootfs.host { case[2] })
        assert.are.equal(case[3], err.code)
        assert.matches(case[4], err.cause)
        assert.matches("rootfs_spec.lua", err.where.file)
      end)
    end

    it("refuses a program of another machine", function()
      local dir <close> = support.tmpdir()
      local path = dir:write("tool", fake_fs.elf { machine = 8, big = true }, "755")
      local err = start_error(ctr.rootfs.host { path })
      assert.are.equal("ENOEXEC", err.code)
      assert.matches("built for mips, big endian", err.cause)
    end)
  end)

  describe("dir()", function()
    it("is the host's directory itself", function()
      local dir <close> = support.tmpdir()
      output(ctr.rootfs.host { "bash", "ls", copy = dir.path .. "/root" }, ":")
      assert.are.equal("/", output(ctr.rootfs.dir(dir.path .. "/root"), "echo x > /new; pwd"))
      assert.are.equal("x\n", support.read(dir.path .. "/root/new"))
    end)

    it("reports one that is not there", function()
      local err = start_error(ctr.rootfs.dir("/nope/root"))
      assert.are.equal("ENOENT", err.code)
      assert.are.equal("root_bind", err.op)
      assert.are.equal("/nope/root", err.path)
    end)
  end)

  it("empty() has what is mounted and nothing else", function()
    local mounts = {
      ctr.bind("/usr", "/usr", { ro = true }), ctr.symlink("usr/bin", "/bin"),
      ctr.symlink("usr/lib", "/lib"), ctr.symlink("usr/lib64", "/lib64"),
    }
    assert.are.equal("/bin /dev /lib /lib64 /proc /sys /usr",
      output(ctr.rootfs.empty(), "echo /*", mounts))
  end)
end)
