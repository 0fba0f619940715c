-- `luactr image build`: recipes and Dockerfiles on the command line.

local cjson = require("cjson")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("luactr image build #cli", function()
  local dir

  before_each(function()
    world.check()
    dir = support.tmpdir()
    dir:mkdir("context")
    support.copy("/bin/busybox", dir.path .. "/context/sh")
  end)

  after_each(function()
    support.must { "rm", "-rf", dir.path }
    world.check()
  end)

  local function luactr(...)
    local words = { ... }
    words.env = { LUACTR_IMAGES = dir.path .. "/images" }
    return support.luactr(words)
  end

  local function context() return dir.path .. "/context" end

  local function built(...)
    local result = luactr("image", "build", ...)
    assert.equal(0, result.code, result.stderr)
    return result
  end

  local function config_of(name)
    return cjson.decode(luactr("image", "inspect", name).stdout)[1]
  end

  it("carries out a Dockerfile with its options", function()
    dir:write("other", [[
FROM scratch AS base
ARG A
COPY sh /bin/sh
RUN echo "step $A $(ls /sys/class/net | wc -w)"
FROM base
RUN exit 1
]])
    local args = { "-f", dir.path .. "/other", "-t", "app:1", "--target=base", "--build-arg", "A=b",
      context() }
    local result = built(table.unpack(args))
    assert.matches("^sha256:%x+\n$", result.stdout)
    assert.matches("step 2/2: RUN echo .*\nstep b 1\n", result.stderr)
    assert.matches("as before", built(table.unpack(args)).stderr, 1, true)
    assert.not_matches("as before", built("--no-cache", table.unpack(args)).stderr, 1, true)
    assert.equal("", built("-q", table.unpack(args)).stderr)
    assert.equal("", built(context(), "-f", dir.path .. "/other", "--target", "base", "-q",
      "-t", "app:2").stderr)
    assert.equal(0, luactr("image", "history", "app:1").code)
  end)

  it("finds the Dockerfile of a directory, and tells where a step failed", function()
    dir:write("context/Containerfile", "FROM scratch\nCOPY sh /bin/sh\nRUN echo seen; exit 5\n")
    for _, option in ipairs { "-q", "--tag=x" } do
      local result = luactr("image", "build", option, context())
      assert.equal(125, result.code)
      assert.matches("seen\nluactr: cannot build .*\n  step 2 of 2: RUN echo seen; exit 5\n"
        .. "  its command ended with status 5\n  try: %-%-network, or .*\n"
        .. "  recipe: .*/Containerfile:3\n$", result.stderr)
    end
    assert.equal("", luactr("image", "ls", "-q").stdout)
  end)

  it("runs a recipe with its arguments", function()
    local recipe = dir:write("recipe.lua", [[
      local ctr = require "luactr"
      assert(ctr.image.build { from = "scratch", tag = ..., context = ]] .. ("%q"):format(context())
      .. [[, args = { V = 1, W = 2 }, function(b)
        b:copy("sh", "/bin/sh"):label { v = b.args.V .. b.args.W }:run "exit 0"
      end })]])
    built("--build-arg", "V=3", recipe, "name:7")
    assert.equal("32", config_of("name:7").config.config.Labels.v)
  end)

  it("says what is wrong with its arguments", function()
    local recipe = dir:write("recipe.lua", "return 0")
    for text, words in pairs {
      ["which recipe"] = {}, ["NAME=VALUE expected"] = { "--build-arg", "=x", context() },
      ["is for a Dockerfile"] = { "-t", "x", recipe },
      ["one directory is built at a time"] = { context(), context() },
    } do
      local result = luactr("image", "build", table.unpack(words))
      assert.equal(2, result.code)
      assert.matches(text, result.stderr, 1, true)
    end
    assert.matches("built no image", luactr("image", "build", recipe).stderr, 1, true)
    local missing = luactr("image", "build", context())
    assert.equal(125, missing.code)
    assert.matches("no Dockerfile or Containerfile in", missing.stderr, 1, true)
    assert.matches("^luactr: no recipe and no directory to build: .*/none: No such file",
      luactr("image", "build", dir.path .. "/none").stderr)
    dir:write("context/Dockerfile", "FROM scratch\nLABEL a=b\n")
    assert.matches("warning: the image is not kept: it has no name", built(context()).stderr, 1,
      true)
  end)

  it("leaves nothing of use when it is killed, and gc removes it", function()
    dir:write("context/Dockerfile", "FROM scratch\nCOPY sh /bin/sh\n"
      .. "RUN echo running; exec sleep 1000\n")
    local images = dir.path .. "/images"
    local build <close> = process.start { support.luactr_program, "image", "build", "-t", "x",
      context(), env = { LUACTR_IMAGES = images } }
    build:expect("\nrunning\n", "stderr")
    build:signal("KILL")
    build:wait()
    assert.equal("", luactr("image", "ls", "-q").stdout)
    assert.equal(0, luactr("gc").code)
    assert.equal(0, luactr("image", "gc").code)
    for _, name in ipairs { "tmp", "layers", "blobs/sha256", "cache" } do
      assert.same({}, sys.readdir(images .. "/" .. name))
    end
  end)

  it("works without root, whose the files are in the image", function()
    support.needs("stranger")
    dir:write("context/Dockerfile", "FROM scratch\nCOPY --chown=5 sh /bin/sh\n"
      .. "RUN mkdir /d; echo 1 >/d/x\nRUN rm -r /d; mkdir /d; echo 2 >/d/y\n"
      .. "COPY sh /d/z\nCMD echo $(id -u) $(ls /d) $(stat -c %u /bin/sh /d/y /d/z)\n")
    dir:write("run.lua", "return require('luactr').container { rootfs = "
      .. "require('luactr').image 'x:1' }")
    support.must { "chown", "-R", support.stranger, dir.path }
    local function as_stranger(words)
      words.user, words.env = support.stranger, { LUACTR_IMAGES = dir.path .. "/images",
        XDG_RUNTIME_DIR = dir.path .. "/run" }
      local result = support.luactr(words)
      assert.equal(0, result.code, result.stderr)
      return result
    end
    assert.matches("only root keeps owners",
      as_stranger({ "image", "build", "-t", "x:1", context() }).stderr, 1, true)
    assert.equal("0 y z 0 0 0\n", as_stranger({ dir.path .. "/run.lua" }).stdout)
  end)

  it("builds the recipe that ships", function()
    built("--build-arg", "GREETING=ahoy", "lua/recipes/build.lua")
    local result = luactr("lua/recipes/build.lua")
    assert.equal("HELLO from an image\nmade by lua/recipes/build.lua\n", result.stdout,
      result.stderr)
    assert.equal("to teach", config_of("luactr-greeting:1").config.config.Labels.purpose)
  end)
end)
