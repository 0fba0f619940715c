-- Many processes at once make, name, use and remove images of one store, collect garbage, and are
-- killed while they do. Whatever they meet, images are whole, and gc removes what is left.

local images = require("support.images")
local store = require("luactr.image.store")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local WORKERS <const> = 4
local NAMES <const> = 6
local SECONDS <const> = tonumber(os.getenv("LUACTR_HAMMER_SECONDS")) or 2

-- What a call may meet when others work on the same images.
local MAY_MEET <const> = { EBUSY = true, ENOENT = true }

describe("an image store that many work with #system", function()
  local here

  setup(world.adopt_orphans)
  before_each(function()
    world.check()
    here = images.open()
    here.store:close()
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  local function name() return "app:" .. math.random(NAMES) end

  local function opened(act)
    return function()
      local open <close> = assert(store.open { root = here.path, write = true })
      return act(open)
    end
  end

  local function make(open)
    local layers = {}
    for i = 1, math.random(3) do
      layers[i] = { ["deep/file" .. i] = tostring(math.random(NAMES)) }
    end
    return here:make(name(), layers, nil, open)
  end

  -- What a container does: its layers stay while it has them.
  local function use(open)
    local image, err = open:find(name())
    local used <close> = image and open:use(image, support.name("hammer")) -- luacheck: ignore
    if not used then return nil, err or { code = "ENOENT" } end
    open:close() -- the use alone keeps them
    sys.nanosleep(math.random() * 0.01)
    for _, tree in ipairs(assert(image:trees())) do
      assert(#assert(sys.readdir(tree .. "/deep")) > 0)
    end
    return true
  end

  local ACTS

  -- Whatever it is doing by then.
  local function kill_worker()
    local child <close> = assert(sys.clone({}, function()
      while true do
        local act = ACTS[math.random(#ACTS)]
        pcall(act)
      end
    end))
    sys.nanosleep(math.random() * 0.03)
    child:signal("KILL")
    return sys.waitid(child)
  end

  ACTS = {
    opened(make), opened(make), opened(use),
    opened(function(open) return open:tag(name(), name()) end),
    opened(function(open) return open:remove(name()) end),
    opened(function(open) return open:remove(name()) end),
    opened(function(open) return open:gc { patience = 0.1 } end),
    function()
      local open <close> = assert(store.open { root = here.path })
      for _, image in ipairs(assert(open:list())) do
        if image.error then return nil, image.error end
      end
      return true
    end,
  }

  local function work(seed)
    math.randomseed(seed)
    local deadline, fine = sys.clock_gettime() + SECONDS, true
    while sys.clock_gettime() < deadline do
      local act = math.random(0, #ACTS)
      local ran, done, err = pcall(ACTS[act] or kill_worker)
      if not ran or not done and not (err and MAY_MEET[err.code]) then
        fine = false
        io.stderr:write(("act %d: %s\n"):format(act, tostring(ran and err or done)))
      end
    end
    return fine and 0 or 1
  end

  local function assert_whole(open)
    assert.same({}, assert(open:verify()).problems)
    for _, image in ipairs(assert(open:list())) do
      for _, tree in ipairs(assert(image:trees())) do
        assert.is_true(#assert(sys.readdir(tree .. "/deep")) > 0)
      end
    end
  end

  it("has whole images, and no garbage that stays", function()
    local workers = {}
    for seed = 1, WORKERS do
      workers[seed] = assert(sys.clone({}, function() return work(seed) end))
    end
    local codes, fine = {}, {}
    for i, worker in ipairs(workers) do
      codes[i], fine[i] = assert(sys.waitid(worker)).code, 0
      worker:close()
    end
    assert.same(fine, codes)

    local open <close> = assert(store.open { root = here.path, write = true })
    assert(here:make("app:1", { { ["deep/file"] = "x" } }, nil, open))
    local before = #open:list()
    assert_whole(open)
    assert(open:gc())
    assert_whole(open)
    assert.equal(before, #open:list())
    for _, image in ipairs(open:list()) do assert(open:remove(image.name)) end
    local report = assert(open:gc())
    assert.same({}, report.failures)
    open:close()
    for _, directory in ipairs { "blobs/sha256", "layers", "tmp", "uses" } do
      assert.same({}, here:names(directory), directory)
    end
    assert.same({ "blobs", "layers", "lock", "names.json", "names.lock", "reserve", "tmp",
      "uses" },
      here:names("."))
  end)
end)
