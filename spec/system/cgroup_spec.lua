-- Real groups on this host, whatever its layout: made, entered, frozen, emptied, removed.

local cgroup = require("luactr.cgroup")
local core = require("luactr.core")
local group = require("support.group")
local lfs = require("lfs")
local support = require("support")
local world = require("support.world")

local sys = core.sys

local ID <const> = support.name("group")

local function compile(limits, id)
  local layout = cgroup.detect()
  local compiled, problems = cgroup.compile(limits or {}, layout, id or ID)
  assert(compiled, problems and problems[1] and problems[1].message)
  return compiled, layout
end

local function open(limits, id)
  local handle, err = cgroup.open((compile(limits, id)))
  assert(handle, tostring(err))
  return handle
end

local function exists(path)
  return lfs.attributes(path, "mode") == "directory"
end

local function sleep()
  sys.nanosleep(60)
end

-- Its state's letter; "Z" also for one that is gone.
local function state_of(pid)
  local file <close> = io.open("/proc/" .. pid .. "/stat")
  return file and file:read("a"):match("^.*%) (%S)") or "Z"
end

-- Spec runs beside ours have groups too: to sweep(), all but ours are alive.
local ours = setmetatable({}, { __index = function(_, id) return id:sub(1, #ID) ~= ID end })

describe("luactr.cgroup #system #layout #root", function()
  local it = support.it(it, pending, "root")

  before_each(world.check)
  after_each(world.check)

  describe("open()", function()
    it("makes luactr/<id> in the hierarchies that are needed, and close() removes it", function()
      local handle <close> = open()
      local paths = handle:paths()
      assert.is_true(#paths > 0)
      for _, directory in ipairs(paths) do
        assert.matches("/luactr/" .. ID:gsub("%-", "%%-") .. "$", directory.path)
        assert.is_true(exists(directory.path))
      end
      assert.is_true(handle:close())
      for _, directory in ipairs(paths) do assert.is_false(exists(directory.path)) end
      assert.is_true(handle:close())
    end)

    it("makes directories again that somebody takes away while they are empty", function()
      local rounds = 0
      local keeper = { hold = function(_, handle)
        rounds = rounds + 1
        return rounds > 2 or not assert(sys.rmdir(handle:paths()[1].path))
      end }
      local handle <close> = assert(cgroup.open((compile()), keeper))
      assert.equal(3, rounds)
      for _, directory in ipairs(handle:paths()) do assert.is_true(exists(directory.path)) end
    end)

    it("gives up on directories that are always taken away", function()
      local keeper = { hold = function() return false end }
      local handle, err = cgroup.open((compile()), keeper)
      assert.same({ nil, "ENOENT", "mkdir" }, { handle, err.code, err.op })
    end)

    it("is undone by collection", function()
      local path = open():paths()[1].path
      collectgarbage()
      collectgarbage()
      assert.is_false(exists(path))
    end)

    it("is not undone by a fork", function()
      local handle <close> = open()
      local child <close> = sys.clone({}, function()
        handle:close()
        return 0
      end)
      sys.waitid(child)
      assert.is_true(exists(handle:paths()[1].path))
    end)

    it("refuses an id that is in use", function()
      local handle <close> = open()
      local other, err = cgroup.open((compile()))
      assert.is_nil(other)
      assert.are.equal("EEXIST", err.code)
      assert.matches("a container of that name runs", err.cause)
      assert.is_true(exists(handle:paths()[1].path))
    end)

    it("takes over an empty directory that a killed luactr left", function()
      local path = open():paths()[1].path
      collectgarbage()
      collectgarbage()
      assert(sys.mkdir(path))
      local handle <close> = open()
      assert.are.equal(path, handle:paths()[1].path)
    end)

    it("makes the directory of all containers when somebody removed it", function()
      local paths = open():paths()
      collectgarbage()
      collectgarbage()
      for _, directory in ipairs(paths) do sys.rmdir((directory.path:gsub("/[^/]*$", ""))) end
      local handle <close> = open()
      assert.is_true(exists(handle:paths()[1].path))
    end)

    it("says which limit the kernel refused, and leaves nothing", function()
      local compiled = compile { pids = 5 }
      compiled.writes[1].text = "a few"
      local handle, err = cgroup.open(compiled)
      assert.is_nil(handle)
      assert.are.equal("EINVAL", err.code)
      assert.are.equal("limits.pids", err.from)
      assert.matches("/pids.max$", err.path)
    end)

    it("goes on without it by word", function()
      local compiled = compile { pids = 5, optional = true }
      compiled.writes[1].text = "a few"
      local handle <close>, warnings = cgroup.open(compiled)
      assert.is_userdata(handle)
      assert.matches("limits.pids is not enforced", warnings[1])
    end)

    it("refuses ids that are paths", function()
      for _, id in ipairs { "", ".", "..", "a/", "a//b", "a/..", "a/b/c", ".host", "a\nb",
        ("x"):rep(300) } do
        assert.has_error(function() core.cgroup.create(id) end)
      end
    end)
  end)

  describe("of a pod", function()
    local POD <const> = ID .. "-pod"

    it("has its members' in it, with the controllers that they need", function()
      local pod <close> = open({ pids = 10 }, POD)
      local member <close> = open({ pids = 3 }, POD .. "/a")
      for _, found in ipairs(member:paths()) do
        local above = found.path:match("^(.*)/a$")
        assert.matches("/luactr/" .. POD:gsub("%-", "%%-") .. "$", above)
        assert.is_true(exists(above))
      end
      assert.are.equal("3\n", member:read("pids", "pids.max"))
      assert.are.equal("10\n", pod:read("pids", "pids.max"))
      assert.are.equal(#pod:paths(), #pod:held())
    end)

    it("goes with the last of them that a killed luactr left", function()
      local pod, member = open({ pids = 10 }, POD), open({ pids = 3 }, POD .. "/a")
      local path, layout = pod:paths()[1].path, cgroup.detect()
      member:disown()
      member:close()
      assert.is_true(cgroup.remove(layout, POD .. "/a"))
      assert.is_true(exists(path), "it is held")
      pod:disown()
      pod:close()
      assert.is_true(cgroup.remove(layout, POD .. "/a"))
      assert.is_false(exists(path))
    end)
  end)

  it("stands while others come and go", function()
    local ROUNDS <const> = 30
    local function come_and_go(name)
      return function()
        for i = 1, ROUNDS do
          local handle, err = cgroup.open((compile({ pids = 5 }, name .. i)))
          assert(handle, tostring(err))
          assert(handle:attach_fds())
          handle:close()
        end
        return 0
      end
    end
    local function sweep()
      for _ = 1, ROUNDS do cgroup.sweep(cgroup.detect(), { alive = ours }) end
      return 0
    end
    local a <close> = sys.clone({}, come_and_go(ID .. "-a"))
    local b <close> = sys.clone({}, come_and_go(ID .. "-b"))
    local c <close> = sys.clone({}, sweep)
    for _, child in ipairs { a, b, c } do assert.are.equal(0, sys.waitid(child).code) end
  end)

  describe("processes", function()
    it("are listed", function()
      local handle <close> = open()
      assert.are.same({}, handle:processes())
      local child <close> = group.child(handle, sleep)
      assert.is_true(group.eventually(function() return #handle:processes() == 1 end))
      assert.are.same({ child:pid() }, handle:processes())
    end)

    it("enter by one write to each fd of attach_fds()", function()
      local handle <close> = open()
      local fds = handle:attach_fds()
      local child <close> = sys.clone({}, function()
        for _, fd in pairs(fds) do assert(sys.write(fd, "0")) end
        sleep()
      end)
      assert.is_true(group.eventually(function()
        local own = support.read("/proc/" .. child:pid() .. "/cgroup")
        local _, count = own:gsub(":/luactr/" .. ID:gsub("%-", "%%-") .. "\n", "")
        local wanted = 0
        for _ in pairs(fds) do wanted = wanted + 1 end
        return count == wanted
      end))
      handle:attached()
    end)

    it("get a signal, all of them", function()
      local handle <close> = open()
      local a <close> = group.child(handle, sleep)
      local b <close> = group.child(handle, sleep)
      assert.is_true(group.eventually(function() return #handle:processes() == 2 end))
      assert.is_true(handle:kill(sys.signals.TERM))
      assert.are.equal(sys.signals.TERM, sys.waitid(a).signal)
      assert.are.equal(sys.signals.TERM, sys.waitid(b).signal)
    end)

    it("do not escape KILL by forking", function()
      local handle <close> = open()
      local child <close> = group.child(handle, function()
        return sys.exec("/bin/sh", { "sh", "-c", "while :; do sleep 0.1 & done" })
      end)
      assert.is_true(group.eventually(function() return #handle:processes() > 5 end))
      assert.is_true(group.eventually(function()
        handle:kill()
        return #handle:processes() == 0
      end))
      assert.are.equal(sys.signals.KILL, sys.waitid(child).signal)
    end)

    it("end with the group, also nested and frozen ones", function()
      local handle = open()
      local nested = {}
      for _, directory in ipairs(handle:paths()) do
        nested[#nested + 1] = directory.path .. "/deep"
        assert(sys.mkdir(directory.path .. "/deep"))
        assert(sys.mkdir(directory.path .. "/deep/er"))
      end
      local child <close> = group.child(handle, sleep)
      assert.is_true(group.eventually(function() return #handle:processes() == 1 end))
      handle:freeze() -- ENODEV where no freezer is at hand: then it is just running
      assert.is_true(handle:close())
      assert.are.equal(sys.signals.KILL, sys.waitid(child).signal)
      for _, path in ipairs(nested) do assert.is_false(exists(path)) end
    end)
  end)

  describe("freeze() and thaw()", function()
    local function can_freeze()
      return cgroup.detect().controllers.freezer ~= nil
    end

    local function busy_child(handle)
      local child = group.child(handle, function()
        local at = 0
        while true do at = at + 1 end
      end)
      assert.is_true(group.eventually(function() return #handle:processes() == 1 end))
      return child
    end

    it("stop all processes and let them go on", function()
      local handle <close> = open()
      local child <close> = busy_child(handle)
      if not can_freeze() then return pending("no freezer") end
      assert(handle:freeze())
      local function ticks()
        return support.read("/proc/" .. child:pid() .. "/stat"):match("%) %S" .. (" %S+"):rep(10)
          .. " (%d+)")
      end
      local before = ticks()
      sys.nanosleep(0.1)
      assert.are.equal(before, ticks())
      assert.is_true(handle:thaw())
      assert.is_true(group.eventually(function() return ticks() ~= before end))
      assert.are.equal("R", state_of(child:pid()))
    end)

    it("do not keep the dead alive", function()
      local handle = open()
      local child <close> = busy_child(handle)
      if not can_freeze() then return pending("no freezer") end
      assert(handle:freeze())
      assert.is_true(handle:close())
      assert.are.equal(sys.signals.KILL, sys.waitid(child).signal)
    end)
  end)

  describe("reopen()", function()
    it("finds the group of another luactr, and leaves it when closed", function()
      local handle <close> = open()
      local compiled = compile()
      local other = cgroup.reopen(compiled)
      assert.are.same(handle:paths(), other:paths())
      assert.is_table(other:meters())
      other:close()
      assert.is_true(exists(handle:paths()[1].path))
    end)

    it("finds nothing where there is nothing", function()
      local other <close> = cgroup.reopen((compile({}, ID .. "-none")))
      assert.are.same({}, other:paths())
    end)
  end)

  describe("sweep()", function()
    -- A group whose luactr was killed, with a process in it if `work` is given.
    local function leave(id, work)
      local compiled, layout = compile({}, id)
      local parent <close> = sys.clone({}, function()
        local handle = cgroup.open(compiled)
        if work then group.child(handle, work) end
        group.eventually(function() return not work or #handle:processes() == 1 end)
        sys.kill(sys.getpid(), "KILL")
      end)
      sys.waitid(parent)
      return layout
    end

    it("removes what a killed luactr left", function()
      local layout = leave(ID .. "-left")
      assert.is_truthy(table.concat(cgroup.list(layout), " "):find(ID .. "-left", 1, true))
      local removed = table.concat(cgroup.sweep(layout, { alive = ours }), " ")
      assert.is_truthy(removed:find(ID .. "-left", 1, true))
      assert.is_nil(table.concat(cgroup.list(layout), " "):find(ID .. "-left", 1, true))
    end)

    it("leaves groups that are held, and those that are said to be alive", function()
      local handle <close> = open()
      local layout = leave(ID .. "-left")
      local alive = setmetatable({ [ID .. "-left"] = true }, getmetatable(ours))
      cgroup.sweep(layout, { alive = alive, kill = true })
      assert.is_true(exists(handle:paths()[1].path))
      assert.is_truthy(table.concat(cgroup.list(layout), " "):find(ID .. "-left", 1, true))
      assert.is_true(cgroup.remove(layout, ID .. "-left"))
    end)

    it("kills by word only", function()
      local name = ID .. "-busy"
      -- A program of its own: a fork alone would keep the lock that tells who is alive.
      local layout = leave(name, function() return sys.exec("/bin/sleep", { "sleep", "60" }) end)
      cgroup.sweep(layout, { alive = ours })
      local other <close> = cgroup.reopen((compile({}, name)))
      local pid = other:processes()[1]
      assert.is_number(pid)
      -- "Device or resource busy" until the child has become its program.
      assert.is_true(group.eventually(function() return cgroup.remove(layout, name) end))
      assert.is_true(group.eventually(function() return state_of(pid) == "Z" end))
    end)
  end)
end)
