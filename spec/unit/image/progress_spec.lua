-- luactr.image.progress: bars, lines, silence.

local line = require("luactr.image.progress.line")
local progress = require("luactr.image.progress")
local sys = require("luactr.core").sys

local function state(fields)
  local full = { what = "layer 1 of 2", bytes = 0, seconds = 1.0 }
  for key, value in pairs(fields) do full[key] = value end
  return full
end

describe("luactr.image.progress.line #unit", function()
  it("writes sizes as people read them", function()
    for _, case in ipairs {
      { 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" }, { 1.5 * (1 << 20), "1.5 MiB" },
      { 3 << 30, "3.0 GiB" }, { 1 << 40, "1.0 TiB" },
    } do
      assert.equal(case[2], line.size(case[1]))
    end
  end)

  it("draws how much of the whole is there", function()
    local text = line.bar(state { bytes = 512, total = 1024 }, 100)
    assert.equal("layer 1 of 2  [" .. ("#"):rep(15) .. ("."):rep(15)
      .. "]  50%  512 B of 1.0 KiB  512 B/s", text)
  end)

  it("never draws more than the whole", function()
    assert.matches("%[#+%] 100%%", line.bar(state { bytes = 4096, total = 1024 }, 100))
  end)

  it("fits into a terminal of any width", function()
    for columns = 1, 120 do
      assert.is_true(#line.bar(state { bytes = 5, total = 9 }, columns) < columns + 1)
    end
    assert.not_matches("%[", line.bar(state { bytes = 5, total = 9 }, 40))
  end)

  it("needs no total", function()
    assert.equal("layer 1 of 2  2.0 KiB  2.0 KiB/s", line.bar(state { bytes = 2048 }, 80))
    assert.equal("layer 1 of 2: 2.0 KiB", line.so_far(state { bytes = 2048 }))
    assert.matches("%[", line.bar(state { total = 1 }, 80))
    assert.not_matches("nan", line.bar(state { total = 0 }, 80))
  end)

  it("sums up", function()
    assert.equal("layer 1 of 2: 2.0 KiB in 2.0 s, 1.0 KiB/s",
      line.summary(state { bytes = 2048, seconds = 2.0 }))
    assert.equal("layer 1 of 2: done in 0.5 s", line.summary(state { seconds = 0.5 }))
  end)
end)

describe("luactr.image.progress #unit", function()
  local function told(fd, act)
    local reader, writer = sys.pipe()
    act(progress.open { fd = fd or writer })
    writer:close()
    local text = reader:read(65536)
    reader:close()
    return text
  end

  it("tells lines where there is no terminal", function()
    local text = told(nil, function(bars)
      bars:start("one", 2048)
      bars:add(1024)
      bars:add(1024)
      bars:note("a note")
      bars:start("two\27[31m")
      bars:done()
      bars:done()
      bars:start("never done")
      bars:close()
      bars:close()
    end)
    local lines = {}
    for each in text:gmatch("[^\n]+") do lines[#lines + 1] = each end
    assert.equal("a note", lines[1])
    assert.matches("^one: 2.0 KiB in ", lines[2])
    assert.matches("^two\\x1b%[31m: done in ", lines[3])
    assert.is_nil(lines[4])
  end)

  it("draws on a terminal, and leaves one line of each", function()
    local master, peer = sys.openpty()
    local bars = progress.open { fd = peer }
    sys.set_window_size(peer, 24, 60)
    bars:start("one", 10)
    bars:add(10)
    bars:done()
    local text = ""
    repeat
      text = text .. assert(master:read(65536))
    until text:find("\n", 1, true)
    assert.matches("^\r\27%[Kone  %[", text)
    assert.matches("\r\27%[Kone: 10 B in [^\r]*\r\n$", text)
    peer:close()
    master:close()
  end)

  it("says nothing when it is to be quiet", function()
    local reader, writer = sys.pipe()
    local bars = progress.open { quiet = true, fd = writer }
    bars:start("one", 1)
    bars:add(1)
    bars:note("x")
    bars:done()
    bars:close()
    writer:close()
    assert.equal("", reader:read(10))
    reader:close()
  end)

  it("goes on when nobody reads", function()
    local null <close> = sys.open("/dev/full", sys.O_WRONLY)
    local bars <close> = progress.open { fd = null }
    bars:start("one")
    bars:done()
  end)
end)
