-- box:mount and box:unmount: mounts of a container that runs.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

-- Answers each line of its input, which is shell text, until the end of the input.
local SHELL <const> = [[
while read -r line; do eval "$line" 2>&1; echo "--"; done]]

describe("box:mount #system", function()
  local dir, rootfs

  setup(function()
    rootfs = ctr.rootfs.host { "bash", "cat", "ls", "ln", "readlink", "sleep", "stat" }
  end)

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    dir:close()
  end)

  -- A container with a shell: box, and a function that runs a line in it.
  local function start(fields)
    fields = fields or {}
    local sys = ctr.sys
    local from_us <close>, to_box = assert(sys.pipe())
    local from_box, from_them <close> = assert(sys.pipe())
    fields.rootfs = fields.rootfs or rootfs
    fields.stdin, fields.stdout, fields.stderr = from_us, from_them, "stdout"
    fields.command = { "/bin/bash", "-c", SHELL }
    local box = ctr.container(fields)
    assert(box:start())
    local function run(line)
      assert(sys.write(to_box, line .. "\n"))
      local text = ""
      while not text:find("%-%-\n$") do text = text .. assert(sys.read(from_box)) end
      return (text:gsub("%-%-\n$", ""):gsub("\n$", ""))
    end
    return setmetatable({ box = box, run = run }, { __close = function()
      box:close()
      to_box:close()
      from_box:close()
    end })
  end

  it("shows a directory of the host, with its options", function()
    dir:write("file", "text")
    local c <close> = start()
    assert(c.box:mount(ctr.bind(dir.path, "/new/x", { ro = true })))
    assert.are.equal("text", c.run("cat /new/x/file"))
    assert.matches("Read%-only", c.run("echo >/new/x/file"))
    assert.matches(" /new/x %S+ ro,nosuid,nodev", c.run("cat /proc/self/mounts"))
    assert(c.box:unmount("/new/x"))
    assert.are.equal("", c.run("ls /new/x"))
    assert.are.equal("text", support.read(dir.path .. "/file"))
  end)

  it("shows a file, and one that is open", function()
    local path = dir:write("file", "text")
    local c <close> = start()
    assert(c.box:mount(ctr.bind(path, "/x")))
    local file <close> = assert(io.open(path))
    os.rename(path, path .. "-moved")
    assert(c.box:mount(ctr.bind(file, "/y")))
    assert.are.equal("texttext", c.run("cat /x /y"))
    assert(c.box:unmount("/x"))
    assert.are.equal("regular empty file", c.run("stat -c %F /x"))
  end)

  it("takes new file systems, files, directories and links", function()
    local c <close> = start()
    assert(c.box:mount(ctr.tmpfs("/t", "1M", { mode = "0711" })))
    assert(c.box:mount(ctr.file("/t/f", "content", { uid = 7, mode = "0640" })))
    assert(c.box:mount(ctr.dir("/t/d", { gid = 8 })))
    assert(c.box:mount(ctr.symlink("f", "/t/l")))
    assert.are.equal("711 0:0\n640 7:0\n755 0:8\ncontent",
      c.run("stat -c '%a %u:%g' /t /t/f /t/d; cat /t/l"))
    assert.matches("tmpfs /t tmpfs %S*size=1024k", c.run("cat /proc/self/mounts"))
  end)

  it("copies what a tmpfs covers", function()
    local c <close> = start()
    assert(c.box:mount(ctr.dir("/d")))
    c.run("echo text >/d/file")
    assert(c.box:mount(ctr.tmpfs("/d", nil, { copy = true })))
    assert.are.equal("text", c.run("cat /d/file"))
    assert(c.box:unmount("/d"))
  end)

  it("works in a user namespace", function()
    dir:write("file", "text")
    support.must { "chmod", "755", dir.path }
    local c <close> = start { namespaces = { user = "new" } }
    assert(c.box:mount(ctr.bind(dir.path, "/x", { ro = true })))
    assert(c.box:mount(ctr.tmpfs("/t", nil, { mode = "0700" })))
    assert.are.equal("text\n0:0", c.run("cat /x/file; echo; stat -c %u:%g /t"))
    assert.matches("Read%-only", c.run("echo >/x/file"))
  end)

  it("gives files the users of the container", function()
    dir:write("file", "text")
    support.must { "chown", "5:6", dir.path .. "/file" }
    local c <close> = start { namespaces = { user = "new" }, idmap = "range" }
    assert(c.box:mount(ctr.bind(dir.path, "/plain")))
    local done, err = c.box:mount(ctr.bind(dir.path, "/mapped", { idmap = true }))
    if not done and err.cause:find("takes no id maps here", 1, true) then pending(err.cause) end
    assert.are.equal("65534:65534\n5:6", c.run("stat -c %u:%g /plain/file /mapped/file"))
  end)

  it("is not connected with a shared mount of the host, unless that is said", function()
    local script = dir:write("shared.lua", ([[
local ctr = require "luactr"
local sys, DIR = ctr.sys, %q
assert(sys.unshare("newns"))
assert(sys.mount("none", "/", nil, { "rec", "private" }))
sys.mkdir(DIR .. "/t", "0755")
assert(sys.mount("tmpfs", DIR .. "/t", "tmpfs"))
assert(sys.mount("none", DIR .. "/t", nil, { "shared" }))
local box <close> = ctr.container { rootfs = ctr.rootfs.host { "bash", "cat" }, stdin = "null",
  stdout = "capture", command = { "/bin/bash", "-c",
    "until [ -d /end ]; do :; done; cat /proc/self/mountinfo" } }
assert(box:start())
assert(box:mount(ctr.bind(DIR .. "/t", "/plain")))
assert(box:mount(ctr.bind(DIR .. "/t", "/slave", { propagation = "rslave" })))
assert(box:mount(ctr.bind(DIR .. "/t", "/shared", { propagation = "rshared" })))
assert(box:mount(ctr.dir("/end")))
local text = assert(box:wait()).stdout
for _, name in ipairs { "plain", "slave", "shared" } do
  print(name, text:match(" /" .. name .. " %%S+ (%%l*)"))
end
]]):format(dir.path))
    local result = support.luactr { script }
    assert.are.equal("plain\t\nslave\tmaster\nshared\tshared\n", result.stdout .. result.stderr)
  end)

  it("leaves the host's mounts alone", function()
    local before = world.mounts()
    local c <close> = start()
    assert(c.box:mount(ctr.bind(dir.path, "/x")))
    assert.are.same(before, world.mounts())
  end)

  it("stays inside the root, whatever the target's links say", function()
    dir:mkdir("source")
    dir:mkdir("outside")
    local c <close> = start()
    assert(c.box:mount(ctr.dir(dir.path .. "/outside")))
    c.run("ln -s ../../../../../.." .. dir.path .. "/outside /link")
    c.run("ln -s /proc/1/root/tmp /magic")
    assert(c.box:mount(ctr.bind(dir.path .. "/source", "/link/deep/x")))
    assert(c.box:mount(ctr.file("/link/f", "x")))
    local done, err = c.box:mount(ctr.tmpfs("/magic/x"))
    assert.is_nil(done)
    assert.are.equal("ELOOP", err.code)
    support.must { "rmdir", dir.path .. "/outside" } -- so it is empty
    assert.are.equal("deep\nf", c.run("ls " .. dir.path .. "/outside"))
  end)

  it("stays inside while the container changes the way to the target", function()
    dir:mkdir("outside")
    dir:mkdir("volume")
    local c <close> = start { mounts = { ctr.bind(dir.path .. "/volume", "/v") },
      rootfs = ctr.rootfs.host { "bash", "ln", "rm", "mkdir", "rmdir" } }
    c.run(("(while :; do ln -sn ../../../../../../..%s/outside /v/x; rm -f /v/x; "
      .. "mkdir /v/x; rmdir /v/x; done) 2>/dev/null &"):format(dir.path))
    local before, done = world.mounts(), 0
    for _ = 1, 300 do
      local mounted = c.box:mount(ctr.tmpfs("/v/x/y"))
      done = done + (mounted and 1 or 0)
      if mounted then c.box:unmount("/v/x/y", { detach = true }) end
      c.box:mount(ctr.dir("/v/x/z"))
    end
    assert.are.same(before, world.mounts())
    support.must { "rmdir", dir.path .. "/outside" } -- so it is empty
    assert.is_true(done > 0)
    c.box:kill()
    support.must { "rm", "-rf", dir.path .. "/volume" }
  end)

  it("records an optional source that is missing", function()
    local c <close> = start()
    assert(c.box:mount(ctr.bind(dir.path .. "/none", "/x", { optional = true })))
    assert.matches("No such file", c.run("ls -d /x"))
    c.box:kill()
    assert.matches("mount: there is no %S+/none: nothing is mounted at /x",
      assert(c.box:wait()).warnings[1])
  end)

  it("copies a link, if that is asked for", function()
    support.symlink("somewhere", dir.path .. "/link")
    local c <close> = start()
    assert(c.box:mount(ctr.bind(dir.path .. "/link", "/l", { options = { "copy-symlink" } })))
    assert.are.equal("somewhere", c.run("readlink /l"))
  end)

  it("remounts", function()
    local c <close> = start()
    assert(c.box:mount { type = "tmpfs", target = "/dev/shm", options = { "remount", "ro" } })
    assert.matches("Read%-only", c.run("echo >/dev/shm/x"))
  end)

  describe("refuses", function()
    local function refusal(mount, fields)
      local c <close> = start(fields)
      local done, err = c.box:mount(mount)
      assert.is_nil(done)
      return err
    end

    it("a source that is missing", function()
      local err = refusal(ctr.bind(dir.path .. "/none", "/x"))
      assert.are.equal("ENOENT", err.code)
      assert.matches("cannot change the mounts of", tostring(err))
    end)

    it("a target that is something else", function()
      local err = refusal(ctr.bind(dir.path, "/bin/bash"))
      assert.are.equal("ENOTDIR", err.code)
      assert.matches("the source is a directory, but /usr/bin/bash inside is a file", err.cause, 1,
        true)
    end)

    it("a procfs, which would show the host", function()
      assert.matches("shows the process numbers of whoever mounts it",
        refusal(ctr.mount("proc", "proc", "/p")).cause)
    end)

    it("a map of users that is not the container's", function()
      assert.matches("a map other than the container's is for the start", refusal(
        ctr.bind(dir.path, "/x", { idmap = { uid = { { 0, 5, 1 } } } })).cause, 1, true)
    end)

    it("a map where the container's users are the host's", function()
      local err = refusal(ctr.bind(dir.path, "/x", { idmap = true }))
      assert.matches("map the users of " .. dir.path, tostring(err), 1, true)
      assert.matches("the container's users are the host's", err.cause, 1, true)
    end)

    it("a wrong table, at the caller's line", function()
      local c <close> = start()
      local fine, err = pcall(c.box.mount, c.box, { target = "x" })
      assert.is_false(fine)
      assert.are.equal("ESPEC", err.code)
      assert.are.equal("mount.target", err.problems[1].path)
    end)

    it("a container that does not run", function()
      local box <close> = ctr.container { rootfs = "/", command = { "/bin/true" } }
      assert.has_error(function() box:mount(ctr.tmpfs("/x")) end)
      assert.has_error(function() box:unmount("/x") end)
    end)
  end)

  describe("box:unmount", function()
    it("tells a mount that is in use, and can detach it", function()
      local c <close> = start()
      assert(c.box:mount(ctr.tmpfs("/t")))
      c.run("cd /t")
      local done, err = c.box:unmount("/t")
      assert.is_nil(done)
      assert.are.equal("EBUSY", err.code)
      assert.matches("something in the container uses /t", err.cause, 1, true)
      assert(c.box:unmount("/t", { detach = true }))
      assert.is_nil(c.run("cat /proc/self/mounts"):find(" /t ", 1, true))
    end)

    local cases = {
      { "/none", "ENOENT", "there is no /none in the container" },
      { "/bin", "EINVAL", "/bin is no mount point" },
      { "/link", "EINVAL", "/link is no mount point" },
      { "/", "EINVAL", "/ is no mount point" },
      { "/dev/..", "EINVAL", "/dev/.. is no mount point" },
    }
    for _, case in ipairs(cases) do
      it("refuses " .. case[1], function()
        local c <close> = start()
        c.run("ln -s /dev/shm /link")
        local done, err = c.box:unmount(case[1])
        assert.is_nil(done)
        assert.are.equal(case[2], err.code)
        assert.matches(case[3], err.cause, 1, true)
        assert.are.equal("up", c.run("echo up"))
      end)
    end

    it("wants an absolute path", function()
      local c <close> = start()
      assert.has_error(function() c.box:unmount("x") end, "unmount: absolute path expected")
    end)
  end)

  it("works for a user without rights, but for binds of the host", function()
    support.needs("stranger")
    local script = dir:write("stranger.lua", [[
local ctr = require "luactr"
local box <close> = ctr.container { rootfs = ctr.rootfs.host { "bash", "sleep" },
  command = { "/bin/sleep", "1000" } }
assert(box:start())
assert(box:mount(ctr.tmpfs("/t")))
assert(box:unmount("/t"))
local done, err = box:mount(ctr.bind("/usr", "/x"))
print(done, err.code, err.cause)
]])
    support.must { "chmod", "755", dir.path }
    local result = support.luactr { script, user = support.stranger }
    assert.matches("^nil\tEPERM\tluactr itself may not mount on this host", result.stdout
      .. result.stderr)
  end)
end)
