-- Files by which programs know their host.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("luactr.mount.identity #system", function()
  before_each(world.check)
  after_each(world.check)

  local function output(mounts, script)
    local result = assert(ctr.run { rootfs = ctr.rootfs.host { "bash", "cat", "date", "stat" },
      mounts = mounts, stdin = "null", stdout = "capture", stderr = "stdout",
      command = { "/bin/bash", "-c", script } })
    return result.stdout
  end

  it("resolv_conf names servers", function()
    assert.are.equal("nameserver 10.0.0.1\nnameserver ::1\nsearch a.org b.org\noptions ndots:2\n",
      output({ ctr.resolv_conf { nameservers = { "10.0.0.1", "::1" }, options = { "ndots:2" },
        search = { "a.org", "b.org" } } }, "cat /etc/resolv.conf"))
  end)

  it("hosts names addresses, and localhost", function()
    assert.are.equal("127.0.0.1\tlocalhost\n::1\tlocalhost\n10.0.0.1\ta\n10.0.0.2\tb\n",
      output({ ctr.hosts { b = "10.0.0.2", a = "10.0.0.1" } }, "cat /etc/hosts"))
  end)

  it("timezone sets the clock's zone, over a link as well", function()
    support.needs("file:/usr/share/zoneinfo/Asia/Tokyo")
    local mounts = { ctr.symlink("/nowhere", "/etc/localtime"), ctr.timezone "Asia/Tokyo" }
    assert.are.equal("+0900\n", output(mounts, "date +%z"))
  end)

  it("machine_id is given, or another each time", function()
    local id = ("0123456789abcdef"):rep(2)
    assert.are.equal(id .. "\n444\n", output({ ctr.machine_id(id) },
      "cat /etc/machine-id; stat -c %a /etc/machine-id"))
    local first, second = ctr.machine_id().content, ctr.machine_id().content
    assert.matches("^%x+\n$", first)
    assert.are.equal(33, #first)
    assert.are_not.equal(first, second)
  end)

  local cases = {
    { "resolv_conf", "x", "table with nameservers" },
    { "resolv_conf", { nameserver = {} }, "unknown field nameserver" },
    { "resolv_conf", { nameservers = { "a\nb" } }, "nameservers: not a word" },
    { "resolv_conf", { search = "a" }, "search: list expected" },
    { "hosts", { ["a b"] = "10.0.0.1" }, "name = address expected" },
    { "hosts", { "10.0.0.1" }, "name = address expected" },
    { "timezone", "../etc/passwd", "name as" }, { "timezone", nil, "name as" },
    { "timezone", "a/../../b", "name as" },
    { "machine_id", "short", "32 hexadecimal digits" },
  }
  for i, case in ipairs(cases) do
    it("refuses " .. case[3] .. " (" .. i .. ")", function()
      local fine, message = pcall(function()
        local _ = ctr[case[1]](case[2]) -- no tail call, which has no line
      end)
      assert.is_false(fine)
      assert.matches(case[1] .. ": " .. case[3], message, 1, true)
      assert.matches("identity_spec.lua", message, 1, true)
    end)
  end
end)
