-- Device nodes: what stands in the root is the device that was asked for, or nothing starts.

local inside = require("support.inside")
local launch = require("support.launch")
local support = require("support")
local sys = require("luactr.core").sys
local without = require("support.without")
local world = require("support.world")

local it = support.it(it, pending, "root", "file:" .. launch.busybox)

local CHARACTER <const>, BLOCK <const> = sys.S_IFCHR, sys.S_IFBLK
local NULL <const>, ZERO <const> = sys.makedev(1, 3), sys.makedev(1, 5)

local function make(path, device, mode)
  return { op = "mknod", path = path, mode = mode or CHARACTER | 438, device = device }
end

local function bind(source, path, device, kind)
  return { op = "bind_node", source = source, path = path, device = device,
    kind = kind or device and CHARACTER }
end

describe("a device node #core #spawn", function()
  local dir

  before_each(function()
    world.check()
    dir = support.tmpdir()
  end)

  after_each(function()
    dir:close()
    world.check()
  end)

  local function fails(errno, aux, ...)
    local event = launch.failure(dir, { ... })
    assert.same({ "failed", sys.errno[errno], aux }, { event[1], event[4], event[5] })
  end

  local SHOW <const> = "stat -c '%F %t:%T' /dev/n; echo x >/dev/n && head -c 1 /dev/n | wc -c"

  it("is made, and is what it was to be", function()
    assert.equal("character special file 1:3\n0\n",
      (launch.inside(dir, SHOW, { make("/dev/n", NULL) })))
  end)

  it("is not taken for another that was there", function()
    for _, there in ipairs { make("/dev/n", ZERO), make("/dev/n", NULL, BLOCK | 438),
      { op = "symlink", link = "/proc/sys/kernel/hostname", path = "/dev/n" },
      { op = "symlink", link = "null", path = "/dev/n" },
      { op = "file", path = "/dev/n", content = "", mode = 438 },
      { op = "mkdir", path = "/dev/n", mode = 493 } } do
      fails("EEXIST", "", make("/dev/null", NULL), there, make("/dev/n", NULL))
    end
    assert.equal("character special file 1:3\n0\n",
      (launch.inside(dir, SHOW, { make("/dev/n", NULL), make("/dev/n", NULL) })))
  end)

  it("is the host's, as the device that was asked for", function()
    for _, step in ipairs { bind("/dev/null", "/dev/n", NULL), bind("/dev/null", "/dev/n") } do
      local output = launch.inside(dir, SHOW .. "; grep ' /dev/n ' /proc/mounts", { step })
      assert.matches("^character special file 1:3\n0\n%S+ /dev/n %S+ rw,nosuid,noexec", output)
    end
  end)

  it("is the host's only if that is what it seems", function()
    dir:write("file", "")
    assert(sys.symlink("/dev/null", dir .. "/link"))
    local node = dir .. "/block"
    assert(sys.mknod(node, BLOCK | 384, sys.makedev(7, 200)))
    fails("ENOENT", "source", bind("/dev/none", "/dev/n", NULL))
    fails("ENODEV", "verify", bind("/dev/zero", "/dev/n", NULL))
    fails("ENODEV", "verify", bind(dir .. "/file", "/dev/n", NULL))
    fails("ENODEV", "verify", bind(dir .. "/file", "/dev/n"))
    fails("ENODEV", "verify", bind(dir .. "/link", "/dev/n", NULL))
    fails("ENODEV", "verify", bind(dir.path, "/dev/n"))
    fails("ENODEV", "verify", bind(node, "/dev/n", sys.makedev(7, 200)))
    fails("ENODEV", "verify", bind(node, "/dev/n", sys.makedev(7, 201), BLOCK))
    assert.matches("block special file 7:c8",
      (launch.inside(dir, "stat -c '%F %t:%T' /dev/n", { bind(node, "/dev/n") })))
  end)

  it("is not bound from where it could not be opened", function()
    inside({ "newns" }, function()
      assert(sys.mount(nil, "/", nil, { "rec", "private" }))
      assert(sys.mount("t", dir:mkdir("nodev"), "tmpfs", { "nodev" }))
      assert(sys.mknod(dir .. "/nodev/null", CHARACTER | 438, NULL))
      fails("EACCES", "verify", bind(dir .. "/nodev/null", "/dev/n", NULL))
    end)
  end)

  it("is the host's where none may be made", function()
    without({ EPERM = { "mknod", "mknodat" } }, function()
      assert.equal("character special file 1:3\n0\n",
        (launch.inside(dir, "stat -c '%F %t:%T' /dev/null; echo x >/dev/null; " ..
          "head -c 1 /dev/null | wc -c", { make("/dev/null", NULL) })))
      fails("EPERM", "create", make("/dev/null", ZERO))
      fails("EPERM", "create", make("/dev/no-such", NULL))
    end)
  end)

  it("masks nothing when the host's null device is something else", function()
    dir:write("fake", "content")
    inside({ "newns" }, function()
      assert(sys.mount(nil, "/", nil, { "rec", "private" }))
      assert(sys.mount(dir .. "/fake", "/dev/null", nil, { "bind" }))
      fails("ENODEV", "verify", { op = "file", path = "/secret", content = "x", mode = 420 },
        { op = "mask", path = "/secret" })
      fails("ENODEV", "verify", bind("/dev/null", "/dev/n", NULL))
    end)
  end)
end)
