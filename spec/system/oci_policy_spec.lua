-- Recipes of the administrator's at work: on containers of bundles, from their creation to the end.

local core = require("luactr.core")
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
    support.must { "cp", "/bin/busybox", dir.path .. "/bundle/rootfs/busybox" }
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

  it("undo the creation by an error", function()
    policy("10-fail.lua",
      "return { on = { created = function(state) error('no ' .. state.id) end } }")
    local container, err = create()
    assert.is_nil(container)
    assert.equal("ERAISED", err.code)
    assert.is_truthy(tostring(err):find("1: no " .. id, 1, true), tostring(err))
    assert.same({}, life.list(host))
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
