-- The descriptors that a command finds open: its streams, those of `fds`, and no other.
local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("fds #system", function()
  local dir

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    dir:close()
  end)

  local function run(script, fds, fields)
    fields = fields or {}
    fields.rootfs = fields.rootfs or ctr.rootfs.host { "sh", "cat", "ls" }
    fields.name, fields.fds, fields.stdin = support.name("fds"), fds, "null"
    fields.stdout, fields.stderr = fields.tty and "inherit" or "capture", nil
    fields.command = { "sh", "-c", script }
    local result = assert(ctr.run(fields))
    return result.stdout, result
  end

  -- The numbers that are open in the shell, without that with which ls reads the list.
  local SHOW <const> = "for n in /proc/self/fd/*; do echo ${n##*/}; done"

  local function file(text)
    return assert(sys.open(dir:write("file", text), "rdonly"))
  end

  it("has nothing but the streams without it", function()
    local _ <close> = file("x")
    local open = run(SHOW)
    for number in open:gmatch("%d+") do
      -- the shell itself reads the directory, with what is free first
      assert.is_true(tonumber(number) <= 3, open)
    end
  end)

  it("passes descriptors at their numbers", function()
    local one <close> = file("one")
    local two <close> = assert(sys.open("/dev/null", "rdonly"))
    assert.equal("one", (run("cat <&7", { [7] = one, [3] = two })))
    assert.equal("", (run("cat <&3", { [7] = one, [3] = two })))
  end)

  it("passes one at several numbers, and swaps numbers", function()
    local reader, writer <close> = sys.pipe()
    local _ <close> = reader
    local number = math.max(reader:fileno(), writer:fileno(), 3)
    local one <close> = file("one")
    run(("cat <&%d >&%d"):format(number, number + 1), { [number] = one, [number + 1] = writer })
    assert.equal("one", reader:read(100))
    sys.lseek(one, 0)
    assert.equal("one", (run("cat <&8 <&9", { [8] = one, [9] = one })))
  end)

  it("takes plain numbers, and leaves them open here", function()
    local one <close> = file("one")
    assert.equal("one", (run("cat <&5", { [5] = one:fileno() })))
    assert.equal(0, assert(sys.lseek(one, 0)))
  end)

  it("goes with another user, init = false and no root of its own", function()
    for _, fields in ipairs { { user = 1000 }, { init = false },
      { rootfs = ctr.rootfs.none() } } do
      local one <close> = file("one")
      assert.equal("one", (run("cat <&4", { [4] = one }, fields)))
    end
  end)

  -- The next that luactr opens for itself, its state directory say, would get the number.
  it("takes no descriptor of luactr's for one that is closed", function()
    for slot, fields in pairs { ["fd 4"] = { fds = { [4] = 0 } }, stdin = { stdin = 0 },
      stdout = { stdout = 0 } } do
      local one = file("one")
      local number = one:fileno()
      one:close()
      if fields.fds then fields.fds[4] = number else fields[slot] = number end
      fields.rootfs, fields.command = ctr.rootfs.host { "sh" }, { "sh", "-c", "exit" }
      fields.name = support.name("fds")
      local result, err = ctr.run(fields)
      assert.is_nil(result)
      assert.same({ "EBADF", slot }, { err.code, err.path })
    end
  end)

  it("takes no copy of one descriptor for another that is closed", function()
    local one <close>, other = file("one"), file("other")
    local fds = { [9] = other:fileno() }
    other:close()
    for number = 3, 8 do fds[number] = one end
    local result, err = ctr.run { fds = fds, rootfs = ctr.rootfs.host { "sh" }, name = "fds",
      command = { "sh", "-c", "exit" } }
    assert.is_nil(result)
    assert.same({ "EBADF", "fd 9" }, { err.code, err.path })
  end)

  local wrong <const> = {
    { "a stream's number", { [1] = 5 }, "fds[1]" }, { "too high a number", { [1024] = 5 },
      "fds[1024]" },
    { "a name", { log = 5 }, "fds.log" }, { "no descriptor", { [3] = "file" }, "fds[3]" },
    { "a negative descriptor", { [3] = -1 }, "fds[3]" },
  }
  for _, case in ipairs(wrong) do
    it("refuses " .. case[1], function()
      local done, err = pcall(ctr.container, { rootfs = "/", command = { "x" }, fds = case[2] })
      assert.is_false(done)
      assert.equal(case[3], err.problems[1].path)
    end)
  end
end)
