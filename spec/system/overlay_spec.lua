-- Overlays in real containers: as a mount, and as the root.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("overlays #system #layout", function()
  local dir

  before_each(function()
    dir = support.tmpdir()
    world.check()
    dir:write("lower/a", "lower")
    dir:write("lower/b", "lower")
    dir:write("middle/b", "middle")
    dir:mkdir("upper")
    dir:mkdir("work")
  end)

  after_each(function()
    world.check()
    support.must { "rm", "-rf", dir.path } -- the kernel closes its work directory to others
  end)

  local function at(name)
    return dir.path .. "/" .. name
  end

  local function result_of(fields, script)
    fields.command = { fields.rootfs and "/bin/sh" or "/bin/bash", "-c", script }
    fields.rootfs = fields.rootfs or ctr.rootfs.host { "bash", "cat", "ls", "rm", "stat" }
    fields.stdin, fields.stdout, fields.stderr = "null", "capture", "stdout"
    return ctr.run(fields)
  end

  local function output(fields, script)
    return (assert(result_of(fields, script)).stdout:gsub("\n$", ""))
  end

  local function shell_root(name)
    dir:mkdir(name .. "/bin")
    support.copy("/bin/busybox", at(name) .. "/bin/sh")
    return at(name)
  end

  describe("as a mount", function()
    it("show the topmost layer, and write to upper", function()
      local mount = ctr.overlay("/x", { lower = { at("middle"), at("lower") }, upper = at("upper"),
        work = at("work") })
      assert.are.equal("lower middle", output({ mounts = { mount } },
        "echo $(cat /x/a) $(cat /x/b); echo new >/x/new; rm /x/a"))
      assert.are.equal("new\n", support.read(at("upper/new")))
      assert.are.equal("lower", support.read(at("lower/a")))
    end)

    it("are read-only without upper", function()
      local mount = ctr.overlay("/x", { lower = { at("middle"), at("lower") } })
      assert.matches("middle\n.*Read%-only", output({ mounts = { mount } },
        "echo $(cat /x/b); echo new >/x/new"))
    end)

    it("take names with the separators of mount(2)", function()
      dir:write("a:b,c\\d/file", "text")
      dir:mkdir("u:p,p\\er")
      dir:mkdir("w:o,r\\k")
      local mount = ctr.overlay("/x", { lower = { at("a:b,c\\d"), at("lower") },
        upper = at("u:p,p\\er"), work = at("w:o,r\\k") })
      assert.are.equal("text", output({ mounts = { mount } }, "cat /x/file; echo >/x/new"))
      assert.are.equal("\n", support.read(at("u:p,p\\er/new")))
    end)
  end)

  describe("of many layers", function()
    -- 40 directories of long names, each with a file of its own; the topmost has a backslash.
    local function many()
      local list = {}
      for i = 1, 40 do
        list[i] = at(("l:,%02d"):format(i) .. ("x"):rep(150) .. (i == 1 and "\\" or ""))
        dir:write(list[i]:sub(#dir.path + 2) .. "/file" .. i, tostring(i))
      end
      return list
    end

    local function fits_this_kernel(err)
      if err and err.cause and err.cause:find("came with Linux 6.7", 1, true) then
        pending(err.cause)
      end
      return err
    end

    it("are a mount", function()
      local mount = ctr.overlay("/x", { lower = many(), upper = at("upper"), work = at("work") })
      local result, err = result_of({ mounts = { mount } }, "cat /x/file1 /x/file40; echo >/x/new")
      fits_this_kernel(err)
      assert.are.equal("140", assert(result, err).stdout)
      assert.are.equal("\n", support.read(at("upper/new")))
    end)

    it("are a root", function()
      local list = many()
      list[#list + 1] = shell_root("system")
      local result, err = result_of({ rootfs = ctr.rootfs.overlay { lower = list } },
        "read x </file40; echo $x; echo >/new")
      fits_this_kernel(err)
      assert.are.equal("40\n", assert(result, err).stdout)
    end)

    it("are told when one is missing", function()
      local list = many()
      list[20] = at("none")
      local _, err = result_of({ mounts = { ctr.overlay("/x", { lower = list }) } }, ":")
      fits_this_kernel(err)
      assert.matches("the overlay's lowerdir does not exist: " .. at("none"), err.cause, 1, true)
    end)
  end)

  describe("as the root", function()
    it("throw away what is written, by default", function()
      local root = shell_root("system")
      local rootfs = ctr.rootfs.overlay { lower = { at("middle"), root } }
      local script = "read x </b; echo $x; echo new >/new; read x </new; echo $x"
      assert.are.equal("middle\nnew", output({ rootfs = rootfs }, script))
      assert.are.equal("middle\nnew", output({ rootfs = rootfs }, script))
      assert.is_nil(io.open(root .. "/new"))
      assert.is_nil(io.open(root .. "/dev"))
    end)

    it("keep it in upper", function()
      local rootfs = ctr.rootfs.overlay { lower = shell_root("system"), upper = at("upper"),
        work = at("work") }
      assert.are.equal("", output({ rootfs = rootfs }, "echo new >/new"))
      assert.are.equal("new", output({ rootfs = rootfs }, "read x </new; echo $x"))
      assert.are.equal("new\n", support.read(at("upper/new")))
    end)

    it("write no more than their size", function()
      local rootfs = ctr.rootfs.overlay { lower = shell_root("system"), size = "1M" }
      support.symlink("sh", at("system") .. "/bin/dd")
      assert.matches("No space left", output({ rootfs = rootfs },
        "dd if=/dev/zero of=/big bs=64k count=32"))
    end)

    it("may be read-only, and take mounts", function()
      local rootfs = ctr.rootfs.overlay { lower = shell_root("system") }
      assert.matches("Read%-only.*fine", output({ rootfs = rootfs, readonly = true,
        mounts = { ctr.tmpfs("/t") } }, "echo >/x; echo >/t/x && echo fine"))
    end)

    it("know the users of their layers", function()
      dir:write("middle/etc/passwd", "somebody:x:1234:7::/:/bin/sh\n")
      local rootfs = ctr.rootfs.overlay { lower = { at("middle"), shell_root("system") } }
      support.symlink("sh", at("system") .. "/bin/id")
      assert.are.equal("1234", output({ rootfs = rootfs, user = "somebody" }, "id -u"))
    end)

    it("work for a user without rights", function()
      support.needs("stranger")
      support.must { "chmod", "-R", "a+rX", dir.path }
      local root = shell_root("system")
      support.must { "chmod", "755", dir.path }
      local script = dir:write("recipe.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = ctr.rootfs.overlay { lower = %q }, stdin = "null",
  command = { "/bin/sh", "-c", "echo new >/new; read x </new; echo $x" } }
]]):format(root))
      local result = support.luactr { script, user = support.stranger }
      assert.are.equal("new\n", result.stdout .. result.stderr)
    end)

    it("leave nothing of the host to who joins", function()
      support.must { "chmod", "755", dir.path }
      local root = shell_root("system")
      support.symlink("sh", root .. "/bin/ls")
      support.symlink("sh", root .. "/bin/sleep")
      for _, map in ipairs { false, "auto", { uid = { { inside = 0, outside = 70000, count = 9 } },
        gid = { { inside = 0, outside = 70000, count = 9 } } } } do
        local box <close> = ctr.container { rootfs = ctr.rootfs.overlay { lower = root },
          idmap = map or nil, command = { "/bin/sleep", "1000" }, stdin = "null" }
        assert(box:start())
        local seen = assert(box:exec { command = { "/bin/ls", "/" }, stdout = "capture" })
        assert.are.equal("bin\ndev\nproc\nsys\n", seen.stdout)
        assert.are.equal("bin\ndev\nproc\nsys\n",
          support.must { "nsenter", "-m", "-t", box:pid(), "/bin/ls", "/" })
      end
    end)

    it("work in a user namespace of root's", function()
      support.must { "chmod", "755", dir.path }
      local rootfs = ctr.rootfs.overlay { lower = shell_root("system") }
      assert.are.equal("new", output({ rootfs = rootfs, namespaces = { user = "new" } },
        "echo new >/new; read x </new; echo $x"))
    end)
  end)

  it("tell a layer that is missing", function()
    local _, err = result_of({ rootfs = ctr.rootfs.overlay { lower = at("none") } }, ":")
    assert.are.equal("ENOENT", err.code)
    assert.matches("the overlay's lowerdir does not exist: " .. at("none"), err.cause, 1, true)
  end)

  describe("refuse", function()
    local cases = {
      { { lower = {} }, "lower: path or list of paths expected" },
      { { lower = "/a", work = "/b" }, "upper and work go together" },
      { { lower = "/a", uper = "/b" }, "unknown field uper" },
      { { lower = { 1 } }, "lower: path or list of paths expected" },
      { "x", "table with lower, upper and work expected" },
    }
    for _, case in ipairs(cases) do
      it(case[2], function()
        local fine, message = pcall(ctr.overlay, "/x", case[1])
        assert.is_false(fine)
        assert.matches("overlay: " .. case[2], message, 1, true)
        fine, message = pcall(ctr.rootfs.overlay, case[1])
        assert.is_false(fine)
        assert.matches("rootfs.overlay: " .. case[2], message, 1, true)
      end)
    end

    it("upper without work, as a mount", function()
      assert.has_error(function()
        ctr.overlay("/x", { lower = "/a", upper = "/b" })
      end, "overlay: upper and work go together: work is an empty directory beside upper")
    end)

    it("a size beside upper", function()
      assert.has_error(function()
        ctr.rootfs.overlay { lower = "/a", upper = "/b", work = "/c", size = "1M" }
      end, "rootfs.overlay: size: is for an overlay without upper")
    end)
  end)
end)
