-- kill -9 of whoever takes part in the life of a detached container, at moments spread over start,
-- exec, stop and rm: it is either there and known, or gone without a trace, and its log is true.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local FEW <const>, MANY <const> = 6, 50
local PATIENCE <const> = 60 -- seconds
local LINES <const> = 150

describe("kill -9 in the life of a detached container #system", function()
  local name = support.name("moments")
  local directory = require("luactr.host").facts().state_dir .. "/containers/" .. name
  local root

  setup(function()
    world.adopt_orphans()
    root = ctr.rootfs.host { "sh", "sleep" }
  end)
  before_each(world.check)
  after_each(function()
    local left = ctr.find(name)
    if left then assert(left:remove { force = true }) end
    world.check()
  end)

  local SCRIPT <const> = [[
    i=0
    while [ $i -lt ]] .. LINES .. [[ ]; do i=$((i+1)); echo $i; echo $i >&3; done
    trap 'exit 5' TERM
    while :; do sleep 0.01; done]]

  --- The whole life. Whatever fails is an error in words, since others kill what it works on.
  local function live(acknowledge)
    local box = ctr.container { name = name, rootfs = root, command = { "sh", "-c", SCRIPT },
      fds = { [3] = acknowledge }, limits = { pids = 20 }, stop_timeout = 1 }
    local found = box:start { detach = true }
    acknowledge:close()
    if found then
      if found.exec then found:exec { command = { "sh", "-c", "exit 0" } } end
      found:stop()
      found:remove()
    end
  end

  local function live_in_child(acknowledge)
    return assert(sys.clone({}, function()
      local fine, err = xpcall(live, debug.traceback, acknowledge)
      if not fine then io.stderr:write(tostring(err), "\n") end
      return fine and 0 or 1
    end))
  end

  local function monitor_pid()
    for _, entry in ipairs(assert(sys.readdir("/proc"))) do
      local pid = math.tointeger(tonumber(entry.name))
      local file = pid and io.open("/proc/" .. pid .. "/cmdline", "rb")
      local line = file and file:read("a")
      if file then file:close() end
      if line == "luactr-monitor\0" .. name .. "\0" then return pid end
    end
  end

  local function init_pid()
    local monitor = monitor_pid()
    local path = ("/proc/%d/task/%d/children"):format(monitor or 0, monitor or 0)
    local file = io.open(path)
    local text = file and file:read("a") or ""
    if file then file:close() end
    return math.tointeger(tonumber(text:match("%d+")))
  end

  local VICTIMS <const> = {
    luactr = function(child) return child:pid() end,
    monitor = monitor_pid,
    ["PID 1"] = init_pid,
  }

  --- How long a life takes here and now.
  local function length_of_life()
    local began = sys.clock_gettime()
    local heard, acknowledge = assert(sys.pipe())
    local child <close> = live_in_child(acknowledge)
    acknowledge:close()
    assert.equal(0, assert(sys.waitid(child)).code)
    heard:close()
    return sys.clock_gettime() - began
  end

  --- Lines of the log, which must be the first ones without a hole.
  local function lines_of(found)
    local count = 0
    for record in assert(found:logs()) do
      if record.stream == "stdout" and record.full then
        count = count + 1
        assert.equal(tostring(count), record.text)
      end
    end
    return count
  end

  local function acknowledged(heard)
    local parts = {}
    repeat
      parts[#parts + 1] = heard:read(65536)
    until (parts[#parts] or "") == ""
    local text = table.concat(parts)
    return math.tointeger(tonumber(text:match("(%d+)\n$"))) or 0
  end

  --- What a person would find out, and do next.
  local function assert_known_or_gone(heard, victim)
    local found = ctr.find(name)
    if found and found:is_running() then
      -- A start whose luactr was killed is being undone perhaps.
      local listed = support.luactr { "ps" }.stdout
      assert.is_true(listed:find(name, 1, true) ~= nil or not found:is_running())
      local stopped, err = found:stop()
      assert(stopped or err.code == "ENOENT" or err.code == "ESRCH", tostring(err))
    end
    if found then
      local result, err = found:wait(PATIENCE)
      assert(result or err.code == "ENOENT", tostring(err))
      assert.is_true(victim == "monitor" or not result or result.reason ~= "lost")
    end
    local lines = found and found:state() and lines_of(found)
    if lines and victim ~= "monitor" then
      assert.is_true(lines >= acknowledged(heard))
    end
    if lines then assert(found:remove()) end
    local deadline = sys.clock_gettime() + PATIENCE
    while sys.stat(directory) do
      ctr.list()
      assert.is_true(sys.clock_gettime() < deadline, "a directory is left")
    end
  end

  --- A command in the container that has lost its luactr is a child of ours by now; PID 1 does not
  --- end before it is reaped.
  local function reap_entered()
    local file <close> = io.open("/proc/self/task/" .. sys.getpid() .. "/children")
    for pid in (file and file:read("a") or ""):gmatch("%d+") do
      local status <close> = io.open("/proc/" .. pid .. "/status")
      local text = status and status:read("a") or ""
      if text:find("State:\tZ") and text:find("NSpid:\t%d+\t%d") then
        sys.waitid(math.tointeger(tonumber(pid)), "nohang")
      end
    end
  end

  local function kill_at(victim, delay)
    local heard, acknowledge = assert(sys.pipe())
    local child <close> = live_in_child(acknowledge)
    acknowledge:close()
    sys.nanosleep(delay)
    local pid = VICTIMS[victim](child)
    if pid then sys.kill(pid, sys.signals.KILL) end
    local ended = assert(sys.waitid(child))
    assert.is_true(ended.code == 0 or victim == "luactr", "it raised")
    local reaper <close> = ctr.every(0.02, reap_entered)
    assert_known_or_gone(heard, victim)
    reaper:cancel()
    heard:close()
  end

  for victim in pairs(VICTIMS) do
    it("of " .. victim .. " leaves it known or gone", function()
      local length = length_of_life()
      for moment = 1, FEW do kill_at(victim, length * moment / (FEW + 1)) end
    end)

    it("of " .. victim .. " leaves it known or gone, at many moments #long", function()
      local length = length_of_life()
      for moment = 1, MANY do kill_at(victim, length * moment / (MANY + 1)) end
    end)
  end
end)
