-- SHA-256 by the library, against the values of FIPS 180 and against sha256sum(1).

local digest = require("luactr.files.digest")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local VALUES <const> = {
  [""] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  [("a"):rep(1000000)] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}

describe("luactr.files.digest #core", function()
  before_each(world.check)
  after_each(world.check)

  for text, value in pairs(VALUES) do
    it("knows that of " .. #text .. " bytes", function()
      assert.equal("sha256:" .. value, digest.of(text))
    end)
  end

  it("takes data in pieces, and begins anew when it has ended", function()
    local object <close> = assert(digest.new())
    for _ = 1, 2 do
      assert.equal("sha256:" .. VALUES.abc, object:update("a"):update(""):update("bc"):finish())
    end
  end)

  it("reads a descriptor to its end, from where it is", function()
    local dir <close> = support.tmpdir()
    local text = ("0123456789"):rep(50000)
    dir:write("f", text)
    local fd <close> = assert(sys.open(dir.path .. "/f"))
    sys.lseek(fd, 3)
    local value, size = digest.of_fd(fd)
    assert.equal(digest.of(text:sub(4)), value)
    assert.equal(#text - 3, size)
    assert.equal(support.must({ "sha256sum", dir.path .. "/f" }):match("%x+"),
      digest.of(text):match(":(.*)"))
  end)

  it("says why a descriptor cannot be read", function()
    local fd <close> = assert(sys.open("/", "directory"))
    local value, err = digest.of_fd(fd)
    assert.is_nil(value)
    assert.equal("EISDIR", err.code)
  end)

  it("refuses a closed one", function()
    local object = assert(digest.new())
    object:close()
    object:close()
    assert.has_error(function() object:update("x") end)
  end)
end)
