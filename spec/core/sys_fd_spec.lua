local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local NO_FD <const> = 9999

local function cloexec(fd)
  local flags = support.read("/proc/self/fdinfo/" .. fd:fileno()):match("flags:%s+(%d+)")
  return tonumber(flags, 8) & sys.O_CLOEXEC ~= 0
end

describe("luactr.sys descriptors #core", function()
  before_each(world.check)
  after_each(world.check)

  it("fail with the errno of the system call #unemulated", function()
    local plain <close> = assert(sys.open("/dev/null"))
    for _, case in ipairs {
      { "open", "ENOENT", "/no/such/file" },
      { "open", "EEXIST", "/dev/null", { "creat", "excl" } },
      { "open", "ENOTDIR", "null", 0, 0, { dir = plain } },
      { "open", "EXDEV", "..", 0, 0, { resolve = "beneath" } },
      { "adopt", "EBADF", NO_FD },
      { "close", "EBADF", NO_FD },
      { "read", "EBADF", NO_FD },
      { "write", "EBADF", plain, "x" },
      { "lseek", "EBADF", NO_FD, 0 },
      { "ftruncate", "EINVAL", plain, 0 },
      { "sendfile", "EBADF", NO_FD, plain, 1 },
      { "dup", "EBADF", NO_FD },
      { "dup2", "EBADF", NO_FD, 1 },
      { "set_cloexec", "EBADF", NO_FD, true },
      { "memfd_create", "EINVAL", "x", 1 << 20 },
      { "add_seals", "EPERM", plain, "write" },
      { "get_seals", "EINVAL", plain },
    } do
      local value, message, errno = sys[case[1]](table.unpack(case, 3))
      assert.is_nil(value, case[1])
      assert.equal(case[2], sys.errname(errno), message)
      assert.equal(1, message:find(case[1], 1, true), message)
    end
  end)

  it("are close-on-exec, whatever makes them", function()
    local reader, writer <close> = assert(sys.pipe())
    local _ <close> = reader
    local memory <close> = assert(sys.memfd_create("spec"))
    local file <close> = assert(sys.open("/dev/null"))
    local copy <close> = assert(sys.dup(file))
    for _, fd in ipairs { reader, writer, memory, file, copy } do assert.is_true(cloexec(fd)) end
    assert(sys.set_cloexec(copy, false))
    assert.is_false(cloexec(copy))
  end)

  describe("open()", function()
    it("gives a new file its mode, less the umask", function()
      local dir <close> = support.tmpdir()
      local fd <close> = assert(sys.open(dir.path .. "/f", { "creat", "wronly" }, "0604"))
      assert.equal(tonumber("604", 8), sys.stat(fd).mode)
    end)

    it("starts at a directory", function()
      local etc <close> = assert(sys.open("/etc", { "path", "directory" }))
      assert(sys.open("passwd", "rdonly", nil, { dir = etc })):close()
    end)

    it("stays in the root that it is told #unemulated", function()
      local dir <close> = support.tmpdir()
      assert(sys.symlink("/etc", dir.path .. "/link"))
      dir:write("etc/passwd", "inside")
      local root <close> = assert(sys.open(dir.path, "path"))
      local how = { dir = root, resolve = "in_root" }
      local fd <close> = assert(sys.open("link/passwd", "rdonly", nil, how))
      assert.equal("inside", fd:read())
    end)
  end)

  describe("a pipe", function()
    it("carries what is written", function()
      local reader, writer <close> = assert(sys.pipe())
      local _ <close> = reader
      assert.equal(5, writer:write("a\0b\nc"))
      assert.equal("a\0", sys.read(reader, 2))
      assert.equal("b\nc", reader:read())
      sys.close(writer)
      assert.equal("", reader:read())
    end)

    it("of a count that cannot be is refused", function()
      assert.error(function() sys.read(0, 0) end)
      assert.error(function() sys.read(0, 1 << 40) end)
    end)
  end)

  it("close once, by handle, number and variable", function()
    local reader, writer = assert(sys.pipe())
    reader:close()
    reader:close()
    assert.equal("fd (closed)", tostring(reader))
    assert.matches("^fd %d+$", tostring(writer))
    do
      local scoped <close> = writer
      assert.is_number(scoped:fileno())
    end
    assert.equal("fd (closed)", tostring(writer))
  end)

  it("adopt a number and close it by number", function()
    local one <close> = assert(sys.open("/dev/null"))
    local number = assert(sys.dup2(one, 200))
    assert.equal(200, number)
    local handle = assert(sys.adopt(number))
    assert.is_true(cloexec(handle))
    handle:close()
    assert(sys.dup2(one, 200))
    assert.is_true(sys.close(200))
  end)

  it("seek and truncate", function()
    local memory <close> = assert(sys.memfd_create("spec"))
    memory:write("0123456789")
    assert.equal(4, sys.lseek(memory, 4))
    assert.equal("4", memory:read(1))
    assert.equal(6, sys.lseek(memory, 1, "cur"))
    assert(sys.ftruncate(memory, 7))
    assert.equal(7, sys.lseek(memory, 0, "end"))
  end)

  it("find data and holes, and copy inside the kernel", function()
    local from <close> = assert(sys.memfd_create("spec"))
    sys.lseek(from, 1 << 20)
    from:write("data")
    sys.ftruncate(from, 2 << 20)
    assert.equal(1 << 20, sys.lseek(from, 0, "data"))
    assert.is_true(sys.lseek(from, 1 << 20, "hole") < 2 << 20)
    local to <close> = assert(sys.memfd_create("spec"))
    sys.lseek(from, 1 << 20)
    assert.equal(4, sys.sendfile(to, from, 4))
    sys.lseek(to, 0)
    assert.equal("data", to:read())
    local _, _, errno = sys.lseek(from, 2 << 20, "data")
    assert.equal("ENXIO", sys.errname(errno))
  end)

  it("seal memory for good", function()
    local memory <close> = assert(sys.memfd_create("spec", "allow_sealing"))
    assert(sys.add_seals(memory, { "write", "seal" }))
    assert.equal(sys.F_SEAL_WRITE | sys.F_SEAL_SEAL, sys.get_seals(memory))
    local _, _, errno = memory:write("x")
    assert.equal("EPERM", sys.errname(errno))
  end)
end)
