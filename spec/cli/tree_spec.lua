-- `luactr tree`: the processes of containers, with their pids on both sides.

local cjson = require("cjson")
local ctr = require("luactr")
local detached = require("support.detached")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root")

local NESTED <const> = [[
  local ctr = require "luactr"
  return ctr.container { name = "inner", rootfs = ctr.rootfs.host { "sh", "sleep" },
    command = { "sh", "-c", "sleep 321; true" } }
]]

describe("luactr tree #cli", function()
  local here, luactr

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    here = detached.open()
    luactr = here.luactr
  end)

  after_each(function()
    here:close()
    world.check()
  end)

  -- The trees once something in them matches this. A script is shown before it runs, too.
  local function await(pattern, ...)
    local deadline = sys.clock_gettime() + 60
    local result
    repeat
      result = luactr("tree", ...)
      if result.stdout:find(pattern) then return result.stdout end
      sys.nanosleep(0.02)
    until sys.clock_gettime() > deadline
    error("no " .. pattern .. " in\n" .. result.stdout .. result.stderr)
  end

  it("puts each pid of the host beside its pid inside", function()
    local name = here:start("sleep 101 & (sleep 102; true) & wait; true")
    local text = await("─ sleep 101\n.*─ sleep 102\n", name)
    local pid = assert(ctr.find(name)):pid()
    assert.matches("^HOST +INSIDE +" .. name:gsub("%-", "%%-") .. "\n", text)
    assert.matches("\n" .. pid .. " +1 +luactr%-init\n", text)
    assert.matches("\n%d+ +2 +└─ sh %-c", text)
    assert.matches("\n%d+ +%d+ +   ├─ sleep 101\n", text)
    assert.matches("\n%d+ +%d+ +      └─ sleep 102\n", text)
    for host, inside in text:gmatch("\n(%d+) +(%d+) ") do
      local file <close> = assert(io.open("/proc/" .. host .. "/status"))
      assert.matches("\nNSpid:%s+" .. host .. "%s+" .. inside .. "\n", file:read("a"))
    end
  end)

  it("shows all that run, and not the ended", function()
    local one, two = here:start("sleep 103", "one"), here:start("exit 0", "two")
    assert.equal(0, luactr("wait", two).code)
    local text = await("sleep 103")
    assert.is_truthy(text:find(one, 1, true))
    assert.is_nil(text:find(two, 1, true))
    here.fails(luactr("tree", two), 125, "it is not running")
  end)

  it("has records", function()
    local name = here:start("sleep 104; true")
    local list = cjson.decode(await('"sleep 104"', "--json", name))
    assert.equal(1, #list)
    local first = list[1].processes[1]
    assert.same({ name, list[1].pid, "luactr-init" }, { list[1].id, first.pid, first.command })
    assert.same({ first.pid, 1 }, first.pids)
    assert.equal("sleep 104", first.children[1].children[1].command)
    assert.equal(2, first.children[1].pids[2])
    assert.equal("sleep 104", assert(ctr.find(name)):tree()[1].children[1].children[1].command)
  end)

  it("goes down through a container in the container", function()
    local program = here.dir.path .. "/luactr"
    support.copy(support.luactr_program, program)
    local more = ([[seccomp = "unconfined", masked_paths = {}, readonly_paths = {},
      mounts = { ctr.tmpfs("/run", "16M"), ctr.file("/inner.lua", %q) },]]):format(NESTED)
    here:close()
    here = detached.open(("host { \"sh\", \"sleep\", %q }"):format(support.luactr_program), more)
    local name = here:start("exec " .. support.luactr_program .. " /inner.lua")
    local text = await("sleep 321", name)
    assert.matches("^HOST +INSIDE +INSIDE 2 +", text)
    local host, inside, nested = text:match("\n(%d+) +(%d+) +(%d+) +[│└─ ]+sh %-c sleep 321")
    assert.equal("2", nested, text)
    local file <close> = assert(io.open("/proc/" .. host .. "/status"))
    assert.matches("\nNSpid:%s+" .. host .. "%s+" .. inside .. "%s+2\n", file:read("a"))
  end)

  it("shows a process that was put beside PID 1", function()
    support.needs("program:nsenter")
    local name = here:start("sleep 105")
    local pid = assert(ctr.find(name)):pid()
    local beside <close> = assert(sys.clone({}, function()
      return sys.exec("/usr/bin/nsenter",
        { "nsenter", "-p", "-t", tostring(pid), "sleep", "106" })
    end))
    await("\n%d+ +%d+ +sleep 106\n", name)
    luactr("kill", name) -- nsenter reaps its child, and PID 1 can end
    assert(sys.waitid(beside))
  end)

  it("keeps a command from commanding the terminal", function()
    local name = here:start("sleep 100 & exec sh -c 'sleep 107; true' \"$(printf '\\033[2J')\"")
    assert.is_nil(await("sleep 107", name):find("\27", 1, true))
  end)

  for _, bad in ipairs { "nobody", "..", "a/b", "a\nb", ("x"):rep(300), "" } do
    it(("refuses a name that nobody has: %q"):format(bad:sub(1, 8):gsub("\n", ".")), function()
      here.fails(luactr("tree", "--", bad), 125, "no container \"")
    end)
  end
end)
