-- Recipes with several things to do: groups in the foreground, tasks that go on, signals.
local process = require("support.process")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root", "program:busybox")

local HEAD <const> = [[
local ctr = require "luactr"
local function box(script, more)
  local fields = more or {}
  fields.rootfs, fields.command = %q, { "/bin/sh", "-c", script }
  return ctr.container(fields)
end
]]

describe("several at once #cli", function()
  local dir

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    dir:close()
  end)

  local function recipe(text)
    local root = dir:mkdir("root/bin"):match("^(.*)/bin$")
    support.copy("/bin/busybox", root .. "/bin/sh")
    return dir:write("recipe.lua", HEAD:format(root) .. text)
  end

  for _, case in ipairs {
    { "the first that is not 0", 3, 'return ctr.all(box "exit 0", box "exit 3", box "exit 4")' },
    { "0 when all ended well", 0, 'return ctr.all(box "exit 0", ctr.all(function() end))' },
    { "127 for one that did not start", 127,
      'return ctr.all(box "exit 0", ctr.container { rootfs = "/", command = { "/none" } })' },
    { "125 for an error that nobody saw", 125, 'ctr.spawn(function() error "lost" end)' },
    { "the program's, after its tasks", 9,
      'ctr.after("10ms", function() assert(box("exit 0"):run()) print "ran" end) return 9' },
  } do
    it("status: " .. case[1], function()
      local result = support.luactr { recipe(case[3]) }
      assert.equal(case[2], result.code, result.stderr)
      assert.equal(case[1]:find("tasks") and "ran\n" or "", result.stdout)
    end)
  end

  it("writes the records of all", function()
    local path = recipe 'return ctr.all(box "exit 1", box "exit 2")'
    local result = support.luactr { "run", "--json=" .. dir .. "/json", path }
    assert.equal(1, result.code, result.stderr)
    local record = require("cjson").decode(support.read(dir .. "/json"))
    assert.same({ 1, 2 }, { record.results[1].exit_code, record.results[2].exit_code })
  end)

  it("explains the first of a group", function()
    local result = support.luactr { "explain", recipe 'return ctr.all(box "exit 0")' }
    assert.equal(0, result.code, result.stderr)
    assert.matches("/bin/sh", result.stdout, 1, true)
  end)

  it("tells of a task's error, with its line, and leaves containers alone", function()
    local path = recipe [[
local one = box "read line; exit 7"
ctr.spawn(function()
  ctr.sleep(0)
  error "broken"
end)
return ctr.all(one)]]
    local result = support.luactr { path, stdin = "go\n" }
    assert.equal(7, result.code, result.stderr)
    assert.matches("luactr: a task ended: .*recipe.lua:%d+: broken\n", result.stderr)
  end)

  it("passes the first signal on to all", function()
    local path = recipe [[
local script = "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done"
return ctr.all(box(script), box(script))]]
    local one <close> = process.start { support.luactr_program, path }
    one:expect("up\nup\n")
    one:signal("TERM")
    assert.equal(5, one:wait().code)
  end)

  it("ends all at the second signal", function()
    local path = recipe [[
return ctr.all(box "trap 'echo heard' INT; echo up; while :; do sleep 0.05; done")]]
    local one <close> = process.start { support.luactr_program, path }
    one:expect("up\n")
    one:signal("INT")
    one:expect("heard\n")
    one:signal("INT")
    assert.equal(128 + 2, one:wait().code)
  end)

  it("closes what a program holds when a signal ends it", function()
    local path = recipe [[
local _ <close> = setmetatable({}, { __close = function() print "main closed" end })
ctr.spawn(function()
  local _ <close> = setmetatable({}, { __close = function() print "task closed" end })
  box "sleep 1000":run()
end)
print "up"
box "sleep 1000":run()]]
    local one <close> = process.start { support.luactr_program, path }
    one:expect("up\n")
    one:signal("TERM")
    one:expect("main closed\ntask closed\n")
    assert.equal(128 + 15, one:wait().code)
  end)
end)
