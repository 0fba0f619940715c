-- Images of registries: a real one on loopback, and what skopeo complains of.

local images = require("support.images")
local import = require("luactr.image.import")
local layouts = require("support.layouts")
local registry = require("support.registry")
local remote = require("luactr.image.registry")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

-- "secret word" by bcrypt
local SECRET_WORD <const> = "$2y$05$abcdefghijklmnopqrstuu1C7yeI3ZG3Jm.nHdnKkGJg1xTYKP9Oy"

local it = support.it(it, pending, "root", "program:skopeo", "program:docker-registry")

describe("images of registries #system", function()
  local here, made, image

  setup(world.adopt_orphans)
  before_each(function()
    world.check()
    here = images.open()
    made = layouts.open(here.dir.path .. "/lay")
    made:index { made:image({ { a = "1" }, { b = "2" } }, nil, "gzip") }
    image = assert(import.run(made.path, { store = here.store, name = "app:1" }))
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  -- For what comes from the registry: a store without anything.
  local function fresh()
    return images.open()
  end

  local function options(store, more)
    local all = { tls_verify = false, store = store }
    for key, value in pairs(more or {}) do all[key] = value end
    return all
  end

  it("are pushed and pulled with their digests, each layer once #slow", function()
    local there <close> = registry.start(here.dir.path)
    local name = there.address .. "/team/app:1"
    assert.same({ name = name, digest = image.digest },
      assert(image:push("docker://" .. name, { tls_verify = false })))
    local other <close> = fresh()
    local told, bytes = {}, 0
    local progress = setmetatable({
      start = function(_, what, total) told[#told + 1] = what .. " " .. total end,
      add = function(_, count) bytes = bytes + count end,
      note = function(_, text) told[#told + 1] = text:gsub("%x%x%x+", "ID") end,
      done = function() end,
    }, { __close = function() end })
    local more = options(other.store, { progress = progress })
    local pulled = assert(remote.pull(name, more))
    assert.same({ name, image.digest }, { pulled.name, pulled.digest })
    assert.equal("2", support.read(assert(pulled:trees())[1] .. "/b"))
    local sum = image.layers[1].size + image.layers[2].size
    assert.equal(("fetch %s/team/app %d"):format(there.address, sum), told[1])
    assert.equal("layer 1 of 2 " .. image.layers[1].size, told[2])
    assert.is_true(bytes >= sum)

    told = {}
    pulled = assert(remote.pull(("%s/team/app@%s"):format(there.address, image.digest), more))
    assert.same({ "layer 1 of 2: ID is there", "layer 2 of 2: ID is there" }, told)
    assert.equal(("%s/team/app:%s"):format(there.address,
      image.digest:sub(1, 19):gsub(":", "-")), pulled.name)

    made:index { made:image({ { a = "1" }, { b = "2" }, { c = "3" } }, nil, "gzip") }
    local larger = assert(import.run(made.path, { store = here.store, name = "app:2" }))
    assert(larger:push(there.address .. "/team/app:2", options(here.store)))
    told = {}
    assert(remote.pull(there.address .. "/team/app:2", more))
    assert.equal(("fetch %s/team/app %d"):format(there.address, larger.layers[3].size), told[1])
    assert.same({ "layer 1 of 3: ID is there", "layer 2 of 3: ID is there" },
      table.move(told, 2, 3, 1, {}))
  end)

  it("of Docker's kind and for several platforms are pulled as they are #slow", function()
    local there <close> = registry.start(here.dir.path)
    local function skopeo(...)
      return support.must { "skopeo", "--insecure-policy", ... }
    end
    skopeo("copy", "-q", "--dest-tls-verify=false", "--format", "v2s2", "oci:" .. made.path,
      "docker://" .. there.address .. "/docker:1")
    local raw = skopeo("inspect", "--raw", "--tls-verify=false", "docker://" .. there.address
      .. "/docker:1")
    local pulled = assert(remote.pull(there.address .. "/docker:1", options(here.store)))
    assert.same({ require("luactr.files.digest").of(raw), image.diff_ids },
      { pulled.digest, pulled.diff_ids })
    assert(pulled:push(there.address .. "/docker:2", options(here.store)))
    assert.equal(raw, skopeo("inspect", "--raw", "--tls-verify=false",
      "docker://" .. there.address .. "/docker:2"))

    local none, err = remote.pull(there.address .. "/docker:1",
      options(here.store, { platform = "linux/s390x" }))
    assert.is_nil(none)
    assert.matches("it has no image for linux/s390x; it has some for: ", err.cause, 1, true)

    local arm = made:image({ { a = "arm" } }, function(_, config)
      config.architecture = "arm64"
    end, "gzip")
    made:index { made:index_blob { layouts.with(arm, { platform = { os = "linux",
      architecture = "arm64" } }) } }
    skopeo("copy", "-q", "--all", "--dest-tls-verify=false", "oci:" .. made.path,
      "docker://" .. there.address .. "/many:1")
    pulled = assert(remote.pull(there.address .. "/many:1",
      options(here.store, { platform = "linux/arm64" })))
    assert.same({ arm.digest, "arm" }, { pulled.digest,
      support.read(assert(pulled:trees())[1] .. "/a") })
    none, err = remote.pull(there.address .. "/many:1",
      options(here.store, { platform = "linux/s390x" }))
    assert.is_nil(none)
    assert.matches("it has no image for linux/s390x; it has some for: linux/arm64", err.cause, 1,
      true)
  end)

  it("need a login, and TLS, where the registry wants them #slow", function()
    support.needs("program:openssl")
    local dir = here.dir.path
    support.must { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
      "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
      "-keyout", dir .. "/key.pem", "-out", dir .. "/ca.crt" }
    here.dir:write("htpasswd", "me:" .. SECRET_WORD .. "\n")
    local there <close> = registry.start(dir, { certificate = dir .. "/ca.crt",
      key = dir .. "/key.pem", htpasswd = dir .. "/htpasswd" })
    here.dir:mkdir("certs")
    here.dir:write("certs/ca.crt", support.read(dir .. "/ca.crt"))
    local name = there.address .. "/app:1"
    for _, case in ipairs {
      { "EPROTO", {} }, { "EACCES", { cert_dir = dir .. "/certs" } },
      { "EACCES", { tls_verify = false, username = "me", password = "wrong" } },
    } do
      case[2].store = here.store
      local done, err = image:push(name, case[2])
      assert.same({ nil, case[1] }, { done, err.code })
    end
    assert(image:push(name, { store = here.store, cert_dir = dir .. "/certs", username = "me",
      password = "secret word" }))
    here.dir:write("auth.json", require("luactr.image.json").encode { auths = {
      [there.address] = { auth = "bWU6c2VjcmV0IHdvcmQ=" } } })
    local other <close> = fresh()
    assert.equal(image.digest, assert(remote.pull(name, { store = other.store,
      cert_dir = dir .. "/certs", auth_file = dir .. "/auth.json" })).digest)
  end)

  it("that are not there are errors, and leave the store as it was #slow", function()
    local there <close> = registry.start(here.dir.path)
    for _, case in ipairs {
      { "ENOENT", there.address .. "/none:1" }, { "EINVAL", there.address .. "/A B" },
      { "ECONNREFUSED", "127.0.0.1:1/app" },
      { "EPROTO", there.address .. "/app:1", { tls_verify = true } },
    } do
      local pulled, err = remote.pull(case[2], options(here.store, case[3]))
      assert.same({ nil, case[1] }, { pulled, err.code }, tostring(err))
    end
    assert.equal(1, #assert(here.store:list()))
    local pushed, err = image:push(there.address .. "/app@" .. image.digest, options(here.store))
    assert.same({ nil, "EINVAL" }, { pushed, err.code })
  end)

  it("that a registry has damaged are refused #slow", function()
    local there <close> = registry.start(here.dir.path)
    assert(image:push(there.address .. "/app:1", options(here.store)))
    local hex = image.layers[1].digest:match("%x+$")
    local path = ("%s/registry/docker/registry/v2/blobs/sha256/%s/%s/data"):format(here.dir.path,
      hex:sub(1, 2), hex)
    local text = support.read(path)
    support.write(path, text:sub(1, -2) .. "x")
    local other <close> = fresh()
    local pulled, err = remote.pull(there.address .. "/app:1", options(other.store))
    assert.same({ nil, "EBADMSG" }, { pulled, err.code }, tostring(err))
    assert.same({}, assert(other.store:list()))
  end)

  it("need skopeo", function()
    local function run(path)
      return support.luactr { "image", "pull", "docker://127.0.0.1:1/app",
        env = { PATH = path, LUACTR_IMAGES = here.path } }
    end
    here.dir:mkdir("none")
    local result = run(here.dir.path .. "/none")
    assert.equal(125, result.code)
    assert.matches("there is none in PATH", result.stderr, 1, true)
    assert.matches("try: apt install skopeo", result.stderr, 1, true)
    here.dir:write("old/skopeo", "#!/bin/sh\necho skopeo version 1.2.2\n", "755")
    assert.matches("is version 1.2, too old", run(here.dir.path .. "/old").stderr, 1, true)
    here.dir:write("odd/skopeo", "#!/bin/sh\necho hello\n", "755")
    assert.matches("does not tell its version", run(here.dir.path .. "/odd").stderr, 1, true)
  end)

  it("end with a luactr that is killed, and what they have left is collected", function()
    local dir = here.dir
    dir:write("bin/skopeo", ([[#!/bin/sh
case $1 in --version) echo "skopeo version 1.9.3"; exit;; esac
echo $$ >%s/begun
exec sleep 1000
]]):format(dir.path), "755")
    local luactr <close> = require("support.process").start { support.luactr_program, "image",
      "pull", "-q", "registry.example/app",
      env = { PATH = dir.path .. "/bin:/usr/bin:/bin", LUACTR_IMAGES = here.path } }
    local deadline = sys.clock_gettime() + 60
    repeat
      luactr:pump(0.02)
    until sys.stat(dir.path .. "/begun") or sys.clock_gettime() > deadline
    luactr:signal("KILL")
    luactr:wait(60)
    assert.equal(2, #here:names("tmp")) -- and that of this process
    here.store:close()
    local gc = here:luactr("image", "gc")
    assert.equal(0, gc.code, gc.stderr)
    assert.same({}, here:names("tmp"))
  end)

  it("are handled without a password among the arguments", function()
    here.dir:write("bin/skopeo", ([[#!/bin/sh
case $1 in --version) echo "skopeo version 1.9.3"; exit;; esac
echo "$@" >>%s/words
for word; do case $word in --*authfile=*) cat "${word#*=}" >>%s/auth;; esac; done
exit 1
]]):format(here.dir.path, here.dir.path), "755")
    local result = support.luactr { "image", "pull", "--username", "me", "--password-stdin",
      "registry.example/app", stdin = "secret word\n",
      env = { PATH = here.dir.path .. "/bin:/usr/bin:/bin", LUACTR_IMAGES = here.path } }
    assert.equal(125, result.code)
    assert.matches("it failed silently", result.stderr, 1, true)
    local words = support.read(here.dir.path .. "/words")
    assert.matches("inspect --authfile=", words, 1, true)
    assert.not_matches("secret", words)
    assert.not_matches("bWU6c2", words)
    assert.matches('{"auths":{"registry.example":{"auth":"bWU6c2VjcmV0IHdvcmQ="}}}',
      support.read(here.dir.path .. "/auth"), 1, true)
    assert.same(1, #here:names("tmp")) -- that of this process, which is empty
    assert.is_nil(sys.stat(here.path .. "/tmp/" .. here:names("tmp")[1] .. "/auth.json"))
  end)
end)
