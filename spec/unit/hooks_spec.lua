-- The field `hooks`: what it takes, and what is refused.

local spec = require("luactr.spec")
local rootfs = require("luactr.rootfs")

describe("hooks #unit", function()
  local function check(hooks)
    return spec.check { rootfs = rootfs.dir "/", command = { "true" }, hooks = hooks }
  end

  it("are programs by path, and functions", function()
    local function call() end
    local checked = assert(check {
      create_runtime = {
        { path = "/bin/up", args = { "up", "" }, env = { "A=b" }, timeout = "2s" } },
      poststop = { call, { path = "/bin/down", args = {} } }, prestart = {},
    })
    assert.same({
      create_runtime = { { path = "/bin/up", args = { "up", "" }, env = { "A=b" }, timeout = 2 } },
      poststop = { call, { path = "/bin/down", env = {} } },
    }, checked.hooks)
  end)

  for name, case in pairs {
    ["a relative path"] = { "hooks.poststop[1].path", { poststop = { { path = "up" } } } },
    ["a program without a path"] = { "hooks.prestart[1].path", { prestart = { {} } } },
    ["a time that is none"] = { "hooks.poststart[1].timeout",
      { poststart = { { path = "/up", timeout = 0 } } } },
    ["a variable without a name"] = { "hooks.poststart[1].env[1]",
      { poststart = { { path = "/up", env = { "=x" } } } } },
    ["a moment that there is not"] = { "hooks.poststrat", { poststrat = {} } },
    ["a function inside"] = { "hooks.start_container[1]",
      { start_container = { function() end } } },
  } do
    it("are not " .. name, function()
      local checked, err = check(case[2])
      assert.is_nil(checked)
      assert.equal("ESPEC", err.code)
      assert.equal(case[1], err.problems[1].path)
    end)
  end
end)
