-- luactr.mount in real containers: each mount by its effect.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

local rootfs

local function run(fields, script)
  fields.rootfs = rootfs
  fields.stdin, fields.stdout, fields.stderr = "null", "capture", "stdout"
  fields.command = { "/bin/bash", "-c", script }
  return ctr.run(fields)
end

local function output(fields, script)
  local result = assert(run(fields, script))
  return (result.stdout:gsub("\n$", ""))
end

-- Options of the mount at `target`, as the container sees them.
local function flags_of(fields, target)
  local list = {}
  for flag in output(fields, "cat /proc/self/mounts"):match(" " .. target .. " %S+ (%S+)")
    :gmatch("[^,]+") do
    list[flag] = true
  end
  return list
end

describe("luactr.mount #system", function()
  setup(function()
    rootfs = ctr.rootfs.host { "bash", "cat", "dd", "head", "ls", "mkdir", "readlink", "stat" }
  end)
  before_each(world.check)
  after_each(world.check)

  describe("a container's own", function()
    it("/dev has the usual nodes, and they work", function()
      assert.are.equal("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom "
        .. "zero", output({}, "cd /dev; echo *"))
      assert.are.equal("4", output({}, "head -c4 /dev/zero > /tmp/z; stat -c %s /tmp/z"))
      assert.are.equal("", output({}, "echo x > /dev/null"))
      assert.matches("No space left", output({}, "echo x > /dev/full"))
      assert.are.equal("8", output({}, "head -c8 /dev/urandom > /tmp/r; stat -c %s /tmp/r"))
      assert.are.equal("666", output({}, "stat -c %a /dev/null"))
    end)

    it("/dev/pts is an instance of its own", function()
      assert.are.equal("ptmx", output({}, "cd /dev/pts; echo *"))
    end)

    it("/dev/shm is writable, and nothing in it runs", function()
      local flags = flags_of({}, "/dev/shm")
      assert.is_true(flags.rw and flags.noexec and flags.nosuid and flags.nodev)
      assert.are.equal("1777", output({}, "stat -c %a /dev/shm"))
    end)

    it("/proc shows its processes, /sys is read-only", function()
      assert.are.equal("1", output({}, "cd /proc; ls -d 1"))
      assert.is_true(flags_of({}, "/sys").ro)
      assert.is_true(flags_of({}, "/proc").noexec)
    end)

    it("/proc/sys is read-only and /proc/interrupts is empty", function()
      assert.matches("Read%-only", output({}, "echo 1 > /proc/sys/kernel/panic"))
      assert.are.equal("", output({}, "head -c1 /proc/interrupts"))
    end)
  end)

  describe("tmpfs", function()
    it("holds no more than its size", function()
      local text = output({ mounts = { ctr.tmpfs("/x", "1M") } },
        "dd if=/dev/zero of=/x/file bs=64k count=32 status=none; stat -c %s /x/file")
      assert.matches("No space left", text)
      assert.matches("1048576$", text)
    end)

    it("has the mode that it is given", function()
      assert.are.equal("700", output({ mounts = { ctr.tmpfs("/x", nil, { mode = "0700" }) } },
        "stat -c %a /x"))
    end)

    it("replaces a default mount", function()
      local flags = flags_of({ mounts = { ctr.tmpfs("/dev/shm", "1M") } }, "/dev/shm")
      assert.is_true(flags["size=1024k"])
    end)
  end)

  describe("bind", function()
    it("shows a directory, writable or not", function()
      local dir <close> = support.tmpdir()
      dir:write("file", "text")
      local writable = { mounts = { ctr.bind(dir.path, "/x") } }
      assert.are.equal("text", output(writable, "cat /x/file; echo new > /x/new"))
      assert.are.equal("new\n", support.read(dir.path .. "/new"))
      local readonly = { mounts = { ctr.bind(dir.path, "/x", { ro = true }) } }
      assert.matches("Read%-only", output(readonly, "echo newer > /x/new"))
      assert.are.equal("new\n", support.read(dir.path .. "/new"))
    end)

    it("shows a single file", function()
      local dir <close> = support.tmpdir()
      local path = dir:write("file", "text")
      assert.are.equal("text", output({ mounts = { ctr.bind(path, "/a/b/c") } }, "cat /a/b/c"))
    end)

    it("takes what is mounted below with it, unless told not to", function()
      local function below(options)
        return output({ mounts = { ctr.bind("/sys", "/host", options) } }, "ls -A /host/fs/cgroup")
      end
      assert.are_not.equal("", below({ ro = true }))
      assert.are.equal("", below({ ro = true, recursive = false }))
    end)

    it("brings no set-user-id programs and devices along", function()
      local flags = flags_of({ mounts = { ctr.bind("/usr", "/x") } }, "/x")
      assert.is_true(flags.nosuid and flags.nodev)
      local open = ctr.bind("/usr", "/x", { options = { "suid", "dev" } })
      flags = flags_of({ mounts = { open } }, "/x")
      assert.is_nil(flags.nosuid or flags.nodev)
    end)

    it("may be optional", function()
      local mounts = { ctr.bind("/nope", "/x", { optional = true }) }
      assert.matches("No such file", output({ mounts = mounts }, "ls -d /x"))
    end)

    it("reports a source that is not there", function()
      local result, err = run({ mounts = { ctr.bind("/nope", "/x") } }, ":")
      assert.is_nil(result)
      assert.are.equal("ENOENT", err.code)
      assert.are.equal("bind", err.op)
      assert.is_truthy(err.step)
    end)

    it("resolves the target inside the root", function()
      local dir <close> = support.tmpdir()
      dir:write("file", "text")
      local mounts = {
        ctr.symlink("/../../../tmp/real", "/link"), ctr.dir("/tmp/real"),
        ctr.bind(dir.path, "/link/deep"),
      }
      assert.are.equal("text", output({ mounts = mounts }, "cat /tmp/real/deep/file"))
    end)
  end)

  it("makes files, links and directories", function()
    local mounts = {
      ctr.file("/etc/deep/file", "some\0text", { mode = "0640" }),
      ctr.symlink("deep/file", "/etc/link"), ctr.dir("/srv/x", { mode = "0711" }),
    }
    assert.are.equal("640 9\ndeep/file\n711", output({ mounts = mounts },
      "stat -c '%a %s' /etc/deep/file; readlink /etc/link; stat -c %a /srv/x"))
  end)

  it("mounts parents before children", function()
    local mounts = { ctr.tmpfs("/a/b", "2M"), ctr.tmpfs("/a", "1M") }
    assert.are.equal("tmpfs", output({ mounts = mounts }, "stat -f -c %T /a/b"))
    assert.is_true(flags_of({ mounts = mounts }, "/a/b")["size=2048k"])
  end)

  it("makes the root read-only", function()
    local fields = { readonly = true, mounts = { ctr.tmpfs("/tmp") } }
    assert.matches("Read%-only", output(fields, "echo x > /x"))
    fields = { readonly = true, mounts = { ctr.tmpfs("/tmp") } }
    assert.are.equal("", output(fields, "echo x > /tmp/x"))
  end)

  it("shows the host's cgroup layout, read-only", function()
    local mounts = { ctr.mount("cgroup", "cgroup", "/sys/fs/cgroup") }
    local text = output({ mounts = mounts }, "cd /sys/fs/cgroup; ls; mkdir memory/x x")
    assert.matches("Read%-only", text)
    local expected = support.layout() == "v2" and "cgroup.procs" or "memory"
    assert.matches(expected, text, 1, true)
  end)

  it("shows no cgroup but its own, even writable", function()
    local mounts = { ctr.mount("cgroup", "cgroup", "/sys/fs/cgroup", { "rw" }) }
    -- The host's tree has luactr's directory of all containers at its top.
    assert.are.equal("end", output({ mounts = mounts }, [[
      cd /sys/fs/cgroup
      for top in luactr */luactr; do [ ! -d $top ] || echo $top; done
      echo end]]))
  end)

  it("shows a device of the host", function()
    support.needs("file:/dev/fuse")
    assert.are.equal("character special file",
      output({ devices = { "/dev/fuse" } }, "stat -c %F /dev/fuse"))
  end)

  it("reports all wrong options with their places", function()
    local ok, err = pcall(run, { mounts = {
      ctr.tmpfs("/a", "1M", { options = { "nosui" } }),
      ctr.bind("/", "/b", { options = { "x=y" } }),
    } }, ":")
    assert.is_false(ok)
    assert.are.equal("ESPEC", err.code)
    assert.are.equal("mounts[1].options[1]", err.problems[1].path)
    assert.are.equal("mounts[2].options[2]", err.problems[2].path)
  end)
end)
