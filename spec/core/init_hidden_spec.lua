-- What a payload, and others beside it, can reach of luactr: nothing that can be read or written.

local core = require("luactr.core")
local inside = require("support.inside")
local launch = require("support.launch")
local lfs = require("lfs")
local support = require("support")
local without = require("support.without")
local world = require("support.world")

local sys = core.sys
local it = support.it(it, pending, "root", "file:" .. launch.busybox)

local MEET <const> = { op = "rendezvous", number = 4 }

-- The descriptors of a process: number to target.
local function descriptors(pid)
  local found = {}
  for name in lfs.dir("/proc/" .. pid .. "/fd") do
    if tonumber(name) then
      found[tonumber(name)] = lfs.symlinkattributes("/proc/" .. pid .. "/fd/" .. name, "target")
    end
  end
  return found
end

describe("luactr beside a payload #core #spawn", function()
  local stage

  before_each(function()
    world.check()
    stage = support.tmpdir()
  end)

  after_each(function()
    stage:close()
    world.check()
  end)

  describe("passes no descriptor that the plan does not name", function()
    -- Descriptors as a careless program has them: to /, not close-on-exec, some of high numbers.
    local function flood()
      local root = assert(sys.open("/", sys.O_RDONLY | sys.O_DIRECTORY))
      local _, hard = sys.getrlimit("NOFILE")
      assert(sys.setrlimit("NOFILE", hard, hard))
      for number = 100, 399 do assert(sys.dup2(root, number)) end
      for _, number in ipairs { 1000, 1023, 1024, 4095, hard // 2, hard - 1 } do
        assert(number >= hard or sys.dup2(root, number))
      end
      assert(sys.setrlimit("NOFILE", 512, hard)) -- some lie above the limit now
    end

    local LIST <const> = "for f in /proc/self/fd/*; do echo ${f##*/} $(readlink $f); done"

    local function check(enter)
      flood()
      local ended = launch.run(launch.join(launch.root(stage:mkdir("stage")), enter,
        launch.output, { LIST .. "; sleep 0.2" }))
      for line in ended.output:gmatch("[^\n]+") do
        local number, target = line:match("^(%d+) ?(.*)$")
        -- the shell's own are gone by the time that it looks
        assert.is_true(number == "1" or number == "2" or target == "", line)
      end
      assert.matches("1 pipe:.*2 pipe:", ended.output)
    end

    for name, calls in pairs { close_range = {}, ["the list in procfs"] = { "close_range" } } do
      it("with an init, by " .. name, function()
        without(calls, function() check(launch.enter) end)
      end)

      it("without an init, by " .. name, function()
        without(calls, function() check { { op = "pivot_root" } } end)
      end)

      it("to PID 1, by " .. name, function()
        without(calls, function()
          flood()
          local process <close> = assert(launch.start(launch.join(
            launch.root(stage:mkdir("stage")), launch.enter, { "sleep 60" }), {}))
          assert.equal("started", (process:launch()))
          launch.await_shed(process)
          for _, target in pairs(descriptors(process:pid())) do
            assert.matches("^socket:", target)
          end
        end)
      end)
    end

    it("and starts nothing where it cannot know them", function()
      without({ "close_range", "getdents64" }, function()
        local ended = launch.run { "echo ran" }
        assert.same({ "failed", "" }, { ended.event[1], ended.output })
      end)
    end)

    it("while a program is looked for", function()
      local directory <close> = assert(sys.open("/", sys.O_PATH | sys.O_DIRECTORY))
      local found = {}
      for number = 3, 40 do
        local ended = launch.run(launch.join(launch.root(stage:mkdir("stage")), launch.enter,
          launch.output, { { op = "dup", fd = "root", number = 5 }, { op = "exec", env = {},
            file = ("/proc/self/fd/%d/bin/busybox"):format(number), argv = { "echo", "ran" } } }),
          { slots = { root = directory } })
        if ended.output ~= "" then found[#found + 1] = number end
      end
      assert.same({ 5 }, found) -- that is the payload's by declaration
    end)
  end)

  describe("cannot be looked into", function()
    -- As root without the right to trace, in a child, while a launch waits in its plan.
    local function reading(steps, flags, file)
      local outcome
      inside({}, function()
        local rest = {}
        for _, name in ipairs(sys.capget().permitted) do
          if name ~= "CAP_SYS_PTRACE" then rest[#rest + 1] = name end
        end
        assert(sys.capbset_drop { "sys_ptrace" }) -- root's exec brings back what is in there
        assert(sys.capset { effective = rest, permitted = rest })
        local process <close> = assert(launch.start(steps, { flags = flags }))
        local event = { process:launch() }
        assert(event[1] == "rendezvous", table.concat(event, " "))
        local text, _, errno = sys.readlink("/proc/" .. process:pid() .. "/" .. file)
        outcome = text or sys.errname(errno)
        error(outcome, 0)
      end)
      return outcome
    end

    local function outcome(...)
      local _, message = pcall(reading, ...)
      return message:match("(E%u+)") or message:match("[^\n]+")
    end

    it("before the exec, by others in a pid namespace that is shared", function()
      local mount = launch.flags.mount
      assert.equal("EACCES", outcome({ MEET }, mount, "exe"))
      assert.equal("EACCES", outcome({ MEET }, mount, "cwd"))
      -- in a namespace of its own there is nobody but the host, which may
      assert.matches("memfd:luactr%-init", outcome({ MEET }, launch.flags.all, "exe"))
    end)

    it("as PID 1, from before there is a payload", function()
      assert.equal("EACCES", outcome({ { op = "init" }, MEET }, launch.flags.all, "exe"))
    end)
  end)

  describe("cannot be written to", function()
    local WRITE <const> = [[
      for link in /proc/1/exe /proc/self/exe; do
        (exec 3>$link) 2>&1; (exec 3>>$link) 2>&1; (exec 3<>$link && echo x >&3) 2>&1
        dd if=/bin/busybox of=$link count=1 2>&1
      done; echo end]]

    -- Each line of output has to be a refusal, but for busybox itself, which is the payload's own.
    local function refusals(output)
      assert.matches("end\n$", output)
      for line in output:gmatch("[^\n]+") do
        assert.is_true(line == "end" or line:find("/proc/self/exe", 1, true) ~= nil or
          line:find("Text file busy", 1, true) ~= nil or
          line:find("Read-only file system", 1, true) ~= nil or
          line:find("Permission denied", 1, true) ~= nil or
          line:find("Operation not permitted", 1, true) ~= nil, line)
      end
      return output
    end

    it("through the sealed image of PID 1, by a payload with all capabilities", function()
      local output = refusals((launch.inside(stage, WRITE)))
      local _, count = output:gsub("/proc/1/exe", "")
      assert.equal(4, count)
    end)

    it("through an interpreter that is /proc/self/exe", function()
      local script = { op = "file", path = "/evil", content = "#!/proc/self/exe\n", mode = 493 }
      local ended = launch.run(launch.join(launch.root(stage:mkdir("stage")), { script },
        launch.enter, { { op = "exec", file = "/evil", argv = { "evil" }, env = {} } }))
      assert.equal(125, ended.code) -- the init itself, which refuses to be started like that
      assert.equal("end\n", (launch.inside(stage, "echo end")))
    end)

    it("through the installed file, where no memfd can be executed", function()
      support.needs("file:/proc/sys/vm/memfd_noexec")
      local installed = core.init_path
      local parent = installed:match("^(.*)/")
      inside({ "newns" }, function()
        assert(sys.mount(nil, "/", nil, { "rec", "private" }))
        assert(sys.mount("tmpfs", "/usr/local", "tmpfs"))
        support.must { "mkdir", "-p", parent }
        local image = support.read(support.build .. "/luactr-init")
        support.write(installed, image)
        assert(sys.chmod(installed, "0755"))
        local ended = support.run { "unshare", "-pf", "--mount-proc", "sh", "-c",
          "echo 2 >/proc/sys/vm/memfd_noexec && exec lua5.4 -", stdin = ([[
            package.path, package.cpath = %q, %q
            local launch = require("support.launch")
            print(launch.shell("/mnt", %q).output)
          ]]):format(package.path, package.cpath, WRITE) }
        assert.matches("/proc/1/exe: Read%-only file system", ended.stdout, 1, ended.stderr)
        refusals((ended.stdout:gsub("\n+$", "\n")))
        assert.equal(image, support.read(installed))
      end)
    end)
  end)
end)
