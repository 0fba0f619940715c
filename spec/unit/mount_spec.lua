local mount = require "luactr.mount"
local sys = require("luactr.core").sys

-- Where the container has groups of its own on a hybrid host.
local PLACES <const> = {
  { version = 1, mount = "/sys/fs/cgroup/cpu,cpuacct", options = "cpu,cpuacct" },
  { version = 1, mount = "/sys/fs/cgroup/memory", options = "memory" },
  { version = 2, mount = "/sys/fs/cgroup/unified", options = "" },
}

local function facts(changes)
  local host = { privileged = true, cwd = "/work", cgroup = { kind = "v2" } }
  for key, value in pairs(changes or {}) do host[key] = value end
  return host
end

-- Options default as spec.check fills them in.
local function spec_with(mounts, namespaces)
  for _, m in ipairs(mounts or {}) do
    m.options = m.options or {}
    m.type = m.type or "bind"
  end
  local spec = { mounts = mounts or {}, devices = {}, rootfs = {}, propagation = "private",
    namespaces = {
    mount = "new", pid = "new", ipc = "new", network = "new", user = "host",
  } }
  for kind, word in pairs(namespaces or {}) do spec.namespaces[kind] = word end
  return spec
end

local function steps_of(spec, host, places)
  return mount.steps(spec, host, { cgroup = { places = places or {} } })
end

-- The steps whose place is `target` or below.
local function below(steps, target)
  local found = {}
  for _, step in ipairs(steps) do
    local place = step.target or step.path
    if (place .. "/"):sub(1, #target + 1) == target .. "/" then found[#found + 1] = step end
  end
  return found
end

local function places(steps)
  local list = {}
  for i, step in ipairs(steps) do list[i] = step.op .. " " .. (step.target or step.path) end
  return list
end

local function own(mounts, changes, groups)
  local steps, problems = steps_of(spec_with(mounts), facts(changes), groups)
  if not steps then return nil, problems end
  local found = {}
  for _, step in ipairs(steps) do
    if step.from then found[#found + 1] = step end
  end
  return found
end

describe("luactr.mount #unit", function()
  describe("default mounts", function()
    it("are /proc, a private /dev and a read-only /sys", function()
      assert.are.same({
        "mount /proc", "mount /dev", "mknod /dev/null", "mknod /dev/zero", "mknod /dev/full",
        "mknod /dev/random", "mknod /dev/urandom", "mknod /dev/tty", "symlink /dev/fd",
        "symlink /dev/stdin", "symlink /dev/stdout", "symlink /dev/stderr", "symlink /dev/ptmx",
        "mount /dev/pts", "mount /dev/shm", "mount /dev/mqueue", "mount /sys",
      }, places(steps_of(spec_with(), facts())))
    end)

    it("carry no set-user-id programs and, but for /dev, no devices", function()
      for _, step in ipairs(steps_of(spec_with(), facts())) do
        if step.op == "mount" then
          assert.are_not.equal(0, step.flags & sys.MS_NOSUID, step.target)
          local has_devices = step.target == "/dev" or step.target == "/dev/pts"
          assert.are.equal(has_devices, step.flags & sys.MS_NODEV == 0, step.target)
        end
      end
    end)

    it("make the null device with its number", function()
      local node = below(steps_of(spec_with(), facts()), "/dev/null")[1]
      assert.are.equal(sys.makedev(1, 3), node.device)
      assert.are.equal(sys.S_IFCHR | 438, node.mode)
    end)

    for _, case in ipairs {
      { "in a user namespace", { user = "new" }, {} },
      { "without privilege", {}, { privileged = false } },
    } do
      it("bind the host's device nodes " .. case[1], function()
        local node = below(steps_of(spec_with({}, case[2]), facts(case[3])), "/dev/null")[1]
        assert.are.same({ op = "bind_node", source = "/dev/null", path = "/dev/null",
          kind = sys.S_IFCHR, device = sys.makedev(1, 3) }, node)
      end)
    end

    it("do not name the group tty where it is not mapped", function()
      local shared = below(steps_of(spec_with(), facts()), "/dev/pts")[1]
      assert.matches("gid=5", shared.data)
      local mapped = below(steps_of(spec_with({}, { user = "new" }), facts()), "/dev/pts")[1]
      assert.is_nil(mapped.data:find("gid", 1, true))
    end)

    it("bind what a user namespace may not mount", function()
      local host_ns = { user = "new", pid = "host", ipc = "host", network = "host" }
      local steps = steps_of(spec_with({}, host_ns), facts())
      assert.are.equal("bind", below(steps, "/proc")[1].op)
      assert.are.equal("bind", below(steps, "/sys")[1].op)
      assert.are.same({}, below(steps, "/dev/mqueue"))
    end)

    it("give way to the recipe's mount on the same place or above", function()
      local steps = steps_of(spec_with {
        { type = "tmpfs", target = "/dev/" }, { source = "/x", target = "/proc" },
      }, facts())
      assert.are.same({ "mount /sys", "mount /dev", "bind /proc" }, places(steps))
    end)

    it("stay when the recipe only puts something there", function()
      local steps = steps_of(spec_with { { type = "dir", target = "/dev" } }, facts())
      assert.are.equal("mount /proc", places(steps)[1])
      assert.are.equal("mount /dev", places(steps)[2])
    end)
  end)

  describe("mounts", function()
    it("binds recursively, without set-user-id programs and devices", function()
      assert.are.same({ {
        op = "bind", source = "/srv", target = "/data", recursive = 1,
        set = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV, clear = 0, optional = 0,
        from = "mounts[1]",
      } }, own { { source = "/srv", target = "/data" } })
    end)

    it("takes options of bind", function()
      local step = own { { source = "data", target = "/data", optional = true,
        options = { "bind", "ro", "noexec", "suid", "dev" } } }[1]
      assert.are.equal("/work/data", step.source)
      assert.are.equal(0, step.recursive)
      assert.are.equal(1, step.optional)
      assert.are.equal(sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOEXEC, step.set)
      assert.are.equal(sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV, step.clear)
    end)

    it("passes a file system's own options on, sizes in bytes", function()
      local step = own { { type = "tmpfs", target = "/tmp",
        options = { "size=1.5M", "mode=0700", "noexec" } } }[1]
      assert.are.equal("mount", step.op)
      assert.are.equal("size=1572864,mode=0700", step.data)
      assert.are.equal(sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC, step.flags)
      assert.are.equal("size=50%",
        own { { type = "tmpfs", target = "/tmp", options = { "size=50%" } } }[1].data)
    end)

    it("passes SELinux's labels on to every file system", function()
      local step = own { { type = "tmpfs", target = "/x",
        options = { "context=a:b:c:s0" } } }[1]
      assert.equal("context=a:b:c:s0", step.data)
    end)

    it("takes any option of a file system that it does not know", function()
      local step = own { { type = "ext4", source = "/dev/sdb", target = "/x",
        options = { "data=journal" } } }[1]
      assert.are.equal("data=journal", step.data)
      assert.are.equal("/dev/sdb", step.source)
    end)

    it("sets propagation after the mount", function()
      local steps = own { { source = "/a", target = "/a", options = { "rslave" } } }
      assert.are.same({ "bind /a", "mount_setattr /a" }, places(steps))
      assert.are.equal(sys.MS_SLAVE, steps[2].propagation)
      assert.are.equal(1, steps[2].recursive)
    end)

    it("makes files, links and directories", function()
      assert.are.same({
        { op = "file", path = "/f", content = "text", mode = 420, mount = 1, from = "mounts[1]" },
        { op = "symlink", link = "f", path = "/l", from = "mounts[2]" },
        { op = "mkdir", path = "/d", mode = 448, exact = 1, from = "mounts[3]" },
      }, own {
        { type = "file", target = "/f", content = "text" },
        { type = "symlink", source = "f", target = "/l" },
        { type = "dir", target = "/d", mode = 448 },
      })
    end)

    it("puts parents before children and keeps the order otherwise", function()
      local steps = own {
        { type = "tmpfs", target = "/a/y" }, { source = "/1", target = "/b" },
        { type = "tmpfs", target = "//a/./" }, { type = "tmpfs", target = "/b" },
        { type = "tmpfs", target = "/a/x" },
      }
      assert.are.same({ "bind /b", "mount /a", "mount /b", "mount /a/y", "mount /a/x" },
        places(steps))
    end)

    for _, case in ipairs {
      { "tmpfs", "sise=1M", 'unknown option "sise=1M" of tmpfs' },
      { "tmpfs", "nosui", "did you mean nosuid?" },
      { "bind", "size=1M", 'unknown option "size=1M" of bind' },
      { "bind", "context=a", 'unknown option "context=a" of bind' },
      { "tmpfs", "idmap", "is for a bind" },
      { "proc", "hide", "unknown option" },
    } do
      it("reports " .. case[2] .. " of " .. case[1], function()
        local steps, problems = own { { type = case[1], source = "/x", target = "/x",
          options = { "ro", case[2] } } }
        assert.is_nil(steps)
        assert.are.equal("mounts[1].options[2]", problems[1].path)
        assert.matches(case[3], problems[1].message, 1, true)
      end)
    end

    it("reports a bind without source, by type or by option", function()
      local _, problems = own { { type = "none", target = "/x", options = { "rbind" } } }
      assert.are.same({ { path = "mounts[1]", message = "a bind has a source" } }, problems)
    end)
  end)

  describe("cgroup", function()
    local UNIFIED <const> = { { version = 2, mount = "/sys/fs/cgroup", options = "" } }
    local HYBRID <const> = { cgroup = { kind = "hybrid" } }

    it("is one read-only cgroup2 on a v2 host", function()
      local steps = own({ { type = "cgroup", target = "/sys/fs/cgroup" } }, nil, UNIFIED)
      assert.are.same({ "mount /sys/fs/cgroup" }, places(steps))
      assert.are.equal("cgroup2", steps[1].type)
      assert.are_not.equal(0, steps[1].flags & sys.MS_RDONLY)
    end)

    it("follows the layout of a v1 host", function()
      local steps = own({ { type = "cgroup", target = "/c" } }, HYBRID, PLACES)
      assert.are.same({
        "mount /c", "mount /c/cpu,cpuacct", "symlink /c/cpu", "symlink /c/cpuacct",
        "mount /c/memory", "mount /c/unified", "mount_setattr /c",
      }, places(steps))
      assert.are.equal("cpu,cpuacct", steps[2].data)
    end)

    it("has a place for what else is mounted in it", function()
      local steps = own({ { type = "cgroup", target = "/c" },
        { type = "bind", source = "/s", target = "/c/systemd" },
        { type = "bind", source = "/s", target = "/c/memory" } }, HYBRID, PLACES)
      local made = {}
      for _, step in ipairs(steps) do
        if step.op == "mkdir" then made[#made + 1] = step.path end
      end
      assert.are.same({ "/c/systemd" }, made)
    end)

    it("is the group's own directory where there is no cgroup namespace", function()
      local spec = spec_with({ { type = "cgroup", target = "/c" } }, { cgroup = "host" })
      local own_places = { { version = 1, mount = "/cg/memory", parent = "/p",
        options = "memory" } }
      local steps = assert(mount.steps(spec, facts(HYBRID),
        { cgroup = { places = own_places, path = "luactr/x" } }))
      local step = below(steps, "/c/memory")[1]
      assert.are.equal("bind", step.op)
      assert.are.equal("/cg/memory/p/luactr/x", step.source)
      assert.are_not.equal(0, step.set & sys.MOUNT_ATTR_RDONLY)
    end)

    it("is writable by word", function()
      local mounts = { { type = "cgroup", target = "/c", options = { "rw" } } }
      assert.are.equal(0, own(mounts, nil, UNIFIED)[1].flags & sys.MS_RDONLY)
    end)

    it("shows no hierarchy where the container has no group of its own", function()
      local mounts = { { type = "cgroup", target = "/c", options = { "rw" } } }
      assert.are.same({ "mount /c", "mount /c/memory", "mount_setattr /c" },
        places(own(mounts, HYBRID, { PLACES[2] })))
      assert.are_not.equal(0, own(mounts)[1].flags & sys.MS_RDONLY)
    end)
  end)

  describe("without the default mounts", function()
    local function exact(mounts, fields)
      for _, one in ipairs(mounts) do one.exact = true end
      local spec = spec_with(mounts)
      spec.default_mounts = false
      for name, value in pairs(fields or {}) do spec[name] = value end
      return steps_of(spec, facts { lsm = { selinux = function() return true end } })
    end

    it("mounts what is said in its order, and makes the devices after that", function()
      local steps = exact { { type = "tmpfs", target = "/dev/shm/x" },
        { type = "tmpfs", target = "/dev" } }
      assert.are.same({ "mount /dev/shm/x", "mount /dev", "mknod /dev/null" },
        { table.unpack(places(steps), 1, 3) })
      assert.are.equal(0, steps[1].flags)
    end)

    it("leaves a /dev of the host alone", function()
      assert.are.same({ "bind /dev", "mknod /null" },
        places(exact({ { source = "/dev", target = "/dev", options = { "rbind" } } },
          { rootfs = { devices = true }, devices = {
            { path = "/dev/x", type = "c", major = 1, minor = 3, mode = 438, uid = 5, gid = 5 },
            { path = "/null", type = "c", major = 1, minor = 3, mode = 438 } } })))
    end)

    it("makes a tmpfs read-only when all is in it", function()
      local steps = exact { { type = "tmpfs", target = "/dev", options = { "ro" } } }
      assert.are.equal(0, steps[1].flags & sys.MS_RDONLY)
      assert.are.equal("mount_setattr", steps[#steps].op)
      assert.are.equal("/dev", steps[#steps].target)
    end)

    it("restricts the mount itself, and the tree by the options with an r", function()
      local steps = exact { { source = "/a", target = "/b",
        options = { "rbind", "ro", "rnosuid" } },
        { source = "/dev", target = "/dev", options = { "bind" } } }
      assert.are.equal(sys.MOUNT_ATTR_NOSUID, steps[1].set)
      assert.are.equal(sys.MOUNT_ATTR_RDONLY, steps[2].set)
      assert.is_nil(steps[2].recursive)
    end)

    it("passes options that nobody knows on to the file system", function()
      local steps = exact { { type = "tmpfs", target = "/t", options = { "size=1k", "x=y" } } }
      assert.are.equal("size=1024,x=y", steps[1].data)
    end)

    it("labels the file systems that take a label", function()
      local steps = exact({ { type = "proc", target = "/proc" }, { type = "tmpfs", target = "/t",
        options = { "mode=755" } }, { type = "tmpfs", target = "/u", options = { "tmpcopyup" } } },
        { mount_label = "a:b:c:s0:c1,c2" })
      assert.is_nil(steps[1].data)
      assert.are.equal('mode=755,context="a:b:c:s0:c1,c2"', steps[2].data)
      assert.are.same({ "context=a:b:c:s0:c1,c2" }, steps[3].options)
    end)

    it("refuses a label where no SELinux is", function()
      local spec = spec_with {}
      spec.mount_label = "a:b:c:s0"
      local _, problems = steps_of(spec, facts { lsm = { selinux = function()
        return nil, "this kernel runs without SELinux"
      end } })
      assert.are.same({ { path = "mount_label", message = "this kernel runs without SELinux" } },
        problems)
    end)
  end)

  describe("devices", function()
    local function devices(list, namespaces)
      local spec = spec_with({}, namespaces)
      spec.devices = list
      local steps, problems = steps_of(spec, facts())
      return steps and steps[#steps], problems
    end

    it("binds a node of the host", function()
      local step = devices { { path = "/dev/fuse" } }
      assert.are.same({ op = "bind_node", source = "/dev/fuse", path = "/dev/fuse",
        from = "devices[1]" }, step)
    end)

    it("makes a new node", function()
      local step = devices { { path = "/dev/x", type = "b", major = 7, minor = 3, mode = 384 } }
      assert.are.same({ op = "mknod", path = "/dev/x", mode = sys.S_IFBLK | 384,
        device = sys.makedev(7, 3), from = "devices[1]" }, step)
    end)

    it("binds the host's in a user namespace, which may make none", function()
      local step = devices({ { path = "/dev/x", type = "c", major = 1, minor = 3,
        mode = 438 } }, { user = "new" })
      assert.are.same({ op = "bind_node", source = "/dev/x", path = "/dev/x", kind = sys.S_IFCHR,
        device = sys.makedev(1, 3), from = "devices[1]" }, step)
    end)

    it("makes a FIFO even there", function()
      local step = devices({ { path = "/dev/p", type = "p", major = 0, minor = 0, mode = 384 } },
        { user = "new" })
      assert.are.equal("mknod", step.op)
    end)

    it("makes one below /dev, where it works", function()
      local _, problems = devices { { path = "/x", type = "c", major = 1, minor = 3, mode = 438 } }
      assert.matches("below /dev only", problems[1].message)
      assert.is_nil(select(2, devices { { path = "/x", type = "p", major = 0, minor = 0,
        mode = 438 } }))
    end)
  end)
end)
