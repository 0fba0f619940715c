-- `luactr image`: the verbs for images.

local cjson = require("cjson")
local cli = require("luactr.cli")
local images = require("support.images")
local support = require("support")
local world = require("support.world")

describe("luactr image #cli", function()
  local here

  before_each(function()
    world.check()
    here = images.open()
    assert(here:make("registry.example/team/app:1", { { a = "1" }, { b = "22" } },
      { created = "2026-01-31T12:00:00Z", history = { { created_by = "COPY a", comment = "x" },
        { created_by = "ENV A=1", empty_layer = true }, { created_by = "COPY\n b" } } }))
    assert(here:make("other", { { a = "1" } }))
    here.store:close()
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  it("says which verbs there are", function()
    here:refuses(2, "Usage: luactr image VERB")
    here:refuses(2, "no verb image sl, did you mean ls?", "sl")
    for _, name in ipairs(cli.verb("image").verbs) do
      local text = require("luactr.cli.help").of(cli.verb("image " .. name))
      assert.matches("Usage: luactr image " .. name .. " ", text, 1, true)
    end
    local text = require("luactr.cli.help").of(cli.verb "image ls")
    assert.equal(text, support.luactr({ "help", "image", "ls" }).stdout)
    assert.equal(text, here:answers(0, "ls", "--help"))
    assert.equal(text, here:answers(0, "--help", "ls"))
    assert.matches("\n  gc ", here:answers(0, "--help"), 1, true)
    assert.matches("\n  image VERB ", support.luactr({ "help" }).stdout, 1, true)
  end)

  it("ls lists them", function()
    local text = here:answers(0, "ls")
    assert.matches("^NAME +DIGEST +LAYERS +SIZE +CREATED\nother:latest +%x+ +1 ", text)
    assert.matches("\nregistry.example/team/app:1 +%x+ +2 +%d+ +%d+d\n$", text)
    assert.equal("other:latest\nregistry.example/team/app:1\n", here:answers(0, "ls", "-q"))
    local list = cjson.decode((here:answers(0, "ls", "--json")))
    assert.same({ "other:latest", 1 }, { list[1].name, list[1].layers })
    assert.matches(list[1].digest, here:answers(0, "ls", "--digests"), 1, true)
  end)

  it("inspect prints all that is known", function()
    local list = cjson.decode((here:answers(0, "inspect", "app:1", "other")))
    assert.same({ "registry.example/team/app:1", 2, 2 },
      { list[1].name, #list[1].manifest.layers, #list[1].trees })
    assert.equal("22", support.read(list[1].trees[1] .. "/b"))
    here:refuses(125, 'no image "ohter:latest", did you mean other:latest?', "inspect", "ohter")
  end)

  it("history shows the steps", function()
    local text = here:answers(0, "history", "app:1")
    assert.matches("\n%x+ +%- +5 +COPY b\n%- +%- +%- +ENV A=1\n%x+ +%- +4 +COPY a\n$", text)
    assert.equal(3, #cjson.decode((here:answers(0, "history", "--json", "app:1"))))
  end)

  it("tag and rm change names", function()
    here:answers(0, "tag", "app:1", "mine:2")
    here:answers(0, "rm", "app:1", "other")
    assert.equal("mine:2\n", here:answers(0, "ls", "-q"))
    assert.equal(2, #here:names("layers"))
    here:answers(0, "rm", "--keep", "mine:2")
    assert.equal(2, #here:names("layers"))
    here:answers(0, "gc")
    assert.equal(0, #here:names("layers") + #here:names("blobs/sha256") + #here:names("tmp"))
  end)

  it("refuses names that are none", function()
    here:refuses(125, 'the name "Big" has capital letters', "tag", "other", "Big")
    here:refuses(125, 'the tag "a b" has more in it', "tag", "other", "x:a b")
    here:refuses(125, 'no image "none:latest"', "rm", "none")
    here:refuses(2, "which image?", "rm")
    here:refuses(2, "which image, and which name?", "tag", "other")
    here:refuses(2, "image ls takes no names", "ls", "other")
    here:refuses(2, "one image at a time", "history", "other", "app:1")
    here:refuses(2, "--time: ", "gc", "--time", "soon")
  end)

  it("commit wants both names", function()
    for _, words in ipairs { {}, { "box" } } do
      local result = here:luactr("commit", table.unpack(words))
      assert.equal(2, result.code)
      assert.matches("which container, and which image?", result.stderr, 1, true)
    end
  end)

  it("verify finds what is damaged, missing and not unpacked", function()
    assert.equal("2 images, 2 layers (9), 0 problems\n", here:answers(0, "verify"))
    local found = require("luactr.image.store").open { root = here.path }
    local image = assert(found:find("app:1"))
    found:close()
    local blobs = here.path .. "/blobs/sha256/"
    support.write(blobs .. image.layers[1].digest:match("%x+$"), "a=2\n")
    os.remove(blobs .. image.layers[2].digest:match("%x+$"))
    assert(os.rename(here.path .. "/layers/" .. image.diff_ids[2]:match("%x+$"),
      here.dir.path .. "/away"))
    local text = here:answers(1, "verify", "app:1")
    assert.matches("app:1: layer 1: its blob: its digest is sha256:", text, 1, true)
    assert.matches("app:1: layer 2: its blob: the image store has no blob ", text, 1, true)
    assert.matches("app:1: layer 2: it is not unpacked\n", text, 1, true)
    local report = cjson.decode((here:answers(1, "verify", "--json")))
    assert.equal(4, #report.problems) -- the first layer is other's too
    os.remove(blobs .. image.digest:match("%x+$"))
    assert.matches("app:1: the image store has no blob", here:answers(1, "verify"), 1, true)
    assert.matches("app:1 .* damaged\n", (here:answers(0, "ls")))
  end)

  support.it(it, pending, "root", "stranger")("keeps every user's images apart", function()
    local dir <close> = support.tmpdir()
    support.must { "chown", tostring(support.stranger), dir.path }
    local recipe = dir:write("recipe.lua", [[
      local store <close> = assert(require("luactr").image.store { write = true })
      assert(store:make { name = "mine", layers = {} })]], "0644")
    local function run(...)
      return support.luactr { user = support.stranger, env = { HOME = dir.path,
        XDG_DATA_HOME = "", LUACTR_IMAGES = "" }, ... }
    end
    assert.equal(0, run(recipe).code)
    assert.equal("mine:latest\n", run("image", "ls", "-q").stdout)
    local path = dir.path .. "/.local/share/luactr/images"
    local stat = require("luactr.sys").stat(path)
    assert.same({ support.stranger, 448 }, { stat.uid, stat.mode }) -- 0700
    local result = support.luactr { "image", "ls", env = { LUACTR_IMAGES = path } }
    assert.equal(125, result.code)
    assert.matches("cannot be trusted.*it is another user's", result.stderr)
  end)

  it("works on a store that is not there yet", function()
    local dir <close> = support.tmpdir()
    local env = { LUACTR_IMAGES = dir.path .. "/a/b" }
    assert.equal("[]\n", support.luactr({ "image", "ls", "--json", env = env }).stdout)
    assert.is_nil((require("luactr.sys").stat(dir.path .. "/a")))
    assert.equal(0, support.luactr({ "image", "gc", env = env }).code)
    assert.equal(448, require("luactr.sys").stat(dir.path .. "/a/b").mode) -- 0700
  end)
end)
