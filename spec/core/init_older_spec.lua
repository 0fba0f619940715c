-- Mounts by the calls of newer kernels and by mount(2) in their place: the same mounts.

local launch = require("support.launch")
local inside = require("support.inside")
local lfs = require("lfs")
local support = require("support")
local sys = require("luactr.core").sys
local without = require("support.without")
local world = require("support.world")

local it = support.it(it, pending, "root", "file:" .. launch.busybox)

local SETS <const> = {
  { name = "all calls", calls = {} },
  { name = "mount(2) alone", calls = without.newer },
  { name = "what a filter leaves that says EPERM", calls = { EPERM = without.newer } },
  { name = "no mount_setattr", calls = { "mount_setattr" } },
  { name = "no fsopen", calls = { "fsopen", "fsconfig", "fsmount" } },
  { name = "no openat2", calls = { "openat2" } },
}


local function bind(source, target, set, recursive)
  return { op = "bind", source = source, target = target, recursive = recursive or 1,
    set = set or 0, clear = 0 }
end

local RDONLY <const>, NOSUID <const> = sys.MOUNT_ATTR_RDONLY, sys.MOUNT_ATTR_NOSUID

describe("mounts of an older kernel #core #spawn", function()
  local stage

  before_each(function()
    world.check()
    stage = support.tmpdir()
  end)

  after_each(function()
    stage:close()
    world.check()
  end)

  -- The mounts inside, as "point options type", those of launch.root left out.
  local LIST <const> = "cut -d' ' -f5,6 /proc/self/mountinfo | sort"

  local function mounts(before, after)
    local output = launch.inside(stage, LIST, before, after)
    return (output:gsub("/bin/busybox [^\n]*\n", ""):gsub("/proc [^\n]*\n", "")
      :gsub("/ [^\n]*\n", "", 1))
  end

  local function listing(path)
    local names = {}
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then names[#names + 1] = name end
    end
    table.sort(names)
    return names
  end

  for _, set in ipairs(SETS) do
    describe("(" .. set.name .. ")", function()
      local function under(main)
        return function() without(set.calls, main) end
      end

      it("binds with attributes", under(function()
        stage:write("d/file", "text")
        assert.equal("/d ro,nosuid,nodev,noexec,relatime\n/f ro,relatime\n/w rw,relatime\n" ..
          "/x rw,noatime,nodiratime,nosymfollow\n",
          mounts {
            bind(stage .. "/d", "/w"), bind(stage .. "/d/file", "/f", RDONLY),
            bind(stage .. "/d", "/d", RDONLY | NOSUID | sys.MOUNT_ATTR_NODEV |
              sys.MOUNT_ATTR_NOEXEC, 0),
            bind(stage .. "/d", "/x", sys.MOUNT_ATTR_NOATIME | sys.MOUNT_ATTR_NODIRATIME |
              sys.MOUNT_ATTR_NOSYMFOLLOW),
          })
        assert.equal("text", (launch.inside(stage, "cat /f", { bind(stage .. "/d/file", "/f") })))
      end))

      it("restricts all mounts below, hidden ones and ones with odd names too", under(function()
        inside({ "newns" }, function()
          assert(sys.mount(nil, "/", nil, { "rec", "private" }))
          for _, name in ipairs { "d", "d/a", "d/a/b", "d/c d", "d/e\\f" } do
            local path = stage:mkdir(name)
            assert(sys.mount("t", path, "tmpfs", { "nosuid" }))
          end
          assert(sys.mount("t", stage .. "/d/a/b", "tmpfs")) -- over the one that is there
          stage:write("d/c d/x/y", "")
          assert(sys.mount("t", stage .. "/d/c d/x", "tmpfs"))
          -- what is covered need not be changed: nobody gets there without the right to change it
          local found = mounts { bind(stage .. "/d", "/t", RDONLY) }
          assert.equal("/t ro,nosuid,relatime\n/t/a ro,nosuid,relatime\n/t/a/b ro,relatime\n" ..
            "/t/c\\040d ro,nosuid,relatime\n/t/c\\040d/x ro,relatime\n" ..
            "/t/e\\134f ro,nosuid,relatime\n", (found:gsub("/t/a/b r[ow],nosuid,relatime\n", "")))
        end)
      end))

      it("keeps the attributes that were there", under(function()
        local output = mounts {
          { op = "mount", source = "t", target = "/t", type = "tmpfs",
            flags = sys.MS_NOEXEC | sys.MS_NOATIME },
          { op = "readonly", path = "/t" }, { op = "readonly", path = "/proc/sys" },
        }
        assert.equal("/proc/sys ro,relatime\n/t ro,noexec,noatime\n/t rw,noexec,noatime\n", output)
      end))

      it("masks, and mounts files of its own", under(function()
        local output = launch.inside(stage, [[
          cat /secret; ls /dir /other; cat /etc/own; stat -c '%a %F' /etc/own /secret
          echo x 2>&1 >/dir/x; ls -a /..]], {
          { op = "file", path = "/secret", content = "secret", mode = 420 },
          { op = "file", path = "/dir/secret", content = "secret", mode = 420 },
          { op = "file", path = "/other/secret", content = "secret", mode = 420 },
          { op = "file", path = "/etc/own", content = "mine\n", mode = 416, mount = 1 },
          { op = "mask", path = "/secret" }, { op = "mask", path = "/dir" },
          { op = "mask", path = "/other" },
        })
        assert.equal("/dir:\n\n/other:\nmine\n640 regular file\n666 character special file\n" ..
          "sh: can't create /dir/x: Read-only file system\n" ..
          ".\n..\nbin\ndir\netc\nother\nproc\nsecret\n", output)
      end))

      it("binds the root, covers it and makes it read-only", under(function()
        local root = stage:mkdir("root")
        stage:mkdir("root/bin")
        stage:write("root/bin/busybox", support.read(launch.busybox), "755")
        local before = { { op = "root_bind", source = root, recursive = 1 },
          { op = "mount", source = "proc", target = "/proc", type = "proc", flags = 0 } }
        local ended = launch.run(launch.join(launch.private, before, launch.enter, {
          { op = "mount_setattr", target = "/", set = RDONLY, clear = 0 } }, launch.output,
          { "touch /x; " .. LIST }))
        assert.equal("touch: /x: Read-only file system\n/ ro,relatime\n/proc rw,relatime\n",
          ended.output)
        ended = launch.run(launch.join(launch.private, before, {
          { op = "mount", source = "over", target = "/", type = "tmpfs", flags = 0 },
          bind(launch.busybox, launch.busybox),
        }, launch.enter, launch.output, { "ls /" }))
        assert.equal("bin\n", ended.output)
        assert.is_nil(lfs.attributes(root .. "/x"))
      end))

      it("takes the host's root for the root, and binds it", under(function()
        local host = table.concat(listing("/"), "\n") .. "\n"
        local ended = launch.run(launch.join(launch.private,
          { { op = "root_bind", source = "/", recursive = 1 },
            { op = "readonly", path = "/proc" } },
          launch.enter, launch.output, { "ls -A /; echo; ls -A /.." }))
        assert.equal(host .. "\n" .. host, ended.output)
        assert.equal(host, (launch.inside(stage, "ls -A /host", { bind("/", "/host", RDONLY) })))
      end))

      it("gives a terminal, and writes to procfs of its own", under(function()
        local process <close> = assert(launch.start(launch.join(launch.root(stage:mkdir("stage")), {
          { op = "mount", source = "devpts", target = "/dev/pts", type = "devpts", flags = 0,
            data = "newinstance,ptmxmode=0666,mode=0620" },
          { op = "mount", source = "fake", target = "/proc/sys", type = "tmpfs", flags = 0 },
          { op = "console", rows = 11, columns = 22 } },
          { { op = "pivot_root" }, { op = "sysctl", key = "kernel.hostname", value = "set" },
            { op = "oom_score_adj", value = 7 }, { op = "init" } },
          { { op = "setsid" }, { op = "controlling_tty" },
            "hostname; cat /proc/self/oom_score_adj; stty size; readlink /proc/self/fd/0; " ..
              "[ -c /dev/console ] && tty; ls /proc/sys" }), {}))
        local event, number, master = process:launch()
        assert.same({ "rendezvous", 3 }, { event, number })
        assert.equal("started", (process:launch()))
        local text = ""
        repeat
          local part = master:read()
          text = text .. (part or "")
        until not part or part == ""
        master:close()
        assert.equal("set\r\n7\r\n11 22\r\n/dev/pts/0\r\n/dev/pts/0\r\n", text)
        assert.equal(0, process:wait().code)
      end))
    end)
  end

  it("are nowhere but in a view of the container's own", function()
    without(without.newer, function()
      -- without the propagation step the host would see the stage
      local ended = launch.run { { op = "readonly", path = "/proc" }, "true" }
      assert.same({ "failed", 1, "readonly", sys.errno.ENOSYS, "source" }, ended.event)
      ended = launch.run({ { op = "oom_score_adj", value = 1 }, "true" }, { flags = 0 })
      assert.same({ "failed", 1, "oom_score_adj", sys.errno.ENOSYS, "source" }, ended.event)
    end)
  end)

  it("are made through no /proc of a container that was joined", function()
    local box <close> = assert(launch.start(launch.join(launch.root(stage:mkdir("stage")),
      launch.enter, { "sleep 60" }), {}))
    assert.equal("started", (box:launch()))
    local ns <close> = assert(sys.open("/proc/" .. box:pid() .. "/ns/mnt"))
    local function join()
      local ended = launch.run({ { op = "setns", ns = "ns", flags = sys.CLONE_NEWNS },
        { op = "oom_score_adj", value = 7 } }, { flags = 0, slots = { ns = ns } })
      return ended.event
    end
    assert.same({ "started" }, join()) -- by procfs of its own
    without({ EPERM = without.newer }, function()
      assert.same({ "started" }, join()) -- by the host's, which was opened before
    end)
  end)
end)
