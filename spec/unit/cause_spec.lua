local E = require("luactr.error")
local cause = require("luactr.cause")

-- Causes that no spec can provoke on every host: the probes get eyes that see another one. What can
-- be provoked is in spec/system/cause_spec.lua.
describe("luactr.cause #unit", function()
  local function eyes_of(seen)
    local eyes = { files = seen.files or {}, sysctls = seen.sysctls or {} }
    function eyes.lstat(path) return eyes.files[path] and { type = "file" } or nil end
    eyes.stat = eyes.lstat
    function eyes.read(path) return eyes.files[path] end
    function eyes.sysctl(name) return eyes.sysctls[name] end
    function eyes.rlimit() return seen.soft or -1, seen.hard or -1 end
    return eyes
  end

  local function explain(fields, seen)
    local plan = { steps = seen.steps or {}, id_maps = seen.id_maps, spec = {
      namespaces = seen.namespaces or {}, limits = seen.limits or {}, groups = {},
      user = { uid = 0, gid = 0 }, capabilities = { effective = {} }, cwd = "/" } }
    local host = { uid = seen.uid or 0, gid = 0, privileged = seen.uid == nil, environment = {} }
    fields.message = "cannot start"
    return cause.explain(E.new(fields), plan, host, eyes_of(seen))
  end

  local EPERM <const>, EAGAIN <const>, EINVAL <const>, ENFILE <const> = 1, 11, 22, 23
  local ENOSPC <const>, EACCES <const>, ENOMEM <const> = 28, 13, 12
  local step_one = { step = 1 }

  local function with_step(fields)
    fields.step = step_one.step
    return fields
  end

  local cases = {
    {
      "user namespaces that a sysctl has switched off", { op = "clone", errno = EPERM },
      { uid = 1000, namespaces = { user = "new" },
        sysctls = { ["kernel/unprivileged_userns_clone"] = 0 } },
      "this host lets only root make user namespaces: kernel.unprivileged_userns_clone is 0",
      "sysctl -w kernel.unprivileged_userns_clone=1",
    },
    {
      "user namespaces that AppArmor has restricted", { op = "clone", errno = EACCES },
      { uid = 1000, namespaces = { user = "new" },
        sysctls = { ["kernel/apparmor_restrict_unprivileged_userns"] = 1 } },
      "kernel.apparmor_restrict_unprivileged_userns is 1",
    },
    {
      "user namespaces whose number is 0", { op = "clone", errno = ENOSPC },
      { uid = 1000, namespaces = { user = "new" }, sysctls = { ["user/max_user_namespaces"] = 0 } },
      "user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=65536",
    },
    {
      "no root and no user namespace", { op = "clone", errno = EPERM },
      { uid = 1000, namespaces = { user = "host" } }, "luactr is not root",
      "leave namespaces.user out",
    },
    {
      "a kernel without a kind of namespace", { op = "clone", errno = EINVAL },
      { namespaces = { ipc = "new" } }, "built without ipc namespaces",
      'namespaces = { ipc = "host" }',
    },
    {
      "a kernel that runs nothing from memory", { op = "spawn", errno = EACCES },
      { sysctls = { ["vm/memfd_noexec"] = 2 } }, "vm.memfd_noexec is 2",
    },
    {
      "a kernel without seccomp", with_step { op = "seccomp", errno = EINVAL },
      { steps = { { op = "seccomp" } } }, "built without seccomp filters", 'seccomp = "unconfined"',
    },
    {
      "too few pids", with_step { op = "init", errno = EAGAIN },
      { steps = { { op = "init" } }, limits = { pids = 1 } }, "limits.pids is 1", "pids = 2",
    },
    {
      "too little memory", with_step { op = "pivot_root", errno = ENOMEM, aux = "killed" },
      { steps = { { op = "pivot_root" } }, limits = { memory = 65536 } },
      "limits.memory is 65536 bytes, too little to start a process", 'memory = "4M"',
    },
    {
      "a host with too many open files", { op = "pipe", errno = ENFILE },
      { sysctls = { ["fs/file-max"] = 999 } }, "fs.file-max is 999",
    },
    {
      "a hard limit below the wanted one", with_step { op = "setrlimit", errno = EPERM },
      { steps = { { op = "setrlimit", resource = 3, soft = 1, hard = -1 } }, hard = 4096 },
      "rlimits.stack is unlimited, above luactr's own hard limit of 4096",
    },
    {
      "a user that is not mapped", with_step { op = "setresuid", errno = EINVAL },
      { steps = { { op = "setresuid", uid = 7 } }, id_maps = {} },
      "the user namespace has no user or group 7", "or user = 0",
    },
    {
      "a root that is not mapped", with_step { op = "setresgid", errno = EINVAL },
      { steps = { { op = "setresgid", gid = 0 } }, id_maps = {} },
      "the user namespace has no user or group 0", 'or idmap = "range"',
    },
    {
      "device nodes in a user namespace", with_step { op = "mknod", errno = EPERM },
      { steps = { { op = "mknod", path = "/dev/x" } }, id_maps = {} },
      "a user namespace may not make device nodes", "ctr.bind",
    },
  }
  for _, case in ipairs(cases) do
    local name, fields, seen, expected, remedy = table.unpack(case)
    it("recognises " .. name, function()
      local err = explain(fields, seen)
      assert.is_truthy(err.cause and err.cause:find(expected, 1, true), tostring(err))
      assert.is_true(err.checked)
      if remedy then assert.is_truthy(err.remedy:find(remedy, 1, true), err.remedy) end
    end)
  end

  it("names fuse-overlayfs where a kernel refuses overlays to a user namespace", function()
    for _, op in ipairs { "mount", "fsmount" } do
      local step = { op = op, type = "overlay", target = "/", options = {} }
      local err = explain({ op = op, errno = EPERM, step = 1 },
        { uid = 1000, id_maps = {}, steps = { step } })
      assert.matches("does not let a user namespace mount an overlay", err.cause, 1, true)
      assert.matches('driver = "fuse-overlayfs"', err.remedy, 1, true)
      assert.is_false(err.checked)
    end
  end)

  it("says what it only guesses", function()
    local err = explain({ op = "mount", errno = EINVAL, step = 1 }, {
      steps = { { op = "mount", type = "tmpfs", target = "/x", data = "sice=1" } } })
    assert.is_false(err.checked)
    assert.matches("perhaps the file system does not know", tostring(err))
  end)

  it("leaves an error alone that knows its cause", function()
    local err = explain({ op = "clone", errno = EPERM, cause = "mine" }, {})
    assert.equal("mine", err.cause)
  end)

  it("leaves an error without a cause that nobody knows", function()
    assert.is_nil(explain({ op = "setsid", errno = EPERM, step = 1 },
      { steps = { { op = "setsid" } } }).cause)
  end)

  it("survives a probe's own mistake", function()
    local err = explain({ op = "setrlimit", errno = EPERM, step = 1 }, { steps = {} })
    assert.equal("EPERM", err.code)
  end)
end)

describe("luactr.cause.view #unit", function()
  local view = require("luactr.cause.view")

  -- A host whose files are a table of path to type or { link }.
  local function seen(files, steps, layers)
    local eyes = {}
    function eyes.lstat(path)
      local file = files[path]
      return file and { type = type(file) == "table" and "symlink" or file, mode = 493, rdev = 0 }
        or nil
    end
    function eyes.readlink(path) return files[path][1] end
    local rootfs = layers and { layers = function() return layers end }
    return view.new({ steps = steps, spec = { rootfs = rootfs } }, #steps, eyes)
  end

  local files <const> = {
    ["/r"] = "directory", ["/r/bin"] = { "usr/bin" }, ["/r/usr"] = "directory",
    ["/r/usr/bin"] = "directory", ["/r/usr/bin/sh"] = "file", ["/r/abs"] = { "/usr/../usr/bin/sh" },
    ["/r/loop"] = { "loop" }, ["/data"] = "directory", ["/data/x"] = "file",
  }
  local root <const> = { op = "root_bind", source = "/r" }

  local cases = {
    { "a file", "/usr/bin/sh", { kind = "file", host = "/r/usr/bin/sh" } },
    { "links on the way", "/bin/sh", { kind = "file", host = "/r/usr/bin/sh" } },
    { "an absolute link, inside", "/abs", { kind = "file", host = "/r/usr/bin/sh" } },
    { "dots above the root", "/../../usr", { kind = "directory", host = "/r/usr" } },
    { "a bind", "/mnt/x", { kind = "file", host = "/data/x" },
      { op = "bind", source = "/data", target = "/mnt" } },
    { "a mount over files", "/usr/bin", { missing = "/usr/bin" },
      { op = "mount", type = "tmpfs", target = "/usr" } },
    { "a file on a mount", "/usr/new", { kind = "file" },
      { op = "mount", type = "tmpfs", target = "/usr" }, { op = "file", path = "/usr/new" } },
    { "directories that a step has made", "/new/deep", { kind = "directory" },
      { op = "mkdir", path = "/new/deep/er" } },
    { "procfs", "/proc/1/exe", { kind = "unknown" },
      { op = "mount", type = "proc", target = "/proc" } },
    { "nothing", "/usr/none/x", { missing = "/usr/none" } },
    { "a file as a directory", "/usr/bin/sh/x", { not_directory = "/usr/bin/sh" } },
    { "a circle", "/loop/x", { loop = true } },
  }
  for _, case in ipairs(cases) do
    local name, path, expected = table.unpack(case)
    it("follows " .. name, function()
      local steps = { root, table.unpack(case, 4) }
      local walk = seen(files, steps):walk(path)
      assert.same(expected, { kind = walk.node and walk.node.kind,
        host = walk.node and walk.node.host, missing = walk.missing,
        not_directory = walk.not_directory, loop = walk.loop })
    end)
  end

  it("looks into the layers of an overlay, the topmost first", function()
    local layered <const> = {
      ["/up/etc"] = "directory", ["/up/etc/both"] = "file", ["/up/etc/gone"] = "char",
      ["/up/hidden"] = "char", ["/down/etc"] = "directory", ["/down/etc/both"] = "file",
      ["/down/etc/below"] = "file", ["/down/etc/gone"] = "file", ["/down/hidden"] = "directory",
      ["/down/hidden/x"] = "file", ["/up"] = "directory", ["/down"] = "directory",
    }
    for _, op in ipairs { "mount", "fsmount" } do
      local tree = seen(layered, { { op = op, type = "overlay", target = "/" } },
        { { path = "/up" }, { path = "/down" } })
      assert.equal("/up/etc/both", tree:walk("/etc/both").node.host)
      assert.equal("/down/etc/below", tree:walk("/etc/below").node.host)
      assert.equal("/etc/gone", tree:walk("/etc/gone").missing)
      assert.equal("/hidden", tree:walk("/hidden/x").missing)
      tree.layers[1].open = true
      assert.equal("unknown", tree:walk("/etc/below").node.kind)
    end
  end)
end)
