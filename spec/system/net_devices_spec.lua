-- Network devices that move into a container. "The host" here is a network namespace of the spec's
-- own, with devices of a kind that every kernel has: veth pairs, or dummies.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

describe("net_devices #system #layout", function()
  local it = support.it(it, pending, "root", "program:ip")
  local dir, outside

  -- The spec's process is in a network namespace of its own while it runs.
  local function ip(...)
    return support.run { "ip", ... }
  end

  setup(function()
    outside = assert(sys.open("/proc/self/ns/net", { "rdonly" }))
  end)

  teardown(function() outside:close() end)

  before_each(function()
    world.check()
    dir = support.tmpdir()
    assert(sys.unshare(sys.CLONE_NEWNET))
  end)

  after_each(function()
    assert(sys.setns(outside, sys.CLONE_NEWNET))
    dir:close()
    world.check()
  end)

  local function has_device(name)
    return ip("link", "add", name, "type", "dummy").code == 0
      or ip("link", "add", name, "type", "veth", "peer", "name", name .. "p").code == 0
  end

  local function box(fields)
    local recipe = {
      rootfs = ctr.rootfs.host { "ip" }, command = { "ip", "-o", "address" }, stdout = "capture",
      seccomp = "unconfined",
    }
    for name, value in pairs(fields) do recipe[name] = value end
    return ctr.container(recipe)
  end

  local function output(fields)
    local result, err = box(fields):run()
    assert(result, tostring(err))
    assert.are.equal(0, result.exit_code)
    return result.stdout
  end

  local function fails(text, fields)
    local done, err = box(fields):start()
    assert.is_nil(done)
    assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
    return err
  end

  it("keep their addresses of global scope, and are up under another name", function()
    if not has_device "lctr0" then return pending("no kind of device can be made here") end
    ip("address", "add", "192.0.2.7/24", "dev", "lctr0")
    ip("address", "add", "2001:db8::7/64", "dev", "lctr0")
    ip("address", "add", "169.254.3.3/16", "scope", "link", "dev", "lctr0")
    local text = output { net_devices = { lctr0 = "inner" },
      command = { "ip", "-o", "address", "show", "dev", "inner" } }
    assert.matches("inet 192%.0%.2%.7/24", text)
    assert.is_nil(text:find("169.254.3.3", 1, true))
    local links = ip("-o", "link").stdout
    assert.is_nil(links:find(" lctr0[:@]"), links) -- its peer is another
  end)

  it("are up", function()
    if not has_device "lctr0" then return pending("no kind of device can be made here") end
    local text = output { net_devices = { "lctr0" },
      command = { "ip", "-o", "link", "show", "dev", "lctr0" } }
    assert.matches("[<,]UP[,>]", text)
  end)

  it("get a number for a template", function()
    if not has_device "lctr0" then return pending("no kind of device can be made here") end
    local text = output { net_devices = { lctr0 = "num%d" }, command = { "ip", "-o", "link" } }
    assert.matches(" num0[:@]", text)
  end)

  it("stay where they are when the container does not start", function()
    if not (has_device "lctr0") then return pending("no kind of device can be made here") end
    ip("address", "add", "192.0.2.7/24", "dev", "lctr0")
    local err = fails("this host has no such network device",
      { net_devices = { lctr0 = "first", lctr1 = "second" } })
    assert.are.equal("ENODEV", err.code)
    assert.matches("cannot find network device lctr1", tostring(err))
    assert.matches("192%.0%.2%.7/24", ip("-o", "address", "show", "dev", "lctr0").stdout)
    fails("has a device of the name lo already", { net_devices = { lctr0 = "lo" } })
    assert.matches("lctr0", ip("-o", "link").stdout)
  end)

  it("that are bound to their namespace are refused", function()
    fails("the kernel binds this device to its network namespace",
      { net_devices = { lo = "lo9" } })
  end)

  it("need a network namespace", function()
    local problems = select(2, pcall(box, { net_devices = { "lo" }, network = "host" }))
    assert.matches("net_devices: needs a network namespace other than the host's",
      tostring(problems))
  end)
end)
