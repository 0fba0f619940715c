local process = require("support.process")
local world = require("support.world")

describe("support.process", function()
  before_each(world.check)
  after_each(world.check)

  it("talks over pipes and sees the status", function()
    local cat <close> = process.start { "sh", "-c", "cat; echo end >&2; exit 4" }
    cat:write("one\n")
    cat:expect("one")
    cat:end_input()
    assert.equal(4, cat:wait().code)
    assert.equal("one\n", cat.stdout)
    assert.equal("end\n", cat.stderr)
  end)

  it("gives a terminal with a size", function()
    local shell <close> = process.start { "sh", "-c", "tty; stty size; read x; stty size",
      tty = { rows = 11, columns = 33 } }
    shell:expect("/dev/pts/%d+\r\n11 33")
    shell:resize(12, 34)
    shell:write("\n")
    shell:expect("12 34")
    assert.equal(0, shell:wait().code)
  end)

  it("sends Ctrl-C through the terminal", function()
    local sleep <close> = process.start { "sh", "-c", "echo ready; exec sleep 60", tty = true }
    sleep:expect("ready")
    sleep:write("\3")
    assert.equal(2, sleep:wait().signal)
  end)

  it("sends signals", function()
    local sleep <close> = process.start { "sleep", "60" }
    sleep:signal("TERM")
    assert.equal(15, sleep:wait().signal)
  end)

  it("kills what still runs when it is closed", function()
    process.start({ "sleep", "60" }):close()
  end)

  it("says what came instead of what was expected", function()
    local echo <close> = process.start { "echo", "this" }
    local _, message = pcall(echo.expect, echo, "that")
    assert.matches('"that" did not come in stdout: "this', message)
  end)
end)
