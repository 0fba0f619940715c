-- A machine that is full: no descriptors, no processes, no memory for what a start needs. Each
-- start succeeds or says why it does not, and leaves nothing. Full disks are log_spec's.

local cgroup = require("luactr.cgroup")
local ctr = require("luactr")
local group = require("support.group")
local support = require("support")
local without = require("support.without")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("a detached start on a full machine #system #layout", function()
  local name = support.name("full")

  setup(world.adopt_orphans)
  before_each(world.check)
  after_each(function()
    local left = ctr.find(name)
    if left then assert(left:remove { force = true }) end
    world.check()
  end)

  local function box()
    return ctr.container { name = name, rootfs = ctr.rootfs.host { "true" }, command = { "true" } }
  end

  local FINE <const>, REFUSED <const>, WRONG <const> = 10, 11, 12

  local function try(codes)
    local one = box()
    local found, err = one:start { detach = true }
    if found then
      local result = found:wait(60)
      return result and result.exit_code == 0 and FINE or WRONG
    elseif codes[err.code] then
      return REFUSED
    end
    io.stderr:write(tostring(err), "\n")
    return WRONG
  end

  local function assert_gone()
    local left = ctr.find(name)
    if left then assert(left:remove { force = true }) end
    assert.is_nil((ctr.find(name)))
  end

  -- The executable: a library would have to read its modules.
  it("fails with EMFILE without descriptors, and works with enough", function()
    local dir <close> = support.tmpdir()
    local recipe = dir:write("recipe.lua", [[
      local ctr = require "luactr"
      return ctr.container { rootfs = ctr.rootfs.host { "true" }, command = { "true" } }]])
    local seen = {}
    for limit = 12, 60, 4 do
      local result = support.run { "sh", "-c", 'ulimit -n "$1"; shift; exec "$@"', "sh",
        tostring(limit), support.luactr_program, "run", "-d", "--name", name, recipe }
      seen[result.code] = true
      assert.is_true(result.code == 0 or result.stderr:find("EMFILE", 1, true) ~= nil,
        result.stderr)
      assert_gone()
    end
    assert.same({ [0] = true, [125] = true }, seen)
  end)

  support.it(it, pending, "controller:pids")("fails with EAGAIN at a limit of processes", function()
    local seen = {}
    for limit = 1, 6 do
      local compiled = assert(cgroup.compile({ pids = limit }, cgroup.detect(), name .. "-around"))
      local handle <close> = assert(cgroup.open(compiled))
      local code = group.run(handle, function() return try { EAGAIN = true } end)
      seen[code] = true
      assert_gone()
    end
    assert.same({ [FINE] = true, [REFUSED] = true }, seen)
  end)

  it("fails with ENOMEM where there is no memory for it", function()
    for _, call in ipairs { "memfd_create", "clone", "clone3", "socketpair" } do
      without({ ENOMEM = { call, call == "clone" and "clone3" or nil } }, function()
        assert(try { ENOMEM = true } ~= WRONG, call)
      end)
      assert_gone()
    end
  end)
end)
