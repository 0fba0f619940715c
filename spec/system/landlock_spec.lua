-- Landlock, seen from inside: what a rule leaves and what it takes away. Each refusal has a twin
-- that succeeds, so that a payload which can do nothing at all would be noticed.
local ctr = require("luactr")
local inside = require("support.inside")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys
local without = require("support.without")
local world = require("support.world")

local it = support.it(it, pending, "root", "program:gcc", "program:busybox")

local abi = sys.landlock_abi() or 0

-- A spec that needs a version of Landlock.
local function since(version, name, body)
  if abi >= version then return it(name, body) end
  pending(("%s (this kernel has Landlock ABI %d, not %d)"):format(name, abi, version))
end

describe("landlock #system #layout", function()
  local dir

  setup(function()
    dir = support.tmpdir()
    dir:mkdir("root/bin")
    support.copy(support.program "reach", dir.path .. "/root/bin/reach")
    for _, name in ipairs { "sh", "cat", "ls", "mv", "ln", "rm", "mkdir", "mknod", "mkfifo",
      "mount", "umount" } do
      support.copy("/bin/busybox", dir.path .. "/root/bin/" .. name)
    end
  end)

  teardown(function() dir:close() end)

  before_each(function()
    world.check()
    for _, place in ipairs { "in", "out" } do
      dir:write("root/" .. place .. "/file", place .. "\n")
    end
    dir:write("root/out/program", "#!/bin/sh\necho ran\n", "0755")
    dir:write("root/in/program", "#!/bin/sh\necho ran\n", "0755")
  end)

  after_each(world.check)

  local function run(fields)
    fields.rootfs, fields.name = dir.path .. "/root", support.name("landlock")
    fields.stdout, fields.stderr = "capture", "capture"
    return ctr.run(fields)
  end

  -- What a shell script prints under these rules, without its complaints.
  local function shell(landlock, script, fields)
    fields = fields or {}
    fields.landlock, fields.command = landlock, { "/bin/sh", "-c", "exec 2>/dev/null\n" .. script }
    return assert(run(fields)).stdout
  end

  local function reach(landlock, arguments, fields)
    fields = fields or {}
    fields.landlock, fields.command = landlock, { "/bin/reach", table.unpack(arguments) }
    return assert(run(fields)).stdout:match("%S+")
  end

  -- Whether each command succeeds: "yes no ...".
  local function answers(landlock, commands, fields)
    local script = {}
    for i, command in ipairs(commands) do
      script[i] = "if (" .. command .. ") >/dev/null; then echo yes; else echo no; fi"
    end
    local answer = shell(landlock, table.concat(script, "\n"), fields)
    return (answer:gsub("\n", " "):gsub(" $", ""))
  end

  describe("read", function()
    since(1, "refuses files and lists elsewhere", function()
      local commands = { "cat /in/file", "ls /in", "cat /out/file", "ls /out", "ls /" }
      local rules = { read = { "/in" }, execute = { "/bin" } }
      assert.equal("yes yes no no no", answers(rules, commands))
      assert.equal("yes yes yes yes yes", answers(nil, commands))
    end)

    since(1, "follows no link of the payload's to elsewhere", function()
      local script = "ln -s /out/file /in/link; cat /in/link || echo refused"
      assert.equal("refused\n", shell({ read = { "/in" }, execute = { "/bin" } }, script))
      assert.equal("out\n", shell(nil, "rm /in/link; " .. script))
      os.remove(dir.path .. "/root/in/link")
    end)

    since(1, "restricts neither writing nor execution", function()
      local commands = { "echo x > /out/file", "mv /out/file /in/file", "cat /in/file" }
      assert.equal("yes " .. (abi >= 2 and "yes" or "no") .. " no",
        answers({ read = { "/bin", "/out/program" } }, commands))
    end)

    since(1, "may name a file", function()
      local rules = { read = { "/out/file" }, execute = { "/bin" } }
      assert.equal("yes no", answers(rules, { "cat /out/file", "cat /out/program" }))
    end)

    since(1, "resolves what it names inside the root", function()
      assert(sys.symlink("../../../../../../out", dir.path .. "/root/link"))
      local rules = { read = { "/link" }, execute = { "/bin" } }
      local answer = answers(rules, { "cat /out/file", "cat /in/file" })
      os.remove(dir.path .. "/root/link")
      assert.equal("yes no", answer)
    end)
  end)

  describe("write", function()
    local rules <const> = { write = { "/in", "/dev/null" } }

    since(1, "refuses to write, make and remove elsewhere", function()
      local commands = { "echo x > %s/file", "echo x > %s/new", "mkdir %s/dir", "ln -s x %s/link",
        "mkfifo %s/fifo", "rm %s/file" }
      local list = {}
      for _, place in ipairs { "/in", "/out" } do
        for _, command in ipairs(commands) do list[#list + 1] = command:format(place) end
      end
      assert.equal("yes yes yes yes yes yes no no no no no no", answers(rules, list))
      assert.is_nil(io.open(dir.path .. "/root/out/new"))
      assert.equal("out\n", support.read(dir.path .. "/root/out/file"))
      for _, name in ipairs { "dir", "link", "fifo", "new" } do
        assert(os.remove(dir.path .. "/root/in/" .. name))
      end
    end)

    since(1, "lets be read what may be changed", function()
      local both = { read = {}, write = { "/in", "/dev/null" }, execute = { "/bin" } }
      assert.equal("yes yes no", answers(both,
        { "cat /in/file", "echo x 1<>/in/file", "cat /out/file" }))
    end)

    since(1, "makes no device node anywhere", function()
      local node = { "mknod /in/node c 1 3" }
      local root = { capabilities = "all" }
      assert.equal("no", answers(rules, node, root))
      assert.equal("yes", answers(nil, node, { capabilities = "all" }))
      os.remove(dir.path .. "/root/in/node")
    end)

    since(2, "moves and links files inside, but not out of it", function()
      local commands = { "mkdir /in/dir", "mv /in/file /in/dir/file", "mv /in/dir/file /out/moved",
        "mv /out/file /in/moved", "ln /out/file /in/linked", "mv /in/dir/file /in/file" }
      assert.equal("yes yes no no no yes", answers(rules, commands))
      os.remove(dir.path .. "/root/in/dir")
    end)

    since(3, "refuses truncate(2) elsewhere", function()
      assert.equal("ok", reach(rules, { "truncate", "/in/file" }))
      assert.equal("EACCES", reach(rules, { "truncate", "/out/file" }))
      assert.equal("out\n", support.read(dir.path .. "/root/out/file"))
    end)

    since(1, "leaves what is open already", function()
      local result = assert(run { landlock = { write = {} },
        command = { "/bin/sh", "-c", "echo still here; echo x > /in/file || echo refused" } })
      assert.equal("still here\nrefused\n", result.stdout)
    end)
  end)

  describe("execute", function()
    since(1, "refuses programs elsewhere", function()
      local rules = { execute = { "/bin", "/in" } }
      local commands = { "/in/program", "/out/program", "cat /out/program" }
      assert.equal("yes no yes", answers(rules, commands))
      assert.equal("yes yes yes", answers(nil, commands))
    end)

    since(1, "says so when it keeps the command itself from starting", function()
      local result, err = run { landlock = { execute = { "/in" } }, command = { "/bin/sh" } }
      assert.is_nil(result)
      assert.equal("EACCES", err.code)
      assert.equal("no directory of landlock.execute has /bin/sh", err.cause)
      assert.is_true(err.checked)
    end)

    since(1, "says so where only reading is restricted, which an exec does", function()
      local _, err = run { landlock = { read = { "/in" } }, command = { "/bin/sh" } }
      assert.equal("no directory of landlock.read has /bin/sh", err.cause)
    end)

    since(1, "says so of the interpreter too", function()
      local result, err = run { landlock = { execute = { "/in" } }, command = { "/in/program" } }
      assert.is_nil(result)
      assert.equal("no directory of landlock.execute has /bin/sh", err.cause)
    end)
  end)

  since(5, "ioctl refuses to control devices elsewhere", function()
    -- a terminal opened under the rules: isatty(3) is an ioctl
    local commands = { "test -t 9 9</dev/tty" }
    local terminal = function() return { tty = true, stdout = nil } end
    local function asked(landlock)
      local fields = terminal()
      fields.rootfs, fields.name = dir.path .. "/root", support.name("landlock")
      fields.landlock = landlock
      fields.command = { "/bin/sh", "-c", commands[1] }
      return assert(ctr.run(fields)).exit_code
    end
    assert.equal(0, asked(nil))
    assert.equal(0, asked { ioctl = { "/dev" } })
    assert.equal(1, asked { ioctl = {} })
  end)

  describe("tcp", function()
    since(4, "binds and connects to the ports that are named", function()
      local rules = { tcp = { bind = { 8080 }, connect = { 443 } } }
      assert.equal("ok", reach(rules, { "bind", "8080" }))
      assert.equal("EACCES", reach(rules, { "bind", "8081" }))
      assert.equal("EACCES", reach(rules, { "bind", "0" }))
      assert.equal("ok", reach(rules, { "connect", "443" }))
      assert.equal("EACCES", reach(rules, { "connect", "8080" }))
      assert.equal("ok", reach(nil, { "connect", "8080" }))
    end)

    since(4, "leaves the direction alone that is not named", function()
      assert.equal("ok", reach({ tcp = { bind = {} } }, { "connect", "1" }))
      assert.equal("EACCES", reach({ tcp = { bind = {} } }, { "bind", "1" }))
      assert.equal("ok", reach({ tcp = { connect = {} } }, { "bind", "8080" }))
      assert.equal("EACCES", reach({ tcp = { connect = {} } }, { "connect", "1" }))
    end)

    since(4, "lets a free port be bound by the number 0", function()
      assert.equal("ok", reach({ tcp = { bind = { 0 } } }, { "bind", "0" }))
    end)
  end)

  describe("scope", function()
    local function in_host_namespaces(landlock, ...)
      return reach(landlock, { ... }, { namespaces = { pid = "host", network = "host" } })
    end

    since(6, "keeps signals inside", function()
      local outside <close> = process.start { "/bin/busybox", "sleep", "60" }
      local pid = tostring(outside:pid())
      assert.equal("ok", in_host_namespaces(nil, "signal", pid))
      assert.equal("EPERM", in_host_namespaces({ scope = { "signal" } }, "signal", pid))
      assert.equal("ok", in_host_namespaces({ scope = { "abstract_unix_socket" } }, "signal", pid))
      assert.equal("yes", answers({ scope = { "signal" } }, { "/bin/sleep 9 & kill -0 $!" }))
    end)

    since(6, "keeps abstract sockets inside", function()
      local name = support.name "socket" -- luactr has none, an attack finds
      local outside <close> = process.start { dir.path .. "/root/bin/reach", "listen", name }
      outside:expect("ready")
      assert.equal("ok", in_host_namespaces(nil, "abstract", name))
      assert.equal("EPERM",
        in_host_namespaces({ scope = { "abstract_unix_socket" } }, "abstract", name))
      assert.equal("ok", in_host_namespaces({ scope = { "signal" } }, "abstract", name))
    end)
  end)

  describe("a path that is missing", function()
    since(1, "is an error that names the element", function()
      local result, err = run { landlock = { read = { "/bin", "/nope/x" } },
        command = { "/bin/sh" } }
      assert.is_nil(result)
      assert.same({ "ENOENT", "/nope/x" }, { err.code, err.path })
      assert.equal("there is no /nope in the root", err.cause)
      assert.matches("landlock.read%[2%]", err.remedy)
    end)

    since(1, "is left out by word", function()
      local rules = { read = { { path = "/nope/x", optional = true }, "/in" },
        execute = { "/bin" } }
      assert.equal("yes no", answers(rules, { "cat /in/file", "cat /out/file" }))
    end)

    since(1, "inside a file is an error too", function()
      local _, err = run { landlock = { read = { "/in/file/x" } }, command = { "/bin/sh" } }
      assert.equal("ENOTDIR", err.code)
    end)
  end)

  describe("with other fields", function()
    local rules <const> = { read = { "/in" }, execute = { "/bin" } }
    local commands <const> = { "cat /in/file", "cat /out/file" }
    local cases = {
      { "a user", { user = 1000 } },
      { "no init", { init = false } },
      { "a filter without no_new_privileges", { no_new_privileges = false } },
      { "no filter", { seccomp = "unconfined" } },
      { "all capabilities", { capabilities = "all" } },
      { "a user namespace", { namespaces = { user = "new" } } },
      { "few descriptors", { rlimits = { nofile = 32 } } },
    }
    for _, case in ipairs(cases) do
      since(1, "holds with " .. case[1], function()
        assert.equal("yes no", answers(rules, commands, case[2]))
      end)
    end

    since(1, "holds where the kernel resolves no path inside a root", function()
      assert(sys.symlink("../../../../../../out", dir.path .. "/root/link"))
      without({ "openat2" }, function()
        local linked = { read = { "/link" }, execute = { "/bin" } }
        assert.equal("yes no", answers(linked, { "cat /out/file", "cat /in/file" }))
      end)
      os.remove(dir.path .. "/root/link")
    end)

    -- The kernel lets nobody under rules about files change what paths mean, whatever its rights.
    since(1, "leaves root with all capabilities and no filter no way round", function()
      local ways = { "cat /proc/1/root/out/file", "cat /proc/self/root/out/file",
        "mount -t tmpfs none /in", "mount -o bind /out /in", "umount /dev/shm" }
      local all = { capabilities = "all", seccomp = "unconfined" }
      local confined = { read = { "/in", "/proc" }, execute = { "/bin" } }
      assert.equal("no no no no no", answers(confined, ways, all))
      all = { capabilities = "all", seccomp = "unconfined" }
      assert.equal("yes yes yes yes", answers(nil, table.move(ways, 2, 5, 1, {}), all))
    end)

    since(1, "holds for the children", function()
      assert.equal("no", answers(rules, { "sh -c 'sh -c \"cat /out/file\"'" }))
    end)

    since(1, "refuses a directory that the user may not pass, but rules can name", function()
      support.must { "chmod", "0700", dir.path .. "/root/in" }
      local answer = answers({ read = { "/in" }, execute = { "/bin" } }, { "cat /in/file" },
        { user = 1000 })
      support.must { "chmod", "0755", dir.path .. "/root/in" }
      assert.equal("no", answer)
    end)
  end)

  describe("that cannot be entered", function()
    local function failure(fields)
      fields.rootfs = fields.rootfs or ctr.rootfs.none()
      fields.command, fields.name = { "/bin/true" }, support.name("landlock")
      local result, err = ctr.run(fields)
      assert.is_nil(result)
      return err
    end

    since(4, "says that the kernel stacks no more rules", function()
      inside({}, function()
        assert(sys.no_new_privs())
        for _ = 1, 16 do
          local rules <close> = assert(sys.landlock_create_ruleset(0, "bind_tcp"))
          assert(sys.landlock_restrict_self(rules))
        end
        local err = failure { landlock = { tcp = { bind = {} } } }
        assert.same({ "E2BIG", "landlock_restrict_self" }, { err.code, err.op })
        assert.matches("16 sets of Landlock rules already", err.cause)
        assert.is_true(err.checked)
      end)
    end)

    local function as_stranger(fields, options)
      local own <close> = support.tmpdir()
      local recipe = own:write("recipe.lua", ([[
        local ctr = require "luactr"
        return ctr.container { rootfs = ctr.rootfs.none(), command = { "echo", "ran" }, %s }
      ]]):format(fields))
      local runtime = own:mkdir "run"
      support.must { "chown", support.stranger, runtime }
      options = options or {}
      options[1], options.user = recipe, support.stranger
      options.env = { XDG_RUNTIME_DIR = runtime }
      return support.luactr(options)
    end

    since(1, "says that no_new_privileges is needed without root", function()
      support.needs("stranger")
      local result = as_stranger("landlock = { write = {} }, no_new_privileges = false")
      assert.equal(125, result.code)
      assert.is_truthy(result.stderr:find("Landlock needs no_new_privileges, or root", 1, true),
        result.stderr)
    end)

    -- What a kernel without Landlock, or one that has it switched off at boot, answers.
    local absent <const> = {
      { { "landlock_create_ruleset" }, "this kernel was built without Landlock" },
      { { EOPNOTSUPP = { "landlock_create_ruleset" } },
        'Landlock is switched off: "landlock" is not in the kernel\'s list lsm=' },
    }
    for _, case in ipairs(absent) do
      it("is an error before anything starts: " .. case[2], function()
        support.needs("stranger")
        local result = as_stranger("landlock = { write = {} }", { without = case[1] })
        assert.equal(125, result.code)
        assert.equal("", result.stdout)
        assert.is_truthy(result.stderr:find("landlock: " .. case[2], 1, true), result.stderr)
        result = as_stranger("landlock = { write = {}, optional = true }", { without = case[1] })
        assert.same({ 0, "ran\n" }, { result.code, result.stdout })
        assert.equal("luactr: warning: landlock is not enforced: " .. case[2] .. "\n",
          result.stderr)
      end)
    end
  end)

  it("records what is not enforced here, by word", function()
    if abi >= 6 then return pending("this kernel has all of Landlock that luactr uses") end
    local result = assert(run { landlock = { scope = { "signal" }, optional = true },
      command = { "/bin/sh", "-c", "exit 0" } })
    assert.matches("not enforced", result.warnings[1])
  end)
end)
