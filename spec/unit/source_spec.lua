local source = require "luactr.source"
local support = require "support"

local recipe <const> = [==[
local ctr = require "luactr" -- ctr.container {
--[=[ ctr.container {
  hostname = "no" } ]=]
local text = "ctr.container { hostname = \"no\" }"
return ctr.container {
  rootfs = ctr.rootfs.host { "bash",
    "ls" }, command = { "/bin/true" },
  ["hostname"] = 'x', limits = {
    memory = "64M";
    pids = 3 },
  mounts = {
    ctr.bind("/a", "/b", { ro = true }),
    { type = "tmpfs",
      target = 3 },
    function() if true then return { 1, 2 } end end,
    { target = [[
      /long ]] },
  },
  steps = function(p)
    for i = 1, 2 do p:mkdir("/x" .. i, "0755") end
    repeat local t = { umask = 3 } until t
  end,
  sysctl = { ["net.ipv4.ip_forward"] = 1, -- a, b = {
     ["kernel.sem"] = 2,
  },
}
]==]

describe("luactr.source #unit", function()
  local lines = source.lines(recipe, 5)

  local cases = {
    rootfs = 6, command = 7, ["command[1]"] = 7, hostname = 8, limits = 8, ["limits.memory"] = 9,
    ["limits.pids"] = 10, mounts = 11, ["mounts[1]"] = 12, ["mounts[2]"] = 13,
    ["mounts[2].type"] = 13, ["mounts[2].target"] = 14, ["mounts[3]"] = 15, ["mounts[4]"] = 16,
    ["mounts[4].target"] = 16, steps = 19, sysctl = 23, ["sysctl.net.ipv4.ip_forward"] = 23,
    ["sysctl.kernel.sem"] = 24,
  }
  for path, line in pairs(cases) do
    it("finds " .. path, function()
      assert.are.equal(line, lines[path])
    end)
  end

  it("does not take inner tables for fields", function()
    assert.is_nil(lines.umask)
    assert.is_nil(lines["mounts[1].ro"])
  end)

  it("falls back to what is around a path", function()
    assert.are.equal(12, source.find(lines, "mounts[1].options[2]"))
    assert.are.equal(8, source.find(lines, "limits.nothing"))
    assert.is_nil(source.find(lines, "readonly"))
  end)

  it("finds a call with parentheses", function()
    assert.are.equal(2, source.lines("f(1) ctr.container(\n{ name = 3 })", 1).name)
  end)

  it("takes the container's brace among several on a line", function()
    local found = source.lines("local t, c = { a = 1 }, ctr.container { b = 2 }", 1)
    assert.are.same({ b = 1 }, found)
  end)

  it("finds nothing where there is no table", function()
    assert.are.same({}, source.lines("return ctr.container(options)", 1))
    assert.are.same({}, source.lines("", 7))
  end)

  it("survives any text", function()
    for _, text in ipairs { "ctr.container {", "container { a =", "container { [", "{ \"", "{ [[",
      "{ --[[", "{ a = { b = {", "container { a = function(", "\0{\0", "{ ['a'] = ", "}}}",
      "{,,,;" } do
      source.lines(text, 1)
    end
    for i = 1, #recipe do
      source.lines(recipe:sub(1, i), 5)
    end
  end)

  describe("locator()", function()
    local directory = support.tmpdir()
    local file = directory:write("web.lua", recipe)
    teardown(function() directory:close() end)

    it("names file and line", function()
      local locate = source.locator { file = file, line = 5 }
      assert.are.equal(file .. ":14", locate("mounts[2].target"))
      assert.are.equal(file .. ":5", locate("readonly"))
    end)

    it("knows the call when the file is gone", function()
      assert.are.equal("/none.lua:5", source.locator { file = "/none.lua", line = 5 } "hostname")
      assert.is_nil(source.locator(nil) "hostname")
    end)

    it("gives the where of errors", function()
      local call = { file = file, line = 5 }
      assert.are.same({ file = file, line = 9 }, source.where(call, "limits.memory"))
      assert.are.equal(call, source.where(call, "readonly"))
      assert.are.equal(call, source.where(call, nil))
      assert.is_nil(source.where(nil, "limits"))
    end)

    it("annotates the problems of a wrong spec", function()
      local err = source.annotate {
        where = { file = file, line = 5 }, problems = { { path = "limits.memory", message = "?" } },
      }
      assert.are.equal(file .. ":9", err.problems[1].where)
    end)
  end)
end)
