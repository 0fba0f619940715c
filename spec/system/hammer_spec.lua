-- Many processes at once start, stop, pause, remove and kill the same few containers. Whatever
-- they do to each other, each call ends with a result or an error that it may have, and nothing is
-- left.

local ctr = require("luactr")
local state = require("luactr.state")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local WORKERS <const> = 8
local NAMES <const> = 20
local SECONDS <const> = tonumber(os.getenv("LUACTR_HAMMER_SECONDS")) or 10
local PATIENCE <const> = 120 -- seconds

-- What a call may meet when others work on the same container.
local MAY_MEET <const> = {
  EALREADY = true, EBUSY = true, EEXIST = true, ENODATA = true, ENOENT = true, ENOTSUP = true,
  ENOTUNIQ = true, ESRCH = true, ETIMEDOUT = true,
  EOWNERDEAD = true, -- its monitor was killed during the start
}

describe("containers that many work on #system #slow", function()
  local prefix = support.name("hammer-")
  local root

  setup(world.adopt_orphans)
  before_each(world.check)
  after_each(world.check)

  local function box(name, script, restart)
    return ctr.container { name = name, rootfs = root, command = { "sh", "-c", script },
      limits = { pids = 10 }, restart = restart }
  end

  -- A method of the container of that name, if there is one.
  local function on(method, ...)
    local arguments = { ... }
    return function(name)
      local found, err = ctr.find(name)
      if not found then return nil, err end
      return found[method](found, table.unpack(arguments))
    end
  end

  local ACTS <const> = {
    function(name) return box(name, "echo x; sleep 0.05; exit 3"):start { detach = true } end,
    function(name) return box(name, "exec sleep 100"):start { detach = true } end,
    function(name) return box(name, "exit 1", "on-failure:3"):start { detach = true } end,
    function(name) return box(name, "exit 3"):run() end,
    on("exec", { command = { "sh", "-c", "exit 0" } }),
    on("pause"), on("resume"), on("stats"), on("stop", 0.05), on("remove"),
    on("remove", { force = true }), on("inspect"), on("logs"), on("kill", "USR1"), on("processes"),
    function() return ctr.list() end,
    function(name) return on("rename", prefix .. math.random(NAMES))(name) end,
    function(name) -- a luactr that is killed while it starts one
      local child <close> = assert(sys.clone({}, function()
        box(name, "exec sleep 100"):start { detach = true }
        return 0
      end))
      sys.nanosleep(math.random() * 0.01)
      child:signal("KILL")
      return sys.waitid(child)
    end,
    function(name) -- a monitor that is killed
      local found = ctr.find(name)
      local owner = found and found.record.detached and found.record.owner
      -- of one that has ended long ago somebody else may have the number by now
      local pidfd <close> = owner and sys.pidfd_open(owner.pid)
      if pidfd and state.start_time(owner.pid) == owner.start then
        sys.pidfd_send_signal(pidfd, "KILL")
      end
      return true
    end,
  }

  local function work(seed, complaints)
    math.randomseed(seed)
    local deadline = sys.clock_gettime() + SECONDS
    while sys.clock_gettime() < deadline do
      local act = math.random(#ACTS)
      local ran, done, err = pcall(ACTS[act], prefix .. math.random(NAMES))
      if not ran or not done and not (err and MAY_MEET[err.code]) then
        complaints:write(("act %d: %s\n"):format(act, tostring(ran and err or done)))
        complaints:flush()
      end
    end
    return 0
  end

  local function clean_up()
    local deadline, left = sys.clock_gettime() + PATIENCE
    repeat
      left = 0
      for _, found in ipairs(ctr.list()) do
        if found.id:sub(1, #prefix) == prefix then
          left = left + 1
          found:remove { force = true }
        end
      end
    until left == 0 or sys.clock_gettime() > deadline
    assert.equal(0, left)
  end

  it("are never in a wrong state, and leave nothing", function()
    root = ctr.rootfs.host { "sh", "sleep" }
    local workers, complaints <close> = {}, assert(io.tmpfile())
    for seed = 1, WORKERS do
      workers[seed] = assert(sys.clone({}, function() return work(seed, complaints) end))
    end
    for _, worker in ipairs(workers) do
      assert.equal(0, assert(sys.waitid(worker)).code)
      worker:close()
    end
    clean_up()
    complaints:seek("set")
    assert.equal("", complaints:read("a"))
  end)
end)
