local ctr = require "luactr"

local function line() return debug.getinfo(2, "l").currentline end

--- Call what raises an error object and return it.
local function error_of(make)
  local fine, err = pcall(make)
  assert.is_false(fine)
  return err
end

describe("luactr #unit", function()
  describe("container()", function()
    it("raises an error object with the caller's line", function()
      local here
      local err = error_of(function()
        here = line() + 1
        local box = ctr.container { nothing = 1 }
        return box
      end)
      assert.are.equal("ESPEC", err.code)
      assert.are.equal(here, err.where.line)
      assert.matches("init_spec.lua$", err.where.file)
    end)

    it("knows the line of a tail call too", function()
      local here
      local err = error_of(function()
        here = line() + 1
        return ctr.container { nothing = 1 }
      end)
      assert.are.equal(here, err.where.line)
    end)

    it("knows the line under another name", function()
      local container, here = ctr.container, nil
      local err = error_of(function()
        here = line() + 1
        local box = container { nothing = 1 }
        return box
      end)
      assert.are.equal(here, err.where.line)
    end)
  end)

  it("run() checks as container() does", function()
    local err = error_of(function() return ctr.run { nothing = 1 } end)
    assert.are.equal("ESPEC", err.code)
  end)

  describe("constructors of mounts", function()
    local cases = {
      { ctr.bind("/a"), { type = "bind", source = "/a", target = "/a", options = { "rbind" } } },
      { ctr.bind("/a", "/b", { ro = true, recursive = false, optional = true }),
        { type = "bind", source = "/a", target = "/b", options = { "bind", "ro" },
          optional = true } },
      { ctr.tmpfs("/t"), { type = "tmpfs", source = "tmpfs", target = "/t", options = {} } },
      { ctr.tmpfs("/t", "1K", { mode = "1777", noexec = true, options = { "nr_inodes=5" } }),
        { type = "tmpfs", source = "tmpfs", target = "/t",
          options = { "noexec", "nr_inodes=5", "size=1024", "mode=1777" } } },
      { ctr.file("/f", "x", { mode = "0600" }),
        { type = "file", target = "/f", content = "x", mode = "0600" } },
      { ctr.symlink("to", "/l"), { type = "symlink", source = "to", target = "/l" } },
      { ctr.dir("/d"), { type = "dir", target = "/d" } },
      { ctr.mount("proc", "proc", "/p", { "ro" }),
        { type = "proc", source = "proc", target = "/p", options = { "ro" } } },
    }
    for i, case in ipairs(cases) do
      it(string.format("make a %s (%d)", case[1].type, i), function()
        assert.are.same(case[2], case[1])
      end)
    end

    it("make tables that the schema accepts", function()
      local mounts = {}
      for i, case in ipairs(cases) do
        mounts[i] = case[1]
      end
      local root = setmetatable({}, { __name = "luactr.rootfs" })
      assert(require("luactr.spec").check { rootfs = root, command = { "/x" }, mounts = mounts })
    end)

    it("refuse unknown options at the caller's line", function()
      local here = line() + 1
      local fine, text = pcall(function() ctr.bind("/a", "/b", { ero = true }) end)
      assert.is_false(fine)
      assert.matches("init_spec.lua:" .. here .. ": bind: unknown option ero", text, 1, true)
      assert.has_error(function() ctr.tmpfs("/t", "64MB") end)
      assert.has_error(function() ctr.dir("/t", "0755") end)
    end)
  end)

  it("loads its parts when they are used", function()
    assert.is_string(ctr.version)
    assert.is_function(ctr.rootfs.dir)
    assert.is_nil(ctr.nothing)
  end)
end)
