local lfs = require("lfs")
local support = require("support")

describe("support", function()
  -- Before a guest has to, under emulation: see .ci/run.
  it("has its programs compiled #programs", function()
    for file in lfs.dir("spec/support") do
      local name = file:match("^(%l+)%.c$")
      if name then assert.equal("file", lfs.attributes(support.program(name), "mode")) end
    end
  end)

  describe("run()", function()
    it("captures both streams and the status", function()
      local result = support.run { "sh", "-c", "cat; echo two >&2; exit 3", stdin = "one" }
      assert.same({ code = 3, stdout = "one", stderr = "two\n" }, result)
    end)

    it("passes words unchanged", function()
      assert.equal("a 'b' $c\n", support.run { "echo", "a 'b' $c" }.stdout)
    end)

    it("reports a signal", function()
      local result = support.run { "sh", "-c", "kill -TERM $$" }
      assert.equal(128 + 15, result.code)
    end)

    it("kills what runs too long", function()
      assert.equal(128 + 9, support.run { "sleep", "60", timeout = 0.1 }.code)
    end)

    it("sets the environment and the directory", function()
      local result = support.run { "sh", "-c", "echo $A; pwd", env = { A = "x y" }, cwd = "/usr" }
      assert.equal("x y\n/usr\n", result.stdout)
    end)

    it("closes a stream on request", function()
      assert.is_true(support.run { "cat", stdin = "closed" }.code > 0)
      assert.is_true(support.run { "echo", "x", stdout = "closed" }.code > 0)
    end)

    it("runs as another user", function()
      support.needs("root")
      assert.equal("65534\n", support.run { "id", "-u", user = 65534 }.stdout)
    end)
  end)

  describe("tmpdir()", function()
    it("is removed with all that is in it", function()
      local path
      do
        local dir <close> = support.tmpdir()
        path = dir.path
        dir:write("a/b/c", "text", "0755")
        assert.equal("rwxr-xr-x", lfs.attributes(path .. "/a/b/c", "permissions"))
      end
      assert.is_nil(lfs.attributes(path, "mode"))
    end)
  end)

  describe("fuzz()", function()
    it("names the seed and the round that failed", function()
      local _, message = pcall(support.fuzz, function(n) assert(n < 3, "three") end)
      assert.matches("^LUACTR_FUZZ_SEED=%d+, round 3: .*three", message)
    end)
  end)

  describe("lacks()", function()
    it("names the first need that is not met", function()
      assert.is_nil(support.lacks("program:sh", "file:/proc"))
      assert.equal("program:no-such", support.lacks("program:sh", "program:no-such"))
    end)

    it("finds a controller of any version", function()
      assert.is_nil(support.lacks("layout:" .. support.layout()))
      assert.equal("controller:no-such", support.lacks("controller:no-such"))
    end)
  end)
end)
