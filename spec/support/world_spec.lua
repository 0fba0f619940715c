local lfs = require("lfs")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

-- Our pid in the name, or another busted on this machine would miss the file.
local FILE <const> = "/tmp/luactr-world-" .. lfs.symlinkattributes("/proc/self", "target")

local function left_by(action, patience)
  local before = world.snapshot()
  local undo = action()
  local differences = world.settle(before, patience or 0)
  undo()
  assert.same({}, world.settle(before))
  return table.concat(differences, "\n")
end

describe("support.world", function()
  it("sees nothing when nothing has happened", function()
    assert.equal("", left_by(function() return function() end end))
  end)

  it("sees an open descriptor", function()
    local left = left_by(function()
      local file = assert(io.open("/dev/zero"))
      return function() file:close() end
    end)
    assert.matches("left descriptor: %d+ %-> /dev/zero", left)
  end)

  it("does not count a descriptor that only the collector has to close", function()
    assert.equal("", left_by(function()
      io.open("/dev/zero")
      return function() end
    end, 2))
  end)

  it("sees a child", function()
    local left = left_by(function()
      local child = assert(sys.clone({}, function()
        return sys.exec("/bin/sleep", { "sleep", "60" })
      end))
      return function()
        sys.kill(child:pid(), "KILL")
        child:wait()
        child:close()
      end
    end)
    assert.matches("left process: %d+ %(.*sleep 60", left)
  end)

  it("sees a temporary file", function()
    local left = left_by(function()
      io.open(FILE, "w"):close()
      return function() os.remove(FILE) end
    end)
    assert.equal("left file: " .. FILE .. " (temporary)", left)
  end)

  it("tells a spec's temporary file from that of another run", function()
    local left = left_by(function()
      local own <const> = "/tmp/luactr-spec-" .. support.run_id .. "-1"
      local foreign <const> = "/tmp/luactr-spec-1-1"
      for _, path in ipairs { own, foreign } do io.open(path, "w"):close() end
      return function()
        for _, path in ipairs { own, foreign } do os.remove(path) end
      end
    end)
    assert.equal(("left file: /tmp/luactr-spec-%s-1 (temporary)"):format(support.run_id), left)
  end)

  it("sees a changed directory", function()
    local left = left_by(function()
      local home = lfs.currentdir()
      lfs.chdir("/")
      return function() lfs.chdir(home) end
    end)
    assert.matches("gone attribute: directory ", left)
    assert.matches("left attribute: directory / ", left)
  end)

  it("sees a mount and a mount that is gone", function()
    local before, after = { mount = { ["/x #1"] = "tmpfs" } }, { mount = { ["/y #2"] = "proc" } }
    assert.same({ "gone mount: /x #1 (tmpfs)", "left mount: /y #2 (proc)" },
      world.differences(before, after))
  end)

  it("sees a cgroup #system", function()
    support.needs("root", "controller:pids")
    local left = left_by(function()
      local path = support.controller("pids") .. "/luactr"
      local made = lfs.mkdir(path)
      assert(lfs.mkdir(path .. "/world-spec"))
      return function()
        lfs.rmdir(path .. "/world-spec")
        if made then lfs.rmdir(path) end
      end
    end)
    assert.matches("left cgroup: %S+/luactr/world%-spec", left)
  end)

  it("waits for what goes by itself", function()
    local before = world.snapshot()
    io.open(FILE, "w"):close()
    support.must { "sh", "-c", "(sleep 0.2; rm " .. FILE .. ") >/dev/null 2>&1 &" }
    assert.same({}, world.settle(before))
  end)

  it("fails in check() with what was left", function()
    world.check()
    io.open(FILE, "w"):close()
    local done, message = pcall(world.check)
    os.remove(FILE)
    assert.is_false(done)
    assert.truthy(message:find(FILE, 1, true))
  end)
end)
