-- Images for others: what luactr writes, skopeo, umoci and podman read, and the other way round.

local images = require("support.images")
local import = require("luactr.image.import")
local layouts = require("support.layouts")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("exporting an image #system", function()
  local here, image, digest

  before_each(function()
    world.check()
    here = images.open()
    local made = layouts.open(here.dir.path .. "/lay")
    made:index { made:image({ { ["etc/motd"] = "hello\n", ["etc/gone"] = "x" },
      { ["etc/.wh.gone"] = "", ["etc/new"] = "new\n" } }, nil, "gzip") }
    image = assert(import.run(made.path, { store = here.store, name = "registry.example/app:v1" }))
    digest = image.digest
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  local function path_of(name) return here.dir.path .. "/" .. name end

  local function export(name, options)
    assert(image:export(path_of(name), options))
    return path_of(name)
  end

  local function import_again(path, options)
    local other <close> = images.open()
    options = options or {}
    options.store = other.store
    local again = assert(import.run(path, options))
    local trees = assert(again:trees())
    assert.equal("new\n", support.read(trees[1] .. "/etc/new"))
    assert.equal("char", sys.stat(trees[1] .. "/etc/gone").type)
    assert.equal("hello\n", support.read(trees[2] .. "/etc/motd"))
    return again
  end

  it("writes what it reads again, with the same digests", function()
    for _, options in ipairs {
      { format = "oci" }, { format = "oci-archive" }, {}, { compression = "gzip" },
      { compression = "zstd" },
    } do
      local path = export("out", options)
      local again = import_again(path)
      assert.same({ "registry.example/app:v1", digest }, { again.name, again.digest })
      support.must { "rm", "-r", path }
    end
    local again = import_again(export("docker.tar", { format = "docker-archive" }))
    assert.same({ "registry.example/app:v1", image.config }, { again.name, again.config })
    assert.same(image.diff_ids, again.diff_ids)
  end)

  it("writes the same bytes for the same image", function()
    for _, options in ipairs { {}, { format = "docker-archive" }, { compression = "gzip" } } do
      assert.equal(support.read(export("one", options)), support.read(export("two", options)))
    end
  end)

  it("writes to descriptors, and under another name", function()
    local file <close> = sys.open(path_of("out"), { "wronly", "creat" })
    assert(image:export(file, { name = "other:2" }))
    assert.equal("other:2", import_again(path_of("out")).name)
  end)

  it("leaves what is there when it fails", function()
    local path = here.dir:write("out", "before")
    local blob = here.path .. "/blobs/sha256/" .. image.layers[1].digest:match("%x+$")
    local text = support.read(blob)
    support.write(blob, "x" .. text:sub(2))
    local done, err = image:export(path)
    assert.same({ nil, "EBADMSG" }, { done, err.code })
    assert.matches("is damaged", err.message, 1, true)
    assert.equal("before", support.read(path))
    done, err = image:export(path_of("dir"), { format = "oci" })
    assert.same({ nil, "EBADMSG" }, { done, err.code })
    support.write(blob, text)
    for _, case in ipairs { { "/dev/full", "ENOSPC" }, { path_of("none/x"), "ENOENT" } } do
      done, err = image:export(case[1])
      assert.same({ nil, case[2] }, { done, err.code })
    end
    here.dir:mkdir("there/x")
    done, err = image:export(path_of("there"), { format = "oci" })
    assert.same({ nil, "ENOTEMPTY" }, { done, err.code })
    local left = {}
    for _, entry in ipairs(sys.readdir(here.dir.path)) do left[entry.name] = true end
    assert.same({ images = true, lay = true, out = true, there = true }, left)
  end)

  it("raises for a caller's mistakes", function()
    assert.has_error(function() image:export("x", { format = "zip" }) end)
    assert.has_error(function() image:export("x", { compression = "xz" }) end)
    assert.has_error(function() image:export(1, { format = "oci" }) end)
  end)

  it("is read by skopeo, which writes what luactr reads #slow", function()
    support.needs("program:skopeo")
    local function skopeo(...)
      return support.must { "skopeo", "--insecure-policy", ... }
    end
    local source = {
      ["oci:"] = export("out.oci", { format = "oci" }) .. ":v1",
      ["oci-archive:"] = export("oci.tar") .. ":v1",
      ["docker-archive:"] = export("docker.tar", { format = "docker-archive" }),
    }
    for transport, path in pairs(source) do
      local manifest = skopeo("inspect", "--raw", transport .. path)
      if transport ~= "docker-archive:" then
        assert.equal(digest, require("luactr.files.digest").of(manifest))
      end
      skopeo("copy", "-q", transport .. path, "docker-archive:" .. path_of("back") .. ":back:1")
      local again = import_again(path_of("back"))
      assert.same({ "docker.io/library/back:1", image.diff_ids }, { again.name, again.diff_ids })
      os.remove(path_of("back"))
    end
    skopeo("copy", "-q", "oci-archive:" .. source["oci-archive:"], "oci-archive:"
      .. path_of("back") .. ":v1")
    assert.equal(digest, import_again(path_of("back")).digest)
  end)

  it("is read by umoci, which writes what luactr reads #slow", function()
    support.needs("program:umoci")
    local path, bundle = export("out.oci", { format = "oci" }), path_of("bundle")
    support.must { "umoci", "unpack", "--image", path .. ":v1", bundle }
    assert.equal("new\n", support.read(bundle .. "/rootfs/etc/new"))
    assert.is_nil(sys.stat(bundle .. "/rootfs/etc/gone"))
    support.write(bundle .. "/rootfs/etc/motd", "changed\n")
    support.must { "umoci", "repack", "--image", path .. ":v2", bundle }
    local again = assert(import.run(path, { store = here.store, image = "v2", name = "again" }))
    assert.equal("changed\n", support.read(assert(again:trees())[1] .. "/etc/motd"))
    assert.equal(3, #again.layers)
  end)

  -- What it starts for later ends with it, and what it leaves in /run goes. crun refuses hosts with
  -- both kinds of cgroups.
  local function podman(...)
    return support.run { "unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c",
      "umount /sys/fs/cgroup/unified 2>/dev/null; mount -t tmpfs none /run; "
        .. "mount -t tmpfs none /dev/shm; exec podman \"$@\"", "podman",
      "--root", path_of("podman"), "--runroot", path_of("run"), "--tmpdir", path_of("tmp"),
      "--storage-driver", "vfs", "--log-level", "error", ... }
  end

  -- What a host may keep podman from, whatever the image.
  local FORBIDDEN <const> = { "Operation not permitted", "cgroup", "conmon", "crun", "runc",
    "Permission denied" }

  it("is run by podman #slow", function()
    support.needs("program:podman", "program:busybox")
    local made = layouts.open(here.dir.path .. "/box")
    local path = support.must({ "sh", "-c", "command -v busybox" }):match("%S+")
    made:index { made:image { { ["bin/busybox"] = support.read(path) } } }
    local box = assert(import.run(made.path, { store = here.store, name = "box:1" }))
    assert(box:export(path_of("box.tar")))
    assert.equal(0, podman("load", "-q", "-i", path_of("box.tar")).code)
    local result = podman("run", "--rm", "--network", "none", "--cgroups", "disabled", "box:1",
      "/bin/busybox", "echo", "it runs")
    for _, text in ipairs(result.code ~= 0 and FORBIDDEN or {}) do
      if result.stderr:find(text, 1, true) then
        pending("podman runs nothing here: " .. result.stderr)
      end
    end
    assert.same({ 0, "it runs\n" }, { result.code, result.stdout }, result.stderr)
  end)

  it("is loaded by podman #slow", function()
    support.needs("program:podman")
    for _, format in ipairs { "oci-archive", "docker-archive" } do
      local loaded = podman("load", "-q", "-i", export(format, { format = format }))
      assert.equal(0, loaded.code, loaded.stderr)
      assert.matches("registry.example/app:v1", loaded.stdout, 1, true)
      local id = podman("inspect", "--format", "{{.Id}}", "registry.example/app:v1").stdout
      assert.equal(image.manifest.config.digest, "sha256:" .. id:match("%x+"))
      local saved = podman("save", "-q", "--format", format, "-o", path_of("saved"),
        "registry.example/app:v1")
      assert.equal(0, saved.code, saved.stderr)
      assert.equal("registry.example/app:v1", import_again(path_of("saved")).name)
      os.remove(path_of("saved"))
      podman("rmi", "-f", "-a")
    end
  end)
end)
