-- `luactr cp` and `luactr export`, as commands.

local detached = require("support.detached")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("luactr cp and export #cli", function()
  local here, luactr, dir, name

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    here = detached.open("host { \"sh\", \"sleep\", copy = true }")
    luactr, dir = here.luactr, here.dir
    dir:write("src/a", "text\n")
    name = here:start("echo made > /made; exec sleep 1000")
    local deadline = sys.clock_gettime() + 60
    repeat
      sys.nanosleep(0.02)
    until luactr("cp", "-q", name .. ":/made", dir.path .. "/made").code == 0
      or sys.clock_gettime() > deadline
  end)

  after_each(function()
    here:close()
    world.check()
  end)

  local function run(...)
    local result = luactr(...)
    assert.same({ 0, "" }, { result.code, result.stderr })
    return result.stdout
  end

  it("copy there and back", function()
    run("cp", dir.path .. "/src", name .. ":/there")
    run("cp", name .. ":there/a", dir.path .. "/back")
    assert.equal("text\n", support.read(dir.path .. "/back"))
  end)

  it("write and read archives by -", function()
    local tar = run("cp", name .. ":/made", "-")
    dir:write("made.tar", tar)
    assert.equal("made\n", support.must { "tar", "-xOf", dir.path .. "/made.tar", "made" })
    local result = support.luactr { "cp", "-", name .. ":/", stdin = tar }
    assert.same({ 0, "" }, { result.code, result.stderr })
    here.fails(luactr("cp", "-", name .. ":/none"), 125, "an archive goes into a directory")
  end)

  it("export to a file, whole or not at all", function()
    local path = dir.path .. "/all.tar"
    run("export", name, "-o", path)
    assert.equal("made\n", support.must { "tar", "-xOf", path, "made" })
    local found = luactr("export", name)
    assert.equal(support.read(path), found.stdout)
    run("export", "--compress", "gzip", "-o", path, name)
    assert.equal("\x1f\x8b", support.read(path):sub(1, 2))
    here.fails(luactr("export", "-o", dir.path .. "/none/x", name), 125, "ENOENT")
    here.fails(luactr("export", "-o", "/dev/full", name), 125, "ENOSPC")
    here.fails(luactr("export", "--compress", "lzw", name), 2, "gzip or zstd")
  end)

  it("are not for terminals", function()
    for _, words in ipairs { { "export", name }, { "cp", name .. ":/made", "-" } } do
      local session <close> = require("support.process").start {
        support.luactr_program, tty = true, table.unpack(words) }
      local how = session:wait(60)
      assert.equal(125, how.code)
      assert.matches("not for a terminal", session.stdout, 1, true)
    end
  end)

  it("say what is wrong", function()
    for _, case in ipairs {
      { 2, "what to copy", "cp" }, { 2, "what to copy", "cp", "a", "b", "c" },
      { 2, "one side is NAME:PATH", "cp", "a", "./b:c" },
      { 2, "pipe two", "cp", name .. ":/a", name .. ":/b" },
      { 125, "no container", "cp", "none-such:/a", "b" },
      { 125, "no container", "export", "none-such" },
      { 125, "there is no such file", "cp", name .. ":/none", "x" },
      { 125, "there is no directory", "cp", dir.path .. "/src/a", name .. ":/none/x" },
      { 125, "it is a file, and what is copied is a directory", "cp", dir.path .. "/src",
        name .. ":/made" },
      { 125, "it is no file and no directory: char", "cp", dir.path .. "/src/a",
        name .. ":/dev/null" },
    } do
      here.fails(luactr(table.unpack(case, 3)), case[1], case[2])
    end
  end)

  it("tell what is left out, unless told not to", function()
    assert(sys.mknod(dir.path .. "/src/socket", "0140600"))
    local result = luactr("cp", dir.path .. "/src", name .. ":/tmp")
    assert.equal(0, result.code)
    assert.matches("left out src/socket: it is a socket", result.stderr, 1, true)
    run("cp", "-q", dir.path .. "/src", name .. ":/tmp")
    sys.unlink(dir.path .. "/src/socket")
  end)
end)
