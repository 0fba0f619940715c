local inside = require("support.inside")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local function octal(mode) return ("%04o"):format(mode) end

describe("luactr.sys files #core", function()
  before_each(world.check)
  after_each(world.check)

  it("fail with the errno of the system call, and say which path", function()
    for _, case in ipairs {
      { "mkdir", "EEXIST", "/proc" },
      { "rmdir", "ENOENT", "/no/such" },
      { "unlink", "ENOENT", "/no/such" },
      { "rename", "ENOENT", "/no/such", "/no/other" },
      { "link", "ENOENT", "/no/such", "/no/other" },
      { "symlink", "EEXIST", "x", "/proc" },
      { "readlink", "EINVAL", "/proc" },
      { "mknod", "EEXIST", "/proc", "0100644" },
      { "chmod", "ENOENT", "/no/such", "0644" },
      { "chown", "ENOENT", "/no/such", 0, 0 },
      { "stat", "ENOENT", "/no/such" },
      { "statfs", "ENOENT", "/no/such" },
      { "readdir", "ENOTDIR", "/dev/null" },
      { "chdir", "ENOTDIR", "/dev/null" },
      { "fchdir", "EBADF", 9999 },
      { "chroot", "ENOTDIR", "/dev/null" },
      { "utimens", "ENOENT", "/no/such", 0, 0 },
      { "getxattr", "EOPNOTSUPP", "/proc/version", "user.x" },
      { "setxattr", "ENOENT", "/no/such", "user.x", "" },
      { "removexattr", "ENOENT", "/no/such", "user.x" },
      { "listxattr", "ENOENT", "/no/such" },
    } do
      local value, message, errno = sys[case[1]](table.unpack(case, 3))
      assert.is_nil(value, case[1])
      assert.equal(case[2], sys.errname(errno), message)
      assert.equal(1, message:find("^" .. case[1]), message)
    end
  end)

  it("have a project where the file system knows projects #unemulated", function()
    local proc <close> = assert(sys.open("/proc", "directory"))
    for _, case in ipairs { { "project", "ENOTTY" }, { "set_project", "ENOTTY", 7 },
      { "project_quota", "ENOSYS", 7 }, { "set_project_quota", "ENOSYS", 7, 0, 0 } } do
      local value, message, errno = sys[case[1]](proc, table.unpack(case, 3))
      assert.is_nil(value)
      assert.equal(case[2], sys.errname(errno), message)
    end
    assert.error(function() sys.set_project_quota(proc, 0, 0, 0) end)
  end)

  it("have times in nanoseconds", function()
    local dir <close> = support.tmpdir()
    local path = dir:write("file", "")
    assert(sys.symlink("file", dir.path .. "/link"))
    assert(sys.utimens(path, nil, 1700000000123456789))
    assert(sys.utimens(dir.path .. "/link", nil, -5, "symlink_nofollow"))
    assert.equal(1700000000123456789, sys.stat(path).mtime_ns)
    assert.equal(-5, sys.stat(dir.path .. "/link", "symlink_nofollow").mtime_ns)
    local fd <close> = assert(sys.open(path))
    assert(sys.utimens(fd, 7, nil))
    assert.equal(1700000000123456789, sys.stat(fd).mtime_ns)
    assert.equal(7e-9, sys.stat(fd).atime)
  end)

  it("have extended attributes", function()
    local fd <close> = assert(sys.memfd_create("spec"))
    local dir <close> = support.tmpdir()
    local path = dir:write("file", "")
    for _, file in ipairs { path, fd } do
      local set, _, errno = sys.setxattr(file, "user.spec", "a\0b")
      if set then
        assert.equal("a\0b", sys.getxattr(file, "user.spec"))
        assert.same({ "user.spec" }, sys.listxattr(file))
        assert(sys.removexattr(file, "user.spec"))
        assert.same({}, sys.listxattr(file))
      else
        assert.equal("EOPNOTSUPP", sys.errname(errno))
      end
    end
  end)

  it("get names in other directories", function()
    local dir <close> = support.tmpdir()
    dir:write("a/file", "")
    local a <close> = assert(sys.open(dir.path .. "/a", "directory"))
    local b <close> = assert(sys.open(dir:mkdir "b", "directory"))
    assert(sys.link("file", "name", a, b))
    assert.equal(2, sys.stat(dir.path .. "/b/name").nlink)
  end)

  it("make, rename and remove names, from a directory too", function()
    local dir <close> = support.tmpdir()
    local at <close> = assert(sys.open(dir.path, "path"))
    assert(sys.mkdir("d", "0700", at))
    assert(sys.symlink("d", "s", at))
    assert.equal("d", sys.readlink("s", at))
    assert(sys.mknod("f", "0100600", 0, at))
    assert(sys.link("f", "g", at))
    assert.equal(2, sys.stat("g", 0, at).nlink)
    assert(sys.rename("g", "h", at))
    assert.equal(sys.errno.EEXIST, select(3, sys.rename("h", "f", at, "noreplace")))
    local names = {}
    for _, entry in ipairs(assert(sys.readdir(at))) do names[entry.name] = entry.type end
    assert.same({ d = "directory", s = "symlink", f = "file", h = "file" }, names)
    for _, name in ipairs { "s", "f", "h" } do assert(sys.unlink(name, at)) end
    assert(sys.rmdir("d", at))
    assert.same({}, sys.readdir(dir.path))
  end)

  it("read a directory of more than one buffer", function()
    local dir <close> = support.tmpdir()
    for i = 1, 2000 do assert(sys.symlink("x", dir.path .. "/a-rather-long-name-" .. i)) end
    assert.equal(2000, #sys.readdir(dir.path))
  end)

  it("know types, modes and devices", function()
    assert.equal("char", sys.stat("/dev/null").type)
    assert.equal(sys.makedev(1, 3), sys.stat("/dev/null").rdev)
    assert.same({ 1, 3 }, { sys.splitdev(sys.makedev(1, 3)) })
    assert.equal("symlink", sys.stat("/proc/self", "symlink_nofollow").type)
    local reader, writer <close> = assert(sys.pipe())
    local _ <close> = reader
    assert.equal("fifo", sys.stat(reader).type)
    assert.equal(sys.stat(reader).ino, sys.stat(writer).ino)
    assert.is_true(sys.stat("/proc").mount_root)
    assert.is_false(sys.stat("/proc/self/ns").mount_root)
  end)

  it("tell the file system", function()
    local PROC_SUPER_MAGIC <const> = 0x9fa0
    local fd <close> = assert(sys.open("/proc", "path"))
    assert.equal(PROC_SUPER_MAGIC, sys.statfs("/proc").type)
    assert.equal(PROC_SUPER_MAGIC, sys.statfs(fd).type)
  end)

  it("change modes, by path and by descriptor", function()
    local dir <close> = support.tmpdir()
    local fd <close> = assert(sys.open(dir.path))
    assert(sys.chmod(dir.path, "0711"))
    assert.equal("0711", octal(sys.stat(fd).mode))
    assert(sys.chmod(fd, "1700"))
    assert.equal("1700", octal(sys.stat(dir.path).mode))
  end)

  it("change owners, and leave what is nil", function()
    support.needs("root")
    local dir <close> = support.tmpdir()
    assert(sys.symlink("nowhere", dir.path .. "/s"))
    assert(sys.chown(dir.path .. "/s", 7, nil, "symlink_nofollow"))
    assert(sys.chown(dir.path, nil, 8))
    local link, stat = sys.stat(dir.path .. "/s", "symlink_nofollow"), sys.stat(dir.path)
    assert.same({ 7, 0, 0, 8 }, { link.uid, link.gid, stat.uid, stat.gid })
  end)

  it("make devices", function()
    support.needs("root")
    local dir <close> = support.tmpdir()
    local path = dir.path .. "/null"
    assert(sys.mknod(path, sys.S_IFCHR | 0x1b6, sys.makedev(1, 3)))
    assert.equal("char", sys.stat(path).type)
  end)

  it("change the working directory", function()
    inside({}, function()
      assert(sys.chdir("/proc"))
      assert.equal("/proc", sys.getcwd())
      local fd <close> = assert(sys.open("/sys", "path"))
      assert(sys.fchdir(fd))
      assert.equal("/sys", sys.getcwd())
    end)
  end)

  it("cannot tell the name of a removed working directory", function()
    local dir <close> = support.tmpdir()
    inside({}, function()
      assert(sys.mkdir(dir.path .. "/gone"))
      assert(sys.chdir(dir.path .. "/gone"))
      assert(sys.rmdir(dir.path .. "/gone"))
      assert.equal("ENOENT", sys.errname(select(3, sys.getcwd())))
    end)
  end)

  it("change the root directory", function()
    support.needs("root")
    local dir <close> = support.tmpdir()
    dir:write("only", "")
    inside({}, function()
      assert(sys.chroot(dir.path))
      assert(sys.chdir("/"))
      assert.equal("only", sys.readdir("/")[1].name)
      assert.equal("ENOENT", sys.errname(select(3, sys.stat("/etc"))))
    end)
  end)

  it("set the umask and tell the one from before", function()
    local before = sys.umask("0077")
    assert.equal(tonumber("77", 8), sys.umask(before))
  end)
end)
