-- Images from outside: formats, names, platforms, and what is wrong with them.

local blob = require("luactr.image.blob")
local document = require("luactr.image.document")
local images = require("support.images")
local import = require("luactr.image.import")
local json = require("luactr.image.json")
local layouts = require("support.layouts")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("importing an image #system", function()
  local here, made

  before_each(function()
    world.check()
    here = images.open()
    made = layouts.open(here.dir.path .. "/lay")
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  local function run(path, options)
    options = options or {}
    options.store = here.store
    return import.run(path, options)
  end

  local function text_in(image, path)
    for _, tree in ipairs(assert(image:trees())) do
      local file <close> = io.open(tree .. "/" .. path)
      if file then return file:read("a") end
    end
  end

  -- What is left in stages.
  local function staged()
    local list = {}
    for _, stage in ipairs(here:names "tmp") do
      table.move(here:names("tmp/" .. stage), 1, 100, #list + 1, list)
    end
    return list
  end

  -- The store after an import that failed: nothing but what another has put in.
  local function intact()
    assert.same({}, assert(here.store:list()))
    assert.same({}, staged())
    assert.same({}, here:names("layers"))
  end

  local function fails(code, text, path, options)
    local image, err = run(path, options)
    assert.is_nil(image)
    assert.matches(text, tostring(err), 1, true)
    assert.equal(code, err.code)
    return err
  end

  local function tar_of(directory)
    return here.dir:write("archive.tar", layouts.archive(directory))
  end

  describe("of an OCI layout", function()
    it("takes the directory, the archive, and the compressed archive", function()
      local descriptor = made:image { { a = "1" }, { b = "2" } }
      made:index { layouts.with(descriptor, { name = "v1" }) }
      local image = assert(run(made.path))
      assert.same({ "lay:v1", descriptor.digest }, { image.name, image.digest })
      assert.same({ "1", "2" }, { text_in(image, "a"), text_in(image, "b") })
      local path = tar_of(made.path)
      assert.equal(descriptor.digest, assert(run(path, { name = "x" })).digest)
      for _, how in ipairs { "gzip", "zstd", "xz", "bzip2" } do
        assert(here.store:remove("x"))
        assert(here.store:gc())
        support.write(path .. ".z", layouts.compressed(support.read(path), how))
        image = assert(run(path .. ".z", { name = "x" }))
        assert.same({ descriptor.digest, "2" }, { image.digest, text_in(image, "b") })
      end
      assert.same({}, staged())
    end)

    it("takes what a pipe gives", function()
      made:index { made:image { { a = "1" } } }
      local result = support.run { "sh", "-c", "tar -C " .. made.path .. " -c . | "
        .. support.luactr_program .. " image import -q --name piped -",
        env = { LUACTR_IMAGES = here.path } }
      assert.same({ 0, "piped:latest\n", "" }, { result.code, result.stdout, result.stderr })
    end)

    it("takes a layer of any compression, and an image without layers", function()
      for _, how in ipairs { "none", "gzip", "zstd" } do
        made:index { made:image({}, function(manifest, config)
          manifest.layers[1], config.rootfs.diff_ids[1] = made:layer({ a = how }, how)
        end) }
        assert.equal(how, text_in(assert(run(made.path, { name = how })), "a"))
      end
      made:index { made:image {} }
      assert.same({}, assert(run(made.path, { name = "empty" })).layers)
    end)

    it("has all the names that the archive gives one image", function()
      local descriptor = made:image { { a = "1" } }
      made:index { layouts.with(descriptor, { name = "v1" }),
        layouts.with(descriptor, { name = "registry.example/app:v2" }) }
      assert(run(made.path))
      assert.equal(descriptor.digest, assert(here.store:find("lay:v1")).digest)
      assert.equal(descriptor.digest, assert(here.store:find("registry.example/app:v2")).digest)
    end)

    it("chooses by name", function()
      made:index { layouts.with(made:image { { a = "1" } }, { name = "one" }),
        layouts.with(made:image { { a = "2" } }, { name = "two" }) }
      fails("EBADMSG", "it holds several images: one, two", made.path)
      fails("EBADMSG", 'it holds no image "tow", did you mean two?', made.path, { image = "tow" })
      assert.equal("2", text_in(assert(run(made.path, { image = "two" })), "a"))
    end)

    it("chooses by platform, through indexes in indexes", function()
      local function arm(_, config) config.architecture = "arm64" end
      local own = made:image { { a = "own" } }
      local other = made:image({ { a = "arm" } }, arm)
      local host = document.platform_of(sys.uname().machine)
      local list = made:index_blob {
        layouts.with(other, { platform = { os = "linux", architecture = "arm64" } }),
        layouts.with(own, { platform = { os = "linux", architecture = host.architecture } }),
      }
      made:index { list }
      if host.architecture ~= "arm64" then
        assert.equal("own", text_in(assert(run(made.path)), "a"))
      end
      assert.equal("arm", text_in(assert(run(made.path, { platform = "linux/arm64" })), "a"))
      fails("EBADMSG", "it has no image for linux/s390x; it has some for: linux/arm64", made.path,
        { platform = "linux/s390x" })
      made:index { other }
      fails("EBADMSG", "it has no image for linux/s390x", made.path, { platform = "linux/s390x" })
      made:index { made:index_blob { made:index_blob { made:index_blob { own } } } }
      fails("EBADMSG", "indexes in each other", made.path)
    end)

    it("keeps the store as it was when something is wrong", function()
      local layer, diff_id = made:layer { a = "1" }
      local other = made:layer { b = "2" }
      local function image_of(change)
        return function()
          return made:image({}, function(manifest, config)
            manifest.layers[1], config.rootfs.diff_ids[1] = layer, diff_id
            if change then change(manifest, config) end
          end)
        end
      end
      local right = image_of()()
      for _, case in ipairs {
        { "EBADMSG", "has 3 bytes, its descriptor says", function()
          local wrong = image_of(function(_, config) config.created = "x" end)()
          support.write(made:blob_path(wrong.digest), "{ }")
          return wrong
        end },
        { "EBADMSG", "the digest of the manifest", function()
          local wrong = image_of(function(_, config) config.created = "y" end)()
          support.write(made:blob_path(wrong.digest), (" "):rep(wrong.size))
          return wrong
        end },
        { "ENOENT", "it has no blobs/sha256/", function()
          return { mediaType = right.mediaType, size = 9, digest = blob.digest("nothing") }
        end },
        { "ENOENT", "it has no blobs/sha256/", image_of(function(manifest)
          manifest.layers[1] = { mediaType = layer.mediaType, size = 9,
            digest = blob.digest("nothing") }
        end) },
        { "EBADMSG", "layer 1 of 1", image_of(function(_, config)
          config.rootfs.diff_ids[1] = blob.digest("something else")
        end) },
        { "EBADMSG", "layer 1 of 1", image_of(function(manifest)
          manifest.layers[1] = { mediaType = layer.mediaType, size = layer.size + 1,
            digest = layer.digest }
        end) },
        { "EBADMSG", "0 diff ids", image_of(function(_, config) config.rootfs.diff_ids = {} end) },
        { "EBADMSG", "lzma", image_of(function(manifest)
          manifest.layers[1] = { mediaType = document.types.layer .. "+lzma", size = layer.size,
            digest = layer.digest }
        end) },
        { "EBADMSG", "media type", image_of(function(manifest) manifest.mediaType = "x/y" end) },
        { "EBADMSG", "no JSON", function() return made:blob("{", right.mediaType) end },
        { "EBADMSG", "names no image", function()
          return { mediaType = "application/xml", size = 1, digest = right.digest }
        end },
      } do
        made:index { case[3]() }
        fails(case[1], case[2], made.path, { name = "x" })
        fails(case[1], case[2], tar_of(made.path), { name = "x" })
        intact()
      end
      for _, text in ipairs { layouts.compressed("no tar", "gzip"), "no tar",
        support.read(made:blob_path(layer.digest)):sub(1, -9) } do
        local broken = made:blob(text, layer.mediaType)
        made:index { made:image({}, function(manifest, config)
          manifest.layers[1], config.rootfs.diff_ids[1] = broken, diff_id
        end) }
        fails("EBADMSG", "layer 1 of 1", made.path)
        intact()
      end
      made:index { right }
      support.write(made:blob_path(layer.digest), support.read(made:blob_path(other.digest)))
      fails("EBADMSG", "layer 1 of 1", made.path)
      intact()
    end)

    it("says which files are none of a layout", function()
      made:index { made:image { { a = "1" } } }
      support.write(made.path .. "/oci-layout", '{"imageLayoutVersion":"7.0"}')
      fails("EBADMSG", "imageLayoutVersion", made.path)
      support.write(made.path .. "/oci-layout", "x")
      fails("EBADMSG", "imageLayoutVersion", made.path)
      support.write(made.path .. "/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
      os.remove(made.path .. "/index.json")
      fails("ENOENT", "it has no index.json", made.path)
      fails("EBADMSG", "it has an oci-layout, but no index.json", tar_of(made.path))
      os.remove(made.path .. "/oci-layout")
      fails("EBADMSG", "it is a directory without oci-layout", made.path)
      support.write(made.path .. "/version", "")
      fails("EBADMSG", "a directory of skopeo's dir: transport", made.path)
    end)

    it("follows no link out of it, and opens no FIFO", function()
      made:index { made:image { { a = "1" } } }
      os.remove(made.path .. "/oci-layout")
      here.dir:write("outside", '{"imageLayoutVersion":"1.0.0"}')
      sys.symlink("../outside", made.path .. "/oci-layout")
      fails("EBADMSG", "it is a directory without oci-layout", made.path)
      os.remove(made.path .. "/oci-layout")
      sys.mknod(made.path .. "/oci-layout", sys.S_IFIFO | 420)
      fails("EBADMSG", "oci-layout is no file", made.path)
    end)
  end)

  describe("of docker save", function()
    local path

    -- An archive of images { tags, files }; `change` is told of manifest.json and of the files.
    local function archive(list, change)
      local dir = here.dir.path .. "/docker"
      support.must { "rm", "-rf", dir }
      sys.mkdir(dir, "0755")
      local entries = {}
      for i, image in ipairs(list) do
        local tar = layouts.tar(image.files)
        local config = json.encode { os = "linux", architecture = "amd64", config = {},
          rootfs = { type = "layers", diff_ids = { blob.digest(tar) } } }
        local hex, id = blob.digest(config):sub(8), blob.digest(tar):sub(8)
        support.write(("%s/%s.json"):format(dir, hex), config)
        sys.mkdir(("%s/%s"):format(dir, id), "0755")
        support.write(("%s/%s.tar"):format(dir, id), tar)
        sys.symlink("../" .. id .. ".tar", ("%s/%s/layer.tar"):format(dir, id))
        entries[i] = { Config = hex .. ".json", RepoTags = image.tags,
          Layers = { id .. "/layer.tar" } }
      end
      if change then change(entries, dir) end
      support.write(dir .. "/manifest.json", #entries > 0 and json.encode(entries) or "[]")
      path = tar_of(dir)
      return path
    end

    it("takes one image with all its tags", function()
      archive { { tags = { "app:1", "app:2" }, files = { a = "1" } } }
      local image = assert(run(path))
      assert.same({ "app:1", "1" }, { image.name, text_in(image, "a") })
      assert.equal(image.digest, assert(here.store:find("app:2")).digest)
      assert.equal(document.types.layer, image.layers[1].mediaType)
      fails("EBADMSG", "it has no image for linux/s390x; it has some for: linux/amd64", path,
        { platform = "linux/s390x" })
      support.write(path .. ".gz", layouts.compressed(support.read(path), "gzip"))
      assert.equal(image.digest, assert(run(path .. ".gz", { name = "again" })).digest)
    end)

    it("chooses among several", function()
      archive { { tags = { "one:1" }, files = { a = "1" } },
        { tags = { "two:latest" }, files = { a = "2" } } }
      fails("EBADMSG", "it holds several images: one:1, two:latest", path)
      fails("EBADMSG", 'it holds no image "three"', path, { image = "three" })
      assert.equal("2", text_in(assert(run(path, { image = "two" })), "a"))
    end)

    it("says what is wrong", function()
      local one = { { tags = { "app:1" }, files = { a = "1" } } }
      for _, case in ipairs {
        { "EBADMSG", "the digest of the config", function(entries, dir)
          local file = dir .. "/" .. entries[1].Config
          support.write(file, support.read(file):gsub("amd64", "arm64"))
        end },
        { "ENOENT", "it has no ", function(entries) entries[1].Layers[1] = "none.tar" end },
        { "ENOENT", "it has no ", function(entries) entries[1].Config = "none.json" end },
        { "EBADMSG", "2 layers", function(entries)
          entries[1].Layers[2] = entries[1].Layers[1]
        end },
        { "EBADMSG", "is not { Config, RepoTags, Layers }", function(entries)
          entries[1].Layers = nil
        end },
        { "EBADMSG", "lists no image", function(entries) entries[1] = nil end },
        { "EBADMSG", "layer 1 of 1", function(entries, dir)
          support.write(dir .. "/" .. entries[1].Layers[1]:gsub("/layer", ""),
            layouts.tar { a = "2" })
        end },
      } do
        archive(one, case[3])
        fails(case[1], case[2], path)
        intact()
      end
      local dir = here.dir.path .. "/old"
      sys.mkdir(dir, "0755")
      support.write(dir .. "/repositories", "{}")
      fails("EBADMSG", "Docker before 1.10 wrote it", tar_of(dir))
    end)
  end)

  describe("of a root file system", function()
    it("compresses a layer again that others could not read", function()
      local path = here.dir.path .. "/root.tar"
      local tar = layouts.tar { ["etc/motd"] = "hello\n" }
      for _, how in ipairs { "xz", "bzip2" } do
        support.write(path, layouts.compressed(tar, how))
        local image = assert(run(path))
        assert.same({ document.layer_type("gzip"), blob.digest(tar) },
          { image.layers[1].mediaType, image.diff_ids[1] })
        local file <close> = assert(here.store:open_blob(image.layers[1].digest))
        assert.equal("\x1f\x8b", file:read(2))
      end
      support.write(path, layouts.compressed(tar, "xz"):sub(1, -20))
      fails("EBADMSG", "cannot", path)
    end)

    it("tells what is left out", function()
      local told = {}
      assert(run(here.dir:write("root.tar", layouts.tar { ["dev/x"] = {}, ["dev/y"] = {} }), {
        notice = function(file, why) told[#told + 1] = file .. ": " .. why end }))
      assert.matches("^dev/x: .* %(and 1 more%)$", told[1])
      assert.is_nil(told[2])
    end)

    it("makes an image of one layer", function()
      local path = here.dir.path .. "/root.tar"
      local tar = layouts.tar { ["etc/motd"] = "hello\n" }
      for _, how in ipairs { "none", "gzip", "zstd" } do
        support.write(path, layouts.compressed(tar, how))
        local image = assert(run(path, { config = { Cmd = { "/bin/sh" } } }))
        assert.same({ "root:latest", "hello\n", 1 },
          { image.name, text_in(image, "etc/motd"), #image.layers })
        assert.same({ { "/bin/sh" }, blob.digest(tar) },
          { image.config.config.Cmd, image.diff_ids[1] })
        assert.equal(document.layer_type(how), image.layers[1].mediaType)
      end
    end)
  end)

  it("says what is none of these", function()
    local dir = here.dir
    dir:write("empty", "")
    dir:write("text", ("text"):rep(1000))
    fails("EBADMSG", "it is empty", dir.path .. "/empty")
    fails("EBADMSG", "it is no tar archive", dir.path .. "/text")
    fails("ENOENT", "cannot import", dir.path .. "/none")
    fails("EBADMSG", "it is an archive of zip", dir:write("zip", "PK\3\4" .. ("x"):rep(1000)))
    fails("EBADMSG", "ctr.rootfs.squashfs", dir:write("squashfs", "hsqs" .. ("x"):rep(1000)))
    fails("EBADMSG", 'it holds no image "a", but the root', dir:write("x.tar",
      layouts.tar { a = "1" }), { image = "a" })
    fails("EINVAL", "try: name = ", dir:write("Bad Name!.tar", layouts.tar { a = "1" }))
    fails("EINVAL", "no name for an image", dir:write("x.tar", layouts.tar { a = "1" }),
      { name = "A B" })
    made:index { made:image { { a = ("1"):rep(100000) } } }
    local path = tar_of(made.path)
    local whole = support.read(path)
    for _, size in ipairs { 2000, 100000 } do
      support.write(path, whole:sub(1, size))
      local err = fails("EBADMSG", "it is truncated", path)
      assert.not_matches("import.*import", tostring(err))
    end
    local root = layouts.tar { a = ("1"):rep(100000), b = "2" }
    fails("EBADMSG", "runcated", dir:write("x.tar", root:sub(1, 2000)))
    for _, how in ipairs { "gzip", "zstd", "xz", "bzip2" } do
      fails("EBADMSG", "truncated", dir:write("x.tar", layouts.compressed(root, how):sub(1, 30)))
    end
    support.write(path, layouts.tar { ["blobs/sha256/" .. ("a"):rep(64)] = "x" })
    fails("EBADMSG", "neither index.json nor manifest.json", path)
    intact()
  end)

  it("has bounds for what a compressed archive becomes", function()
    made:index { made:image { { a = "1" } } }
    local path = tar_of(made.path)
    support.write(path, layouts.compressed(support.read(path), "gzip"))
    fails("E2BIG", "it becomes more than 100 bytes", path, { limits = { bytes = "100" } })
    intact()
    for text, limits in pairs {
      ["limits: table expected"] = 7, ["limits.ratio: a whole number"] = { ratio = 0 },
      ["limits: unknown field bites, did you mean bytes?"] = { bites = 7 },
    } do
      local _, message = pcall(import.run, path, { store = here.store, limits = limits })
      assert.matches(text, message, 1, true)
    end
  end)

  it("goes round in no circle of links", function()
    local hex = ("a"):rep(64)
    local path = here.dir:write("docker.tar", layouts.tar {
      ["manifest.json"] = { link = "repositories" }, ["repositories"] = { link = "manifest.json" },
      [hex .. "/layer.tar"] = { link = "../../../../etc/passwd" } })
    fails("ENOENT", "it has no manifest.json", path)
  end)

  it("raises for a caller's mistakes", function()
    assert.has_error(function() run(7) end, "path: string expected, got number")
    assert.has_error(function() run("x", { name = 7 }) end, "name: string expected, got number")
    assert.has_error(function() run("x", { platform = "a/b/c/d/" }) end)
    local line = debug.getinfo(1, "l").currentline
    for i, act in ipairs {
      function() local _ = import.run(made.path, { nme = "x" }) end,
      function() local _ = require("luactr").image.pull("x", { nme = "x" }) end,
      function() local _ = require("luactr.image.export").run({}, "x", { nme = "x" }) end,
    } do
      assert.matches(("_spec.lua:%d: unknown option nme, did you mean name?"):format(line + 1 + i),
        select(2, pcall(act)), 1, true)
    end
  end)

  it("goes on beside another import of the same image", function()
    local descriptor = made:image { { a = ("1"):rep(1 << 20) }, { b = "2" } }
    made:index { descriptor }
    local running = {}
    for i = 1, 4 do
      running[i] = require("support.process").start { support.luactr_program, "image", "import",
        "-q", "--name", "app" .. i % 2, made.path, env = { LUACTR_IMAGES = here.path } }
    end
    for _, process in ipairs(running) do
      assert.equal(0, process:wait(120).code, process.stderr)
      process:close()
    end
    assert.equal(descriptor.digest, assert(here.store:find("app0")).digest)
    assert.equal(descriptor.digest, assert(here.store:find("app1")).digest)
    assert.same({}, staged())
    assert.equal(2, #here:names("layers"))
  end)

  it("leaves nothing where there is no space left", function()
    local small = here.dir:mkdir("small")
    local result = support.run { "unshare", "-m", "sh", "-ec", ([[
      mount -t tmpfs -o size=1M none %s
      export LUACTR_IMAGES=%s/images
      head -c 3000000 /dev/urandom >%s/big
      tar -C %s -cf %s/big.tar big
      ! %s image import -q %s/big.tar
      ls -A $LUACTR_IMAGES/tmp $LUACTR_IMAGES/layers $LUACTR_IMAGES/blobs/sha256
    ]]):format(small, small, here.dir.path, here.dir.path, here.dir.path, support.luactr_program,
      here.dir.path) }
    assert.equal(0, result.code, result.stderr)
    assert.matches("ENOSPC", result.stderr, 1, true)
    assert.not_matches("%x%x%x%x%x%x", result.stdout:gsub("[^\n]*:\n", ""))
  end)
end)
