-- What a container has written becomes an image.

local ctr = require("luactr")
local images = require("support.images")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("commit #system", function()
  local here

  before_each(function()
    world.check()
    here = images.open()
    local made = assert(here:make("app", {
      { ["bin/sh"] = support.read("/bin/busybox"), ["gone"] = "x", ["dir/below"] = "x" },
      { ["kept"] = "kept" },
    }, { config = { Env = { "PATH=/bin" }, Cmd = { "/bin/sh", "-c", "cat /kept /new" } } }))
    local tree = made:trees()[2]
    assert(sys.chmod(tree .. "/bin/sh", "0755"))
    for _, program in ipairs { "cat", "sleep", "rm", "mkdir", "ls", "id" } do
      sys.symlink("sh", tree .. "/bin/" .. program)
    end
  end)

  after_each(function()
    here:close()
    world.check()
  end)

  local function image(options)
    return ctr.image(assert(here.store:find("app")), options)
  end

  local CHANGES <const> = "echo new >/new; rm /gone; rm -r /dir; mkdir /dir; echo x >/dir/above"

  local function changed(fields)
    fields.rootfs, fields.stdin = fields.rootfs or image(), "null"
    fields.command = { "/bin/sleep", "1000" }
    local box = ctr.container(fields)
    assert(box:start())
    assert(box:exec { command = { "/bin/sh", "-c", CHANGES } })
    return box
  end

  local function output(name, script)
    return assert(ctr.run { rootfs = ctr.image(assert(here.store:find(name))), stdout = "capture",
      stderr = "stdout", stdin = "null", command = script and { "/bin/sh", "-c", script } }).stdout
  end

  it("adds one layer with what was written in memory", function()
    local box <close> = changed {}
    local before = assert(here.store:find("app"))
    local made = assert(box:commit("made:1", { message = "why", author = "who",
      config = { Env = { "PATH=/bin", "X=y" } }, pause = true }))
    box:close()
    assert.are.equal("made:1", made.name)
    assert.are.equal(#before.layers + 1, #made.layers)
    assert.are.same(before.layers[2], made.layers[2])
    assert.are.same({ "PATH=/bin", "X=y" }, made.config.config.Env)
    assert.are.same(before.config.config.Cmd, made.config.config.Cmd)
    local last = made.config.history[#made.config.history]
    assert.are.same({ "why", "who", 3 }, { last.comment, last.author, #made.config.history })
    assert.are.equal("keptnew\n", output "made:1")
    assert.are.equal("bin\ndev\ndir\nkept\nnew\nproc\nsys\nabove\n",
      output("made:1", "ls / /dir | { while read x; do case $x in ''|*:) ;; *) echo $x;; esac;"
        .. " done; }"))
    local tree = made:trees()[1]
    assert.is_nil(sys.stat(tree .. "/proc")) -- a place for a mount, made by the start
    assert(here.store:verify "made:1")
  end)

  it("has the users of the container", function()
    support.needs("idmapped")
    local box <close> = changed { idmap = "auto" }
    local made = assert(box:commit "made")
    local stat = sys.stat(made:trees()[1] .. "/new")
    assert.are.same({ 0, 0 }, { stat.uid, stat.gid })
  end)

  it("finds what one in the background writes, and what it has kept when it ended", function()
    local name = support.name("commit")
    local script = here.dir:write("box.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = ctr.image("app", { upper = ... }), stdin = "null",
  command = { "/bin/sh", "-c", %q } }]]):format(CHANGES .. "; sleep 1000"))
    for _, upper in ipairs { false, here.dir.path .. "/up" } do
      assert.are.equal(0, here:luactr("run", "-d", "--name", name, script, upper or nil).code)
      local seen
      repeat
        seen = here:luactr("diff", name).stdout
      until seen:find("/dir/above", 1, true)
      if upper then
        here:luactr("kill", name)
        here:luactr("wait", name)
      end
      local result = here:luactr("commit", "-m", "why", name, "made")
      assert.are.equal("made:latest\n", result.stdout .. result.stderr)
      assert.are.equal(0, here:luactr("rm", "-f", name).code)
      assert.are.equal("keptnew\n", output "made")
    end
    support.must { "rm", "-rf", here.dir.path .. "/up", here.dir.path .. "/up.work" }
  end)

  describe("says why not:", function()
    it("what was in memory is gone", function()
      local name = support.name("commit-gone")
      assert.are.equal(0, here:luactr("run", "-d", "--name", name, "--image", "app", "/bin/sh",
        "-c", ":").code)
      here:luactr("wait", name)
      local result = here:luactr("commit", name, "made")
      assert.are.equal(125, result.code)
      assert.matches("what it wrote was in memory, and is gone with it.*upper = DIRECTORY",
        result.stderr)
      here:luactr("rm", name)
    end)

    it("it was not made of an image", function()
      local root = assert(here.store:find("app")):trees()[2]
      local box <close> = changed { rootfs = ctr.rootfs.overlay { lower = root,
        upper = here.dir.path .. "/up" } }
      local made, err = box:commit "made"
      assert.is_nil(made)
      assert.are.equal("ENOTSUP", err.code)
      assert.matches("it was not made of an image", err.cause, 1, true)
      box:close()
      support.must { "rm", "-rf", here.dir.path .. "/up", here.dir.path .. "/up.work" }
    end)

    it("a name that is none, an option that is none", function()
      local box <close> = changed {}
      local made, err = box:commit "Made"
      assert.is_nil(made)
      assert.are.equal("EINVAL", err.code)
      assert.has_error(function() box:commit("made", { mesage = "x" }) end,
        "commit: unknown option mesage, did you mean message?")
    end)
  end)

  describe("promote", function()
    it("does to a directory what was done to the root", function()
      local box <close> = changed {}
      here.dir:write("to/gone/x", "x") -- a directory by now
      here.dir:write("to/dir/below", "x")
      here.dir:write("to/own", "own")
      assert(box:promote(here.dir.path .. "/to"))
      box:close()
      local names = {}
      for _, entry in ipairs(sys.readdir(here.dir.path .. "/to")) do
        names[#names + 1] = entry.name
      end
      table.sort(names)
      assert.are.same({ "dir", "new", "own" }, names)
      assert.are.equal("x\n", support.read(here.dir.path .. "/to/dir/above"))
      assert.is_nil(sys.stat(here.dir.path .. "/to/dir/below"))
    end)

    it("goes through no link of the directory", function()
      local box <close> = changed {}
      here.dir:write("outside/below", "x")
      here.dir:mkdir("to")
      assert(sys.symlink("../outside", here.dir.path .. "/to/dir"))
      box:promote(here.dir.path .. "/to")
      assert.are.equal("x", support.read(here.dir.path .. "/outside/below"))
      assert.is_nil(sys.stat(here.dir.path .. "/outside/above"))
    end)

    it("changes no layer of an image", function()
      local box <close> = changed {}
      local done, err = box:promote(assert(here.store:find("app")):trees()[1])
      assert.is_nil(done)
      assert.are.equal("EBUSY", err.code)
      assert.matches("a layer of an image, which its containers share", err.cause, 1, true)
    end)
  end)

  it("is shown by a recipe", function()
    local result = here:luactr("lua/recipes/image.lua", "app")
    assert.are.equal("", result.stderr)
    assert.matches("has written: +hello\n.*added /note\n.*second sees: +nothing\n"
      .. ".*new image: +hello\n$", result.stdout)
  end)
end)
