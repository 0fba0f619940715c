-- Which users exist in a container: maps by number, ranges that are taken and given back, and the
-- programs that write maps for those who may not.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local root_it = support.it(it, pending, "root")
local stranger_it = support.it(it, pending, "root", "stranger", "program:newuidmap")

local USER <const> = support.stranger
local SHOW <const> = "cat /proc/self/uid_map /proc/self/gid_map"

local function fields(changes)
  local raw = { rootfs = ctr.rootfs.host { "sh", "cat", "touch", "chown", "ls", "id", "sleep" },
    command = { "sh", "-c", SHOW }, stdout = "capture", stderr = "capture" }
  for name, value in pairs(changes) do raw[name] = value end
  return raw
end

local function words(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""))
end

local function shown(changes)
  local result = assert(ctr.run(fields(changes)))
  return words(result.stdout .. result.stderr)
end

-- The first id outside, as a running container's own map tells it.
local function outside(box)
  local map = support.read(("/proc/%d/uid_map"):format(box:pid()))
  return tonumber(map:match("^%s*0%s+(%d+)%s+65536"))
end

describe("maps by root #system", function()
  before_each(world.check)
  after_each(world.check)

  root_it("are written as they were given", function()
    assert.equal("0 200000 1000 1000 5 1 0 300000 10 ", shown {
      idmap = { uid = { { 0, 200000, 1000 }, { containerID = 1000, hostID = 5, size = 1 } },
        gid = { { inside = 0, outside = 300000, count = 10 } } } })
  end)

  root_it("may have hundreds of ranges", function()
    local rows = {}
    for i = 1, 300 do rows[i] = { i - 1, i * 2 - 2, 1 } end
    local result = assert(ctr.run(fields { idmap = { uid = rows } }))
    assert.equal(600, select(2, result.stdout:gsub("\n", "\n")))
    assert.is_truthy(result.stdout:find("299%s+598%s+1\n"))
  end)

  root_it("give users to the files of the container", function()
    assert.equal("root 0 0 x 5 6 ", (shown { idmap = "auto",
      command = { "sh", "-c", "touch /tmp/x; chown 5:6 /tmp/x; echo root $(id -u) $(id -g);"
        .. "ls -ln /tmp | while read a b u g c d e f n; do [ $n ] && echo $n $u $g; done" } }))
  end)

  root_it("of a range make root nobody outside", function()
    local box <close> = ctr.container(fields { idmap = "range", user = 33,
      command = { "sleep", "60" } })
    assert(box:start())
    local first = outside(box)
    assert.is_true(first >= 0x70000000)
    local status = support.read(("/proc/%d/status"):format(box:pid()))
    assert.equal(first, tonumber(status:match("Uid:%s+(%d+)")))
    for _, process in ipairs(box:processes()) do
      if process.command == "sleep" then
        status = support.read(("/proc/%d/status"):format(process.host_pid))
        assert.equal(first + 33, tonumber(status:match("Uid:%s+(%d+)")))
      end
    end
  end)

  root_it("of two containers are different, and free again after the end", function()
    local a <close> = ctr.container(fields { idmap = "auto", command = { "sleep", "60" } })
    local b <close> = ctr.container(fields { idmap = "auto", command = { "sleep", "60" } })
    assert(a:start())
    assert(b:start())
    local taken = outside(a)
    assert.is_true(math.abs(taken - outside(b)) >= 65536)
    a:kill()
    a:wait()
    assert(a:start())
    assert.equal(taken, outside(a))
  end)

  root_it("come from /etc/subuid where it has a range for luactr, until it is used up", function()
    local dir <close> = support.tmpdir()
    local subid = dir:write("subid", "x:1:1\nluactr:5000000:131072\n")
    local recipe = dir:write("recipe.lua", [[
      local ctr = require "luactr"
      local boxes = {}
      for i = 1, 3 do
        boxes[i] = ctr.container { rootfs = ctr.rootfs.host { "sleep" }, idmap = "auto",
          command = { "sleep", "60" } }
        local started, err = boxes[i]:start()
        if not started then print(err.code, err.cause) break end
        print(io.open("/proc/" .. boxes[i]:pid() .. "/uid_map"):read("a"))
      end
      for _, box in ipairs(boxes) do box:close() end
    ]])
    local result = support.run { "unshare", "-m", "sh", "-c",
      'mount --bind "$1" /etc/subuid; mount --bind "$1" /etc/subgid; exec "$2" "$3"', "sh", subid,
      support.luactr_program, recipe }
    assert.equal("", result.stderr)
    assert.equal("0 5000000 65536 0 5065536 65536 "
      .. "EUSERS 2 containers have one each, and there are no more ", words(result.stdout))
  end)

  root_it("are needed for each user that the recipe names", function()
    local result, err = ctr.run(fields { idmap = { uid = { { 0, 0, 10 } } }, user = 10 })
    assert.is_nil(result)
    assert.equal("user: user 10 does not exist in the user namespace: idmap.uid does not map it",
      err.problems[1].path .. ": " .. err.problems[1].message)
  end)
end)

-- ---- without root

-- luactr as somebody with these /etc/subuid and /etc/subgid; `before` are shell commands of root.
local function as_stranger(recipe_fields, granted, before)
  local dir <close> = support.tmpdir()
  local recipe = dir:write("recipe.lua", ([[
    local ctr = require "luactr"
    return ctr.container { rootfs = ctr.rootfs.host { "sh", "cat", "id" }, %s,
      command = { "sh", "-c", "id -G; %s" } }
  ]]):format(recipe_fields, SHOW))
  local runtime = dir:mkdir "run"
  support.must { "chown", USER, runtime }
  return support.run { "unshare", "-m", "sh", "-c", table.concat({
    'mount --bind "$1" /etc/subuid', 'mount --bind "$1" /etc/subgid', before or "true",
    "user=$2; shift 3", 'exec setpriv --reuid $user --regid $user --clear-groups -- "$@"' }, "; "),
    "sh", dir:write("subid", granted, "644"), USER, runtime, support.luactr_program, recipe,
    env = { XDG_RUNTIME_DIR = runtime } }
end

describe("maps without root #system", function()
  before_each(world.check)
  after_each(world.check)

  local granted <const> = ("a:1:1\n%d:100000:65536\nnobody:300000:10\n"):format(USER)

  stranger_it("are written by newuidmap and newgidmap from what was granted", function()
    local result = as_stranger('idmap = "range"', granted)
    assert.equal("", result.stderr)
    local map = ("0 %d 1 1 100000 65536 65537 300000 10 "):format(USER)
    assert.equal("0 " .. map .. map, words(result.stdout))
  end)

  stranger_it("may leave out luactr's own user", function()
    local result = as_stranger("idmap = { uid = { { 0, 100000, 1000 } } }", granted)
    assert.equal("", result.stderr)
    assert.equal("0 0 100000 1000 0 100000 1000 ", words(result.stdout))
  end)

  stranger_it("need no program for one id", function()
    local result = as_stranger('idmap = "auto"', "", "mount --bind /dev/null /usr/bin/newuidmap")
    assert.equal("", result.stderr)
    assert.is_truthy(words(result.stdout):find(("0 %d 1 0 %d 1 $"):format(USER, USER)))
  end)

  stranger_it("let the recipe's groups be set", function()
    local result = as_stranger('idmap = "auto", groups = { 29 }', granted)
    assert.equal("", result.stderr)
    assert.equal("0 29\n", result.stdout:match("^[^\n]*\n"))
  end)

  local function refusal(...)
    local result = as_stranger(...)
    assert.equal(125, result.code)
    return result.stderr
  end

  stranger_it("are refused for what was not granted", function()
    local said = refusal("idmap = { uid = { { 0, 0, 1 } } }", granted)
    assert.is_truthy(said:find("idmap.uid[1]: user 0: only " .. USER, 1, true), said)
    said = refusal("idmap = { uid = { { 0, 100000, 70000 } } }", granted)
    assert.is_truthy(said:find("user 100000-169999: only", 1, true), said)
    said = refusal('idmap = "range"', "root:1:1\n")
    assert.is_truthy(said:find("/etc/subuid grants no users to nobody", 1, true), said)
  end)

  stranger_it("are refused without the programs, with the remedy", function()
    local said = refusal('idmap = "range"', granted, "mount --bind /dev/null /usr/bin/newuidmap")
    assert.is_truthy(said:find("newuidmap is not installed", 1, true), said)
    assert.is_truthy(said:find("apt install uidmap", 1, true), said)
  end)

  -- A service other than the files: newuidmap, which does not know it either, has its own answer.
  stranger_it("are asked of getsubids where the files grant nothing", function()
    local dir <close> = support.tmpdir()
    local program = dir:write("getsubids", "#!/bin/sh\necho '0: somebody 200000 65536'\n", "755")
    local said = refusal('idmap = "range"', "",
      "mount --bind " .. program .. " /usr/bin/getsubids")
    assert.is_truthy(said:find("write uid_map", 1, true), said)
    assert.is_truthy(said:find("200000-265536", 1, true), said)
  end)

  stranger_it("fail in the program's own words", function()
    local dir <close> = support.tmpdir()
    local program = dir:write("newgidmap", "#!/bin/sh\necho no such luck >&2\nexit 1\n", "755")
    local said = refusal('idmap = "range"', granted,
      "mount --bind " .. program .. " /usr/bin/newgidmap")
    assert.is_truthy(said:find("no such luck", 1, true), said)
    assert.is_truthy(said:find("write gid_map", 1, true), said)
  end)
end)
