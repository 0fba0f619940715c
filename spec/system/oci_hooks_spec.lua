-- Hooks: when they are run, where, with what; and what their failures do.

local ctr = require("luactr")
local json = require("cjson")
local life = require("luactr.oci.life")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

-- Tells its name, what it sees and its stdin, a line each.
local TELL <const> = [[
#!/bin/sh
{ printf '%%s %%s %%s ' "$1" "$WORD" "$(hostname)"; cat; echo; } >> %s
]]

describe("hooks #system #layout", function()
  local dir, host

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir = support.tmpdir()
    host = require("luactr.oci.host").facts(dir.path .. "/root")
    dir:write("log", "")
    dir:write("tell", TELL:format(dir.path .. "/log"), "755")
  end)

  after_each(function()
    for _, left in ipairs(life.list(host)) do left:delete { force = true } end
    dir:close()
    world.check()
  end)

  local id <const> = support.name("hook")

  local function hook(word)
    return { path = dir.path .. "/tell", args = { "tell", word },
      env = { "WORD=" .. word:upper(), "PATH=/usr/bin:/bin" } }
  end

  local function script(text) return { path = "/bin/sh", args = { "sh", "-c", text } } end

  local function recipe(hooks, fields)
    local raw = { name = id, rootfs = ctr.rootfs.host { "sh", "sleep", "cat" }, hostname = "inside",
      command = { "sh", "-c", "exit 3" }, init = false, stdin = "null", tty = false, hooks = hooks }
    for name, value in pairs(fields or {}) do raw[name] = value end
    return raw
  end

  local function create(hooks, fields)
    return life.create { id = id, host = host, bundle = dir.path, raw = recipe(hooks, fields) }
  end

  local function told()
    local lines = {}
    for name, variable, hostname, state in
      support.read(dir.path .. "/log"):gmatch("(%S+) (%S+) (%S+) ([^\n]+)\n") do
      lines[#lines + 1] = { name = name, variable = variable, hostname = hostname,
        state = json.decode(state) }
    end
    return lines
  end

  local function names(lines)
    local list = {}
    for i, line in ipairs(lines) do list[i] = line.name .. " " .. line.state.status end
    return list
  end

  local function refused(text, done, err)
    assert.is_nil(done)
    assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
    return err
  end

  local ALL <const> = { "prestart", "create_runtime", "create_container", "poststart", "poststop" }

  local function all_kinds()
    local hooks = {}
    for _, kind in ipairs(ALL) do hooks[kind] = { hook(kind) } end
    hooks.start_container = { script "cat > /inside; echo >> /inside" }
    return hooks
  end

  local function await_stopped()
    local deadline = sys.clock_gettime() + 60
    while life.find(host, id):state().status ~= "stopped" do
      assert.is_true(sys.clock_gettime() < deadline)
      sys.nanosleep(0.01)
    end
  end

  it("are told the state at each moment of a container of a bundle", function()
    local out = dir.path .. "/out"
    local container = assert(create(all_kinds(), { stdout = { file = out },
      command = { "sh", "-c", "cat /inside" } }))
    local pid = container:state().pid
    assert.same({ "prestart creating", "create_runtime creating", "create_container creating" },
      names(told()))
    assert(container:start())
    await_stopped()
    assert(container:delete())
    local lines = told()
    assert.same({ "poststart running", "poststop stopped" }, names { lines[4], lines[5] })
    for i = 1, 4 do assert.equal(pid, lines[i].state.pid) end
    for i, kind in ipairs(ALL) do
      assert.equal(kind:upper(), lines[i].variable)
      assert.equal(kind == "create_container" and "inside" or sys.gethostname(),
        lines[i].hostname)
      assert.equal(id, lines[i].state.id)
      assert.equal(dir.path, lines[i].state.bundle)
    end
    assert.equal("created", json.decode(support.read(out)).status)
  end)

  it("are run of a recipe's container in the foreground", function()
    local hooks, called = all_kinds(), {}
    hooks.prestart = { function(state) called[1] = state.status end }
    hooks.poststop = { function(state) called[2] = state.status end }
    local result = assert(ctr.run(recipe(hooks, { init = true })))
    assert.equal(3, result.exit_code)
    assert.same({ "creating", "stopped" }, called)
    assert.same({ "create_runtime creating", "create_container creating", "poststart running" },
      names(told()))
  end)

  it("keep a container from starting that fail before it", function()
    for _, kind in ipairs { "prestart", "create_runtime", "create_container" } do
      local err = refused("exit status 7: it is; not well", create {
        [kind] = { script "echo it is >&2; echo not well >&2; exit 7" },
        poststop = { hook "end" } })
      assert.equal("EHOOK", err.code)
      assert.is_truthy(err.message:find(kind .. "[1] (/bin/sh)", 1, true))
    end
    assert.same({ "end stopped", "end stopped", "end stopped" }, names(told()))
    assert.same({}, life.list(host))
  end)

  it("stop a container that fail right before its command", function()
    local container = assert(create { start_container = { script "exit 7" },
      poststop = { hook "end" } })
    refused("exit status 7", container:start())
    assert.equal("stopped", container:state().status)
    assert(container:delete())
    assert.same({ "end stopped" }, names(told()))
  end)

  it("are killed when their time is over, which is a failure", function()
    refused("it was killed after 0.2s", create {
      create_runtime = { { path = "/bin/sleep", args = { "sleep", "1000" }, timeout = 0.2 } } })
  end)

  it("that cannot be run say why", function()
    refused("No such file or directory", create { create_runtime = { { path = "/no/such" } } })
  end)

  it("need not read what they are told, and may leave somebody behind", function()
    local container = assert(create { create_runtime = {
      script "exec 0<&-; sleep 0.5 & exit 0" } })
    assert(container:delete { force = true })
  end)

  it("that fail afterwards are only told of", function()
    local container = assert(create {
      poststart = { script "exit 7" }, poststop = { script "exit 8" } })
    local warnings = {}
    container.warn = function(text) warnings[#warnings + 1] = text:match("exit status %d") end
    assert(container:start())
    await_stopped()
    assert(container:delete())
    assert.same({ "exit status 7", "exit status 8" }, warnings)
    assert.same({}, life.list(host))
  end)

  it("are not for a container that is left to a monitor", function()
    refused("its hooks are run by luactr, which does not stay",
      ctr.container(recipe { poststop = { script "exit" } }):start { detach = true })
  end)

  it("that are functions fail by raising, with the stack", function()
    local err = refused("not today", ctr.run(recipe { create_runtime = {
      function() error("not today") end } }))
    assert.equal("ERAISED", err.code)
    assert.is_truthy(err.stack[1]:find("oci_hooks_spec.lua", 1, true))
  end)
end)
