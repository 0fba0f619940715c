local lfs = require("lfs")
local support = require("support")
local sys = require("luactr.sys")

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

  for _, program in ipairs { "init", "monitor" } do
    it("installs the " .. program .. " for kernels that execute no memfd", function()
      local file = prefix .. "/libexec/luactr/" .. program
      assert.equal("r-xr-xr-x", lfs.attributes(file, "permissions"))
    end)
  end

  -- Every file below a directory.
  local function each_file(path, visit)
    for name in lfs.dir(path) do
      local file = path .. "/" .. name
      local mode = lfs.symlinkattributes(file, "mode")
      if mode == "directory" and name ~= "." and name ~= ".." then
        each_file(file, visit)
      elseif mode ~= "directory" then
        visit(file)
      end
    end
  end

  local SETID <const> = tonumber("6000", 8)

  local function is_setid(file)
    return sys.stat(file, "symlink_nofollow").mode & SETID ~= 0
  end

  -- Whether running a file, or one below it, gives its caller capabilities.
  local function has_capabilities(path)
    return support.must { "getcap", "-r", path } ~= ""
  end

  it("installs nothing that gives its caller privileges", function()
    support.needs("program:getcap")
    local count = 0
    local function visit(file)
      count = count + 1
      assert.is_false(is_setid(file), file)
    end
    each_file(prefix.path, visit)
    assert.is_true(count > 50)
    assert.is_false(has_capabilities(prefix.path))
    for _, name in ipairs { "/luactr", "/luactr-init", "/luactr-monitor" } do
      visit(support.build .. name)
      assert.is_false(has_capabilities(support.build .. name))
    end
  end)

  it("would notice one that does", function()
    support.needs("root", "program:getcap", "program:setcap")
    local dir <close> = support.tmpdir()
    local file = dir:write("file", "", "0755")
    assert.is_false(is_setid(file))
    support.must { "chmod", "g+s", file }
    assert.is_true(is_setid(file))
    assert.is_false(has_capabilities(dir.path))
    support.must { "setcap", "cap_setuid+ep", file }
    assert.is_true(has_capabilities(dir.path))
  end)
end)
