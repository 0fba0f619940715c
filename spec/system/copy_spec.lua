-- Files of containers from outside: copied in and out, exported, of one that runs and of one that
-- has ended.

local archive = require("luactr.files.archive")
local ctr = require("luactr")
local lfs = require("lfs")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

local OCTAL <const> = function(text) return tonumber(text, 8) end

local function image(dir)
  for _, name in ipairs { "bin", "etc", "proc", "sys", "dev", "tmp" } do
    dir:mkdir("root/" .. name)
  end
  dir:write("root/bin/busybox", support.read("/bin/busybox"), "0755")
  for _, name in ipairs { "sh", "sleep", "stat", "ls", "cat", "readlink", "rm", "ln", "mkdir" } do
    assert(sys.symlink("busybox", dir.path .. "/root/bin/" .. name))
  end
  dir:write("root/etc/passwd", "root:x:0:0::/:/bin/sh\n")
  return dir.path .. "/root"
end

-- The types, modes, owners, times, links and data of a tree, as lines.
local function told(path)
  local text = support.must { "find", path, "-printf", "%P %y %m %U:%G %T@ %l %n\n" }
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

local function make_tree(dir)
  dir:write("src/file", "data", "0640")
  dir:write("src/sub/deep/x", "x")
  dir:write("src/setuid", "", "4755")
  support.must { "ln", dir.path .. "/src/file", dir.path .. "/src/hard" }
  assert(sys.symlink("../nowhere", dir.path .. "/src/link"))
  assert(sys.mknod(dir.path .. "/src/fifo", "010600"))
  assert(sys.chown(dir.path .. "/src/file", 1234, 4321))
  assert(sys.chmod(dir.path .. "/src/sub", "01711"))
  sys.setxattr(dir.path .. "/src/file", "user.spec", "value")
  local sparse <close> = assert(sys.open(dir.path .. "/src/sparse", { "creat", "wronly" }))
  sys.lseek(sparse, 8 << 20)
  sparse:write("end")
  for _, name in ipairs { "file", "sub/deep/x", "sub/deep", "sub", "" } do
    assert(sys.utimens(dir.path .. "/src/" .. name, nil, 1500000000123456789))
  end
  return dir.path .. "/src"
end

describe("files of a container #system", function()
  local dir, root, src

  before_each(function()
    world.check()
    dir = support.tmpdir()
    root, src = image(dir), make_tree(dir)
  end)

  after_each(function()
    dir:close()
    world.check()
  end)

  setup(world.adopt_orphans)

  local function box_of(fields)
    local spec = { rootfs = root, command = { "/bin/sleep", "1000" }, stdin = "null" }
    for key, value in pairs(fields or {}) do spec[key] = value end
    local box = ctr.container(spec)
    assert(box:start())
    return box
  end

  describe("copy_in() and copy_out()", function()
    it("keep all of a tree with archive, both ways", function()
      local box <close> = box_of()
      assert(box:copy_in(src, "/new", { archive = true }))
      assert.same(told(src), told(root .. "/new"))
      assert(box:copy_out("/new", dir.path .. "/back", { archive = true }))
      local expected = told(src)
      for i, line in ipairs(expected) do
        expected[i] = line:gsub("^setuid f 4755", "setuid f 755")
      end
      assert.same(expected, told(dir.path .. "/back"))
      assert.is_true(sys.stat(dir.path .. "/back/sparse").blocks < 100)
      assert.equal((sys.getxattr(src .. "/file", "user.spec")),
        (sys.getxattr(dir.path .. "/back/file", "user.spec"))) -- before Linux 6.6 tmpfs has none
    end)

    it("without archive make files those of root and of the caller, and set no ids", function()
      local box <close> = box_of()
      assert(box:copy_in(src, "/new"))
      local file, setuid = sys.stat(root .. "/new/file"), sys.stat(root .. "/new/setuid")
      assert.same({ 0, 0, OCTAL "640", 1500000000123456789 },
        { file.uid, file.gid, file.mode, file.mtime_ns })
      assert.equal(OCTAL "755", setuid.mode)
      assert(sys.chown(root .. "/new/file", 55, 66))
      assert(box:copy_out("/new/file", dir.path .. "/out"))
      local out = sys.stat(dir.path .. "/out")
      assert.same({ sys.geteuid(), sys.getegid() }, { out.uid, out.gid })
    end)

    it("follow the rules of cp for what exists and what does not", function()
      local box <close> = box_of()
      dir:mkdir "root/there"
      dir:write("root/plain", "old")
      dir:write("one", "1")
      local function at(path) return lfs.symlinkattributes(root .. path, "mode") end
      assert(box:copy_in(src, "/there"))
      assert.equal("file", at "/there/src/file")
      assert(box:copy_in(src .. "/.", "/there"))
      assert.equal("file", at "/there/file")
      assert(box:copy_in(src, "/made"))
      assert.equal("file", at "/made/file")
      assert(box:copy_in(dir.path .. "/one", "/plain"))
      assert.equal("1", support.read(root .. "/plain"))
      assert(box:copy_in(dir.path .. "/one", "/there/"))
      assert.equal("1", support.read(root .. "/there/one"))
      assert(box:copy_in(dir.path .. "/one", "there/two"))
      assert.equal("1", support.read(root .. "/there/two"))
      for _, case in ipairs {
        { src, "/plain", "ENOTDIR" }, { dir.path .. "/one", "/plain/", "ENOTDIR" },
        { dir.path .. "/one", "/none/", "ENOENT" }, { dir.path .. "/one", "/none/x", "ENOENT" },
        { dir.path .. "/none", "/tmp", "ENOENT" }, { dir.path .. "/one/", "/tmp", "ENOTDIR" },
      } do
        local done, err = box:copy_in(case[1], case[2])
        assert.is_nil(done)
        assert.equal(case[3], err.code, case[2])
      end
      for path, code in pairs { ["/none"] = "ENOENT", ["/plain/"] = "ENOTDIR" } do
        local done, err = box:copy_out(path, dir.path)
        assert.is_nil(done)
        assert.equal(code, err.code, path)
      end
      assert(box:copy_out("/there/.", dir.path .. "/out"))
      assert.equal("1", support.read(dir.path .. "/out/one"))
    end)

    it("take links in the container as those inside do", function()
      local box <close> = box_of()
      assert(sys.symlink("/etc", root .. "/abs"))
      assert(sys.symlink("/etc/passwd", root .. "/tofile"))
      dir:write("one", "1")
      assert(box:copy_in(dir.path .. "/one", "/abs"))
      assert.equal("1", support.read(root .. "/etc/one"))
      assert(box:copy_in(dir.path .. "/one", "/tofile"))
      assert.equal("1", support.read(root .. "/etc/passwd"))
      assert(box:copy_out("/tofile", dir.path .. "/link"))
      assert.equal("/etc/passwd", sys.readlink(dir.path .. "/link"))
      assert(box:copy_out("/tofile", dir.path .. "/file", { follow = true }))
      assert.equal("1", support.read(dir.path .. "/file"))
      assert(box:copy_out("/abs/", dir.path .. "/etc"))
      assert.equal("1", support.read(dir.path .. "/etc/one"))
    end)

    it("see what is mounted in it, but nothing of the kernel's", function()
      local box <close> = box_of { mounts = { ctr.tmpfs("/tmp", "4M") } }
      dir:write("one", "1")
      assert(box:copy_in(dir.path .. "/one", "/tmp/x"))
      assert.is_nil(sys.stat(root .. "/tmp/x"))
      assert(box:copy_out("/tmp/x", dir.path .. "/out"))
      assert.equal("1", support.read(dir.path .. "/out"))
      for _, path in ipairs { "/proc/version", "/sys/kernel", "/proc" } do
        local done, err = box:copy_out(path, dir.path .. "/kernel")
        assert.same({ nil, "EPERM" }, { done, err.code })
      end
      local done, err = box:copy_in(dir.path .. "/one", "/proc/sys/kernel/domainname")
      assert.same({ nil, "EPERM" }, { done, err.code })
    end)

    it("leave nothing of a file that there is no room for", function()
      local box <close> = box_of { mounts = { ctr.tmpfs("/tmp", "64K") } }
      dir:write("large", ("x"):rep(1 << 20))
      dir:write("small", "x")
      assert(box:copy_in(dir.path .. "/small", "/tmp/large"))
      local done, err = box:copy_in(dir.path .. "/large", "/tmp")
      assert.same({ nil, "ENOSPC" }, { done, err.code })
      local path = "/proc/" .. box:pid() .. "/root/tmp"
      assert.equal("x", support.read(path .. "/large"))
      assert.equal(1, #sys.readdir(path))
    end)

    it("skip sockets and devices, and say so", function()
      local box <close> = box_of()
      assert(sys.mknod(src .. "/null", "020666", sys.makedev(1, 3)))
      assert(sys.mknod(src .. "/socket", "0140600"))
      local left = {}
      assert(box:copy_in(src, "/new", { notice = function(path) left[#left + 1] = path end }))
      table.sort(left)
      assert.same({ "new/null", "new/socket" }, left)
      assert.is_nil(sys.stat(root .. "/new/null"))
    end)

    it("take and give archives", function()
      local box <close> = box_of()
      local fd <close> = assert(sys.memfd_create("spec"))
      assert(box:copy_in(src, "/new", { archive = true }))
      assert(box:copy_out("/new", fd))
      sys.lseek(fd, 0)
      dir:mkdir "root/unpacked"
      assert(box:copy_in(fd, "/unpacked", { archive = true }))
      assert.same(told(src), told(root .. "/unpacked/new"))
      local done, err = box:copy_in(fd, "/unpacked/new/file")
      assert.same({ nil, "ENOTDIR" }, { done, err.code })
      done, err = box:copy_in(fd, "/none")
      assert.same({ nil, "ENOENT" }, { done, err.code })
    end)

    it("give users of a container of its own those that it knows", function()
      support.needs("idmapped")
      local box <close> = box_of { namespaces = { user = "new" }, idmap = "range" }
      dir:write("one", "1")
      assert(box:copy_in(dir.path .. "/one", "/one"))
      assert(box:copy_in(src, "/new", { archive = true }))
      local view = "/proc/" .. box:pid() .. "/root"
      local map = support.read("/proc/" .. box:pid() .. "/uid_map")
      local first = math.tointeger(map:match("^%s*0%s+(%d+)"))
      assert.equal(first, sys.stat(view .. "/one").uid)
      assert.equal(first + 1234, sys.stat(view .. "/new/file").uid)
      assert(box:copy_out("/new", dir.path .. "/back", { archive = true }))
      assert.equal(1234, sys.stat(dir.path .. "/back/file").uid)
      assert(sys.chown(src .. "/file", 0x7ffffff0, 0))
      local done, err = box:copy_in(src, "/other", { archive = true })
      assert.same({ nil, "EINVAL" }, { done, err.code })
    end)
  end)

  describe("export()", function()
    it("gives the same bytes each time, without what is mounted", function()
      assert(sys.utimens(root .. "/tmp", nil, 0))
      local texts = {}
      for i = 1, 2 do
        local box <close> = box_of { mounts = { ctr.tmpfs("/tmp", "4M") } }
        dir:write("one", "1")
        assert(box:copy_in(dir.path .. "/one", "/tmp/x"))
        local fd <close> = assert(sys.memfd_create("spec"))
        assert(box:export(fd))
        sys.lseek(fd, 0)
        texts[i] = fd:read(1 << 24)
      end
      assert.is_true(texts[1] == texts[2])
      dir:write("all.tar", texts[1])
      local names = "\n" .. support.must { "tar", "-tf", dir.path .. "/all.tar" }
      for _, name in ipairs { "etc/passwd", "proc/", "tmp/", "bin/sh" } do
        assert.matches("\n" .. name .. "\n", names, 1, true)
      end
      assert.is_nil(names:find("tmp/x", 1, true))
      assert.is_nil(names:find("proc/%w"))
    end)
  end)

  describe("of one that has ended", function()
    local name = support.name("files")

    local function ended(fields)
      local spec = { name = name, rootfs = root, stdin = "null",
        command = { "/bin/sh", "-c", "echo made > /made" } }
      for key, value in pairs(fields or {}) do spec[key] = value end
      local found = assert(ctr.container(spec):start { detach = true })
      assert(found:wait(60))
      return setmetatable({}, { __index = found, __close = function() assert(found:remove()) end })
    end

    it("are in its directory", function()
      local found <close> = ended()
      local box = assert(ctr.find(found.id))
      assert(box:copy_out("/made", dir.path .. "/out"))
      assert.equal("made\n", support.read(dir.path .. "/out"))
      assert(box:copy_in(dir.path .. "/out", "/later"))
      assert.equal("made\n", support.read(root .. "/later"))
    end)

    it("are in the layers of an overlay", function()
      dir:mkdir "upper"
      dir:mkdir "work"
      local found <close> = ended { rootfs = ctr.rootfs.overlay {
        lower = root, upper = dir.path .. "/upper", work = dir.path .. "/work" } }
      local box = assert(ctr.find(found.id))
      assert(box:copy_out("/made", dir.path .. "/out"))
      assert(box:copy_in(dir.path .. "/out", "/etc/later"))
      assert.equal("made\n", support.read(dir.path .. "/upper/etc/later"))
      local fd <close> = assert(sys.memfd_create("spec"))
      assert(box:export(fd))
      sys.lseek(fd, 0)
      local reader <close> = assert(archive.reader(fd))
      local seen = {}
      for entry in function() return reader:next() end do seen[entry.path] = true end
      assert.same({ true, true }, { seen.made, seen["bin/busybox"] })
    end)

    it("have its users still", function()
      support.needs("idmapped")
      local found <close> = ended { namespaces = { user = "new" }, idmap = "range" }
      local box = assert(ctr.find(found.id))
      assert(box:copy_out("/made", dir.path .. "/out", { archive = true }))
      assert.equal(0, sys.stat(dir.path .. "/out").uid)
      assert(box:copy_in(src, "/new", { archive = true }))
      assert(box:copy_out("/new/file", dir.path .. "/back", { archive = true }))
      assert.equal(1234, sys.stat(dir.path .. "/back").uid)
      local made, file = sys.stat(root .. "/made").uid, sys.stat(root .. "/new/file").uid
      assert.equal(1234, file - made)
    end)

    it("are gone when they were in memory, which is said", function()
      local found <close> = ended { rootfs = ctr.rootfs.overlay { lower = root } }
      local done, err = assert(ctr.find(found.id)):copy_out("/made", dir.path .. "/out")
      assert.is_nil(done)
      assert.equal("ENOENT", err.code)
      assert.matches("in memory, and is gone with it", err.cause, 1, true)
    end)
  end)

  it("are the host's without a root of its own, which is refused", function()
    local box <close> = ctr.container { rootfs = ctr.rootfs.none(),
      command = { "/bin/sleep", "1000" } }
    assert(box:start())
    local done, err = box:copy_out("/etc/passwd", dir.path .. "/out")
    assert.same({ nil, "ENOTSUP" }, { done, err.code })
  end)
end)
