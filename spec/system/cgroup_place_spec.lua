-- Cgroups in a place that the recipe chooses, beside and below directories of others.

local cgroup = require("luactr.cgroup")
local core = require("luactr.core")
local ctr = require("luactr")
local group = require("support.group")
local lfs = require("lfs")
local support = require("support")
local world = require("support.world")

local sys = core.sys

local TOP <const> = "/" .. support.name "place"

local function compile(place, limits)
  return assert(cgroup.compile(limits or {}, cgroup.detect(), place))
end

local function open(place)
  local handle, err = cgroup.open(compile(place))
  assert(handle, tostring(err))
  return handle
end

local function exists(path)
  return lfs.attributes(path, "mode") == "directory"
end

-- The directories of one path in all hierarchies that are there.
local function directories(path)
  local list = {}
  for _, hierarchy in ipairs(cgroup.detect().hierarchies) do
    local directory = hierarchy.parent and hierarchy.mount .. path
    list[#list + 1] = directory and exists(directory) and directory or nil
  end
  return list
end

-- Directories of somebody else: luactr has not marked them.
local function make(path)
  for _, hierarchy in ipairs(cgroup.detect().hierarchies) do
    if hierarchy.parent then assert(sys.mkdir(hierarchy.mount .. path)) end
  end
end

local function remove(path)
  for _, directory in ipairs(directories(path)) do assert(sys.rmdir(directory)) end
end

local function box(fields)
  local recipe = {
    rootfs = ctr.rootfs.host { "cat", "sh", "sleep" }, command = { "cat", "/proc/self/cgroup" },
    namespaces = { cgroup = "host" }, stdout = "capture", cgroup = TOP .. "/a/b",
  }
  for name, value in pairs(fields or {}) do recipe[name] = value end
  return ctr.container(recipe)
end

describe("a chosen cgroup #system #layout #root", function()
  local it = support.it(it, pending, "root")

  before_each(world.check)
  after_each(function()
    assert.are.same({}, directories(TOP))
    world.check()
  end)

  it("is the container's in every hierarchy, and is gone with it", function()
    local container <close> = box { limits = { pids = 20 } }
    local result = container:run()
    local _, count = result.stdout:gsub(":" .. TOP:gsub("%-", "%%-") .. "/a/b\n", "")
    assert.are.equal("exit", result.reason)
    assert.are.equal(#compile(TOP).places, count)
  end)

  it("is below luactr's parent when it is relative", function()
    local handle <close> = open("." .. TOP .. "/c")
    for _, found in ipairs(handle:paths()) do
      assert.matches(TOP:gsub("%-", "%%-") .. "/c$", found.path)
    end
    assert.are.equal(#compile(TOP).places, #handle:paths())
  end)

  it("leaves directories of others where they were", function()
    make(TOP)
    make(TOP .. "/theirs")
    box():run()
    assert.is_true(#directories(TOP .. "/theirs") > 0)
    assert.are.same({}, directories(TOP .. "/a"))
    box({ cgroup = TOP .. "/theirs" }):run()
    assert.is_true(#directories(TOP .. "/theirs") > 0)
    remove(TOP .. "/theirs")
    remove(TOP)
  end)

  it("shares what it made above with the next, and the last removes that", function()
    local first <close> = open(TOP .. "/a/b")
    local second <close> = open(TOP .. "/a/c")
    first:close()
    assert.is_true(#directories(TOP .. "/a") > 0)
    second:close()
    assert.are.same({}, directories(TOP))
  end)

  it("is refused while there are processes in it, which stay as they are", function()
    make(TOP)
    local _, path = next(directories(TOP))
    local child <close> = sys.clone({}, function()
      support.write(path .. "/cgroup.procs", "0")
      sys.nanosleep(60)
    end)
    assert.is_true(group.eventually(function()
      return support.read(path .. "/cgroup.procs") ~= ""
    end))
    local started, err = box({ cgroup = TOP }):start()
    assert.is_nil(started)
    assert.are.equal("ENOTEMPTY", err.code)
    assert.matches("there are processes in it", tostring(err))
    assert.is_nil(sys.waitid(child, { "nohang" }))
    child:close()
    remove(TOP)
  end)

  it("is refused while another container has it", function()
    local handle <close> = open(TOP)
    local other, err = cgroup.open(compile(TOP))
    assert.is_nil(other)
    assert.are.equal("EEXIST", err.code)
    handle:close()
  end)

  it("is found again when the container runs detached", function()
    local found = assert(box({ command = { "sleep", "1000" }, name = support.name("place"),
      stdout = "null" }):start { detach = true })
    local inside = assert(found:exec { command = { "cat", "/proc/self/cgroup" },
      stdout = "capture" })
    local _, count = inside.stdout:gsub(":" .. TOP:gsub("%-", "%%-") .. "/a/b\n", "")
    assert.are.equal(#compile(TOP).places, count)
    assert(found:update { pids = 30 })
    local handle <close> = cgroup.reopen(compile(TOP .. "/a/b"))
    assert.are.equal("30\n", handle:read("pids", "pids.max"))
    assert(found:remove { force = true })
  end)

  it("of a luactr that was killed is taken over, or removed by name", function()
    local parent <close> = sys.clone({}, function()
      cgroup.open(compile(TOP .. "/a"))
      sys.kill(sys.getpid(), "KILL")
    end)
    sys.waitid(parent)
    assert.is_true(#directories(TOP .. "/a") > 0)
    local handle = open(TOP .. "/a")
    handle:disown()
    handle:close()
    assert.is_true(cgroup.remove(cgroup.detect(), TOP .. "/a"))
  end)

  it("is its own root's where that may write there, and no other user's", function()
    if not cgroup.detect().unified then return pending("no cgroup v2") end
    local script = "cd /sys/fs/cgroup; [ ! -d unified ] || cd unified; mkdir below && echo made"
    local function try(options)
      local container <close> = box {
        rootfs = ctr.rootfs.host { "sh", "mkdir" }, command = { "sh", "-c", script },
        namespaces = {}, idmap = "range", stderr = "capture",
        mounts = { { type = "cgroup", target = "/sys/fs/cgroup", options = options } },
      }
      return container:run().stdout
    end
    assert.are.equal("made\n", try { "rw" })
    assert.are.equal("", try {})
  end)

  it("of names that lead elsewhere there is none", function()
    for _, id in ipairs { "/", "./", "/a/../b", "/a//b", "/a/.", "./..", "/a\nb" } do
      assert.has_error(function() core.cgroup.create(id) end)
    end
  end)
end)
