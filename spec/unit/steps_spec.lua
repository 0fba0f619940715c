local steps = require "luactr.steps"

local kinds <const> = {
  { name = "mkdir", args = { { name = "path", type = "p" }, { name = "mode", type = "u" } } },
  { name = "write", args = { { name = "path", type = "p" }, { name = "content", type = "b" } } },
  { name = "bind", args = {
    { name = "source", type = "p" }, { name = "recursive", type = "u" },
    { name = "optional", type = "U" },
  } },
  { name = "exec", args = { { name = "file", type = "s" } } },
}

local function record(build)
  local list = assert(steps.record(build, kinds))
  for _, step in ipairs(list) do
    step.where = nil
  end
  return list
end

local function problem(build)
  return select(2, steps.record(build, kinds))
end

describe("luactr.steps #unit", function()
  it("records calls in order, arguments by name", function()
    local list = record(function(p)
      p:mkdir("/srv/x", "0755"):write("/x", "text")
      p:bind("/a", true)
    end)
    assert.are.same({
      { op = "mkdir", path = "/srv/x", mode = 493, from = "steps" },
      { op = "write", path = "/x", content = "text", from = "steps" },
      { op = "bind", source = "/a", recursive = 1, from = "steps" },
    }, list)
  end)

  it("notes the recipe's line", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local list = steps.record(function(p) p:mkdir("/x", "0755") end, kinds)
    assert.are.equal(line, list[1].where.line)
    assert.matches("steps_spec.lua", list[1].where.file)
  end)

  local mistakes = {
    { function(p) p:mkdir("/x", 755) end, 'mkdir: mode: 755 is decimal' },
    { function(p) p:mkdir("/x") end, 'mkdir: mode: mode expected, as "0644", got nil' },
    { function(p) p:mkdir("", "0755") end, "mkdir: path: path expected, got string" },
    { function(p) p:mkdir("/a\0b", "0755") end, "mkdir: path: path expected" },
    { function(p) p:write("/x", {}) end, "write: content: string expected, got table" },
    { function(p) p:write("/x", "a", "b") end, "write takes 2 arguments" },
    { function(p) p:bind("/x", -1) end, "bind: recursive: number expected, got integer" },
    { function(p) p:wirte("/x", "a") end, "unknown step wirte, did you mean write?" },
    { function(p) p:exec("/bin/sh") end, "a recipe cannot place exec: that is for command" },
    { function() error("its own") end, "its own" },
  }
  for _, case in ipairs(mistakes) do
    it("says: " .. case[2], function()
      local text = problem(case[1])
      assert.matches(case[2], text, 1, true)
      assert.matches("steps_spec.lua:%d+: ", text) -- at the line of the recipe
    end)
  end

  it("takes its kinds from the C module", function()
    local real = require("luactr.core").plan.steps
    local list = assert(steps.record(function(p) p:mkdir("/x", "0755") end, real))
    assert.are.equal(493, list[1].mode)
  end)
end)
