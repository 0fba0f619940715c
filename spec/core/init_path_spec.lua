-- One table of paths, carried out by openat2 and by the walk in its place: the same answers.

local launch = require("support.launch")
local lfs = require("lfs")
local support = require("support")
local sys = require("luactr.core").sys
local without = require("support.without")
local world = require("support.world")

local it = support.it(it, pending, "root", "file:" .. launch.busybox)

local WAYS <const> = {
  { name = "openat2", run = function(main) main() end },
  { name = "the walk", run = function(main) without({ "openat2" }, main) end },
}

local function dir(path) return { op = "mkdir", path = path, mode = 493 } end
local function link(path, text) return { op = "symlink", link = text, path = path } end
local function file(path) return { op = "file", path = path, content = "", mode = 420 } end

local function mount(target, flags)
  return { op = "mount", source = "t", target = target, type = "tmpfs", flags = flags or 0 }
end

local DEEP <const> = "/deep" .. ("/x"):rep(300)

local function tree()
  local steps = {
    dir("/d/e/f"), file("/file"), dir("/" .. ("n"):rep(255)),
    link("/link", "d/e"), link("/absolute", "/d"), link("/up", "../../../d"),
    link("/slash", "d/"), link("/slashes", "//d//e//"), link("/dot", "."), link("/dots", ".."),
    link("/to-file", "file"), link("/to-file-slash", "file/"),
    link("/self", "self"), link("/a", "b"), link("/b", "/a/x"), link("/dangling", "/no/such"),
    link("/d/back", ".."), link("/d/e/top", "/"), link("/d/e/round", "../../d/e/../e/f"),
    link("/magic", "/proc/self/cwd"), link("/through", "/proc/self/root/d"),
    link("/tail", "d/back/d/e/top/link"),
    mount("/m"), dir("/m/sub"), mount("/m/sub"), link("/m/out", "../d"),
    mount("/nofollow", sys.MS_NOSYMFOLLOW), link("/nofollow/link", "/d"), dir("/nofollow/dir"),
    { op = "bind", source = "/usr/lib", target = "/bound", recursive = 0, set = 0, clear = 0 },
    link("/c40", "d"),
  }
  for i = 39, 0, -1 do steps[#steps + 1] = link("/c" .. i, "c" .. i + 1) end
  return steps
end

-- Where the path leads to, or with which errno to nowhere.
local CASES <const> = {
  { "/", "/" }, { "//", "/" }, { ".", "/" }, { "./", "/" }, { "..", "/" }, { "../../..", "/" },
  { "/../d", "/d" }, { "d", "/d" }, { "/d/", "/d" }, { "//d//e//", "/d/e" }, { "d/./e/.", "/d/e" },
  { "d/../d/e", "/d/e" }, { "/d/e/../../../../d", "/d" }, { "d/e/f/../../..", "/" },
  { "link", "/d/e" }, { "link/", "/d/e" }, { "link/f", "/d/e/f" }, { "link/..", "/d" },
  { "absolute/e", "/d/e" }, { "up/e", "/d/e" }, { "slash", "/d" }, { "slashes", "/d/e" },
  { "dot/d", "/d" }, { "dots", "/" }, { "d/e/../../dots/dots/d", "/d" },
  { "d/back/d/back/d", "/d" }, { "link/top/link/top", "/" }, { "d/e/round", "/d/e/f" },
  { "tail", "/d/e" }, { "m/sub/..", "/m" }, { "m/sub/../..", "/" }, { "m/out", "/d" },
  { "bound/..", "/" }, { "bound/../d", "/d" }, { "m/../bound/../m/sub", "/m/sub" },
  { "c1", "/d" }, { "c0", "ELOOP" }, { "c0/", "ELOOP" }, { "c20/../c20", "ELOOP" },
  { "c21/../c21", "/d" }, { "self", "ELOOP" }, { "self/", "ELOOP" }, { "a", "ELOOP" },
  { "dangling", "ENOENT" }, { "dangling/", "ENOENT" }, { "dangling/..", "ENOENT" },
  { "no", "ENOENT" }, { "no/", "ENOENT" }, { "no/..", "ENOENT" }, { "d/no/e", "ENOENT" },
  { "file", "ENOTDIR" }, { "file/", "ENOTDIR" }, { "file/.", "ENOTDIR" },
  { "file/..", "ENOTDIR" }, { "file/x", "ENOTDIR" }, { "to-file", "ENOTDIR" },
  { "to-file/", "ENOTDIR" }, { "to-file-slash", "ENOTDIR" },
  { "nofollow/dir", "/nofollow/dir" }, { "nofollow/link", "ELOOP" }, { "nofollow/link/", "ELOOP" },
  { "/proc/self", "/proc/2" }, { "/proc/self/", "/proc/2" }, { "/proc/self/fd", "/proc/2/fd" },
  { "/proc/thread-self/..", "/proc/2/task" }, { "/proc/net", "/proc/2/net" },
  { "/proc/self/cwd", "ELOOP" }, { "/proc/self/cwd/", "ELOOP" }, { "/proc/self/cwd/..", "ELOOP" },
  { "/proc/self/root", "ELOOP" }, { "/proc/1/root/d", "ELOOP" }, { "/proc/self/exe", "ELOOP" },
  { "/proc/self/fd/1", "ELOOP" }, { "/proc/self/fd/1/..", "ELOOP" },
  { "/proc/self/ns/mnt", "ELOOP" }, { "/proc/self/task/2/cwd", "ELOOP" },
  { "magic", "ELOOP" }, { "magic/d", "ELOOP" }, { "through", "ELOOP" }, { "through/e", "ELOOP" },
  { DEEP, DEEP }, { DEEP .. ("/.."):rep(300), "/deep" }, { DEEP .. ("/.."):rep(400), "/" },
  { ("n"):rep(255), "/" .. ("n"):rep(255) }, { ("m"):rep(255), "ENOENT" },
  { ("n"):rep(256), "ENAMETOOLONG" }, { "no/" .. ("n"):rep(256), "ENOENT" },
  { ("n"):rep(4095), "ENAMETOOLONG" }, { ("/"):rep(4095), "/" }, { ("./"):rep(2047) .. "d", "/d" },
  { ("d/../"):rep(818) .. "d/e", "/d/e" }, { ("../"):rep(1365), "/" },
  { ("link/../../"):rep(40) .. "d", "/d" }, { ("link/../../"):rep(41) .. "d", "ELOOP" },
}

local function where(stage, path)
  local before = launch.join(tree(), path:find(DEEP, 1, true) and { dir(DEEP) } or {})
  local ended = launch.shell(stage, "pwd", before, { { op = "chdir", path = path } })
  local event = ended.event
  if event[1] == "started" then return (ended.output:gsub("\n$", "")) end
  return event[3] == "chdir" and sys.errname(event[4]) or table.concat(event, " ")
end

-- What a step makes, as find(1) prints it.
local MAKES <const> = {
  { dir("/a1/b/c"), "/a1\n/a1/b\n/a1/b/c\n" },
  { dir("//a1//b//../c/"), "/a1\n/a1/b\n/a1/c\n" },
  { dir("link/new/x"), "/d/e/new\n/d/e/new/x\n" },
  { dir("up/new"), "/d/new\n" },
  { dir("../../../new"), "/new\n" },
  { dir("dangling/x"), "ENOTDIR" },
  { dir("dangling"), "ENOTDIR" },
  { dir("self/x"), "ELOOP" },
  { dir("magic/x"), "ELOOP" },
  { dir("file/x"), "ENOTDIR" },
  { dir(("y"):rep(256)), "ENAMETOOLONG" },
  { file("link/file"), "/d/e/file\n" },
  { file("up/../new"), "/new\n" },
  { file("dangling/x"), "ENOTDIR" },
  { link("link/link", "x"), "/d/e/link\n" },
  { { op = "mknod", path = "absolute/node", mode = 0x2000 | 438, device = 259 }, "/d/node\n" },
}

-- For targets of binds, which may be made at the end of a link that dangles.
local BINDS <const> = {
  { "/d/new", "/d/new\n" }, { "link/new", "/d/e/new\n" }, { "one/new", "/one\n/one/new\n" },
  { "hanging", "/d/e/hung\n" }, { "hanging2", "/hung2\n" }, { "hanging3", "ELOOP" },
  { "dangling", "ENOENT" }, { "magic", "ELOOP" }, { "to-file-slash", "ENOTDIR" },
}

describe("a path in the root #core #spawn", function()
  local stage

  before_each(function()
    world.check()
    stage = support.tmpdir()
  end)

  after_each(function()
    stage:close()
    world.check()
  end)

  for _, way in ipairs(WAYS) do
    it("leads by " .. way.name .. " where it should", function()
      local wrong, expected = {}, {}
      way.run(function()
        for _, case in ipairs(CASES) do
          local found = where(stage:mkdir("stage"), case[1])
          if found ~= case[2] then
            wrong[case[1]:sub(1, 60)], expected[case[1]:sub(1, 60)] = found, case[2]
          end
        end
        assert.same(expected, wrong)
      end)
    end)

    -- The names that are new, or the errno.
    local function made(before, step)
      local list = "find / -xdev | sort"
      local old = launch.shell(stage:mkdir("stage"), list, before).output
      local ended = launch.shell(stage:mkdir("stage"), list, launch.join(before, { step }))
      if ended.event[1] ~= "started" then
        return ended.event[3] == step.op and sys.errname(ended.event[4]) or ended.event[3]
      end
      local names, new = {}, ""
      for name in old:gmatch("[^\n]+") do names[name] = true end
      for name in ended.output:gmatch("[^\n]+") do
        if not names[name] then new = new .. name .. "\n" end
      end
      return new
    end

    it("is made by " .. way.name .. " where it should be", function()
      way.run(function()
        for _, case in ipairs(MAKES) do
          assert.equal(case[2], made(tree(), case[1]), case[1].path)
        end
        local hanging = launch.join(tree(), { link("/hanging", "link/hung"),
          link("/hanging2", "/../../hung2"), link("/hanging3", "hanging4"),
          link("/hanging4", "hanging3") })
        for _, case in ipairs(BINDS) do
          assert.equal(case[2], made(hanging, { op = "bind", source = "/etc/passwd",
            target = case[1], recursive = 0, set = 0, clear = 0 }), case[1])
        end
      end)
    end)

    it("never leads by " .. way.name .. " out of the root", function()
      local canary = stage:mkdir("canary")
      stage:write("canary/secret", "secret")
      way.run(function()
        for _, text in ipairs { canary, ("../"):rep(30) .. canary, "/proc/self/root" .. canary,
          "/proc/1/cwd/" .. ("../"):rep(9) .. canary } do
          local before = { link("/out", text), link("/in", "out") }
          for _, step in ipairs { dir("/out/dir"), dir("/in/dir"), file("/in/file"), dir("/out"),
            link("/in/link", "x"), mount("/out"), mount("/in/m"),
            { op = "mknod", path = "/out/node", mode = 0x1000 | 438, device = 0 },
            { op = "write", path = "/out/secret", content = "overwritten" },
            { op = "mask", path = "/out/secret" }, { op = "readonly", path = "/in" },
            { op = "bind", source = "/etc", target = "/out/bound", recursive = 0, set = 0,
              clear = 0 },
            { op = "chdir", path = "/out" },
          } do
            launch.failure(stage, launch.join(before, { step }))
          end
        end
        local names = {}
        for name in lfs.dir(canary) do names[#names + 1] = name end
        table.sort(names)
        assert.same({ ".", "..", "secret" }, names)
        assert.equal("secret", support.read(canary .. "/secret"))
        assert.is_nil(support.read("/proc/self/mountinfo"):find(canary, 1, true))
      end)
    end)

    it("is written by " .. way.name .. " as the file that was looked at", function()
      way.run(function()
        local output = launch.inside(stage, "cat /d/e/text", launch.join(tree(), {
          { op = "file", path = "/d/e/text", content = "....", mode = 420 },
          link("/text", "link/text"), { op = "write", path = "text", content = "ab" },
        }))
        assert.equal("ab..", output)
        for path, errno in pairs { ["/d"] = "EINVAL", ["/magic"] = "ELOOP", ["/no"] = "ENOENT",
          ["/file/"] = "ENOTDIR", ["/self"] = "ELOOP", ["/fifo"] = "EINVAL" } do
          local event = launch.failure(stage, launch.join(tree(), {
            { op = "mknod", path = "/fifo", mode = 0x1000 | 438, device = 0 },
            { op = "write", path = path, content = "x" } }))
          assert.equal(errno, sys.errname(event[4]), path)
        end
      end)
    end)
  end

  -- openat2 gives up (EAGAIN) when anything anywhere is renamed while it goes up.
  it("is found while others rename what they have", function()
    local busy = stage:mkdir("busy")
    stage:write("busy/a", "")
    local renamer <close> = assert(sys.clone({}, function()
      while true do
        os.rename(busy .. "/a", busy .. "/b")
        os.rename(busy .. "/b", busy .. "/a")
      end
    end))
    for _ = 1, 50 do
      assert.equal("/d/e", where(stage:mkdir("stage"), ("d/../"):rep(818) .. "d/e"))
    end
    renamer:signal("KILL")
    renamer:wait()
  end)

  -- As the filters of older container engines answer; immutable files do so too.
  it("is walked where a filter says EPERM to openat2", function()
    without({ EPERM = { "openat2" } }, function()
      assert.equal("/d/e/f", where(stage:mkdir("stage"), "link/top/d/e/round"))
      assert.equal("ELOOP", where(stage:mkdir("stage"), "magic"))
      local event = launch.failure(stage, launch.join(tree(), { dir("/file/x") }))
      assert.equal("ENOTDIR", sys.errname(event[4]))
    end)
  end)

  it("has no NUL, and at most 4095 bytes", function()
    local function encode(path)
      return pcall(require("luactr.core").plan.encode, { dir(path) }, {})
    end
    assert.is_true(encode(("/"):rep(4095)))
    assert.is_false(encode(("/"):rep(4096)))
    assert.is_false(encode("/a\0b"))
    assert.is_false(encode(""))
  end)
end)
