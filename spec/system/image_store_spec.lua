-- The image store: what is put in is there, whole or not at all, and is found again.

local blob = require("luactr.image.blob")
local document = require("luactr.image.document")
local images = require("support.images")
local json = require("luactr.image.json")
local store = require("luactr.image.store")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local HEX <const> = ("0"):rep(64)

describe("the image store #system", function()
  local here

  before_each(function()
    world.check()
    here = images.open()
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  describe("blobs", function()
    it("are put in and read", function()
      local descriptor = assert(here.store:put("hello", "text/plain"))
      assert.same({ mediaType = "text/plain", digest = blob.digest("hello"), size = 5 }, descriptor)
      assert.equal("hello", here.store:read(descriptor.digest))
      assert.is_true(here.store:has_blob(descriptor.digest))
      local file <close> = assert(here.store:open_blob(descriptor.digest))
      assert.equal("hello", file:read())
    end)

    it("are taken from a stage", function()
      local stage <close> = assert(here.store:stage())
      support.write(stage.path .. "/x", "hello")
      local digest = blob.digest("hello")
      assert(here.store:adopt_blob(stage, "x", { digest = digest, size = 5 }))
      assert.equal("hello", here.store:read(digest))
      support.write(stage.path .. "/x", "hello")
      assert(here.store:adopt_blob(stage, "x", { digest = digest, size = 5 }))
      assert.same({}, sys.readdir(stage.path))
    end)

    it("are not taken with another size", function()
      local stage <close> = assert(here.store:stage())
      support.write(stage.path .. "/x", "hello")
      local done, err = here.store:adopt_blob(stage, "x",
        { digest = blob.digest("hello"), size = 6 })
      assert.same({ nil, "EBADMSG", "it has 5 bytes, its descriptor says 6" },
        { done, err.code, err.cause })
    end)

    it("that were cut short are put in again", function()
      local descriptor = assert(here.store:put("hello", "text/plain"))
      support.write(blob.path(here.path, descriptor.digest), "he")
      assert.is_false(here.store:has_blob(descriptor.digest, 5))
      assert(here.store:put("hello", "text/plain"))
      assert.equal("hello", here.store:read(descriptor.digest))
    end)

    it("that are missing, damaged or no digest are errors", function()
      local text, err = here.store:read("sha256:" .. HEX)
      assert.same({ nil, "ENOENT", "the image store has no blob sha256:" .. HEX },
        { text, err.code, err.message })
      local descriptor = assert(here.store:put("hello", "text/plain"))
      support.write(blob.path(here.path, descriptor.digest), "jello")
      text, err = here.store:read(descriptor.digest)
      assert.same({ nil, "EBADMSG", "the digest of what it holds is " .. blob.digest("jello") },
        { text, err.code, err.cause })
      text, err = here.store:read("sha256:../../names.json")
      assert.same({ nil, "EINVAL" }, { text, err.code })
      assert.is_false(here.store:has_blob("sha256:../../names.json"))
      assert.is_nil(here.store:layer("sha256:../x"))
    end)
  end)

  describe("stages", function()
    it("are gone when closed, with all that is in them", function()
      local stage = assert(here.store:stage())
      assert(sys.mkdir(stage.path .. "/deep", "0755"))
      support.write(stage.path .. "/deep/file", "x")
      assert(sys.chmod(stage.path .. "/deep", 0))
      stage:close()
      stage:close()
      assert.same({}, here:names("tmp"))
    end)
  end)

  describe("layers", function()
    it("are taken once", function()
      local first, second = here:layer { a = "1" }, here:layer { a = "1" }
      assert.same(first, second)
      local tree = assert(here.store:layer(first[2]))
      assert.equal("1", support.read(tree .. "/a"))
      assert.same({ "layer.json", "tree" },
        here:names("layers/" .. first[2]:match("%x+$")))
      assert.same({}, here:names("tmp"))
    end)

    it("keep the mode of a directory that nobody may write to", function()
      local stage <close> = assert(here.store:stage())
      assert(sys.mkdir(stage.path .. "/t", "0555"))
      local digest = blob.digest("t")
      assert(here.store:adopt_layer(stage, "t", digest, {}))
      assert.equal(365, sys.stat(here.store:layer(digest)).mode) -- 0555
    end)
  end)

  describe("names", function()
    it("are given, found and listed", function()
      local made = assert(here:make("app:1", { { a = "1" }, { b = "2" } }))
      local found = assert(here.store:find("app:1"))
      assert.same({ "app:1", made.digest, 2 }, { found.name, found.digest, #found.layers })
      assert.equal("2026-01-31T12:00:00Z", found.created)
      local trees = assert(found:trees())
      assert.equal("2", support.read(trees[1] .. "/b"))
      assert.equal("1", support.read(trees[2] .. "/a"))
      assert.same({ "app:1" }, { here.store:list()[1].name })
    end)

    it("have the same digest for the same parts", function()
      local one = assert(here:make("app:1", { { a = "1" } }))
      local two = assert(here:make("app:2", { { a = "1" } }))
      assert.equal(one.digest, two.digest)
    end)

    it("are one more name or one less", function()
      local made = assert(here:make("app:1", { { a = "1" } }))
      assert(here.store:tag("app:1", "registry.example/team/app"))
      assert.equal(made.digest, assert(here.store:find("team/app")).digest)
      assert.equal("app:1", here.store:remove("app:1"))
      local gone, err = here.store:find("app:1")
      assert.same({ nil, "ENOENT" }, { gone, err.code })
      assert.equal(made.digest, assert(here.store:find("app@" .. made.digest)).digest)
    end)

    it("that are unknown are errors with the nearest", function()
      assert(here:make("registry.example/alpine:3", { { a = "1" } }))
      local nearest <const> = ", did you mean registry.example/alpine:3?"
      local found, err
      for _, name in ipairs { "alpnie:3", "alpine:latest", "registry.exmaple/alpine:3" } do
        found, err = here.store:find(name)
        assert.same({ nil, "ENOENT", ('no image "%s"%s'):format(name, nearest) },
          { found, err.code, err.message })
      end
      found, err = here.store:remove("other")
      assert.same({ nil, 'no image "other:latest"' }, { found, err.message })
    end)

    it("that may mean several are errors with all of them", function()
      assert(here:make("a.example/x", { { a = "1" } }))
      assert(here:make("b.example/x", { { a = "2" } }))
      local found, err = here.store:find("x")
      assert.same({ nil, "ENOTUNIQ",
        '"x:latest" may be a.example/x:latest, b.example/x:latest' },
        { found, err.code, err.message })
    end)

    it("that are none are errors", function()
      for _, name in ipairs { "", "A", "a:x y", "a@sha256:" .. HEX, 7 } do
        local done, err = here:make(name, { { a = "1" } })
        assert.same({ nil, "EINVAL" }, { done, err.code })
        assert.matches("no name for an image: ", err.message, 1, true)
      end
    end)

    it("are not given to what is not there", function()
      local set, err = here.store:set("app", { digest = "sha256:" .. HEX, size = 3 })
      assert.same({ nil, "ENOENT" }, { set, err.code })
      local made = assert(here:make("app", { { a = "1" } }))
      assert(sys.unlink(blob.path(here.path, made.layers[1].digest)))
      local size = sys.stat(blob.path(here.path, made.digest)).size
      set, err = here.store:set("other", { digest = made.digest, size = size })
      assert.same({ nil, "ENOENT", 'image "other:latest": the blob of layer 1 is missing: '
        .. made.layers[1].digest }, { set, err.code, err.message })
      assert.is_nil((here.store:find("other")))
    end)

    it("are not given to what is no manifest", function()
      local descriptor = assert(here.store:put("{}", document.types.manifest))
      local set, err = here.store:set("app", descriptor)
      assert.same({ nil, "EBADMSG", "it has neither a media type nor schemaVersion 2" },
        { set, err.code, err.cause })
    end)
  end)

  describe("documents", function()
    local function refused(text, code, pattern)
      local descriptor = assert(here.store:put(text, document.types.manifest))
      local set, err = here.store:set("app", descriptor)
      assert.same({ nil, code }, { set, err.code })
      assert.matches(pattern, tostring(err), 1, true)
      assert.same({}, here.store:list())
    end

    local function manifest(fields)
      local made = { schemaVersion = 2, layers = {}, config =
        assert(here.store:put('{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[]}}',
          document.types.config)) }
      for key, value in pairs(fields) do made[key] = value end
      return json.encode(made)
    end

    it("of bombs are not read", function()
      refused((" "):rep(5 << 20), "EFBIG", "has more than 4194304 bytes")
      refused(("["):rep(1 << 20), "EBADMSG", "it is no JSON")
      local layer = { mediaType = document.types.layer, digest = "sha256:" .. HEX, size = 1 }
      local layers = {}
      for i = 1, 300 do layers[i] = layer end
      refused(manifest { layers = layers }, "EBADMSG", "it has 300 layers, at most 256")
    end)

    it("of other kinds are refused by name", function()
      local layer = { mediaType = document.types.layer .. "+lz4", digest = "sha256:" .. HEX,
        size = 1 }
      refused(manifest { layers = { layer } }, "EBADMSG", 'the compression "lz4" of a layer')
      refused(manifest { config = { mediaType = document.types.empty,
        digest = "sha256:" .. HEX, size = 2 } }, "EBADMSG", "is not that of a config")
      refused(manifest { mediaType = document.types.index }, "EBADMSG", "not that of a manifest")
    end)

    it("that are missing or do not agree are errors", function()
      refused(manifest { config = { mediaType = document.types.config,
        digest = "sha256:" .. HEX, size = 2 } }, "ENOENT", "has no blob sha256:" .. HEX)
      refused(manifest { layers = { { mediaType = document.types.layer, size = 1,
        digest = "sha256:" .. HEX } } }, "EBADMSG", "it has 0 diff ids, the manifest has 1 layers")
    end)

    it("that are damaged later are told of, and keep gc from guessing", function()
      local made = assert(here:make("app", { { a = "1" } }))
      support.write(blob.path(here.path, made.digest), "{}")
      local found, err = here.store:find("app")
      assert.same({ nil, "EBADMSG" }, { found, err.code })
      assert.equal("EBADMSG", here.store:list()[1].error.code)
      local report
      report, err = here.store:gc()
      assert.same({ nil, "EBADMSG", "luactr image rm app:latest" },
        { report, err.code, err.remedy })
      assert.equal(1, #here:names("layers"))
      assert(here.store:remove("app"))
      assert(here.store:gc())
      assert.equal(0, #here:names("layers"))
    end)

    it("that are damaged and look whole are found by verify", function()
      local made = assert(here:make("app", { { a = "1" } }))
      local path = blob.path(here.path, made.manifest.config.digest)
      support.write(path, (support.read(path):gsub("2026", "2027")))
      assert(here.store:find("app"))
      for _, name in ipairs { "app", false } do
        local problems = assert(here.store:verify(name or nil)).problems
        assert.equal(1, #problems)
        assert.matches("is damaged: the digest of what it holds is sha256:", problems[1].message,
          1, true)
      end
    end)

    it("of names that are none are an error", function()
      support.write(here.path .. "/names.json", "{")
      local list, err = here.store:list()
      assert.same({ nil, "EBADMSG", "the names of images cannot be read" },
        { list, err.code, err.message })
      assert.is_nil((here.store:gc()))
    end)
  end)

  describe("garbage", function()
    it("is what no name refers to", function()
      assert(here:make("app:1", { { a = "1" }, { b = "2" } }))
      assert(here:make("app:2", { { a = "1" }, { c = "3" } }))
      assert.same({ 0, 0 }, { here.store:gc().blobs, here.store:gc().layers })
      assert(here.store:remove("app:1"))
      local report = assert(here.store:gc())
      assert.same({ 3, 1 }, { report.blobs, report.layers })
      assert.is_not_nil(assert(here.store:find("app:2")):trees())
      assert(here.store:remove("app:2"))
      assert(here.store:gc())
      assert.same({}, here:names("layers"))
      assert.same({}, here:names("blobs/sha256"))
    end)

    it("is not what a container uses", function()
      local made = assert(here:make("app", { { a = "1" } }))
      local use = assert(here.store:use(made, support.name("no-such")))
      assert(here.store:remove("app"))
      local report = assert(here.store:gc())
      assert.same({ 0, 0 }, { report.blobs, report.layers })
      assert.same({ support.name("no-such") }, here.store:users(made))
      use:close()
      assert.same({}, here.store:users(made))
      assert.equal(1, assert(here.store:gc()).layers)
      assert.same({}, here:names("uses"))
    end)

    it("is not what a container with a state uses, under whatever name", function()
      local host = require("luactr.host").facts()
      local id = support.name("used")
      local entry <close> = assert(require("luactr.state").claim(host, id))
      local made = assert(here:make("app", { { a = "1" } }))
      assert(here.store:use(made, id)):disown()
      assert.same({ id }, here.store:users(made))
      assert(here.store:remove("app"))
      assert.equal(0, assert(here.store:gc()).layers)
      local away = host.state_dir .. "/containers/" .. support.name("renamed")
      assert(os.rename(entry.path, away))
      assert.equal(0, assert(here.store:gc()).layers)
      assert(os.rename(away, entry.path))
      entry:close()
      assert.equal(1, assert(here.store:gc()).layers)
    end)

    it("is what builds remember, unless that is to be kept", function()
      local kept, named = here:layer { a = "1" }, here:layer { b = "2" }
      assert(here.store:make { name = "app", layers = { named } })
      local function remember(key, step)
        here.dir:write("images/cache/" .. key, json.encode(step))
      end
      remember("1", { created = "x", diff_id = kept[2], descriptor = kept[1] })
      remember("2", { created = "x", diff_id = named[2], descriptor = named[1] })
      remember("3", { created = "x" })
      remember("4", { created = "x", diff_id = kept[2], descriptor = 7 })
      local report = assert(here.store:gc { keep_steps = true })
      assert.same({ 0, 0, 0 }, { report.blobs, report.layers, report.steps })
      report = assert(here.store:gc())
      assert.same({ 1, 1, 3 }, { report.blobs, report.layers, report.steps })
      assert.same({ "2" }, here:names("cache"))
    end)

    it("is what killed makers have left", function()
      local child <close> = assert(sys.clone({}, function()
        local open = assert(store.open { root = here.path, write = true })
        here:layer({ a = "1" }, open)
        local stage = assert(open:stage())
        support.write(stage.path .. "/half", "x")
        return sys.kill(sys.getpid(), "KILL")
      end))
      assert(sys.waitid(child))
      assert.same({ 1, 1 }, { #here:names("layers"), #here:names("tmp") })
      local report = assert(here.store:gc())
      assert.same({ 1, 1, 1 }, { report.blobs, report.layers, report.stages })
      assert.equal(0, #here:names("layers") + #here:names("blobs/sha256") + #here:names("tmp"))
    end)

    it("is not collected while others work with the store", function()
      local other <close> = assert(store.open { root = here.path, write = true })
      local report, err = here.store:gc { patience = 0 }
      assert.same({ nil, "EBUSY" }, { report, err.code })
      other:close()
      assert(here.store:gc { patience = 0 })
      local ready, done = assert(sys.pipe())
      local child <close> = assert(sys.clone({}, function()
        local open = assert(store.open { root = here.path, write = true })
        done:write("x")
        sys.nanosleep(60)
        open:close()
      end))
      assert.equal("x", ready:read(1))
      report, err = here.store:gc { patience = 0 }
      assert.same({ nil, "process " .. child:pid() .. " works with it" }, { report, err.cause })
      child:signal("KILL")
      assert(sys.waitid(child))
      assert(here.store:gc())
      ready:close()
      done:close()
    end)
  end)

  it("is not made by who only reads", function()
    local empty <close> = assert(store.open { root = here.dir.path .. "/none" })
    assert.same({}, empty:list())
    local found, err = empty:find("app")
    assert.same({ nil, "ENOENT" }, { found, err.code })
    assert.is_nil((sys.stat(here.dir.path .. "/none")))
    assert.error_matches(function() empty:put("x", "y") end, "not open for writing", 1, true)
  end)

  it("is its owner's alone, whatever the umask", function()
    local path = here.dir.path .. "/open/images"
    local before = sys.umask(0)
    local open <close> = assert(store.open { root = path, write = true })
    local made = assert(here:make("app", { { a = "1" } }, nil, open))
    local used <close> = assert(open:use(made, support.name("user"))) -- luacheck: ignore
    sys.umask(before)
    local function check(directory)
      for _, entry in ipairs(assert(sys.readdir(directory))) do
        local stat = sys.stat(directory .. "/" .. entry.name)
        assert.equal(0, stat.mode & 63, directory .. "/" .. entry.name) -- 0077
        if stat.type == "directory" and not directory:find("/layers/", 1, true) then
          check(directory .. "/" .. entry.name)
        end
      end
    end
    os.remove(blob.path(path, made.layers[1].digest)) -- which the spec has written itself
    local layer = path .. "/layers/" .. made.diff_ids[1]:match("%x+$")
    assert.equal(448, sys.stat(layer).mode) -- 0700
    assert(sys.rename(layer, here.dir.path .. "/away"))
    check(here.dir.path .. "/open")
  end)

  it("that others may write to is not trusted", function()
    assert(sys.chmod(here.path, "0770"))
    local open, err = store.open { root = here.path }
    assert.same({ nil, "EPERM" }, { open, err.code })
  end)
end)
