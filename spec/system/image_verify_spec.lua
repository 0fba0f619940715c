-- Unpacked layers against what their blobs say, and their repair.

local images = require("support.images")
local layer = require("luactr.image.layer")
local layers = require("support.layers")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

describe("verify of unpacked layers #system", function()
  local here, image, tree

  local ENTRIES <const> = {
    { path = "etc", type = "directory" },
    { path = "etc/motd", text = "hello", mtime = 7000000000 },
    { path = "etc/same", type = "link", link = "etc/motd" },
    { path = "bin", type = "symlink", link = "usr/bin" },
    { path = ".wh.gone", text = "" },
    { path = "opt", type = "directory" },
    { path = "opt/.wh..wh..opq", text = "" },
  }

  -- An image of one layer that is really an archive.
  local function import()
    local stage <close> = assert(here.store:stage())
    local fd <close> = layers.tar(ENTRIES, "gzip")
    local unpacked = assert(layer.unpack(fd, stage, "tree", { blob = "blob" }))
    local descriptor = { mediaType = unpacked.media_type, digest = unpacked.digest,
      size = unpacked.size }
    assert(here.store:adopt_blob(stage, "blob", descriptor))
    assert(here.store:adopt_layer(stage, "tree", unpacked.diff_id, {}))
    return assert(here.store:make { name = "app", config = {},
      layers = { { descriptor, unpacked.diff_id } } })
  end

  before_each(function()
    world.check()
    here = images.open()
    image = import()
    tree = image:trees()[1]
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  local function problems(options)
    local list = {}
    for i, problem in ipairs(assert(here.store:verify("app", options)).problems) do
      list[i] = problem.message .. (problem.repaired and " (repaired)" or "")
    end
    return list
  end

  it("finds nothing where nothing is wrong", function()
    assert.same({}, problems { files = true })
    assert.same({}, problems { repair = true })
    assert.equal(1, #here:names("tmp")) -- what make() has put was written there
  end)

  local DAMAGES <const> = {
    { "layer 1: /etc/motd: other data", function()
      support.write(tree .. "/etc/motd", "jello")
      assert(sys.utimens(tree .. "/etc/motd", nil, 7000000000))
    end },
    { "layer 1: /etc/motd: another size", function() support.write(tree .. "/etc/motd", "") end },
    { "layer 1: /etc: another mode", function() assert(sys.chmod(tree .. "/etc", "0777")) end },
    { "layer 1: /etc/motd: another number of names", function()
      assert(sys.unlink(tree .. "/etc/same"))
    end },
    { "layer 1: /bin: another link", function()
      assert(sys.unlink(tree .. "/bin"))
      assert(sys.symlink("bin", tree .. "/bin"))
    end },
    { "layer 1: /gone: it is missing", function() assert(sys.unlink(tree .. "/gone")) end },
    { "layer 1: /new: it is too much", function() support.write(tree .. "/new", "") end },
    { "layer 1: /opt: other attributes", function()
      for _, name in ipairs(sys.listxattr(tree .. "/opt")) do
        if name:find("overlay.opaque", 1, true) then sys.removexattr(tree .. "/opt", name) end
      end
    end },
    { "layer 1: it is not unpacked", function()
      assert(os.rename(tree:gsub("/tree$", ""), here.dir.path .. "/away"))
    end },
  }

  for _, row in ipairs(DAMAGES) do
    it("finds and repairs " .. row[1], function()
      row[2]()
      assert.same({ row[1] }, problems { files = true })
      assert.same({ row[1] .. " (repaired)" }, problems { repair = true })
      assert.same({}, problems { files = true })
      assert.equal(1, #here:names("tmp")) -- what make() has put was written there
    end)
  end

  it("repairs nothing that a container uses, or while others work with the store", function()
    support.write(tree .. "/new", "")
    local used = assert(here.store:use(image, support.name("user")))
    assert.same({ "layer 1: /new: it is too much; not repaired: in use by "
      .. support.name("user") }, problems { repair = true })
    used:close()
    local other <close> = -- luacheck: ignore
      assert(require("luactr.image.store").open { root = here.path, write = true })
    assert.equal(1, #problems { files = true })
    here.store:close()
    here.store = assert(require("luactr.image.store").open { root = here.path, write = true })
    other:close()
    assert.equal(1, here:luactr("image", "verify", "--files").code)
    here.store:close()
    local result = here:luactr("image", "verify", "--repair")
    assert.equal(0, result.code, result.stderr)
    assert.matches("/new: it is too much (repaired)\n", result.stdout, 1, true)
  end)

  it("says so when a layer cannot be compared, as its blob is damaged", function()
    support.write(here.path .. "/blobs/sha256/" .. image.layers[1].digest:match("%x+$"), "x")
    local found = problems { repair = true }
    assert.equal(2, #found)
    assert.matches("layer 1: its blob: it has 1 bytes, not ", found[1], 1, true)
    assert.matches("layer 1: it cannot be compared: ", found[2], 1, true)
    assert.is_not_nil(here.store:layer(image.diff_ids[1]))
  end)
end)
