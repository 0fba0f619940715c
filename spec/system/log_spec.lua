-- The log of a detached container: every byte that it wrote is there, in files of a bounded size.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local LINES <const> = 100000
local ROUNDS <const> = 20 -- of the slow spec
local PATIENCE <const> = 60 -- seconds

describe("the log of a detached container #system", function()
  local name = support.name("log")
  local state = require("luactr.host").facts().state_dir .. "/containers/" .. name

  setup(world.adopt_orphans)
  before_each(world.check)
  after_each(function()
    local left = ctr.find(name)
    if left then assert(left:remove { force = true }) end
    world.check()
  end)

  local function start(script, fields)
    local spec = {
      name = name, rootfs = ctr.rootfs.host { "sh", "sleep", "seq", "head", "od" },
      command = { "sh", "-c", script },
    }
    for key, value in pairs(fields or {}) do spec[key] = value end
    return assert(ctr.container(spec):start { detach = true })
  end

  local function numbers(last)
    local list = {}
    for i = 1, last do list[i] = i end
    return table.concat(list, "\n") .. "\n"
  end

  --- The bytes of a stream, joined from full lines and parts.
  local function output(found, stream, options)
    local texts = {}
    for record in assert(found:logs(options)) do
      if record.stream == stream then
        texts[#texts + 1] = record.text .. (record.full and "\n" or "")
      end
    end
    return table.concat(texts)
  end

  local function assert_all_lines(round)
    local found = start(("seq %d & seq %d >&2; wait"):format(LINES, LINES))
    assert.equal(0, assert(found:wait()).exit_code)
    assert.is_nil(found:result().log_lost)
    for _, stream in ipairs { "stdout", "stderr" } do
      assert.is_true(output(found, stream) == numbers(LINES), stream .. " in round " .. round)
    end
    assert(found:remove())
  end

  it("has every line of both streams", function()
    assert_all_lines(1)
  end)

  it("has every line of both streams, again and again #long", function()
    for round = 1, ROUNDS do assert_all_lines(round) end
  end)

  it("has the bytes as they are: NUL, no UTF-8, carriage returns, long lines", function()
    local long = ("x"):rep(100000)
    local found = start("printf 'a\\000b\\377\\r\\n\\n'; head -c 100000 /dev/zero; printf '\\nend'")
    assert(found:wait())
    local text = output(found, "stdout")
    assert.equal("a\0b\xff\r\n\n", text:sub(1, 7))
    assert.equal(long:gsub("x", "\0") .. "\nend", text:sub(8))
  end)

  it("is closed by the container's end, not by a stream's", function()
    local found = start("exec >&-; echo still >&2; exit 3")
    assert.equal(3, assert(found:wait()).exit_code)
    assert.equal("still\n", output(found, "stderr"))
  end)

  it("has times that never go back within a stream, and name the stream", function()
    local hour <const> = "!%Y-%m-%dT%H"
    local earliest = os.date(hour)
    local found = start("for i in 1 2 3; do echo $i; sleep 0.01; done")
    assert(found:wait())
    local last = ""
    for record in assert(found:logs()) do
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$", record.time)
      assert.is_true(record.time >= last)
      last = record.time
    end
    assert.is_true(earliest <= last and last:sub(1, 13) <= os.date(hour), last)
  end)

  it("is rotated by size and count; the newest lines stay", function()
    local found = start("seq " .. LINES, { log = { size = "64K", files = 3 } })
    assert(found:wait())
    local files = {}
    for _, entry in ipairs(assert(sys.readdir(state))) do
      if entry.name:find("^log") then
        files[#files + 1] = entry.name
        assert.is_true(sys.stat(state .. "/" .. entry.name).size <= 64 << 10)
      end
    end
    table.sort(files)
    assert.same({ "log", "log.1", "log.2" }, files)
    local text = output(found, "stdout")
    assert.is_true(#text > 10000)
    assert.equal(text, numbers(LINES):sub(-#text))
    assert.equal(LINES .. "\n", output(found, "stdout", { lines = 1 }))
  end)

  it("is one file where only one is kept", function()
    local found = start("seq " .. LINES, { log = { size = "16K", files = 1 } })
    assert(found:wait())
    assert.is_nil(sys.stat(state .. "/log.1"))
    assert.equal(LINES .. "\n", output(found, "stdout"):sub(-7))
  end)

  it("is followed through its rotation, to the end", function()
    local found = start("sleep 0.1; seq 20000", { log = { size = "1M", files = 3 } })
    assert.is_true(output(found, "stdout", { follow = true }) == numbers(20000))
  end)

  it("is followed to the end of one whose monitor is killed", function()
    local found = start("echo first; sleep 100")
    local records = assert(found:logs { follow = true })
    assert.equal("first", records().text)
    sys.kill(found.record.owner.pid, sys.signals.KILL)
    assert.is_nil(records())
    assert.equal("lost", assert(found:wait()).reason)
  end)

  --- Call act() in a process of its own, whose /run is a file system of this size. What it raises
  --- is raised here.
  local function with_small_run(size, act)
    local heard, telling = assert(sys.pipe())
    local child <close> = assert(sys.clone({}, function()
      assert(sys.unshare { "newns" })
      assert(sys.mount(nil, "/", nil, { "rec", "private" }))
      assert(sys.mount("none", "/run", "tmpfs", {}, "mode=755,size=" .. size))
      for _, directory in ipairs { "", "/containers", "/stage" } do
        assert(sys.mkdir("/run/luactr" .. directory, "0700"))
      end
      local fine, message = xpcall(act, debug.traceback)
      if not fine then telling:write(tostring(message)) end
      return fine and 0 or 1
    end))
    telling:close()
    local message = heard:read(1 << 16)
    heard:close()
    local ended = assert(sys.waitid(child))
    assert(ended.code == 0, message)
  end

  --- Take all the room in a directory.
  local function fill(path)
    local file = assert(sys.open(path, sys.O_WRONLY | sys.O_CREAT, "0600"))
    while file:write(("x"):rep(4096)) do end
    file:close()
  end

  local function losses(found)
    local told = {}
    for record in assert(found:logs()) do
      if record.stream == "luactr" then
        told[#told + 1] = record.text:match("^(%d+) bytes of output were lost: no space left")
      end
    end
    return told
  end

  it("is cut where the disk is full, and says so; the container goes on", function()
    with_small_run("256K", function()
      local found = start("seq 100000; echo $? >&2; exit 5", { log = { size = "10M" } })
      local result = assert(found:wait())
      assert(result.exit_code == 5, result.exit_code)
      assert(result.log_lost > 100000, result.log_lost)
      local text = output(found, "stdout")
      assert(text == numbers(LINES):sub(1, #text), "a hole before the end")
      assert(found:remove())
    end)
  end)

  it("has one hole, not many, where there is little room", function()
    with_small_run("256K", function()
      local script = "seq 20000; for i in 1 2 3 4 5; do echo short; sleep 0.05; done"
      local found = start(script, { log = { size = "10M" } })
      local result = assert(found:wait())
      local told = losses(found)
      assert(#told <= 1 and tonumber(told[1] or result.log_lost) == result.log_lost, told[1])
      local text = output(found, "stdout")
      assert(text == numbers(20000):sub(1, #text), "it went on for what was short")
      assert(found:remove())
    end)
  end)

  it("tells of what is missing when there is room again", function()
    with_small_run("512K", function()
      local input, go = assert(sys.pipe())
      local done, ready = assert(sys.pipe())
      local script = "read -r go; seq 20000; echo >&3; while :; do echo more; sleep 0.01; done"
      local found = start(script,
        { log = { size = "10M" }, stdin = input, fds = { [3] = ready } })
      fill("/run/filler")
      go:write("\n")
      assert(done:read(1) == "\n") -- by now more was read than there is room for
      assert(sys.unlink("/run/filler"))
      local deadline = sys.clock_gettime() + PATIENCE
      while #losses(found) == 0 do
        assert(sys.clock_gettime() < deadline, "the log says nothing")
        sys.nanosleep(0.02)
      end
      assert(tonumber(losses(found)[1]) > 20000, losses(found)[1])
      assert(found:remove { force = true })
    end)
  end)

  it("fails the start where there is no room for state at all", function()
    with_small_run("256K", function()
      local box = ctr.container { name = name, rootfs = ctr.rootfs.host { "true" },
        command = { "true" } }
      fill("/run/filler")
      local started, err = box:start { detach = true }
      assert(started == nil and err.code == "ENOSPC", tostring(err))
    end)
  end)
end)
