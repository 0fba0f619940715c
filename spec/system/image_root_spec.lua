-- Images as roots of containers: their layers, what their configs say, who keeps them.

local cjson = require("cjson")
local ctr = require("luactr")
local images = require("support.images")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

local CONFIG <const> = {
  Env = { "PATH=/bin", "WORD=image", "LIST=a=b" }, User = "1000", WorkingDir = "/work/place",
  Entrypoint = { "/bin/sh", "-c" }, Cmd = { "echo $WORD $LIST $(id -u):$(id -g) $PWD" },
  Labels = { kind = "test", of = "image" }, Volumes = { ["/data"] = {} },
  StopSignal = "SIGRTMIN+3",
}

describe("an image as root #system", function()
  local here

  before_each(function()
    world.check()
    here = images.open()
  end)

  after_each(function()
    here:close()
    world.check()
  end)

  -- Two layers with a shell below. What is a program is told by its place.
  local function image(name, config, architecture)
    local made = assert(here:make(name, {
      { ["bin/sh"] = support.read("/bin/busybox"), ["etc/motd"] = "below", ["data/file"] = "data" },
      { ["etc/motd"] = "above", ["etc/passwd"] = "app:x:1000:77::/home/app:/bin/sh\n" },
    }, { config = config or CONFIG, architecture = architecture }))
    local tree = made:trees()[2]
    assert(sys.chmod(tree .. "/bin/sh", "0755"))
    for _, program in ipairs { "cat", "id", "ls", "sleep" } do
      sys.symlink("sh", tree .. "/bin/" .. program)
    end
    return made
  end

  local function output(fields)
    fields.stdin, fields.stdout, fields.stderr = "null", "capture", "stdout"
    return (assert(ctr.run(fields)).stdout:gsub("\n$", ""))
  end

  describe("shows", function()
    it("its layers as one, and throws away what is written", function()
      local root = ctr.image(image "app")
      local script = "cat /etc/motd; test -e /new && echo again; echo >/new; ls /new"
      for _ = 1, 2 do
        assert.are.equal("above/new", output { rootfs = root, command = { script }, user = 0 })
      end
    end)

    it("what is kept in upper", function()
      local root = ctr.image(image "app", { upper = here.dir.path .. "/up" })
      output { rootfs = root, command = { "echo kept >/new" }, user = 0 }
      assert.are.equal("kept", output { rootfs = root, command = { "cat /new" } })
      support.must { "rm", "-rf", here.dir.path .. "/up", here.dir.path .. "/up.work" }
    end)

    it("its files to users of the container's own", function()
      support.needs("idmapped")
      assert.are.equal("0:0 1000", output { rootfs = ctr.image(image "app"), idmap = "auto",
        command = { "stat=$(ls -ln /etc/motd); set -- $stat; echo $3:$4 $(id -u)" } })
    end)
  end)

  describe("gives, where the recipe is silent,", function()
    it("command, variables, user and directory", function()
      assert.are.equal("image a=b 1000:77 /work/place", output { rootfs = ctr.image(image "app") })
    end)

    it("labels, a stop signal and volumes", function()
      local box = ctr.container { rootfs = ctr.image(image "app"), labels = { of = "recipe" } }
      assert.are.same({ kind = "test", of = "recipe" }, box.spec.labels)
      assert.are.equal(37, box.spec.stop_signal)
      assert.are.equal("/data", box.spec.mounts[1].target)
    end)

    it("volumes that begin with what is there", function()
      assert.are.equal("data", output { rootfs = ctr.image(image "app"),
        command = { "cat /data/file" } })
    end)
  end)

  describe("is overridden by the recipe's", function()
    local cases = {
      { "command, behind the entrypoint", { command = { "echo mine" } }, "mine" },
      { "entrypoint, without the image's command",
        { entrypoint = { "/bin/sh", "-c", "echo own" } }, "own" },
      { "entrypoint that is none", { entrypoint = {}, command = { "/bin/sh", "-c", "echo none" } },
        "none" },
      { "variables, one by one", { env = { WORD = "mine" } }, "mine a=b 1000:77 /work/place" },
      { "variables as a list", { env = { "WORD=list" } }, "list a=b 1000:77 /work/place" },
      { "user", { user = "0:5" }, "image a=b 0:5 /work/place" },
      { "directory", { cwd = "/etc" }, "image a=b 1000:77 /etc" },
      { "mount on a volume", { mounts = { ctr.tmpfs("/data") }, command = { "ls /data" } }, "" },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        local fields = { rootfs = ctr.image(image "app") }
        for name, value in pairs(case[2]) do
          fields[name] = value
        end
        assert.are.equal(case[3], output(fields))
      end)
    end

    it("word that a volume is a directory like others", function()
      local box = ctr.container { rootfs = ctr.image(image "app", { volumes = false }) }
      assert.are.equal("/work/place", box.spec.mounts[1].target)
    end)
  end)

  it("has the user's group from its line, or root's", function()
    assert.are.equal("7:0", output { rootfs = ctr.image(image("app", { User = "7",
      Entrypoint = { "/bin/sh", "-c", "echo $(id -u):$(id -g)" }, Env = { "PATH=/bin" } })) })
  end)

  it("is there for commands that enter, from this process or another", function()
    local script <const> = "echo $WORD $(id -u):$(id -g) $PWD"
    local box <close> = ctr.container { rootfs = ctr.image(image "app"), stdin = "null",
      command = { "exec sleep 1000" } }
    assert(box:start())
    for _, one in ipairs { box, assert(ctr.find(box.id)) } do
      local result = assert(one:exec { command = { "sh", "-c", script }, stdout = "capture" })
      assert.are.equal("image 1000:77 /work/place\n", result.stdout)
    end
    assert(box:kill())
  end)

  it("warns when it is for another machine", function()
    local host = image("app").config.architecture
    local result = assert(ctr.run { rootfs = ctr.image(image("other", nil, "sparc")),
      stdin = "null", stdout = "null" })
    assert.are.same({ ('image "other:latest" is for sparc, and this machine is '
      .. host) }, result.warnings)
    assert.is_nil(assert(ctr.run { rootfs = ctr.image(image "app"), stdout = "null" }).warnings)
  end)

  it("is named by inspect", function()
    local made = image "app"
    local found <const> = assert(ctr.container { rootfs = ctr.image(made), stdin = "null",
      command = { "exec sleep 1000" } }:start { detach = true })
    local named = found:inspect().image
    assert(found:remove { force = true })
    assert.are.same({ made.name, made.digest }, { named.name, named.digest })
  end)

  it("goes before a command on any root", function()
    assert.are.equal("a b", output { rootfs = image("app"):trees()[2],
      entrypoint = { "/bin/sh", "-c" }, command = { "echo a b" } })
  end)

  describe("keeps its layers from removal", function()
    it("while a container has them, and no longer", function()
      local made = image "app"
      local box <close> = ctr.container { rootfs = ctr.image(made), stdin = "pipe",
        command = { "cat" }, stdout = "null" }
      assert(box:start())
      assert(here.store:remove("app"))
      assert(here.store:gc())
      assert.are.equal(2, #here:names("layers"))
      assert(box:kill())
      box:wait()
      box:close()
      assert(here.store:gc())
      assert.are.same({}, here:names("layers"))
    end)

    it("also for one in the background, until it is removed", function()
      image "app"
      local name = support.name("image-root")
      assert.are.equal(0, here:luactr("run", "-d", "--name", name, "--image", "app",
        "exec sleep 1000").code)
      assert(here.store:remove("app"))
      assert(here.store:gc())
      assert.are.equal("abovedata",
        here:luactr("exec", name, "cat", "/etc/motd", "/data/file").stdout)
      assert.are.equal(0, here:luactr("rm", "-f", name).code)
      assert(here.store:gc())
      assert.are.same({}, here:names("layers"))
      assert.are.same({}, here:names("uses"))
    end)
  end)

  describe("on the command line", function()
    it("runs as it says itself, or with another command", function()
      image "app"
      local result = here:luactr("run", "--image", "app")
      assert.are.equal("image a=b 1000:77 /work/place\n", result.stdout)
      result = here:luactr("run", "--image", "app", "echo $0; exit 3", "zero")
      assert.are.equal("zero\n", result.stdout .. result.stderr)
      assert.are.equal(3, result.code)
    end)

    it("is told when there is none, with the nearest names", function()
      image "app"
      local result = here:luactr("run", "--image", "ap")
      assert.are.equal(125, result.code)
      assert.matches('no image "ap:latest".*did you mean app', result.stderr)
      result = here:luactr("run", "-d", "--image", "ap", "command")
      assert.matches('no image "ap:latest".*did you mean app', result.stderr)
      assert.not_matches("recipe:", result.stderr)
    end)

    it("tells why it cannot run a command, without a line of a recipe", function()
      image("app", { Env = CONFIG.Env })
      local result = here:luactr("run", "--image", "app", "no-such")
      assert.are.equal(127, result.code)
      assert.matches("no directory of PATH has no-such: /bin\n", result.stderr, 1, true)
      assert.not_matches("recipe:", result.stderr)
      result = here:luactr("run", "--image", "app", "/etc/motd")
      assert.are.equal(126, result.code)
      assert.matches("may not execute /etc/motd (mode 0644)", result.stderr, 1, true)
    end)

    it("is explained as data", function()
      image "app"
      local script = here.dir:write("recipe.lua",
        'return require("luactr").container { rootfs = require("luactr").image "app" }')
      local steps = cjson.decode(here:luactr("explain", "--json", script).stdout).steps
      assert.are.equal("exec", steps[#steps].op)
    end)
  end)

  it("that is unknown is the recipe's error", function()
    local script = here.dir:write("recipe.lua", [[
local ctr = require "luactr"
return ctr.container { rootfs = ctr.image "none" }]])
    local result = here:luactr(script)
    assert.are.equal(125, result.code)
    assert.matches('no image "none:latest"', result.stderr, 1, true)
    assert.matches("recipe.lua:2", result.stderr, 1, true)
  end)

  it("that is unknown is told at the start, too", function()
    local result, err = ctr.run { rootfs = ctr.image(support.name "none"), command = { "x" } }
    assert.is_nil(result)
    assert.are.equal("ENOENT", err.code)
  end)

  it("refuses options that it does not have", function()
    assert.has_error(function() ctr.image("app", { uper = "/x" }) end,
      "image: unknown option uper: upper, work, driver, volumes")
  end)
end)
