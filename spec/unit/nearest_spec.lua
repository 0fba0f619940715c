local nearest = require "luactr.nearest"

describe("luactr.nearest #unit", function()
  local known <const> = { "hostname", "domainname", "mounts", "memory", "env", "CAP_SYS_ADMIN" }

  local cases = {
    { "hostnam", "hostname" }, { "Hostname", "hostname" }, { "hsotname", "hostname" },
    { "mount", "mounts" }, { "memroy", "memory" }, { "evn", "env" },
    { "cap_sys_admn", "CAP_SYS_ADMIN" },
  }
  for _, case in ipairs(cases) do
    it("finds " .. case[2] .. " for " .. case[1], function()
      assert.are.equal(case[2], nearest.find(case[1], known))
    end)
  end

  it("finds nothing for a name that is far from all", function()
    assert.is_nil(nearest.find("xyzzy", known))
    assert.is_nil(nearest.find("", known))
    assert.are.equal("", nearest.hint("xyzzy", known))
  end)

  it("does not work on names of a hostile length", function()
    assert.is_nil(nearest.find(("hostname"):rep(100000), known))
  end)
end)
