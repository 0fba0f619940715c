-- Recipes of the administrator's at work: on containers of bundles, from their creation to the end.

local core = require("luactr.core")
local cjson = require("cjson")
local life = require("luactr.oci.life")
local support = require("support")
local sys = core.sys
local world = require("support.world")

local it = support.it(it, pending, "root", "program:busybox")

local PATIENCE <const> = 60 -- seconds

local CONFIG <const> = [[{
  "ociVersion": "1.2.0",
  "annotations": %s,
  "root": { "path": "rootfs" },
  "mounts": [ { "destination": "/proc", "type": "proc", "source": "proc" } ],
  "process": { "cwd": "/", "args": ["/busybox", "sh", "-c", %q], "user": { "uid": 0, "gid": 0 } },
  "linux": { "namespaces": [ { "type": "mount" }, { "type": "pid" } ] }
}]]

describe("recipes for containers of bundles #system", function()
  local dir, host
  local id <const> = support.name("policy")

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir = support.tmpdir()
    host = require("luactr.oci.host").facts(dir.path .. "/root")
    host.oci_recipes = dir:mkdir("oci.d")
    dir:mkdir("bundle/rootfs/proc")
    support.copy("/bin/busybox", dir.path .. "/bundle/rootfs/busybox")
  end)

  after_each(function()
    for _, left in ipairs(life.list(host)) do left:delete { force = true } end
    dir:close()
    world.check()
  end)

  local function policy(name, text)
    dir:write("oci.d/" .. name, (text:gsub("DIR", dir.path)))
  end

  local function create(script, annotations)
    dir:write("bundle/config.json", CONFIG:format(annotations or "{}", script or "exit 0"))
    return life.create { id = id, host = host, bundle = dir.path .. "/bundle",
      warn = function(text) error(text) end }
  end

  local function await(what, condition)
    local deadline = sys.clock_gettime() + PATIENCE
    while not condition() do
      assert.is_true(sys.clock_gettime() < deadline, what)
      sys.nanosleep(0.01)
    end
  end

  local function finish(container)
    assert(container:start())
    await("it does not end", function() return container:state().status == "stopped" end)
    assert(container:delete())
  end

  local function written(name)
    local file <close> = io.open(dir.path .. "/" .. name)
    return file and file:read("a") or ""
  end

  it("change what config.json says", function()
    policy("10-name.lua", [[return function(spec, config)
      spec.env.WHO = config.annotations.who
      spec.mounts[#spec.mounts + 1] = { type = "bind", source = "DIR", target = "/out" }
    end]])
    finish(assert(create("echo $WHO > /out/who", '{ "who": "an engine" }')))
    assert.equal("an engine\n", written "who")
  end)

  it("refuse a container, of which nothing is left", function()
    policy("10-no.lua", "return function() return nil, 'not on this host' end")
    local container, err = create()
    assert.is_nil(container)
    assert.equal("EREFUSED", err.code)
    assert.matches("oci.d/10-no.lua refuses the container: not on this host", err.message, 1, true)
    assert.same({}, life.list(host))
  end)

  it("are named when what they have made of it is wrong", function()
    policy("10-bad.lua", "return function(spec) spec.hostnam = 'x' end")
    local container, err = create()
    assert.is_nil(container)
    assert.matches("hostnam: unknown field.*gone through .*oci.d/10%-bad.lua", tostring(err))
  end)

  it("are told of its life, by each command that takes part in it", function()
    policy("10-tell.lua", [[local function note(event)
      return function(state)
        local file <close> = io.open("DIR/notes", "a")
        file:write(event, " ", state.status, " ", tostring(state.pid ~= nil), "\n")
      end
    end
    return { on = { created = note "created", started = note "started",
      stopped = note "stopped", deleted = note "deleted" } }]])
    finish(assert(create()))
    assert.matches("^created created true\nstarted %l+ %l+\n"
      .. "stopped stopped false\ndeleted stopped false\n$", written "notes")
  end)

  it("that fail afterwards are told of on stderr and in the log, and change nothing", function()
    policy("10-fail.lua", [[local function fail(event)
      return function() error("no " .. event) end
    end
    return { on = { started = fail "started", stopped = fail "stopped",
      deleted = fail "deleted" } }]])
    assert(create())
    for _, words in ipairs { { "start", id }, { "delete", "--force", id } } do
      local result = support.luactr { "oci", "--root", dir .. "/root", "--log", dir .. "/log",
        "--log-format", "json", table.unpack(words) }
      assert.equal(0, result.code)
      assert.matches("luactr: container \"" .. id, result.stderr, 1, true)
    end
    local events = {}
    for line in io.lines(dir .. "/log") do
      local told = cjson.decode(line)
      assert.equal("error", told.level)
      events[#events + 1] = told.msg:match("in its on%.(%l+): .*10%-fail.lua:2: no %1")
    end
    assert.same({ "started", "stopped", "deleted" }, events)
    assert.same({}, life.list(host))
  end)

  it("undo the creation by an error", function()
    policy("10-fail.lua",
      "return { on = { created = function(state) error('no ' .. state.id) end } }")
    local container, err = create()
    assert.is_nil(container)
    assert.equal("ERAISED", err.code)
    assert.is_truthy(tostring(err):find("1: no " .. id, 1, true), tostring(err))
    assert.same({}, life.list(host))
  end)

  describe("that ship", function()
    local function install(name)
      dir:mkdir("oci.d/allowed")
      support.copy("lua/oci.d/" .. name, dir.path .. "/oci.d/" .. name)
    end

    --- What it writes to its memory.
    local function output(script, annotations)
      policy("90-out.lua", [[return function(spec)
        spec.stdout = { file = "DIR/said", append = true }
      end]])
      finish(assert(create(script, annotations)))
      local text = written "said"
      os.remove(dir.path .. "/said")
      return text
    end

    it("make roots read-only", function()
      install "readonly.lua"
      local script = "/busybox touch /x 2>/dev/null || echo refused; echo >/tmp/x && echo written"
      dir:mkdir("bundle/rootfs/tmp")
      dir:mkdir("bundle/rootfs/run")
      assert.equal("refused\nwritten\n", output(script))
      assert.equal("written\n", output(script, '{ "org.example.writable": "true" }'))
    end)

    it("limit memory by a label", function()
      install "memory.lua"
      local function limit(annotations)
        local container = assert(create("exit 0", annotations))
        local config = require("luactr.state.list").read(host, id, "config.json")
        assert(container:delete { force = true })
        return config.spec.limits.memory
      end
      assert.equal(256 << 20, limit())
      assert.equal(1 << 30, limit '{ "org.example.tier": "silver" }')
      local _, err = create("exit 0", '{ "org.example.tier": "tin" }')
      assert.matches('refuses the container: there is no tier "tin"', err.message, 1, true)
    end)

    it("answer its system calls, by a process that ends with it", function()
      install "allowed/uname.lua"
      assert.equal("Linux container 6.0.0 #1 x86_64\n",
        output("/busybox uname -snrvm", '{ "luactr.recipe": "uname" }'))
    end)
  end)

  it("tell what is wrong with a handler in a file beside its state", function()
    policy("10-wrong.lua", [[return function(spec)
      spec.seccomp = { base = "none", default = "allow",
        notify = { uname = function(call) error("lost for words") end } }
    end]])
    local container = assert(create("/busybox uname; exec /busybox sleep 1000"))
    assert(container:start())
    local log = ("root/containers/%s/callbacks.log"):format(id)
    await("nothing is told", function() return written(log):find("uname: .*lost for words") end)
    assert(container:delete { force = true })
  end)

  it("are asked for by an annotation", function()
    policy("allowed/loud.lua", "return function(spec) spec.env.VOICE = 'LOUD' "
      .. "spec.mounts[2] = { type = 'bind', source = 'DIR', target = '/out' } end")
    finish(assert(create("echo $VOICE > /out/voice", '{ "luactr.recipe": "loud" }')))
    assert.equal("LOUD\n", written "voice")
    local container, err = create("exit 0", '{ "luactr.recipe": "quiet" }')
    assert.is_nil(container)
    assert.matches('"quiet", which is not allowed', err.message, 1, true)
  end)
end)
