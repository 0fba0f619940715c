-- Users and groups by name: what the container's own files say, and nothing else.

local ctr = require("luactr")
local sys = require("luactr.sys")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

local PASSWD <const> = "root:x:0:0:root:/root:/bin/sh\napp:x:1234:100::/home/app:/bin/sh\n"
local GROUP <const> = "root:x:0:\nusers:x:100:\naudio:x:29:app\nvideo:x:44:other,app\n"
local SHOW <const> = "id -u; id -g; id -G; echo $HOME"
local BUSYBOX <const> = "/bin/busybox"

local function run(fields)
  local raw = {
    rootfs = ctr.rootfs.host { "sh", "id" }, stdout = "capture", stderr = "capture",
    mounts = { ctr.file("/etc/passwd", PASSWD), ctr.file("/etc/group", GROUP) },
    command = { "sh", "-c", SHOW },
  }
  for name, value in pairs(fields) do raw[name] = value end
  return ctr.run(raw)
end

local function shown(fields)
  local result = assert(run(fields))
  return (result.stdout:gsub("\n", " ")) .. result.stderr
end

--- The problems of a container on a directory with this /etc/passwd, which `make` puts there.
local function refusal(make, fields)
  local dir <close> = support.tmpdir()
  local root = dir:mkdir "root"
  dir:mkdir "root/etc"
  dir:write("secret", "app:x:0:0::/:/bin/sh\n")
  make(dir, root .. "/etc/passwd")
  local raw = { rootfs = root, user = "app", command = { "/bin/true" } }
  for name, value in pairs(fields or {}) do raw[name] = value end
  local result, err = ctr.run(raw)
  assert.is_nil(result)
  assert.equal("ESPEC", err.code)
  return err.problems[1].path .. ": " .. err.problems[1].message
end

describe("a user by name #system", function()
  before_each(world.check)
  after_each(world.check)

  it("has the number, groups and home of the container's files", function()
    assert.equal("1234 100 100 29 44 /home/app ", shown { user = "app" })
  end)

  it("is alone in a group that was chosen", function()
    assert.equal("1234 29 29 /home/app ", shown { user = "app:audio" })
    assert.equal("7 44 44 / ", shown { user = "7:video" })
    assert.equal("1234 0 0 /home/app ", shown { user = "app:0" })
  end)

  it("has exactly the groups that were given", function()
    assert.equal("1234 100 100 5 44 /home/app ", shown { user = "app", groups = { "video", 5 } })
    assert.equal("1234 100 100 /home/app ", shown { user = "app", groups = {} })
    assert.equal("0 0 0 29 /root ", shown { groups = { "audio" } })
  end)

  it("may be root, whose capabilities it then has", function()
    local result = assert(run { user = "root", rootfs = ctr.rootfs.host { "sh", "grep" },
      command = { "sh", "-c", "grep CapEff /proc/self/status" } })
    assert.is_truthy(result.stdout:find("[1-9a-f]"))
  end)

  it("has no capability as somebody else", function()
    local result = assert(run { user = "app", rootfs = ctr.rootfs.host { "sh", "grep" },
      command = { "sh", "-c", "grep -c 'Cap[IPEA].*0000000000000000' /proc/self/status" } })
    assert.equal("4\n", result.stdout)
  end)

  it("keeps luactr's own groups when asked to", function()
    local mine = sys.getgroups()
    local _ <close> = setmetatable({}, { __close = function() assert(sys.setgroups(mine)) end })
    assert(sys.setgroups { 4321 })
    assert.equal("0 0 0 4321 /root ", shown { groups = "keep" })
    assert.equal("0 0 0 /root ", shown {})
  end)

  it("comes from a directory, a bound directory and a bound file", function()
    local dir <close> = support.tmpdir()
    dir:write("root/etc/passwd", PASSWD)
    dir:mkdir "root/proc"
    dir:mkdir "root/dev"
    dir:mkdir "root/sys"
    dir:write("other/passwd", "app:x:77:78::/o:/bin/sh\n")
    local bind = ctr.bind(BUSYBOX, "/bin/sh", { ro = true })
    local command = { "/bin/sh", "-c", "grep -E '^[UG]id' /proc/self/status" }
    local function ids(...)
      local result = assert(run { rootfs = dir .. "/root", mounts = { bind, ... }, user = "app",
        command = command })
      return result.stdout:match("Uid:%s+(%d+).*Gid:%s+(%d+)")
    end
    assert.same({ "1234", "100" }, { ids() })
    assert.same({ "77", "78" }, { ids(ctr.bind(dir .. "/other", "/etc")) })
    assert.same({ "77", "78" }, { ids(ctr.bind(dir .. "/other/passwd", "//etc/./passwd")) })
  end)

  it("is found without openat2, through no link at all", function()
    local dir <close> = support.tmpdir()
    dir:write("root/etc/passwd", "app:x:77:78::/o:/bin/sh\n")
    local recipe = dir:write("recipe.lua", ([[
      local ctr = require "luactr"
      return ctr.container { rootfs = %q, user = "app", command = { "/bin/true" } }
    ]]):format(dir .. "/root"))
    local function explained()
      return support.luactr { "explain", recipe, without = { "openat2" } }
    end
    assert.is_truthy(explained().stdout:find("setresuid(77, 77, 77)", 1, true))
    assert(os.rename(dir .. "/root/etc/passwd", dir .. "/root/etc/other"))
    assert(sys.symlink("other", dir .. "/root/etc/passwd"))
    assert.is_truthy(explained().stderr:find('user "app" is not known', 1, true))
    assert(os.rename(dir .. "/root/etc", dir .. "/root/other"))
    assert(sys.symlink(dir .. "/root/other", dir .. "/root/etc"))
    assert.is_truthy(explained().stderr:find('user "app" is not known', 1, true))
  end)

  describe("of a hostile root file system", function()
    it("is not looked up outside of it", function()
      for _, link in ipairs { "%s/secret", "../../secret", "../../../../../../..%s/secret" } do
        local text = refusal(function(dir, path)
          assert(sys.symlink((link:gsub("%%s", dir.path)), path))
        end)
        assert.equal('user: user "app" is not known: the container has no /etc/passwd', text)
      end
      local text = refusal(function(_, path) assert(sys.symlink("/proc/self/fd/0", path)) end)
      assert.is_truthy(text:find("the container has no /etc/passwd", 1, true))
    end)

    it("is not looked up below a directory that is a link", function()
      local text = refusal(function(dir, path)
        local etc = path:match("^(.*)/")
        assert(sys.rmdir(etc))
        dir:write("passwd", "app:x:0:0::/:/bin/sh\n")
        assert(sys.symlink(dir.path, etc))
      end)
      assert.is_truthy(text:find("the container has no /etc/passwd", 1, true))
    end)

    it("is not looked up in what is no file", function()
      local kinds <const> = {
        directory = function(_, path) assert(sys.mkdir(path)) end,
        fifo = function(_, path) assert(sys.mknod(path, sys.S_IFIFO | 420)) end,
        char = function(_, path) assert(sys.mknod(path, sys.S_IFCHR | 420, sys.makedev(1, 5))) end,
      }
      for kind, make in pairs(kinds) do
        assert.equal('user: user "app" is not known: /etc/passwd of the container is a ' .. kind
          .. ", not a file", refusal(make))
      end
    end)

    it("is refused in a file without end", function()
      local text = refusal(function(_, path)
        support.write(path, ("x"):rep(4096))
        support.must { "truncate", "-s", "1T", path }
      end)
      assert.is_truthy(text:find("is larger than 4194304 bytes", 1, true))
    end)

    it("is refused when its line is wrong", function()
      local text = refusal(function(_, path) support.write(path, "app:x:0:0:\n") end)
      assert.equal("user: /etc/passwd of the container: "
        .. 'the line of "app" has 5 fields instead of 7', text)
    end)

    it("is refused when it is not there", function()
      local function passwd(_, path) support.write(path, PASSWD) end
      assert.equal('user: /etc/passwd of the container has no user "nope"',
        refusal(passwd, { user = "nope" }))
      assert.equal('user: group "staff" is not known: the container has no /etc/group',
        refusal(passwd, { user = "app:staff" }))
      assert.equal('groups[2]: group "x" is not known: the container has no /etc/group',
        refusal(passwd, { groups = { 1, "x" } }))
    end)
  end)
end)
