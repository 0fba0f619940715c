local inside = require("support.inside")
local sys = require("luactr.sys")
local world = require("support.world")

local function fails(errno, _, message, number)
  assert.equal(errno, sys.errname(number), message)
end

describe("luactr.sys terminals #core", function()
  before_each(world.check)
  after_each(world.check)

  it("fail with the errno of the system call", function()
    local plain <close> = assert(sys.open("/dev/null"))
    assert.is_false(sys.isatty(plain))
    fails("ENOTTY", sys.window_size(plain))
    fails("ENOTTY", sys.set_window_size(plain, 24, 80))
    fails("ENOTTY", sys.controlling_tty(plain))
    fails("ENOTTY", sys.tcgetpgrp(plain))
    fails("ENOTTY", sys.tcsetpgrp(plain, sys.getpid()))
    assert.error(function() sys.set_window_size(plain, -1, 80) end)
  end)

  it("are pairs that carry data and a size", function()
    local master, peer, name = sys.openpty()
    local _ <close>, also = master, peer
    local _ <close> = also
    assert.is_true(sys.isatty(peer))
    assert.matches("^/dev/pts/%d+$", name)
    assert.equal("x", sys.write(peer, "x") == 1 and sys.read(master, 1))
    assert(sys.set_window_size(master, 33, 44))
    assert.same({ 33, 44 }, { sys.window_size(peer) })
  end)

  it("belong to a session and have a foreground", function()
    inside({}, function()
      assert(sys.setsid())
      local _, peer = sys.openpty() -- closing the master would hang up on this session
      assert(sys.controlling_tty(peer))
      assert.equal(sys.getpid(), sys.tcgetpgrp(peer))
      assert(sys.tcsetpgrp(peer, sys.getpid()))
    end)
  end)

  it("cannot be had without /dev/ptmx #unemulated", function()
    require("support").needs("root")
    inside("newns", function()
      assert(sys.mount(nil, "/", nil, { "rec", "private" }))
      assert(sys.mount("spec", "/dev", "tmpfs"))
      fails("ENOENT", sys.openpty())
    end)
  end)
end)
