-- luactr.terminal: a relay between two pseudo-terminals, one in the part of luactr's own terminal.

local core = require("luactr.core")
local support = require("support")
local terminal = require("luactr.terminal")

local sys, supervise = core.sys, core.supervise

--- The user's side, luactr's terminal; the relay's side and the container's.
local function open_terminals()
  local user, outer, outer_path = sys.openpty()
  local master, inner, inner_path = sys.openpty()
  assert(user and master)
  return {
    user = user, outer = outer, outer_path = outer_path,
    master = master, inner = inner, inner_path = inner_path,
  }
end

--- Let the relay work until nothing moves.
local function pump(relay)
  while true do
    local sources = {}
    relay:add_sources(sources)
    if supervise.poll(sources, 0.05) == 0 then
      return
    end
    for _, source in ipairs(sources) do
      if source.ready then
        source.act(nil, source)
      end
    end
  end
end

local function settings(path)
  return support.run { "stty", "-F", path, "-a" }.stdout
end

describe("luactr.terminal #system", function()
  it("carries bytes both ways", function()
    local t = open_terminals()
    local relay <close> = terminal.relay(t.master, t.outer, t.outer)
    t.user:write("key\r")
    pump(relay)
    assert.equal("key\n", t.inner:read(100))
    t.inner:write("text\n")
    pump(relay)
    local seen = t.user:read(100)
    assert.is_truthy(seen:find("text\r\n", 1, true))
  end)

  it("lets control keys through as bytes", function()
    local t = open_terminals()
    local relay <close> = terminal.relay(t.master, t.outer, t.outer)
    local raw <close> = supervise.raw_mode(t.inner)
    t.user:write("\3\26")
    pump(relay)
    assert.equal("\3\26", t.inner:read(100))
    assert.is_truthy(raw)
  end)

  it("gives the window inside the size outside, at the start and after a change", function()
    local t = open_terminals()
    sys.set_window_size(t.user, 11, 22)
    local relay <close> = terminal.relay(t.master, t.outer, t.outer)
    assert.same({ 11, 22 }, { sys.window_size(t.inner) })
    sys.set_window_size(t.user, 33, 44)
    relay:resize()
    assert.same({ 33, 44 }, { sys.window_size(t.inner) })
  end)

  it("restores the terminal when closed, as often as that is called", function()
    local t = open_terminals()
    local before = settings(t.outer_path)
    local relay = terminal.relay(t.master, t.outer, t.outer)
    assert.not_equal(before, settings(t.outer_path))
    relay:close()
    relay:close()
    assert.equal(before, settings(t.outer_path))
  end)

  it("gives the terminal back while luactr is stopped", function()
    local t = open_terminals()
    local before = settings(t.outer_path)
    local relay <close> = terminal.relay(t.master, t.outer, t.outer)
    local during
    relay:suspend(function() during = settings(t.outer_path) end)
    assert.equal(before, during)
    assert.not_equal(before, settings(t.outer_path))
  end)

  it("ends the input inside when it ends outside", function()
    local t = open_terminals()
    local reader, writer = sys.pipe()
    local relay <close> = terminal.relay(t.master, reader, t.outer)
    writer:write("line\n")
    writer:close()
    pump(relay)
    assert.equal("line\n", t.inner:read(100))
    assert.equal("", t.inner:read(100))
  end)

  it("does not hold up the container when its own terminal is gone", function()
    local t = open_terminals()
    local relay <close> = terminal.relay(t.master, t.outer, t.outer)
    t.user:close()
    for _ = 1, 64 do
      t.inner:write(("x"):rep(4096))
      pump(relay)
    end
  end)

  it("is quiet after the container's side was closed", function()
    local t = open_terminals()
    local relay <close> = terminal.relay(t.master, t.outer, t.outer)
    t.inner:write("last words")
    t.inner:close()
    pump(relay)
    relay:drain()
    assert.equal("last words", t.user:read(100))
  end)
end)
