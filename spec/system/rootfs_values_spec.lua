-- Roots in files, and roots that are made of others.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

local rootfs <const> = ctr.rootfs
local SCRIPT <const> = "echo $(cat /file); echo new >/new && cat /new; ls -ln /file"

local PATIENCE <const> = 60 -- seconds

local function await(condition)
  local deadline = sys.clock_gettime() + PATIENCE
  while not condition() do
    assert(sys.clock_gettime() < deadline, "it did not come to that")
    sys.nanosleep(0.01)
  end
end

-- Whether some loop device is that file.
local function has_loop(path)
  for number = 0, 255 do
    local file <close> = io.open(("/sys/block/loop%d/loop/backing_file"):format(number))
    if file and file:read("l") == path then
      return true
    end
  end
  return false
end

describe("roots #system", function()
  local dir

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    support.must { "rm", "-rf", dir.path } -- the kernel closes its work directory to others
  end)

  local function at(name)
    return dir.path .. "/" .. name
  end

  -- A directory with a shell and a file.
  local function tree(name, text)
    for _, directory in ipairs { "bin", "proc", "dev", "sys" } do
      dir:mkdir(name .. "/" .. directory)
    end
    dir:write(name .. "/bin/sh", support.read("/bin/busybox"), "0755")
    for _, program in ipairs { "cat", "ls", "id", "dd" } do
      support.symlink("sh", at(name) .. "/bin/" .. program)
    end
    dir:write(name .. "/file", text or "text")
    return at(name)
  end

  local MAKE <const> = {
    squashfs = function(source, file)
      return { "mksquashfs", source, file, "-quiet", "-no-progress", "-processors", "1" }
    end,
    erofs = function(source, file) return { "mkfs.erofs", "--quiet", file, source } end,
    tar = function(source, file) return { "tar", "czf", file, "-C", source, "." } end,
  }

  local function packed(kind, text)
    local argv = MAKE[kind](tree("tree", text), at(kind))
    support.needs("program:" .. argv[1])
    support.must(argv)
    return at(kind)
  end

  local function result_of(root, script, more)
    local fields = { rootfs = root, command = { "/bin/sh", "-c", script or SCRIPT },
      stdin = "null", stdout = "capture", stderr = "stdout" }
    for name, value in pairs(more or {}) do
      fields[name] = value
    end
    return ctr.run(fields)
  end

  -- What it prints. A host without the file system cannot show this.
  local function output(root, script, more)
    local result, err = result_of(root, script, more)
    if err and err.cause and err.cause:find("this kernel has no", 1, true) then
      pending(err.cause)
    end
    return assert(result, err).stdout
  end

  for _, kind in ipairs { "squashfs", "erofs" } do
    describe("in a " .. kind, function()
      it("can be read, and not written to", function()
        local said = output(rootfs[kind](packed(kind)))
        assert.matches("^text\n.*Read%-only file system", said)
      end)

      it("can be written to as a layer, with owners that are the container's", function()
        local root = rootfs.overlay { lower = rootfs[kind](packed(kind)) }
        assert.matches("^text\nnew\n%S+ +1 0 +0 ", output(root))
        support.needs("idmapped")
        assert.matches("^text\nnew\n%S+ +1 0 +0 ", output(root, SCRIPT, { idmap = "auto" }))
      end)

      it("leave no mount and no loop device when luactr is killed", function()
        packed(kind)
        local script = dir:write("box.lua", ([[
local ctr = require "luactr"
local box = ctr.container { rootfs = ctr.rootfs.%s %q, command = { "/bin/cat" }, stdin = "pipe" }
assert(box:start())
print "up"
io.stdout:flush()
require "luactr.sys".kill(require "luactr.sys".getpid(), "KILL")
]]):format(kind, at(kind)))
        support.luactr { script }
        support.must { support.luactr_program, "gc" }
        await(function() return not has_loop(at(kind)) end)
      end)

      it("are told when they are something else", function()
        packed(kind)
        dir:write("other", ("x"):rep(1 << 16))
        local _, err = result_of(rootfs[kind](at("other")))
        if err.cause:find("this kernel has no", 1, true) then
          pending(err.cause)
        end
        assert.matches(("is no %s, or a damaged one"):format(kind), err.cause, 1, true)
      end)
    end)
  end

  it("in a file are told when it is missing", function()
    local _, err = result_of(rootfs.squashfs(at("none")))
    assert.are.equal("ENOENT", err.code)
    assert.are.equal("there is no " .. at("none") .. " on this host", err.cause)
  end)

  it("in a file say where a mount has no place", function()
    support.needs("program:mksquashfs")
    dir:mkdir("hollow/bin")
    support.must(MAKE.squashfs(at("hollow"), at("hollow.file")))
    local _, err = result_of(rootfs.squashfs(at("hollow.file")))
    if err.cause:find("this kernel has no", 1, true) then
      pending(err.cause)
    end
    assert.are.equal("EROFS", err.code)
    assert.are.equal("/proc does not exist in " .. at("hollow.file") .. ", which is only read",
      err.cause)
    assert.matches("ctr.rootfs.overlay", err.remedy, 1, true)
  end)

  describe("in a tar archive", function()
    it("are unpacked for each start, and gone with it", function()
      local root = rootfs.tar(packed("tar"))
      assert.matches("^text\nnew\n", output(root))
      assert.matches("No such file.*text\nnew\n", output(root, "cat /new; " .. SCRIPT))
    end)

    it("keep set-id bits and owners, and name what they leave out", function()
      tree("tree")
      dir:write("tree/su", "x")
      support.must { "chown", "7:8", at("tree/su") }
      support.must { "chmod", "4755", at("tree/su") }
      support.must { "mknod", at("tree/node"), "c", "1", "3" }
      support.must(MAKE.tar(at("tree"), at("tar")))
      local result = assert(result_of(rootfs.tar(at("tar")), "ls -ln /su; test ! -e /node"))
      assert.matches("^%-rwsr%-xr%-x +1 7 +8 ", result.stdout)
      assert.are.equal(0, result.exit_code)
      assert.are.equal(at("tar") .. ": ./node is left out: it is a device", result.warnings[1])
    end)

    it("know their users by name", function()
      tree("tree")
      dir:write("tree/etc/passwd", "somebody:x:1234:7::/:/bin/sh\n")
      support.must(MAKE.tar(at("tree"), at("tar")))
      assert.are.equal("1234\n", output(rootfs.tar(at("tar")), "id -u", { user = "somebody" }))
    end)

    it("respect limits, and leave nothing when they fail", function()
      local _, err = result_of(rootfs.tar(packed("tar"), { limits = { entries = 3 } }))
      assert.are.equal("E2BIG", err.code)
      assert.matches("cannot unpack " .. at("tar"), tostring(err), 1, true)
      dir:write("cut", support.read(at("tar")):sub(1, 5000))
      _, err = result_of(rootfs.tar(at("cut")))
      assert.matches("cannot unpack " .. at("cut"), tostring(err), 1, true)
    end)
  end)

  describe("made of others", function()
    it("show the topmost, of directories, archives and overlays", function()
      tree("below", "below")
      local archive = rootfs.tar(packed("tar", "above"))
      assert.matches("^above\n", output(rootfs.overlay { lower = { archive, at("below") } }))
      local inner = rootfs.overlay { lower = at("below"), upper = at("up") }
      assert.matches("^below\n", output(rootfs.overlay { lower = { inner, archive } }))
    end)

    it("keep what is written in upper, with a work directory beside it", function()
      local root = rootfs.overlay { lower = tree("below"), upper = at("up") }
      assert.matches("^text\nnew\n", output(root))
      assert.are.equal("new\n", support.read(at("up/new")))
      assert.matches("^new\n", output(root, "cat /new"))
      assert.are.equal("directory", sys.stat(at("up.work")).type)
    end)

    it("write to a tmpfs of a size", function()
      local root = rootfs.overlay { lower = tree("below"), upper = ctr.tmpfs "1M" }
      assert.matches("No space left", output(root, "dd if=/dev/zero of=/big bs=64k count=32"))
    end)

    it("show the container its own users", function()
      support.needs("idmapped")
      local root = rootfs.overlay { lower = { tree("above"), tree("below") } }
      assert.matches("^text\nnew\n%S+ +1 0 +0 ", output(root, SCRIPT, { idmap = "auto" }))
    end)
  end)

  describe("made by debootstrap", function()
    -- A tool that copies a tree and notes how it was called.
    local function fake(text)
      dir:write("bin/mmdebstrap", "#!/bin/sh\n" .. text, "0755")
    end

    local function run_recipe(options)
      local script = dir:write("debian.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = ctr.rootfs.debootstrap { suite = "bookworm", cache = %q, %s },
  command = { "/bin/sh", "-c", "cat /file; echo new >/file" }, stdin = "null" }]]):format(
        at("cache"), options or ""))
      return support.luactr { script, env = { PATH = at("bin") .. ":" .. os.getenv("PATH") } }
    end

    it("are made once, with the options", function()
      tree("tree")
      fake(('echo "$@" >>%s; cp -a %s "$4"'):format(at("calls"), at("tree")))
      for _ = 1, 2 do
        local result = run_recipe([[include = { "curl", "jq" }, mirror = "http://deb.example/d"]])
        assert.are.equal("text", result.stdout .. result.stderr)
      end
      assert.matches("^%-%-variant=minbase %-%-include=curl,jq bookworm " .. at("cache"):gsub("%p",
        "%%%0") .. "/bookworm%-%x+%.new http://deb.example/d\n$", support.read(at("calls")))
    end)

    it("tell what the tool said, and leave nothing of half a root", function()
      fake('mkdir -p "$3"; echo some words; echo E: no such suite >&2; exit 25')
      local result = run_recipe()
      assert.are.equal(125, result.code)
      assert.matches("mmdebstrap ended with status 25: E: no such suite", result.stderr, 1, true)
      for _, entry in ipairs(sys.readdir(at("cache"))) do
        assert.matches("%.lock$", entry.name)
      end
    end)

    it("name the tool that is missing", function()
      dir:mkdir("bin")
      local script = dir:write("debian.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = ctr.rootfs.debootstrap { suite = "bookworm", cache = %q },
  command = { "x" } }]]):format(at("cache")))
      local result = support.run {
        "/bin/env", "PATH=" .. at("bin"), support.luactr_program, script }
      assert.matches("neither mmdebstrap nor debootstrap is installed", result.stderr, 1, true)
      assert.matches("apt install mmdebstrap", result.stderr, 1, true)
    end)
  end)

  it("name the recipe's line", function()
    local line = debug.getinfo(1, "l").currentline
    local values = {
      rootfs.tar "/no/such",
      rootfs.squashfs "/no/such", ctr.image "no/such",
      rootfs.image "no/such",
      rootfs.overlay { lower = "/no/such" },
    }
    local lines = {}
    for i, value in ipairs(values) do
      lines[i] = value.where.line - line
    end
    assert.same({ 2, 3, 3, 4, 5 }, lines)
    local function mistaken() rootfs.overlay { lowr = "/" } end
    assert.matches(":" .. line + 12 .. ": rootfs.overlay: unknown", select(2, pcall(mistaken)))
    local value = (function() return rootfs.tar "/no/such" end)() -- whose line nobody knows
    assert.is_not_true(value.where and value.where.line < 0)
  end)

  describe("refuse", function()
    local cases = {
      { "debootstrap", { suite = "-x" }, "suite: a word" },
      { "debootstrap", { suite = "x", include = { "a b" } }, "include: no package's name: a b" },
      { "debootstrap", { suite = "x", mirror = "--hook=x" }, "mirror: an URL expected" },
      { "overlay", { lower = rootfs.empty() }, "cannot be a layer" },
      { "overlay", { lower = "/a", upper = ctr.tmpfs "x" }, "upper: " },
      { "overlay", { lower = "/a", upper = ctr.tmpfs("1M", "2M") }, "takes a size only" },
      { "overlay", { lower = "/a", upper = ctr.tmpfs "1M", work = "/b" }, "work: is for" },
      { "tar", "", "a file's path expected" },
      { "squashfs", 1, "a file's path expected" },
    }
    for _, case in ipairs(cases) do
      it(case[1] .. ": " .. case[3], function()
        local fine, message = pcall(rootfs[case[1]], case[2])
        assert.is_false(fine)
        assert.matches("rootfs." .. case[1] .. ": ", message, 1, true)
        assert.matches(case[3], message, 1, true)
      end)
    end
  end)
end)
