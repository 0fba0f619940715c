-- luactr.program: programs of the host by argv.

local program = require("luactr.program")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

describe("luactr.program #core #unemulated", function()
  before_each(world.check)
  after_each(world.check)

  it("finds a program by PATH, and nothing that cannot be run", function()
    assert.matches("^/.*/sh$", program.find("sh"))
    assert.is_nil(program.find("no-such-program"))
    assert.is_nil(program.find("."))
  end)

  it("gives both streams and the status apart", function()
    local ended = assert(program.run { "/bin/sh", "-c", "echo out; echo err >&2; exit 3" })
    assert.same({ code = 3, late = false, stdout = "out\n", stderr = "err\n" }, ended)
  end)

  it("passes the environment that is given, and no other", function()
    local ended = assert(program.run { "/usr/bin/env", env = { "A=1" } })
    assert.equal("A=1\n", ended.stdout)
  end)

  it("tells lines while they come, and ticks meanwhile", function()
    local lines, ticks, dir <close> = {}, 0, support.tmpdir()
    local ended = assert(program.run {
      "/bin/sh", "-c", "echo one >&2; while [ ! -e " .. dir.path .. "/go ]; do sleep 0.05; done",
      env = { "PATH=" .. os.getenv("PATH") }, every = 0.01, seconds = 60,
      line = function(line) lines[#lines + 1] = line end,
      tick = function()
        ticks = ticks + 1
        if lines[1] then dir:write("go", "") end
      end,
    })
    assert.same({ 0, { "one" } }, { ended.code, lines })
    assert.is_true(ticks > 1)
  end)

  it("kills one that takes too long", function()
    local ended = assert(program.run { "/bin/sleep", "1000", seconds = 0.1 })
    assert.same({ true, sys.signals.KILL }, { ended.late, ended.signal })
  end)

  it("says what did not start", function()
    local ended, err = program.run { "/no/such/program" }
    assert.is_nil(ended)
    assert.same({ "ENOENT", "/no/such/program" }, { err.code, err.path })
  end)
end)
