-- What the steps make of a root: files, paths, mounts; and the host left alone.

local launch = require("support.launch")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root", "file:" .. launch.busybox)

local CHARACTER <const> = 0x2000 | 438 -- S_IFCHR, mode 0666
local NULL <const> = 1 << 8 | 3

describe("the init's root #core #spawn", function()
  local dir

  before_each(function()
    world.check()
    dir = support.tmpdir()
  end)

  after_each(function()
    dir:close()
    world.check()
  end)

  local function inside(...) return launch.inside(dir, ...) end

  local function failure(before) return launch.failure(dir, before) end

  local function fails(errno, aux, step)
    local number = #launch.root("") + 1
    assert.same({ "failed", number, step.op, sys.errno[errno], aux }, failure { step })
  end

  ---- the root

  it("enters a root of its own, where nothing of the host is left", function()
    local output = inside("pwd; ls /; cut -d' ' -f5 /proc/self/mountinfo")
    assert.equal("/\nbin\nproc\n/\n/bin/busybox\n/proc\n", output)
  end)

  it("binds a directory as the root", function()
    local root = dir:mkdir("root")
    dir:mkdir("root/bin")
    dir:write("root/bin/busybox", support.read(launch.busybox), "755")
    local ended = launch.run(launch.join(launch.private,
      { { op = "root_bind", source = root, recursive = 1 } }, launch.enter, launch.output,
      { "pwd; ls /" }))
    assert.equal("/\nbin\n", ended.output)
  end)

  it("mounts over the root, and enters what is mounted", function()
    local ended = launch.run(launch.join(launch.private, {
      { op = "root_tmpfs", stage = dir:mkdir("stage") },
      { op = "mount", source = "tmpfs", target = "/", type = "tmpfs", flags = 0 },
      { op = "bind", source = launch.busybox, target = launch.busybox, recursive = 0, set = 0,
        clear = 0 },
    }, launch.enter, launch.output, { "ls /" }))
    assert.equal("bin\n", ended.output)
  end)

  it("changes root without pivoting", function()
    local ended = launch.run(launch.join(launch.root(dir:mkdir("stage")), { { op = "chroot" } },
      launch.output, { "pwd; ls /" }))
    assert.equal("/\nbin\nproc\n", ended.output)
  end)

  it("makes the root read-only", function()
    local output = inside("touch /x 2>&1", { { op = "mkdir", path = "/dir", mode = 493 } },
      { { op = "mount_setattr", target = "/", set = sys.MOUNT_ATTR_RDONLY, clear = 0 } })
    assert.matches("Read%-only file system", output)
  end)

  ---- files

  it("makes directories with their parents and modes", function()
    local output = inside("stat -c '%a' /a /a/b /a/b/c /t", {
      { op = "mkdir", path = "/a/b/c", mode = 448 },
      { op = "mkdir", path = "/a/b/c", mode = 511 }, -- exists: left as it is
      { op = "mkdir", path = "t/", mode = 1023 },
    })
    assert.equal("755\n755\n700\n1777\n", output)
  end)

  it("makes files, and replaces what has the name without opening it", function()
    local output = inside("cat /etc/a /etc/link; stat -c '%a %h' /etc/link; cat /etc/target", {
      { op = "file", path = "/etc/a", content = "first", mode = 384 },
      { op = "file", path = "/etc/a", content = "second ", mode = 384 },
      { op = "file", path = "/etc/target", content = "kept", mode = 384 },
      { op = "symlink", link = "target", path = "/etc/link" },
      { op = "file", path = "/etc/link", content = "new\n", mode = 416 },
    })
    assert.equal("second new\n640 1\nkept", output)
  end)

  it("mounts a file of its own over what is there, which stays as it is", function()
    local root = dir:mkdir("root")
    dir:mkdir("root/bin")
    dir:write("root/bin/busybox", support.read(launch.busybox), "755")
    dir:write("root/etc/hosts", "of the image\n")
    local function file(path, content)
      return { op = "file", path = path, content = content, mode = 416, mount = 1 }
    end
    local ended = launch.run(launch.join(launch.private,
      { { op = "root_bind", source = root, recursive = 1 }, file("/etc/hosts", "mine\n"),
        file("/etc/new", "new\n") }, launch.enter, launch.output,
      { "/bin/busybox cat /etc/hosts /etc/new; stat -c %a /etc/hosts; " ..
        "echo more >>/etc/hosts; ls /" }))
    assert.equal("mine\nnew\n640\nbin\netc\n", ended.output)
    assert.equal("of the image\n", support.read(root .. "/etc/hosts"))
    assert.equal("", support.read(root .. "/etc/new"))
  end)

  it("writes into files that exist, over symlinks, but not into devices", function()
    local output = inside("cat /a", {
      { op = "file", path = "/a", content = "........", mode = 384 },
      { op = "symlink", link = "/a", path = "/link" },
      { op = "write", path = "/link", content = "12" },
    })
    assert.equal("12......", output)
    fails("ENOENT", "target", { op = "write", path = "/missing", content = "x" })
    local event = failure { { op = "mknod", path = "/null", mode = CHARACTER, device = NULL },
      { op = "write", path = "/null", content = "x" } }
    assert.same({ "write", sys.errno.EINVAL, "type" }, { event[3], event[4], event[5] })
  end)

  it("makes symlinks and device nodes, once or again", function()
    local node = { op = "mknod", path = "/dev/null", mode = CHARACTER, device = NULL }
    local link = { op = "symlink", link = "null", path = "/dev/other" }
    local output = inside("stat -c '%a %t:%T' /dev/null; readlink /dev/other; echo x >/dev/other",
      { node, node, link, link })
    assert.equal("666 1:3\nnull\n", output)
    local event = failure { node, { op = "mknod", path = "/dev/null", mode = CHARACTER,
      device = NULL + 1 } }
    assert.equal(sys.errno.EEXIST, event[4])
    event = failure { link, { op = "symlink", link = "zero", path = "/dev/other" } }
    assert.equal(sys.errno.EEXIST, event[4])
  end)

  it("takes no dots for the name of something new", function()
    for _, path in ipairs { "/", "/.", "/..", "a/..", "." } do
      fails("EINVAL", "target", { op = "file", path = path, content = "", mode = 0 })
    end
  end)

  ---- paths stay in the root

  it("resolves every path inside the root", function()
    local canary = dir:mkdir("canary")
    local before = {
      { op = "symlink", link = canary, path = "/absolute" },
      { op = "symlink", link = "../../../../../.." .. canary, path = "/relative" },
      { op = "mkdir", path = canary, mode = 448 }, -- the same path, inside
      { op = "mkdir", path = "/absolute/one", mode = 448 },
      { op = "mkdir", path = "/relative/two", mode = 448 },
      { op = "file", path = "/../../absolute/three", content = "", mode = 384 },
      { op = "mount", source = "tmpfs", target = "/absolute/one", type = "tmpfs", flags = 0 },
      { op = "bind", source = launch.busybox, target = "/relative/four", recursive = 0, set = 0,
        clear = 0 },
    }
    local output = inside("ls " .. canary, before)
    assert.equal("four\none\nthree\ntwo\n", output)
    assert.same({ ".", ".." }, (function()
      local names = {}
      for name in require("lfs").dir(canary) do names[#names + 1] = name end
      table.sort(names)
      return names
    end)())
  end)

  it("makes nothing through a symlink that leads nowhere", function()
    local link = { op = "symlink", link = "/no/such", path = "/link" }
    for _, step in ipairs {
      { op = "mkdir", path = "/link/dir", mode = 448 },
      { op = "mkdir", path = "/link", mode = 448 },
      { op = "file", path = "/link/file", content = "", mode = 384 },
      { op = "mount", source = "tmpfs", target = "/link", type = "tmpfs", flags = 0 },
    } do
      local event = failure { link, step }
      assert.same({ "failed", step.op, sys.errno.ENOTDIR }, { event[1], event[3], event[4] })
    end
  end)

  it("follows no magic link", function()
    fails("ELOOP", "target", { op = "write", path = "/proc/self/exe", content = "x" })
    fails("ELOOP", "", { op = "mkdir", path = "/proc/self/cwd/x", mode = 448 })
  end)

  it("ends a loop of symlinks", function()
    local event = failure { { op = "symlink", link = "b", path = "/a" },
      { op = "symlink", link = "a", path = "/b" }, { op = "write", path = "/a", content = "" } }
    assert.equal(sys.errno.ELOOP, event[4])
  end)

  ---- mounts

  it("mounts file systems with flags and data", function()
    local output = inside("grep ' /t ' /proc/mounts", {
      { op = "mount", source = "name", target = "/t", type = "tmpfs",
        flags = sys.MS_NOSUID | sys.MS_NODEV, data = "size=64k,mode=0700" },
    })
    assert.matches("^name /t tmpfs rw,nosuid,nodev,relatime,size=64k,mode=700", output)
    fails("ENODEV", "", { op = "mount", source = "x", target = "/t", type = "nosuchfs", flags = 0 })
    fails("ENOTDIR", "target",
      { op = "mount", source = "x", target = launch.busybox, type = "tmpfs", flags = 0 })
  end)

  it("binds files and directories, making the target of the same kind", function()
    dir:write("source/file", "text")
    dir:write("single", "single")
    local function bind(source, target, options)
      local step = { op = "bind", source = source, target = target, recursive = 1, set = 0,
        clear = 0 }
      for key, value in pairs(options or {}) do step[key] = value end
      return step
    end
    local output = inside("cat /d/file /made/f; touch /d/new /ro/new; ls /d", {
      bind(dir.path .. "/source", "/d"),
      bind(dir.path .. "/single", "/made/f"),
      bind(dir.path .. "/source", "/ro", { set = sys.MOUNT_ATTR_RDONLY }),
      bind("/no/such/source", "/no", { optional = 1 }),
    })
    assert.equal("textsingletouch: /ro/new: Read-only file system\nfile\nnew\n", output)
    fails("ENOENT", "source", bind("/no/such/source", "/no"))
    fails("ENOTDIR", "target", bind(dir.path .. "/source", launch.busybox))
  end)

  it("binds on a file that a dangling symlink of the image names", function()
    dir:write("resolv", "text")
    local output = inside("cat /run/resolv; readlink /etc", {
      { op = "mkdir", path = "/run", mode = 493 },
      { op = "symlink", link = "/run/resolv", path = "/etc" },
      { op = "bind", source = dir.path .. "/resolv", target = "/etc", recursive = 0, set = 0,
        clear = 0 },
    })
    assert.equal("text/run/resolv\n", output)
  end)

  it("masks files with the null device, directories with nothing", function()
    local output, ended = inside([[
      cat /secret; ls /dir /other; touch /dir/x; echo x >/secret; cat /secret; echo $?]], {
      { op = "file", path = "/secret", content = "secret", mode = 420 },
      { op = "file", path = "/dir/secret", content = "secret", mode = 420 },
      { op = "file", path = "/other/secret", content = "secret", mode = 420 },
      { op = "mask", path = "/secret" },
      { op = "mask", path = "/dir" },
      { op = "mask", path = "/other" },
      { op = "mask", path = "/missing" },
      { op = "mask", path = "/secret/below" },
    })
    assert.equal("/dir:\n\n/other:\ntouch: /dir/x: Read-only file system\n0\n", output)
    assert.equal(0, ended.code)
  end)

  it("makes paths read-only and keeps their other flags", function()
    local output = inside("touch /t/x 2>&1; grep ' /t ' /proc/mounts | tail -n 1", {
      { op = "mount", source = "t", target = "/t", type = "tmpfs", flags = sys.MS_NOEXEC },
      { op = "readonly", path = "/t" },
      { op = "readonly", path = "/missing" },
    })
    assert.matches("^touch: /t/x: Read%-only file system\nt /t tmpfs ro,noexec,", output)
  end)

  -- The image's /sys is a link; what it leads through is hidden after the mount, as if it had been
  -- moved away.
  it("masks and protects what was mounted on /sys, wherever that is by now", function()
    local output = inside("umount /a; ls /a/sys/kernel; touch /a/sys/power 2>&1; echo end", {
      { op = "mkdir", path = "/a/sys", mode = 493 },
      { op = "symlink", link = "/a/sys", path = "/sys" },
      { op = "mount", source = "sys", target = "/sys", type = "sysfs", flags = 0 },
      { op = "mount", source = "t", target = "/a", type = "tmpfs", flags = 0 },
      { op = "mask", path = "/sys/kernel" },
      { op = "readonly", path = "/sys/power" },
    })
    assert.equal("touch: /a/sys/power: Read-only file system\nend\n", output)
  end)

  it("goes by the path where that goes up again", function()
    local output = inside("ls /dir; echo end", {
      { op = "file", path = "/dir/secret", content = "secret", mode = 420 },
      { op = "mask", path = "/proc/../dir" },
    })
    assert.equal("end\n", output)
  end)
end)
