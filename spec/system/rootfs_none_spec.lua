-- ctr.rootfs.none(): no root, no mount and no namespace of its own; as root and as a plain user.
local ctr = require("luactr")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root", "stranger")

local NAMESPACES <const> = { "mnt", "pid", "uts", "ipc", "net", "cgroup", "user", "time" }

describe("ctr.rootfs.none() #system", function()
  before_each(world.check)
  after_each(world.check)

  local function run(fields)
    fields.rootfs, fields.name = ctr.rootfs.none(), support.name("bare")
    fields.stdin, fields.stdout, fields.stderr = "null", "capture", "capture"
    return ctr.run(fields)
  end

  local function shell(script, fields)
    fields = fields or {}
    fields.command = { "sh", "-c", script }
    return assert(run(fields))
  end

  it("leaves every namespace and the root the host's", function()
    local links = {}
    for i, name in ipairs(NAMESPACES) do links[i] = "/proc/self/ns/" .. name end
    local expected = {}
    for i, link in ipairs(links) do expected[i] = sys.readlink(link) end
    local result = shell("readlink " .. table.concat(links, " "))
    assert.equal(table.concat(expected, "\n") .. "\n", result.stdout)
    assert.equal(support.run({ "stat", "-c", "%d:%i", "/" }).stdout,
      shell("stat -c %d:%i /").stdout)
  end)

  it("still takes privileges away", function()
    local status = shell("cat /proc/self/status").stdout
    assert.equal("1", status:match("NoNewPrivs:\t(%d)"))
    assert.equal("2", status:match("Seccomp:\t(%d)"))
    local bounding = tonumber(status:match("CapBnd:\t(%x+)"), 16)
    assert.equal(0, bounding & sys.cap_mask { "CAP_SYS_ADMIN", "CAP_SYS_PTRACE" })
  end)

  it("takes namespaces that a recipe asks for", function()
    local same = {}
    for _, kind in ipairs { "uts", "net" } do
      same[kind] = sys.readlink("/proc/self/ns/" .. kind)
    end
    local result = shell("readlink /proc/self/ns/uts /proc/self/ns/net; uname -n",
      { namespaces = { "uts" }, hostname = "inside" })
    local uts, net, name = result.stdout:match("(%S+)\n(%S+)\n(%S+)")
    assert.same({ same.net, "inside" }, { net, name })
    assert.not_equal(same.uts, uts)
    result = shell("readlink /proc/self/ns/net", { network = "none" })
    assert.not_equal(same.net, result.stdout:match("%S+"))
  end)

  it("runs as another user as root can", function()
    assert.equal("1000 1000\n", shell("echo $(id -u; id -g)", { user = 1000 }).stdout)
  end)

  it("holds to limits", function()
    support.needs("controller:pids")
    local result = shell("sleep 9 & sleep 9", { limits = { pids = 3 } })
    assert.same({ "pids", 3 }, { result.reason, result.pids_peak })
    assert.equal("wall_time", shell("sleep 60", { limits = { wall_time = 0.2 } }).reason)
  end)

  it("tells a missing program by the host's files", function()
    local result, err = run { command = { "/no/program" } }
    assert.is_nil(result)
    assert.same({ "ENOENT", "there is no /no in the root" }, { err.code, err.cause })
  end)

  it("ends what the command left behind", function()
    shell("setsid sleep 600 & (setsid sh -c 'sleep 600 & exec sleep 600' &); sleep 0.1")
  end)

  it("ends all of it when it is closed", function()
    local box <close> = ctr.container { rootfs = ctr.rootfs.none(), stdin = "null",
      command = { "sh", "-c", "setsid sleep 600 & sleep 600" } }
    assert(box:start())
  end)

  local refused = {
    { "mounts", { ctr.tmpfs "/x" } }, { "devices", { "/dev/fuse" } }, { "readonly", true },
    { "masked_paths", {} }, { "readonly_paths", {} }, { "steps", function() end }, { "tty", true },
  }
  for _, case in ipairs(refused) do
    it("refuses " .. case[1], function()
      local done, err = pcall(ctr.container, { rootfs = ctr.rootfs.none(), command = { "true" },
        [case[1]] = case[2] })
      assert.is_false(done)
      assert.same({ case[1] }, { err.problems[1].path, err.problems[2] and err.problems[2].path })
      assert.matches("root of the container's own", err.problems[1].message)
    end)
  end

  it("refuses a mount namespace, and others refuse to be without one", function()
    local function problem(fields)
      fields.command = { "true" }
      return select(2, pcall(ctr.container, fields)).problems[1]
    end
    for _, list in ipairs { { mount = "new" }, { "mount" } } do
      local found = problem { rootfs = ctr.rootfs.none(), namespaces = list }
      assert.equal("namespaces.mount", found.path)
      assert.matches("nothing is mounted", found.message)
    end
    assert.matches("never mounts there",
      problem({ rootfs = "/", namespaces = { mount = "host" } }).message)
  end)

  describe("as a plain user", function()
    local USER <const> = support.stranger

    -- What a host takes that forbids namespaces and mounts to its users.
    local FORBIDDEN <const> = { EPERM = { "unshare", "setns", "mount", "pivot_root", "chroot",
      "open_tree", "move_mount", "fsopen" } }

    local function recipe(fields)
      local dir <close> = support.tmpdir()
      local path = dir:write("recipe.lua", ([[
        local ctr = require "luactr"
        return ctr.container { rootfs = ctr.rootfs.none(), %s }
      ]]):format(fields))
      local runtime = dir:mkdir "run"
      support.must { "chown", USER, runtime }
      return support.luactr { path, user = USER, env = { XDG_RUNTIME_DIR = runtime },
        without = FORBIDDEN }
    end

    it("needs no namespace, and keeps the user", function()
      local result = recipe([[ command = { "sh", "-c",
        "echo $(id -u; id -g); readlink /proc/self/ns/user" } ]])
      assert.equal("", result.stderr)
      assert.equal(("%d %d\n%s\n"):format(USER, USER, sys.readlink("/proc/self/ns/user")),
        result.stdout)
    end)

    it("is confined by Landlock", function()
      if (sys.landlock_abi() or 0) < 1 then return pending("no Landlock") end
      local dir <close> = support.tmpdir()
      support.must { "chmod", "0777", dir.path }
      local result = recipe(([[
        landlock = { write = { "/dev/null" } },
        command = { "sh", "-c", "touch %s/x 2>/dev/null || echo refused" } ]]):format(dir.path))
      assert.equal("refused\n", result.stdout)
      result = recipe(([[ command = { "touch", "%s/x" } ]]):format(dir.path))
      assert.equal(0, result.code, result.stderr)
    end)

    -- Without a namespace the command sees all processes of its user, luactr's own among them.
    it("has no way into processes outside, under Landlock", function()
      if (sys.landlock_abi() or 0) < 1 then return pending("no Landlock") end
      local outside <close> = process.start { "setpriv", "--reuid", tostring(USER), "--regid",
        tostring(USER), "--clear-groups", "--", "sh", "-c", "echo ready; read line" }
      outside:expect("ready")
      local function read(more)
        return recipe(([[ %s command = { "cat", "/proc/%d/environ" } ]]):format(more,
          outside:pid())).code
      end
      assert.equal(0, read "")
      assert.not_equal(0, read "landlock = { write = {} },")
    end)

    it("refuses to become somebody else", function()
      for field, text in pairs { user = "user = 1", groups = "groups = { 1 }" } do
        local result = recipe(text .. ", command = { \"true\" }")
        assert.equal(125, result.code)
        assert.is_truthy(result.stderr:find(field .. ": needs root, or a user namespace", 1, true),
          result.stderr)
      end
    end)

    it("leaves no process, whatever ends it", function()
      local left = "setsid sleep 600 & (setsid sh -c 'sleep 600 & exec sleep 600' &); sleep 0.1; "
      local ended = recipe(("command = { 'sh', '-c', %q }"):format(left .. "exit 3"))
      assert.equal(3, ended.code, ended.stderr)
      ended = recipe(("limits = { wall_time = 1 }, command = { 'sh', '-c', %q }")
        :format(left .. "sleep 600"))
      assert.equal(137, ended.code, ended.stderr)
    end)

    it("lists its own processes only", function()
      local dir <close> = support.tmpdir()
      local runtime = dir:mkdir "run"
      support.must { "chown", USER, runtime }
      local program = dir:write("program.lua", [[
        local ctr = require "luactr"
        local box <close> = ctr.container { rootfs = ctr.rootfs.none(), stdin = "null",
          command = { "sleep", "600" } }
        assert(box:start())
        for _, process in ipairs(box:processes()) do io.write(process.command, " ") end
      ]])
      local result = support.luactr { program, user = USER, env = { XDG_RUNTIME_DIR = runtime } }
      assert.equal("luactr-init sleep ", result.stdout)
    end)
  end)
end)
