-- An image store on a disk that is full or cannot be written to: an error that says so, and the
-- store is as it was.

local images = require("support.images")
local store = require("luactr.image.store")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("an image store #system", function()
  local here

  before_each(function()
    world.check()
    here = images.open()
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  -- Call act() in a process with mounts of its own; it raises what is wrong.
  local function with_mounts(act)
    local report = here.dir:write("report", "")
    local child <close> = assert(sys.clone({ "newns" }, function()
      assert(sys.mount(nil, "/", nil, { "rec", "private" }))
      local fine, problem = xpcall(act, debug.traceback)
      if not fine then support.write(report, tostring(problem)) end
      return fine and 0 or 1
    end))
    local code = assert(sys.waitid(child)).code
    assert.same({ 0, "" }, { code, support.read(report) })
  end

  it("on a full disk takes nothing in, keeps what it has, and can be emptied", function()
    with_mounts(function()
      local path = here.dir:mkdir("small")
      assert(sys.mount("tmpfs", path, "tmpfs", {}, "size=256k,mode=0700"))
      local open <close> = assert(store.open { root = path, write = true })
      local kept = assert(here:make("kept", { { file = ("x"):rep(10000) } }, nil, open))
      assert(here:make("gone", { { file = ("y"):rep(10000) } }, nil, open))

      local put, err = open:put(("y"):rep(1 << 20), "text/plain")
      assert.same({ nil, "ENOSPC" }, { put, err.code })
      assert.matches("luactr image gc", err.remedy, 1, true)

      local stage = assert(open:stage())
      local fill = assert(sys.open(stage.path .. "/fill", sys.O_WRONLY | sys.O_CREAT, "0600"))
      repeat until not fill:write(("z"):rep(4096))
      put, err = here:make("other", {}, nil, open)
      assert.same({ nil, "ENOSPC" }, { put, err.code })
      put, err = open:tag("kept", "again")
      assert.same({ nil, "ENOSPC" }, { put, err.code })
      assert(open:remove("gone")) -- names are written anew, for which there is a reserve
      assert(open:gc())

      fill:close()
      stage:close()
      assert.equal(kept.digest, assert(open:find("kept")).digest)
      assert.same({}, assert(open:verify()).problems)
      assert(here:make("other", {}, nil, open))
      assert.same({ "kept:latest", "other:latest" },
        { open:list()[1].name, open:list()[2].name })
      assert.is_nil(open:list()[3])
    end)
  end)

  it("on a read-only disk is read", function()
    local made = assert(here:make("app", { { file = "1" } }))
    with_mounts(function()
      assert(sys.mount(here.path, here.path, nil, { "bind" }))
      assert(sys.mount(nil, here.path, nil, { "remount", "bind", "rdonly" }))
      local open <close> = assert(store.open { root = here.path })
      local found = assert(open:find("app"))
      assert.equal(made.digest, found.digest)
      assert.same({}, assert(open:verify()).problems)
      local used <close> = assert(open:use(found, support.name("reader"))) -- luacheck: ignore
      local refused, err = store.open { root = here.path, write = true }
      assert.same({ nil, "EROFS" }, { refused, err.code })
      assert.matches("LUACTR_IMAGES", err.remedy, 1, true)
    end)
  end)
end)
