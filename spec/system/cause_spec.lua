-- Each cause that luactr recognises, provoked: the sentence, its remedy, and that it was looked for
-- and not guessed.
local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("luactr.cause #system", function()
  local dir

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    dir:close()
  end)

  local BUSYBOX <const> = "/bin/busybox"

  -- A root file system with a static shell; `files` is path to text, executable.
  local function root(files)
    dir:mkdir("root/tmp")
    dir:mkdir("root/bin")
    support.copy(BUSYBOX, dir.path .. "/root/bin/sh")
    for path, text in pairs(files or {}) do
      dir:write("root/" .. path, text, "0755")
    end
    return dir.path .. "/root"
  end

  -- Start it; it must fail.
  local function failure(fields)
    fields.name = fields.name or support.name("cause")
    fields.stdout, fields.stderr = fields.stdout or "capture", fields.stderr or "capture"
    local box <close> = ctr.container(fields)
    local result, err = box:run()
    assert.is_nil(result, result and "it ran: " .. tostring(result.stderr))
    return err
  end

  local function assert_cause(err, code, cause, remedy)
    assert.equal(code, err.code, tostring(err))
    assert.is_truthy(err.cause and err.cause:find(cause, 1, true), tostring(err))
    assert.is_true(err.checked, tostring(err))
    if remedy then assert.is_truthy(err.remedy:find(remedy, 1, true), tostring(err)) end
  end

  describe("the program", function()
    it("is missing from the root", function()
      local err = failure { rootfs = root(), command = { "/bin/none" } }
      assert_cause(err, "ENOENT", "there is no /bin/none in the root")
      assert.equal("exec", err.op)
      assert.equal(err.steps, err.step)
    end)

    it("is in no directory of PATH, but on the host", function()
      assert_cause(failure { rootfs = root(), command = { "env" } }, "ENOENT",
        "no directory of PATH has env", 'ctr.rootfs.host { "env" }')
    end)

    it("is there, its loader is not", function()
      local path = root()
      support.copy("/usr/bin/env", path .. "/bin/env")
      assert_cause(failure { rootfs = path, command = { "/bin/env" } }, "ENOENT",
        "/bin/env is there, but the loader that it was linked for is not: /lib")
    end)

    it("is a script whose interpreter is missing", function()
      local path = root { ["bin/tool"] = "#!/usr/bin/python3\n" }
      assert_cause(failure { rootfs = path, command = { "tool" } }, "ENOENT",
        "the interpreter of its #! line is not: /usr/bin/python3")
    end)

    it("is a script with a carriage return", function()
      local path = root { ["bin/tool"] = "#!/bin/sh\r\necho\r\n" }
      assert_cause(failure { rootfs = path, command = { "tool" } }, "ENOENT", "carriage return")
    end)

    it("is a script without an interpreter", function()
      local path = root { ["bin/tool"] = "echo hello\n" }
      assert_cause(failure { rootfs = path, command = { "/bin/tool" } }, "ENOEXEC",
        "neither an ELF program nor a script", "#!/bin/sh")
    end)

    it("is empty", function()
      local path = root { ["bin/tool"] = "" }
      assert_cause(failure { rootfs = path, command = { "/bin/tool" } }, "ENOEXEC",
        "/bin/tool is empty")
    end)

    it("is for another machine", function()
      local elf = support.read(BUSYBOX)
      local s390 <const> = 22 -- e_machine, behind e_ident and e_type
      elf = elf:sub(1, 18) .. string.pack("<I2", s390) .. elf:sub(21)
      local path = root { ["bin/tool"] = elf }
      assert_cause(failure { rootfs = path, command = { "/bin/tool" } }, "ENOEXEC",
        "/bin/tool is a program for s390x, this machine is ")
    end)

    it("is not executable", function()
      local path = root { ["bin/tool"] = "#!/bin/sh\n" }
      support.must { "chmod", "644", path .. "/bin/tool" }
      assert_cause(failure { rootfs = path, command = { "/bin/tool" } }, "EACCES",
        "user 0 may not execute /bin/tool (mode 0644)", "chmod +x")
    end)

    it("is a directory", function()
      assert_cause(failure { rootfs = root(), command = { "/bin" } }, "EACCES",
        "/bin is a directory, not a program")
    end)

    it("has an interpreter that is not executable", function()
      local path = root { ["bin/tool"] = "#!/bin/other\n", ["bin/other"] = "#!/bin/sh\n" }
      support.must { "chmod", "644", path .. "/bin/other" }
      assert_cause(failure { rootfs = path, command = { "/bin/tool" } }, "EACCES",
        "/bin/tool needs the interpreter /bin/other, which user 0 may not execute")
    end)

    it("lies on a noexec mount", function()
      local path = root()
      local bin = ctr.bind(path .. "/bin", "/opt", { noexec = true })
      assert_cause(failure { rootfs = path, mounts = { bin }, command = { "/opt/sh" } }, "EACCES",
        "/opt/sh lies on a mount with noexec: /opt")
    end)

    it("is behind a directory that the user may not pass", function()
      local path = root { ["srv/app/bin/tool"] = "#!/bin/sh\n" }
      support.must { "chmod", "755", dir.path }
      support.must { "chmod", "700", path .. "/srv/app" }
      assert_cause(failure { rootfs = path, user = 1000, command = { "/srv/app/bin/tool" } },
        "EACCES", "user 1000 may not pass the directory /srv/app (mode 0700, owner 0:0)")
    end)

    it("gets more arguments than the kernel takes", function()
      local command = { "/bin/sh" }
      for i = 2, 64 do command[i] = ("x"):rep(100000) end
      assert_cause(failure { rootfs = root(), command = command }, "E2BIG",
        "arguments and environment are 63", "rlimits.stack")
    end)
  end)

  describe("the working directory", function()
    it("is missing", function()
      assert_cause(failure { rootfs = root(), cwd = "/srv/app", command = { "/bin/sh" } }, "ENOENT",
        "there is no /srv in the root")
    end)

    it("is a file", function()
      assert_cause(failure { rootfs = root(), cwd = "/bin/sh", command = { "/bin/sh" } },
        "ENOTDIR", "/bin/sh is not a directory")
    end)

    it("is closed to the user", function()
      local path = root()
      support.must { "chmod", "755", dir.path }
      support.must { "mkdir", "-m", "700", path .. "/secret" }
      assert_cause(failure { rootfs = path, cwd = "/secret", user = 1000, command = { "/bin/sh" } },
        "EACCES", "user 1000 may not enter /secret (mode 0700")
    end)
  end)

  describe("the root", function()
    it("is missing", function()
      local err = failure { rootfs = dir.path .. "/none/root", command = { "/bin/sh" } }
      assert_cause(err, "ENOENT", "there is no " .. dir.path .. "/none on this host (" .. dir.path)
      assert.equal("root_bind", err.op)
    end)

    it("is a file", function()
      assert_cause(failure { rootfs = dir:write("image.tar", ""), command = { "/bin/sh" } },
        "ENOTDIR", "image.tar is a file, not a directory")
    end)
  end)

  describe("a mount", function()
    local function with(mount, path)
      return failure { rootfs = path or root(), mounts = { mount }, command = { "/bin/sh" } }
    end

    it("has a source that is missing", function()
      assert_cause(with(ctr.bind(dir.path .. "/none/x", "/mnt")), "ENOENT",
        "there is no " .. dir.path .. "/none on this host")
    end)

    it("goes over a circle of links", function()
      local path = root()
      support.symlink("b", path .. "/a")
      support.symlink("a", path .. "/b")
      assert_cause(with(ctr.tmpfs("/a/x"), path), "ELOOP",
        "symbolic links on the way to /a/x lead in a circle")
    end)

    it("goes over a link to nothing", function()
      local path, source = root(), dir:mkdir("source")
      support.must { "ln", "-s", "/none/there", path .. "/link" }
      support.must { "ln", "-s", "tmp", path .. "/way" }
      support.must { "ln", "-s", "../none", path .. "/tmp/link" }
      assert_cause(with(ctr.bind(source, "/link"), path), "ENOTDIR",
        "/link is a link to /none/there, and there is no /none in the root", "make it there")
      assert_cause(with(ctr.tmpfs("/way/link/x"), path), "ENOTDIR",
        "/tmp/link is a link to ../none, and there is no /none in the root")
      assert_cause(with(ctr.bind(dir:write("file", "x"), "/link"), path), "ENOENT",
        "/link is a link to /none/there, and there is no /none in the root")
    end)

    it("has a target that is missing in a read-only root", function()
      local path = root()
      local outer = { type = "bind", source = path, target = "/ro", options = { "bind", "ro" } }
      local err = failure { rootfs = path, mounts = { outer, ctr.tmpfs("/ro/none") },
        command = { "/bin/sh" } }
      assert_cause(err, "EROFS", "/ro/none does not exist, and cannot be made")
    end)

    it("has a file on its way", function()
      assert_cause(with(ctr.tmpfs("/bin/sh/x")), "ENOTDIR", "/bin/sh is not a directory")
    end)

    it("puts a directory on a file", function()
      assert_cause(with(ctr.bind(dir:mkdir("source"), "/bin/sh")), "ENOTDIR",
        "the source is a directory, but /bin/sh inside is a file")
    end)

    it("is of a type that the kernel lacks", function()
      assert_cause(with(ctr.mount("nosuchfs", "none", "/mnt")), "ENODEV",
        "this kernel has no file system nosuchfs")
    end)

    local function overlay(upper, work)
      local options = { "lowerdir=" .. dir:mkdir("lower"), upper and "upperdir=" .. upper }
      options[#options + 1] = work and "workdir=" .. work
      return ctr.mount("overlay", "overlay", "/mnt", options)
    end

    it("is an overlay with a layer that is missing", function()
      assert_cause(with(overlay(dir.path .. "/none", dir:mkdir("work"))), "ENOENT",
        "the overlay's upperdir does not exist: " .. dir.path .. "/none")
    end)

    it("is an overlay without workdir", function()
      assert_cause(with(overlay(dir:mkdir("upper"))), "EINVAL",
        "an overlay with upperdir needs workdir too")
    end)

    it("is an overlay whose upper directory is on an overlay", function()
      -- The whole of it in a mount namespace of its own, since the host needs an overlay first.
      local script = dir:write("overlay.lua", ([[
local sys = require("luactr.sys")
local ctr = require("luactr")
local dir = %q
assert(sys.unshare("newns"))
assert(sys.mount("none", "/", nil, { "rec", "private" }))
assert(sys.mount("tmpfs", dir .. "/t", "tmpfs"))
for _, name in ipairs { "l", "u", "w", "m" } do sys.mkdir(dir .. "/t/" .. name, "0755") end
assert(sys.mount("overlay", dir .. "/t/m", "overlay", nil,
  ("lowerdir=%%s/t/l,upperdir=%%s/t/u,workdir=%%s/t/w"):format(dir, dir, dir)))
for _, name in ipairs { "up", "work" } do sys.mkdir(dir .. "/t/m/" .. name, "0755") end
return ctr.container { rootfs = %q, command = { "/bin/sh" }, mounts = {
  ctr.mount("overlay", "overlay", "/mnt", { "lowerdir=" .. dir .. "/t/l",
    "upperdir=" .. dir .. "/t/m/up", "workdir=" .. dir .. "/t/m/work" }) } }
]]):format(dir.path, root()))
      dir:mkdir("t")
      local result = support.luactr { script }
      assert.equal(125, result.code)
      assert.matches("EINVAL %(Invalid argument%): the upper directory %S+ is itself on overlayfs",
        result.stderr)
      assert.matches("try: a directory on ext4, xfs or tmpfs", result.stderr, 1, true)
    end)
  end)

  describe("a device of the host", function()
    local function with(path)
      return failure { rootfs = root(), command = { "/bin/sh" },
        steps = function(p) p:bind_node(path, "/dev/node") end }
    end

    it("is missing", function()
      local err = failure { rootfs = root(), devices = { "/dev/no-such" }, command = { "/bin/sh" } }
      assert_cause(err, "ENOENT", "there is no /dev/no-such on this host",
        "correct the path in `devices`")
    end)

    it("is none", function()
      assert_cause(with(dir:write("file", "")), "ENODEV",
        dir.path .. "/file of this host is not that device (file)", "name a device node")
      assert_cause(with(dir.path), "ENODEV", "is not that device (directory)")
    end)

    it("lies where there are no devices", function()
      require("support.inside")({ "newns" }, function()
        local sys = ctr.sys
        assert(sys.mount(nil, "/", nil, { "rec", "private" }))
        assert(sys.mount("t", dir:mkdir("nodev"), "tmpfs", { "nodev" }))
        assert(sys.mknod(dir.path .. "/nodev/null", sys.S_IFCHR | 438, sys.makedev(1, 3)))
        assert_cause(with(dir.path .. "/nodev/null"), "EACCES",
          "lies on a file system that is mounted without devices", "without `nodev`")
      end)
    end)
  end)

  describe("a limit", function()
    it("is above what the kernel allows", function()
      assert_cause(failure { rootfs = root(), rlimits = { nofile = 1 << 40 },
        command = { "/bin/sh" } }, "EPERM", "the kernel's most is", "fs.nr_open")
    end)

    it("is above luactr's own hard limit", function()
      local script = dir:write("limit.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = %q, rlimits = { core = "unlimited" },
  command = { "/bin/sh" } }
]]):format(root()))
      local result = support.run { "setpriv", "--bounding-set=-sys_resource", "sh", "-c",
        "ulimit -c 0; exec " .. support.luactr_program .. " " .. script }
      assert.matches("rlimits.core is unlimited, above luactr's own hard limit of 0", result.stderr,
        1, true)
    end)

    it("of descriptors is used up", function()
      local script = dir:write("fds.lua", ([[
local ctr = require "luactr"
local files, sys = {}, ctr.sys
local box = ctr.container { rootfs = %q, stdout = "capture", stderr = "capture",
  command = { "/bin/sh" } }
while true do
  local file = sys.open("/dev/null")
  if not file then break end
  files[#files + 1] = file
end
for i = 1, 2 do files[i]:close() end -- for its state and its plan
local result, err = box:run()
print(err.code, err.cause, err.checked)
for _, file in ipairs(files) do file:close() end
box:run() -- removes what the first could not without a descriptor
]]):format(root()))
      local result = support.run { "sh", "-c",
        "ulimit -n 64; exec " .. support.luactr_program .. " " .. script }
      assert.matches("^EMFILE\tluactr has used up its file descriptors: its limit is 64",
        result.stdout)
    end)
  end)

  describe("a cgroup limit", function()
    it("leaves no room for the command", function()
      support.needs("controller:pids")
      assert_cause(failure { rootfs = root(), limits = { pids = 1 }, command = { "/bin/sh" } },
        "EAGAIN", "limits.pids is 1, and PID 1 and the command are 2 processes", "pids = 2")
    end)

    it("leaves no memory to start in", function()
      support.needs("controller:memory")
      local err = failure { rootfs = root(), limits = { memory = "16K" }, command = { "/bin/sh" } }
      assert.matches("limits.memory is 16384 bytes, too little to start", err.cause, 1, true)
      assert.is_true(err.checked)
    end)

    it("names CPUs that the host does not have", function()
      support.needs("controller:cpuset")
      local err = failure { rootfs = root(), limits = { cpus = "0-8000" }, command = { "/bin/sh" } }
      assert.equal("ESPEC", err.code)
      assert.matches("limits.cpus: CPU %d+ is not among those of this host", tostring(err))
    end)
  end)

  describe("a capability", function()
    it("is one that luactr lacks", function()
      local script = dir:write("caps.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = %q, capabilities = { "CAP_NET_RAW" },
  command = { "/bin/sh" } }
]]):format(root()))
      local result = support.run { "setpriv", "--bounding-set=-net_raw", "sh", "-c",
        "exec " .. support.luactr_program .. " " .. script }
      assert.matches("luactr itself does not have CAP_NET_RAW", result.stderr, 1, true)
    end)
  end)

  describe("a kernel parameter", function()
    it("does not exist", function()
      assert_cause(failure { rootfs = root(), sysctl = { ["net.ipv4.nonsense"] = 1 },
        command = { "/bin/sh" } }, "ENOENT", "this kernel has no parameter net.ipv4.nonsense")
    end)

    it("does not take the value", function()
      assert_cause(failure { rootfs = root(), sysctl = { ["net.ipv4.ip_forward"] = "word" },
        command = { "/bin/sh" } }, "EINVAL", "net.ipv4.ip_forward does not take the value word")
    end)
  end)

  describe("a namespace", function()
    local function limited(sysctl, value)
      local script = dir:write("limited.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = %q, command = { "/bin/sh" } }
]]):format(root()))
      return support.run { "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
        ("echo %d > /proc/sys/user/%s; exec %s %s"):format(value, sysctl, support.luactr_program,
          script), env = { XDG_RUNTIME_DIR = dir.path } }
    end

    it("is one too many", function()
      local result = limited("max_net_namespaces", 0)
      assert.matches("no more network namespaces are allowed: user.max_net_namespaces is 0",
        result.stderr, 1, true)
    end)
  end)

  describe("the name", function()
    it("is in use", function()
      local first <close> = ctr.container { name = support.name("cause"), rootfs = root(),
        stdin = "null",
        command = { "/bin/sh", "-c", "read x <&1" }, stdout = "capture" }
      assert(first:start())
      local err = failure { rootfs = dir.path .. "/root", command = { "/bin/sh" } }
      assert_cause(err, "EEXIST", "another luactr runs a container of this name")
    end)
  end)

  describe("a wrong field", function()
    local cases = {
      { "hostname", ("x"):rep(65), "hostname too long: at most 64 bytes" },
      { "capabilities", { "CAP_NET_ROW" }, "did you mean CAP_NET_RAW?" },
      { "rlimits", { nofiles = 1 }, "unknown rlimit, did you mean nofile?" },
      { "seccomp", { rules = { { names = { "opnat" }, action = "allow" } } },
        'unknown system call "opnat", did you mean openat?' },
      { "env", { X = ("x"):rep(131072) }, "longer than 131071 bytes with its name" },
    }
    for _, case in ipairs(cases) do
      it("is told before anything starts: " .. case[1], function()
        local fields = { rootfs = "/", command = { "/bin/sh" }, [case[1]] = case[2] }
        local fine, err = pcall(ctr.container, fields)
        assert.is_false(fine)
        assert.equal("ESPEC", err.code)
        assert.matches(case[3], tostring(err), 1, true)
      end)
    end
  end)
end)
