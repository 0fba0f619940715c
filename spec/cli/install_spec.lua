local lfs = require("lfs")
local support = require("support")

describe("cmake --install #slow", function()
  local prefix

  setup(function()
    prefix = support.tmpdir()
    local result = support.run { "cmake", "--install", support.build, "--prefix", prefix.path }
    assert.equal(0, result.code, result.stderr)
  end)

  teardown(function() prefix:close() end)

  it("lets a plain lua5.4 require luactr", function()
    local result = support.run { "lua5.4", "-e", 'print(require("luactr").version)', cwd = "/",
      env = {
        LUA_PATH = prefix .. "/share/lua/5.4/?.lua;" .. prefix .. "/share/lua/5.4/?/init.lua",
        LUA_CPATH = prefix .. "/lib/lua/5.4/?.so",
      } }
    assert.equal("", result.stderr)
    assert.matches("^%d+%.%d+%.%d+\n$", result.stdout)
  end)

  it("installs an executable that needs nothing of the checkout", function()
    local result = support.run { prefix .. "/bin/luactr", "version", cwd = "/" }
    assert.equal(0, result.code, result.stderr)
  end)

  it("installs the init for kernels that execute no memfd", function()
    assert.equal("r-xr-xr-x", lfs.attributes(prefix .. "/libexec/luactr/init", "permissions"))
  end)
end)
