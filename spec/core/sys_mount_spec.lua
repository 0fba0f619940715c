local inside = require("support.inside")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

-- In a mount namespace where nothing spreads to the host, with a directory for the mounts.
local function alone(main)
  support.needs("root")
  local dir <close> = support.tmpdir()
  inside("newns", function()
    assert(sys.mount(nil, "/", nil, { "rec", "private" }))
    main(dir.path)
  end)
end

local function fails(errno, _, message, number)
  assert.equal(errno, sys.errname(number), message)
end

describe("luactr.sys mounts #core #layout #unemulated", function()
  before_each(world.check)
  after_each(world.check)

  it("fail with the errno of the system call", function()
    alone(function(path)
      fails("ENODEV", sys.mount("x", path, "nosuchfs"))
      fails("EINVAL", sys.umount(path))
      fails("ENOENT", sys.pivot_root(path, path .. "/no"))
      fails("ENODEV", sys.fsopen("nosuchfs"))
      fails("EBADF", sys.fsconfig(9999, "cmd_create"))
      fails("EBADF", sys.fsmount(9999))
      fails("ENOENT", sys.open_tree("/no/such"))
      fails("ENOENT", sys.move_mount("/no/such", path))
      fails("EINVAL", sys.mount_setattr(path, { set = "rdonly" }))
    end)
  end)

  it("mount and unmount a tmpfs with options", function()
    alone(function(path)
      assert(sys.mount("spec", path, "tmpfs", { "nosuid", "nodev" }, "size=64k,mode=0711"))
      assert.is_true(sys.stat(path).mount_root)
      assert.equal(65536, sys.statfs(path).blocks * sys.statfs(path).bsize)
      assert(sys.umount(path, "detach"))
      assert.is_false(sys.stat(path).mount_root)
    end)
  end)

  it("bind read-only by remount", function()
    alone(function(path)
      assert(sys.mount("/etc", path, nil, { "bind" }))
      assert(sys.mount(nil, path, nil, { "remount", "bind", "rdonly" }))
      fails("EROFS", sys.mkdir(path .. "/new"))
    end)
  end)

  it("change the root with pivot_root and shut the door", function()
    alone(function(path)
      assert(sys.mount("spec", path, "tmpfs"))
      assert(sys.mkdir(path .. "/old"))
      local done, message, errno = sys.pivot_root(path, path .. "/old")
      if not done and sys.errname(errno) == "EINVAL" and sys.statfs("/").type == 0x858458f6 then
        return -- the root is the initramfs, which cannot be pivoted
      end
      assert(done, message)
      assert(sys.chdir("/"))
      assert(sys.umount("/old", "detach"))
      assert(sys.rmdir("/old"))
      assert.same({}, sys.readdir("/"))
    end)
  end)

  it("build a file system by descriptor", function()
    alone(function(path)
      local context <close> = assert(sys.fsopen("tmpfs"))
      assert(sys.fsconfig(context, "set_string", "size", "64k"))
      assert(sys.fsconfig(context, "set_flag", "ro"))
      assert(sys.fsconfig(context, "cmd_create"))
      local mount <close> = assert(sys.fsmount(context, { "nosuid", "noexec" }))
      assert(sys.move_mount(mount, path))
      assert.equal(65536, sys.statfs(path).blocks * sys.statfs(path).bsize)
      fails("EROFS", sys.mkdir(path .. "/x"))
    end)
  end)

  it("configure with paths, descriptors and bytes", function()
    alone(function(path)
      local overlay <close> = assert(sys.fsopen("overlay"))
      local dir <close> = assert(sys.open(path, "path"))
      for _, case in ipairs {
        { "set_path", "lowerdir", path }, { "set_fd", "nosuchkey", dir },
        { "set_binary", "nosuchkey", "a\0b" }, { "set_path_empty", "nosuchkey", "", dir },
      } do
        local done, _, errno = sys.fsconfig(overlay, table.unpack(case))
        assert(done or errno == sys.errno.EINVAL or errno == sys.errno.EOPNOTSUPP, case[1])
      end
    end)
  end)

  it("copy a tree, change its attributes and attach it", function()
    alone(function(path)
      local tree <close> = assert(sys.open_tree("/etc", { "clone", "recursive" }))
      assert(sys.mount_setattr(tree, { set = { "rdonly", "nodev" }, propagation = "private",
        recursive = true }))
      assert(sys.move_mount(tree, path))
      fails("EROFS", sys.mkdir(path .. "/new"))
      assert(sys.mount_setattr(path, { clear = "rdonly" }))
      assert.error_matches(function() sys.mount_setattr(path, { sett = 1 }) end, "unknown key")
    end)
  end)
end)
