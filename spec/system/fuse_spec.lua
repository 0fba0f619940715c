-- Roots of layers by fuse-overlayfs, as root and without.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root", "stranger", "program:fuse-overlayfs", "fuse")

local NAME <const> = "fuse-" .. sys.getpid()
local PATIENCE <const> = 60 -- seconds
local USERS <const> = { root = false, ["a user without rights"] = support.stranger }

describe("layers by fuse-overlayfs #system", function()
  local dir, root

  before_each(function()
    dir = support.tmpdir()
    world.check()
    root = dir:mkdir "root"
    dir:mkdir "root/bin"
    for _, name in ipairs { "sh", "cat", "rm", "dd", "ls", "sleep" } do
      support.symlink("busybox", root .. "/bin/" .. name)
    end
    support.copy("/bin/busybox", root .. "/bin/busybox")
    dir:write("root/below", "below\n")
    dir:write("top/over", "top\n")
    dir:mkdir "run"
  end)

  after_each(function()
    world.check()
    support.must { "rm", "-rf", dir.path }
  end)

  local function luactr(user, words)
    support.must { "chown", "-R", ("%d:%d"):format(user or 0, user or 0), dir.path }
    words.user, words.env = user or nil, { XDG_RUNTIME_DIR = dir .. "/run" }
    return support.luactr(words)
  end

  local function recipe(script, layers, more)
    return dir:write("recipe.lua", ([[
      local ctr = require "luactr"
      local root = %q
      return ctr.container { stdin = "null", command = { "/bin/sh", "-c", %q }, %s
        rootfs = ctr.rootfs.overlay { lower = { %q, root }, driver = "fuse-overlayfs", %s } }
    ]]):format(root, script, more or "", dir .. "/top", layers or ""))
  end

  local function output(user, ...)
    local result = luactr(user, { recipe(...) })
    return result.stdout .. result.stderr
  end

  local function serves()
    return support.run({ "ps", "-eo", "stat,args" }).stdout:find(
      "\n[^Z]%S*%s+fuse%-overlayfs [^\n]*" .. dir.path:gsub("%p", "%%%0")) ~= nil
  end

  local function await_end()
    local deadline = sys.clock_gettime() + PATIENCE
    while serves() do
      assert(sys.clock_gettime() < deadline, "fuse-overlayfs outlives its mount")
      sys.nanosleep(0.01)
    end
  end

  for who, user in pairs(USERS) do
    describe("of " .. who, function()
      it("throw away what is written", function()
        local script = "cat /over /below; rm /below; echo new >/new; cat /new; ls / | cat"
        local shown = "top\nbelow\nnew\nbin\ndev\nnew\nover\nproc\nsys\n"
        assert.are.equal(shown, output(user, script))
        assert.is_false(serves())
      end)

      it("keep it in upper", function()
        local upper = ("upper = %q"):format(dir .. "/upper")
        assert.are.equal("", output(user, "rm /below; echo new >/over", upper))
        assert.are.equal("new\nbin\ndev\nover\nproc\nsys\n", output(user, "cat /over; ls /", upper))
        assert.are.equal("top\n", support.read(dir .. "/top/over"))
      end)

      it("end with a detached container, and not before", function()
        local result = luactr(user, { "run", "-d", "--name", NAME,
          recipe "echo new >/new; exec sleep 1000" })
        assert.are.equal(NAME .. "\n", result.stdout .. result.stderr)
        assert.is_true(serves())
        assert.are.equal("top\n", luactr(user, { "exec", NAME, "cat", "/over" }).stdout)
        assert.are.equal(0, luactr(user, { "rm", "-f", NAME }).code)
        await_end()
      end)
    end)
  end

  it("write no more than their size", function()
    assert.matches("No space left", output(support.stranger,
      "dd if=/dev/zero of=/big bs=64k count=32", "size = \"1M\""))
  end)

  it("end when luactr is killed", function()
    local script <const> = "echo ready; exec sleep 1000"
    local reader <close>, writer = assert(sys.pipe())
    local box = ctr.container { rootfs = ctr.rootfs.overlay { lower = { dir .. "/top", root },
      driver = "fuse-overlayfs" }, command = { "/bin/sh", "-c", script }, stdin = "null",
      stdout = writer }
    local child <close> = assert(sys.clone({}, function()
      assert(box:start())
      sys.kill(sys.getpid(), "KILL")
    end))
    writer:close()
    assert(sys.waitid(child))
    while reader:read(100) ~= "" do end -- until nobody of the container is left
    await_end()
    support.must { support.luactr_program, "gc" }
  end)

  it("show nothing to others of the same user", function()
    assert.are.equal(0, luactr(support.stranger, { "run", "-d", "--name", NAME,
      recipe "exec sleep 1000" }).code)
    local result = luactr(support.stranger, { "cp", NAME .. ":/over", "-" })
    luactr(support.stranger, { "rm", "-f", NAME })
    assert.matches("EACCES.*fuse%-overlayfs serves its root to its own users only", result.stderr)
    await_end()
  end)

  it("tell what the program says", function()
    assert.matches("mount a file system of fuse%-overlayfs on /.*cannot read lower dirs",
      output(nil, "", "options = { \"lowerdir=/none\" }"))
  end)

  it("tell that the program is missing", function()
    local result = support.luactr { recipe ":", env = { PATH = "/none" } }
    assert.matches("there is no fuse%-overlayfs on this host.*apt install fuse%-overlayfs",
      result.stderr)
  end)
end)
