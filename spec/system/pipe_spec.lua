-- Pipes between containers: from one command's stdout to another's stdin, by the kernel alone.
local ctr = require("luactr")
local loop = require("luactr.loop")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

local PATIENCE <const> = 60
local PIPE <const> = ctr.sys.signals.PIPE

local function shell(script, fields)
  fields = fields or {}
  fields.rootfs = ctr.rootfs.host { "sh", "cat", "seq", "wc", "head", "sleep" }
  fields.command = { "sh", "-c", script }
  return ctr.container(fields)
end

describe("a pipe between containers #system", function()
  before_each(world.check)
  after_each(function()
    loop.close()
    world.check()
  end)

  for _, first in ipairs { "writer", "reader" } do
    it("brings everything and the end of the file when the " .. first .. " starts first", function()
      local writer = shell "seq 200000; exit 3"
      local reader = shell("wc -l; exit 4", { stdin = writer:pipe(), stdout = "capture" })
      local order = first == "writer" and { writer, reader } or { reader, writer }
      assert(ctr.all(order):wait(PATIENCE))
      assert.equal("200000", reader.result.stdout:match("%d+"))
      assert.same({ 3, 4 }, { writer.result.exit_code, reader.result.exit_code })
    end)
  end

  it("ends a writer by SIGPIPE when the reader has ended", function()
    local writer = shell "exec seq 1 1000000000"
    local reader = shell("head -n 2", { stdin = writer:pipe "stdout", stdout = "capture" })
    local results = assert(ctr.all(writer, reader):wait(PATIENCE))
    assert.equal("1\n2\n", results[2].stdout)
    assert.equal(PIPE, results[1].signal)
  end)

  it("does not let a writer wait for a reader that does not start", function()
    local writer = shell "exec seq 1 1000000000"
    local reader = ctr.container { rootfs = ctr.rootfs.host { "sh" }, command = { "none" },
      stdin = writer:pipe() }
    local _, err = ctr.all(writer, reader):wait(PATIENCE)
    assert.equal("ENOENT", err.code)
    assert.equal(PIPE, writer.result.signal)
  end)

  it("lets a reader see the end when the writer does not start", function()
    local writer = ctr.container { rootfs = ctr.rootfs.host { "sh" }, command = { "none" } }
    local reader = shell("wc -c", { stdin = writer:pipe(), stdout = "capture" })
    ctr.all(reader, writer):wait(PATIENCE)
    assert.equal("0", reader.result.stdout:match("%d+"))
  end)

  it("is a new one for the next lives", function()
    local writer = shell "echo life"
    local reader = shell("cat", { stdin = writer:pipe(), stdout = "capture" })
    for _ = 1, 2 do
      assert(ctr.all(reader, writer):wait(PATIENCE))
      assert.equal("life\n", reader.result.stdout)
    end
  end)

  it("keeps what one life wrote for a reader that has not begun", function()
    local writer = shell "echo life"
    local reader = shell("cat", { stdin = writer:pipe(), stdout = "capture" })
    assert(writer:run())
    assert(writer:run())
    assert.equal("life\nlife\n", assert(reader:run()).stdout)
  end)

  it("joins several", function()
    local last = shell("cat; echo end", { stdout = "capture" })
    assert(ctr.pipeline(shell "echo one", shell "cat; echo two", last):wait(PATIENCE))
    assert.equal("one\ntwo\nend\n", last.result.stdout)
  end)

  it("takes the streams of several writers", function()
    local both = ctr.pipe()
    local reader = shell("wc -l", { stdin = both, stdout = "capture" })
    assert(ctr.all(shell("echo out; echo err >&2", { stdout = both, stderr = both }),
      shell("echo other", { stdout = both }), reader):wait(PATIENCE))
    assert.equal("3", reader.result.stdout:match("%d+"))
  end)

  it("goes between containers that are left to monitors", function()
    local writer = shell("seq 1000", { name = support.name("pipe-a") })
    local reader = shell("wc -l; exit 5", { name = support.name("pipe-b"), stdin = writer:pipe() })
    local found = { assert(writer:start { detach = true }), assert(reader:start { detach = true }) }
    assert.equal(5, assert(found[2]:wait(PATIENCE)).exit_code)
    assert.equal("1000", assert(found[2]:logs())().text:match("%d+"))
    for _, one in ipairs(found) do
      assert(one:wait(PATIENCE))
      assert(one:remove())
    end
  end)

  for _, case in ipairs {
    { 'pipe: "stdout" or "stderr" expected, got "stdin"', function(box) box:pipe "stdin" end },
    { "goes elsewhere already", function() shell("x", { stdout = "null" }):pipe() end },
    { "comes from elsewhere already",
      function(box) ctr.pipeline(box, shell("x", { stdin = "null" })) end },
    { "pipeline: argument 2: container expected, got 7", function(box) ctr.pipeline(box, 7) end },
    { "pipeline: two containers at least expected", function(box) ctr.pipeline(box) end },
  } do
    it("refuses: " .. case[1], function()
      local fine, message = pcall(case[2], shell "exit 0")
      assert.is_false(fine)
      assert.matches(case[1], message, 1, true)
    end)
  end
end)
