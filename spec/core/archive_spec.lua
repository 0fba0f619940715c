-- luactr.core's tar archives: what is written is read again, by us and by tar(1).

local archive = require("luactr.files.archive")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local SECOND <const> = 1000000000

local function memory(text)
  local fd = assert(sys.memfd_create("spec"))
  if text then assert(fd:write(text)) end
  return fd
end

-- An archive of these entries, to be read from its beginning.
local function written(entries, options)
  local fd = memory()
  local writer <close> = assert(archive.writer(fd, options))
  for _, entry in ipairs(entries) do assert(writer:put(entry)) end
  assert(writer:finish())
  sys.lseek(fd, 0)
  return fd
end

local function entries_of(fd)
  local reader <close> = assert(archive.reader(fd))
  local list = {}
  for entry in function() return reader:next() end do list[#list + 1] = entry end
  return list
end

local function sparse(size)
  local fd = memory("begin")
  sys.lseek(fd, 1 << 20)
  fd:write("middle")
  sys.ftruncate(fd, size)
  return fd
end

describe("luactr.files.archive #core", function()
  before_each(world.check)
  after_each(world.check)

  it("keeps all there is of a file", function()
    local data <close> = memory("hello")
    local entry = { path = "a/file", type = "file", mode = tonumber("4751", 8), size = 5,
      uid = 3000000, gid = 4, mtime = 1700000000 * SECOND + 123456789,
      xattrs = { ["user.x"] = "a\0b" }, fd = data }
    local fd <close> = written { entry }
    local read = entries_of(fd)[1]
    for _, name in ipairs { "path", "type", "mode", "size", "uid", "gid", "mtime", "xattrs" } do
      assert.same(entry[name], read[name], name)
    end
  end)

  for _, case in ipairs {
    { type = "directory", path = "d", mode = 493 },
    { type = "symlink", path = "s", link = "../else where" },
    { type = "link", path = "h", link = "first" },
    { type = "fifo", path = "f" },
    { type = "char", path = "c", major = 1, minor = 3 },
    { type = "block", path = "b", major = 259, minor = 70000 },
    { type = "directory", path = "old", mtime = -5 },
  } do
    it("keeps a " .. case.type .. " " .. case.path, function()
      local fd <close> = written { case }
      local read = entries_of(fd)[1]
      read.path = read.path:gsub("/$", "") -- which is how tar marks directories
      for name, value in pairs(case) do assert.equal(value, read[name], name) end
    end)
  end

  it("leaves the bytes of names as they are", function()
    local names = { "cafe\u{301}", "caf\u{e9}", "raw\xff\xfe", "new\nline", ("x"):rep(250),
      ("long/"):rep(200) .. "end" }
    local entries = {}
    for i, name in ipairs(names) do
      entries[i] = { path = name, type = "symlink", link = name }
    end
    local fd <close> = written(entries)
    for i, entry in ipairs(entries_of(fd)) do
      assert.equal(names[i], entry.path)
      assert.equal(names[i], entry.link)
    end
  end)

  it("leaves out holes, and makes them again", function()
    local size <const> = 3 << 30
    local data <close> = sparse(size)
    local fd <close> = written { { path = "f", type = "file", size = size, fd = data } }
    assert.is_true(sys.stat(fd).size < 1 << 20)
    local reader <close> = assert(archive.reader(fd))
    local entry = assert(reader:next())
    assert.equal(size, entry.size)
    assert.equal(1 << 20, entry.parts[2].offset)
    local out <close> = memory()
    assert(reader:copy(out))
    assert.equal(size, sys.stat(out).size)
    assert.is_true(sys.stat(out).blocks < 100)
    sys.lseek(out, 1 << 20)
    assert.equal("middle", out:read(6))
  end)

  it("writes what tar(1) reads, and reads what it writes", function()
    local dir <close> = support.tmpdir()
    dir:write("in/file", "text", "0640")
    support.must { "ln", dir.path .. "/in/file", dir.path .. "/in/hard" }
    for _, format in ipairs { "pax", "gnu", "ustar" } do
      support.must { "tar", "--format=" .. format, "-cf", dir.path .. "/t.tar", "-C",
        dir.path .. "/in", "file", "hard" }
      local fd <close> = assert(sys.open(dir.path .. "/t.tar"))
      local list = entries_of(fd)
      assert.same({ "file", "file", 4 }, { list[1].path, list[1].type, list[1].size })
      assert.same({ "hard", "link", "file" }, { list[2].path, list[2].type, list[2].link })
    end
    local data <close> = memory("text")
    local fd <close> = written { { path = "x/y", type = "file", size = 4, mode = 420, fd = data } }
    dir:write("ours.tar", assert(fd:read(1 << 20)))
    assert.equal("text", support.must { "tar", "-xOf", dir.path .. "/ours.tar", "x/y" })
  end)

  for _, filter in ipairs { "gzip", "zstd" } do
    it("compresses by " .. filter .. ", the same each time", function()
      local entries = { { path = "d", type = "directory" } }
      local one <close> = written(entries, { filter = filter })
      local two <close> = written(entries, { filter = filter })
      assert.equal(one:read(1 << 16), two:read(1 << 16))
      sys.lseek(one, 0)
      assert.equal("directory", entries_of(one)[1].type)
    end)
  end

  it("writes zeros for what a file has lost meanwhile, and says so", function()
    local data <close> = memory("abc")
    local told
    local fd <close> = memory()
    local writer <close> = assert(archive.writer(fd, { notice = function(path) told = path end }))
    assert(writer:put { path = "f", type = "file", size = 10, fd = data })
    assert(writer:finish())
    assert.equal("f", told)
    sys.lseek(fd, 0)
    local reader <close> = assert(archive.reader(fd))
    assert(reader:next())
    local out <close> = memory()
    assert(reader:copy(out))
    sys.lseek(out, 0)
    assert.equal("abc" .. ("\0"):rep(7), out:read(100))
  end)

  for name, text in pairs { text = ("text\n"):rep(1000), ["cut off"] = "cut" } do
    it("refuses what is no archive: " .. name, function()
      if text == "cut" then
        local data <close> = memory(("x"):rep(100000))
        local whole <close> = written { { path = "f", type = "file", size = 100000, fd = data } }
        text = whole:read(50000)
      end
      local fd <close> = memory(text)
      sys.lseek(fd, 0)
      local reader <close>, err = archive.reader(fd)
      if reader then
        local out <close> = memory()
        local entry
        entry, err = reader:next()
        if entry then
          local done, message, errno = reader:copy(out)
          assert.is_nil(done)
          assert.matches("archive", message)
          assert.is_number(errno)
          return
        end
      end
      assert.equal("EBADMSG", err.code)
    end)
  end

  it("takes nothing at all as an empty archive", function()
    local fd <close> = memory()
    assert.same({}, entries_of(fd))
  end)

  it("raises for entries that cannot be", function()
    local fd <close> = memory()
    local writer <close> = assert(archive.writer(fd))
    for _, entry in ipairs {
      {}, { path = "x" }, { path = "x", type = "socket" }, { path = "x", type = "symlink" },
      { path = "x", type = "file", link = "y" }, { path = "x", type = "file", size = -1 },
      { path = "x", type = "file", size = 1 }, { path = "a\0b", type = "directory" },
      { path = "x", type = "directory", xattrs = { 1 } },
    } do
      assert.error(function() writer:put(entry) end)
    end
    writer:close()
    writer:close()
    assert.error(function() writer:put { path = "x", type = "directory" } end)
  end)
end)
