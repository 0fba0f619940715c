local inside = require("support.inside")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.sys")
local without = require("support.without")

describe("support.without", function()
  -- "ENOSYS" of a path that openat2 was to open, or "opened"
  local function outcome(path)
    local fd <close>, _, number = sys.open(path, "rdonly", 0, { resolve = { "no_xdev" } })
    return fd and "opened" or sys.errname(number)
  end

  it("takes system calls from a function of the spec, and from nobody else", function()
    without({ "openat2" }, function() assert.equal("ENOSYS", outcome("/")) end)
    assert.equal("opened", outcome("/"))
  end)

  it("answers as it is told", function()
    without({ "fsopen", EPERM = { "openat2" }, EACCES = { "mkdir", "mkdirat" } }, function()
      assert.equal("EPERM", outcome("/"))
      assert.equal(sys.errno.EACCES, select(3, sys.mkdir("/tmp/never")))
    end)
  end)

  it("passes a child's failure on", function()
    assert.error_matches(function()
      without({ "openat2" }, function() assert.equal("opened", outcome("/")) end)
    end, "ENOSYS")
  end)

  it("takes them from a program and its children", function()
    local missing = { "mkdir", "mkdirat", EOPNOTSUPP = { "symlink", "symlinkat" } }
    local result = support.run { "sh", "-c", "mkdir -- 'a  b'; ln -s x y; exit 3", cwd = "/tmp",
      without = missing, env = { LC_ALL = "C" } }
    assert.equal(3, result.code)
    assert.matches("'a  b'.*: Function not implemented", result.stderr)
    assert.matches("'y'.*: Operation not supported", result.stderr)
  end)

  it("takes them from somebody else's program", function()
    support.needs("root", "stranger")
    local result = support.run { "sh", "-c", "id -u; mkdir /tmp/never", without = { "mkdir" },
      user = support.stranger, env = { LC_ALL = "C" } }
    assert.equal(support.stranger .. "\n", result.stdout)
    assert.matches("Function not implemented", result.stderr)
  end)

  it("takes them from a program on a terminal", function()
    local shell <close> = process.start { "sh", "-c", "mkdir /tmp/never", tty = true,
      without = { "mkdir" }, env = { LC_ALL = "C" } }
    shell:expect("not implemented")
  end)

  it("knows the calls by name", function()
    assert.has_error(function() without.filter { "no_such_call" } end)
    inside({}, function() without.install(without.newer) end)
  end)
end)
