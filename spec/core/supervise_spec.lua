-- luactr.core.supervise: poll, signals as a descriptor, raw mode, locks.

local core = require("luactr.core")
local support = require("support")

local supervise, sys = core.supervise, core.sys

local function pipe()
  local reader, writer = sys.pipe()
  assert(reader, writer)
  return reader, writer
end

describe("core.supervise #core", function()
  describe("poll()", function()
    it("waits for the time that was given, not less", function()
      local reader <close> = pipe()
      local before = sys.clock_gettime()
      assert.equal(0, supervise.poll({ { fd = reader } }, 0.02))
      assert.is_true(sys.clock_gettime() - before >= 0.02)
    end)

    it("marks what is ready and only that", function()
      local quiet_reader, quiet_writer = pipe()
      local reader, writer = pipe()
      local entries = { { fd = quiet_reader }, { fd = reader }, { fd = writer, events = "w" } }
      writer:write("x")
      assert.equal(2, supervise.poll(entries, 0))
      assert.same({ false, true, true },
        { entries[1].ready, entries[2].ready, entries[3].ready })
      assert.is_truthy(quiet_writer)
    end)

    it("finds an end-of-file ready", function()
      local reader <close>, writer = pipe()
      writer:close()
      local entry = { fd = reader }
      assert.equal(1, supervise.poll({ entry }))
      assert.is_true(entry.ready)
    end)

    it("takes an empty list", function()
      assert.equal(0, supervise.poll({}, 0))
    end)

    it("raises on what is no list of entries", function()
      local closed = pipe()
      closed:close()
      for _, wrong in ipairs { 1, { 1 }, { {} }, { { fd = -1 } }, { { fd = closed } } } do
        assert.has_error(function() supervise.poll(wrong, 0) end)
      end
      assert.has_error(function() supervise.poll({}, "soon") end)
    end)
  end)

  describe("signals()", function()
    it("delivers a signal to its reader while it is open", function()
      local signals <close> = supervise.signals { sys.signals.USR1, sys.signals.USR2 }
      assert.is_nil(signals:read())
      sys.kill(sys.getpid(), sys.signals.USR2)
      assert.equal(1, supervise.poll({ { fd = signals:fileno() } }, 1))
      assert.equal(sys.signals.USR2, signals:read())
      assert.is_nil(signals:read())
    end)

    it("gives the old mask back when closed", function()
      local function blocked()
        return support.read("/proc/thread-self/status"):match("SigBlk:%s*(%x+)")
      end
      local before = blocked()
      local signals = supervise.signals { sys.signals.USR1 }
      assert.not_equal(before, blocked())
      signals:close()
      signals:close()
      assert.equal(before, blocked())
      assert.has_error(function() signals:read() end)
    end)

    it("raises on what is no signal", function()
      for _, wrong in ipairs { { 0 }, { 65 }, { "TERM!" }, 15 } do
        assert.has_error(function() supervise.signals(wrong) end)
      end
    end)
  end)

  describe("raw_mode() #spawn", function()
    local function settings(path)
      return support.run { "stty", "-F", path, "-a" }.stdout
    end

    it("is left by close, as often as that is called", function()
      local master, terminal, path = sys.openpty()
      assert(master)
      local before = settings(path)
      local raw = supervise.raw_mode(terminal)
      assert.is_truthy(settings(path):find("-icanon", 1, true))
      raw:close()
      raw:close()
      assert.equal(before, settings(path))
    end)

    -- Kill a process that has the terminal in raw mode, after act().
    local function kill_in_raw_mode(act)
      local master, terminal, path = sys.openpty()
      local before = settings(path)
      local child <close> = assert(sys.clone({}, function()
        local raw = assert(supervise.raw_mode(terminal, "given back"))
        sys.write(terminal, "raw")
        sys.nanosleep(1000)
        raw:close()
      end))
      assert.equal("raw", master:read(100))
      act(path)
      child:signal("KILL")
      assert(child:wait())
      return before, path, master
    end

    it("is left for a process that was killed", function()
      local before, path, master <close> = kill_in_raw_mode(function() end)
      assert.equal(1, supervise.poll({ { fd = master, events = "r" } }, 120))
      assert.equal("given back", master:read(100))
      assert.equal(before, settings(path))
    end)

    it("is no business of a killed one if another has changed it", function()
      local other
      local _, path, master <close> = kill_in_raw_mode(function(path)
        support.must { "stty", "-F", path, "echo" }
        other = settings(path)
      end)
      assert.equal(0, supervise.poll({ { fd = master, events = "r" } }, 0.2))
      assert.equal(other, settings(path))
    end)

    it("fails on what is no terminal", function()
      local reader <close> = pipe()
      local raw, message, errno = supervise.raw_mode(reader)
      assert.is_nil(raw)
      assert.is_string(message)
      assert.equal(sys.errno.ENOTTY, errno)
    end)
  end)

  describe("unowned()", function()
    it("names the directories that nobody holds a lock on", function()
      local dir <close> = support.tmpdir()
      local held = assert(sys.open(dir:mkdir "held", { "rdonly", "directory" }))
      assert(supervise.lock(held))
      dir:mkdir "free"
      dir:write("file", "")
      assert(sys.symlink("free", dir.path .. "/link"))
      assert.same({ "free" }, supervise.unowned(dir.path))
      held:close()
      local names = supervise.unowned(dir.path)
      table.sort(names)
      assert.same({ "free", "held" }, names)
    end)

    it("finds as many as there are", function()
      local dir <close> = support.tmpdir()
      for i = 1, 500 do dir:mkdir("a-name-that-is-not-short-" .. i) end
      assert.equal(500, #supervise.unowned(dir.path))
    end)

    it("names them among many with owners, one of which is not who took the lock", function()
      local dir <close> = support.tmpdir()
      local held, free = {}, {}
      for i = 1, 60 do
        local path = dir:mkdir("d" .. i)
        if i % 20 == 0 then
          free[#free + 1] = "d" .. i
        else
          held[i] = assert(sys.open(path, { "rdonly", "directory" }))
        end
      end
      local child <close> = assert(sys.clone({}, function()
        assert(supervise.lock(held[1]))
        return 0
      end))
      assert.equal(0, child:wait().code)
      for i, directory in pairs(held) do
        assert(i == 1 or supervise.lock(directory))
      end
      local names = supervise.unowned(dir.path)
      table.sort(names)
      assert.same(free, names)
      held[7]:close()
      assert.equal(#free + 1, #supervise.unowned(dir.path))
      for _, directory in pairs(held) do
        directory:close()
      end
    end)

    it("finds none where there is no directory", function()
      assert.same({}, supervise.unowned("/no/such"))
    end)
  end)

  describe("lock()", function()
    it("is held by one open file and ends with it", function()
      local dir <close> = support.tmpdir()
      local first = sys.open(dir.path, "rdonly")
      local second <close> = sys.open(dir.path, "rdonly")
      assert.is_true(supervise.lock(first))
      local held, _, errno = supervise.lock(second)
      assert.is_nil(held)
      assert.equal(sys.errno.EAGAIN, errno)
      first:close()
      assert.is_true(supervise.lock(second))
    end)
  end)

  describe("nonblock()", function()
    it("makes reading from an empty pipe fail", function()
      local reader, writer = pipe()
      assert.is_true(supervise.nonblock(reader))
      local data, _, errno = reader:read(1)
      assert.is_nil(data)
      assert.equal(sys.errno.EAGAIN, errno)
      assert.is_truthy(writer)
    end)
  end)
end)
