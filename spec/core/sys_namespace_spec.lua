local inside = require("support.inside")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local TYPES <const> = { "mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time" }

local function fails(errno, _, message, number)
  assert.equal(errno, sys.errname(number), message)
end

local function open_ns(type, pid)
  return assert(sys.open(("/proc/%s/ns/%s"):format(pid or "self", type)))
end

describe("luactr.sys namespaces #core #layout", function()
  before_each(world.check)
  after_each(world.check)

  it("fail with the errno of the system call #unemulated", function()
    local plain <close> = assert(sys.open("/dev/null"))
    local uts <close> = open_ns("uts")
    inside({}, function()
      fails("EINVAL", sys.unshare(1))
      fails("EINVAL", sys.setns(plain, "newuts"))
      fails("ENOTTY", sys.ns_get_userns(plain))
      fails("EINVAL", sys.ns_get_parent(uts))
      fails("ENOTTY", sys.ns_get_nstype(plain))
      fails("EINVAL", sys.ns_get_owner_uid(uts))
      fails("EINVAL", sys.sethostname(("x"):rep(65)))
      fails("EINVAL", sys.setdomainname(("x"):rep(65)))
      fails("ENOENT", sys.ns_id("pod"))
      fails("ENOENT", sys.uid_map(0x7ffffff0, { { 0, 0, 1 } }))
      fails("ENOENT", sys.gid_map(0x7ffffff0, { { 0, 0, 1 } }))
      fails("ENOENT", sys.setgroups_policy(0x7ffffff0, "deny"))
    end)
  end)

  it("are new after unshare, each by its flag", function()
    support.needs("root")
    local flags = { mnt = "newns", uts = "newuts", ipc = "newipc", net = "newnet",
      cgroup = "newcgroup" }
    inside({}, function()
      for type, flag in pairs(flags) do
        local before = assert(sys.ns_id(type))
        assert(sys.unshare(flag))
        assert.not_equal(before, sys.ns_id(type))
      end
    end)
  end)

  it("are new in a clone, all at once, and old outside", function()
    support.needs("root")
    local ready, tell <close> = assert(sys.pipe())
    local _ <close> = ready
    local child <close> = assert(sys.clone(
      { "newns", "newuts", "newipc", "newpid", "newnet", "newuser", "newcgroup" },
      function()
        tell:write("x")
        sys.nanosleep(60)
      end))
    ready:read(1)
    for _, type in ipairs(TYPES) do
      local same = sys.ns_id(type) == assert(sys.ns_id(type, child))
      assert.equal(type == "time", same, type)
    end
  end)

  it("join by descriptor and by pidfd", function()
    support.needs("root")
    local ready, tell <close> = assert(sys.pipe())
    local _ <close> = ready
    local child <close> = assert(sys.clone({ "newuts", "newipc" }, function()
      assert(sys.sethostname("joined"))
      tell:write("x")
      sys.nanosleep(60)
    end))
    ready:read(1)
    local uts <close> = open_ns("uts", child:pid())
    inside({}, function()
      assert(sys.setns(uts, "newuts"))
      assert.equal("joined", sys.gethostname())
      assert(sys.setns(child, { "newipc", "newuts" }))
      assert.equal(sys.ns_id("ipc", child), sys.ns_id("ipc"))
    end)
  end)

  it("tell their type, owner and parent", function()
    support.needs("root")
    local uts <close> = open_ns("uts")
    assert.equal(sys.CLONE_NEWUTS, sys.ns_get_nstype(uts))
    local owner <close> = assert(sys.ns_get_userns(uts))
    assert.equal(sys.ns_id("user"), sys.stat(owner).ino)
    assert.equal(0, sys.ns_get_owner_uid(owner))
    inside("newuser", function()
      local user <close> = open_ns("user")
      local parent <close>, _, errno = sys.ns_get_parent(user)
      assert(parent or errno == sys.errno.EPERM) -- out of sight from inside
    end)
  end)

  it("show a child's parent namespace to the host", function()
    support.needs("root")
    local child <close> = assert(sys.clone("newuser", function() sys.nanosleep(60) end))
    local user <close> = open_ns("user", child:pid())
    local parent <close> = assert(sys.ns_get_parent(user))
    assert.equal(sys.ns_id("user"), sys.stat(parent).ino)
  end)

  it("have names of their own #unemulated", function()
    support.needs("root")
    local host, domain = sys.gethostname(), sys.getdomainname()
    inside("newuts", function()
      assert(sys.sethostname("inside"))
      assert(sys.setdomainname("domain"))
      assert.same({ "inside", "domain" }, { sys.gethostname(), sys.getdomainname() })
      assert.equal("inside", sys.uname().nodename)
    end)
    assert.same({ host, domain }, { sys.gethostname(), sys.getdomainname() })
  end)

  it("map ids once", function()
    support.needs("root")
    local ready, go <close> = assert(sys.pipe())
    local _ <close> = ready
    local child <close> = assert(sys.clone("newuser", function()
      go:close()
      ready:read(1) -- until the maps are there
      return sys.getuid() * 10 + sys.getgid()
    end))
    assert(sys.uid_map(child, { { 3, 0, 1 }, { 100, 1000, 10 } }))
    assert(sys.setgroups_policy(child, "deny"))
    assert(sys.gid_map(child, { { 4, 0, 1 } }))
    fails("EPERM", sys.uid_map(child, { { 0, 0, 1 } }))
    go:close()
    assert.equal(34, child:wait().code)
  end)
end)
