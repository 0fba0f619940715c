-- What others choose and luactr reads: names, users, kernel parameters, files beside a recipe, the
-- directory that its state is in.
local gallery = require("support.gallery")
local lfs = require("lfs")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local function each(list, format)
  local variants = {}
  for i, value in ipairs(list) do
    variants[i] = { label = (("%q"):format(value):gsub("%c", "?")),
      fields = (format:gsub("@", function() return ("%q"):format(value) end)) }
  end
  return variants
end

-- A library whose loading shows.
local EVIL_LIBRARY <const> = [[
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
    static const char text[] = "escaped: a library of the image is loaded\n";
    (void)!write(2, text, sizeof text - 1);
}
]]

local EVIL_LUA <const> = 'io.stderr:write("escaped: a Lua file of the image is run\\n")\n'

local PLANTED_LUA <const> = { "init.lua", "luactr.lua", "luactr/init.lua", "luactr/spec.lua",
  "cjson.lua", "argparse.lua", "luv.lua", "recipe.lua", "luactr/cli/init.lua" }

local PLANTED_LIBRARIES <const> = { "lib/libnss_files.so.2", "lib/x86_64-linux-gnu/libc.so.6",
  "lib64/ld-linux-x86-64.so.2", "lib/libseccomp.so.2", "lib/libcap.so.2", "luactr/core.so",
  "cjson.so", "evil.so" }

local evil -- the compiled library

local function evil_library()
  if not evil then
    local dir <close> = support.tmpdir()
    support.must { "gcc", "-shared", "-o", dir.path .. "/evil.so",
      dir:write("evil.c", EVIL_LIBRARY) }
    evil = support.read(dir.path .. "/evil.so")
  end
  return evil
end

local function plant(dir)
  for _, name in ipairs(PLANTED_LUA) do dir:write("image/" .. name, EVIL_LUA) end
  for _, name in ipairs(PLANTED_LIBRARIES) do dir:write("image/" .. name, evil_library()) end
  dir:write("image/etc/ld.so.preload", "/evil.so\n")
  dir:write("image/etc/nsswitch.conf", "passwd: files\n")
end

-- Somebody who is root on the host.
local function host_passwd(place)
  support.write(place.host .. "/dir/passwd", "somebody:x:0:0:" .. place.canary.secret .. ":/:\n")
end

local function prints_control(_, ran)
  return (ran.stdout .. ran.stderr):find("[\27\r\7]") and "control characters are printed" or nil
end

describe("input #attack", function()
  before_each(world.check)
  after_each(world.check)

  gallery.specs {
    attack = "planted-code", image = plant, start = { cwd = "{image}" }, script = "id",
    variants = {
      { label = "in the image and the working directory" },
      { label = "with an environment that asks for it", fields = [[
        env = { LD_PRELOAD = "/evil.so", LUA_INIT = "@/init.lua", LUA_PATH = "/?.lua",
          LD_LIBRARY_PATH = "/lib", GCONV_PATH = "/", PATH = "/bin" },]], },
      { label = "with programs of the host", fields = [[
        rootfs = ctr.rootfs.host { "id", "sh" }, command = { "sh", "-c", "echo inside; id" },
        mounts = { ctr.bind("{image}", "/image") },]],
        twin = {} },
      { label = "when it fails", fields = 'command = { "/nothing" }, hostname = "x",' },
      { label = "by the user's name", fields = 'user = "root",' },
    },
  }

  gallery.specs {
    attack = "names-as-paths", older = false, twin = { fields = 'name = "good.name",' },
    variants = each({ "../x", "..", ".", "a/b", "/x", "x\0y", "a\nb", "a:b",
      ("x"):rep(300), "-x", "" }, "name = @,"),
  }

  gallery.specs {
    attack = "users-by-number", older = false, script = [[
case $(id -u) in 0) echo "escaped: root by accident";; *) id -u;; esac]],
    twin = { fields = "", script = "id -u" },
    variants = each({ "1:", ":1", "0x1", "-1", "4294967296", "4294967295", " 1", "1 ", "1:1:1",
      "01", "1\n", "root2", "99999999999999999999", "1e1", "+1", "1.0", "" }, "user = @,"),
  }

  local function passwd(label, make)
    return { label = label, image = function(dir, place)
      os.remove(place.image .. "/etc/passwd")
      make(dir, place, place.image .. "/etc/passwd")
    end }
  end

  gallery.specs {
    attack = "accounts-of-the-image", fields = 'user = "somebody:root",', script = "id",
    twin = { image = function(dir)
      dir:write("image/etc/passwd", "somebody:x:7:7::/:/bin/sh\n")
    end },
    variants = {
      passwd("a link to the host", function(_, place, path)
        host_passwd(place)
        assert(sys.symlink(place.host .. "/dir/passwd", path))
      end),
      passwd("a relative link to the host", function(_, place, path)
        host_passwd(place)
        assert(sys.symlink(("../"):rep(20) .. place.host:sub(2) .. "/dir/passwd", path))
      end),
      passwd("a link to a link of procfs", function(_, _, path)
        assert(sys.symlink("/proc/self/root/etc/passwd", path))
      end),
      passwd("endless", function(_, _, path)
        support.must { "truncate", "-s", "1T", path }
      end),
      passwd("a directory", function(_, _, path) assert(lfs.mkdir(path)) end),
      passwd("the terminal", function(_, _, path) assert(sys.symlink("/dev/tty", path)) end),
      passwd("numbers that are too large", function(_, _, path)
        support.write(path, "somebody:x:4294967296:0::/:/bin/sh\n")
      end),
      passwd("lines without an end", function(_, _, path)
        support.write(path, ("somebody:x:"):rep(100000))
      end),
    },
  }

  gallery.specs {
    attack = "sysctl-of-the-host", older = false,
    twin = { fields = 'sysctl = { ["net.ipv4.ip_default_ttl"] = 77 },' },
    variants = each({ "vm.stat_interval", "vm/stat_interval", "net/../vm/stat_interval",
      "net.//.vm.stat_interval", "net..vm.stat_interval", "kernel.hostname/../../vm/stat_interval",
      "net.ipv4.ip_default_ttl\nvm.stat_interval", "net.ipv4.ip_default_ttl=77+vm.stat_interval",
      "/proc/sys/vm/stat_interval", "net.ipv4.%2e%2e.vm.stat_interval",
      "kernel.shm/../vm/stat_interval", "user.max_user_namespaces" }, "sysctl = { [@] = 2 },"),
  }

  gallery.specs {
    attack = "cgroup-files-by-path", older = false, twin = { fields = "" },
    variants = each({ "../cgroup.procs", "/cgroup.procs", "x/../../memory.max", "..", ".", "",
      "memory.max\nmemory.min", "memory.max/", "a\0b" }, 'limits = { unified = { [@] = "1" } },'),
  }

  -- Lists that a length of 16 bits or a page would cut.
  gallery.specs {
    attack = "long-lists", older = false, twin = { fields = "" }, variants = {
      { label = "a map", fields = [[idmap = (function()
        local rows = {}
        for i = 1, 7000 do rows[i] = { 2 * i - 2, 100000 + 2 * i, 1 } end
        return { uid = rows }
      end)(),]] },
      { label = "a map's longest text", fields = [[idmap = (function()
        local rows = {}
        for i = 1, 340 do rows[i] = { 2 * i - 2, 4000000000 + 2 * i, 1 } end
        return { uid = rows }
      end)(),]] },
      { label = "a namespace's path",
        fields = 'namespaces = { network = "/" .. ("x"):rep(70000) },' },
      { label = "a path", fields = 'cwd = "/" .. ("x"):rep(70000),' },
      { label = "a label", fields = 'apparmor = ("x"):rep(70000),' },
      { label = "a parameter", fields = 'sysctl = { ["net." .. ("x"):rep(70000)] = 1 },' },
      { label = "an argument", fields = 'command = { "/bin/busybox", ("x"):rep(140000) },' },
      { label = "mounts", fields = [[mounts = (function()
        local list = {}
        for i = 1, 5000 do list[i] = ctr.dir("/d" .. i) end
        return list
      end)(),]] },
    },
  }

  gallery.specs {
    attack = "devices-by-path", twin = { fields = 'devices = { "/dev/null" },' },
    script = "cat /dev/secret /dev/../{host}/secret {host}/secret /dev/link; ls -l /dev",
    variants = each({ "/dev/..{host}/secret", "/dev/../../../../{host}/secret",
      "/dev/shm/../..{host}/dir", "/dev/fd/0", "/dev/stdin", "/dev", "/dev/." },
      "devices = { @ },"),
  }

  gallery.specs {
    attack = "terminal-escapes", older = false, twin = { fields = "" }, check = prints_control,
    variants = each({ "\27[2J\27]0;title\7", "\r over" }, 'rootfs = "/nowhere" .. @,'),
  }
  gallery.specs {
    attack = "terminal-escapes-of-the-image", older = false, check = prints_control,
    fields = 'command = { "/bin/a\\27[2J\\r" },',
    image = function(_, place)
      assert(sys.symlink("\27[2J/nothing\7", place.image .. "/bin/a\27[2J\r"))
    end,
    twin = { fields = "" },
  }
end)

-- Without a runtime directory of the user's, the state is in /tmp, where anybody can be first.
describe("a state directory in /tmp #attack", function()
  local it = support.it(it, pending, "root", "stranger")
  local VICTIM <const>, ATTACKER <const> = 64998, 64999
  local PATH <const> = "/tmp/luactr-" .. VICTIM
  local place

  before_each(function()
    world.check()
    place = gallery.place(VICTIM)
  end)

  after_each(function()
    place:close()
    support.run { "rm", "-rf", PATH }
    world.check()
  end)

  local function run()
    place.recipe = place.dir:write("recipe.lua", ([[
local ctr = require "luactr"
return ctr.container { name = "victim", rootfs = ctr.rootfs.host { "true" }, command = { "true" } }
]]))
    place.canary:watch()
    local ran = support.run { "env", "-u", "XDG_RUNTIME_DIR", support.luactr_program, place.recipe,
      user = VICTIM }
    return ran, table.concat(place.canary:harm(ran.stdout .. ran.stderr), "\n")
  end

  local function as_attacker(script)
    support.must { "setpriv", "--reuid", ATTACKER, "--regid", ATTACKER,
      "--clear-groups", "sh", "-c", script }
  end

  local cases = {
    ["is a link"] = "ln -s " .. "HOST " .. PATH,
    ["is somebody else's"] = ("mkdir -m 777 %s && mkdir -m 777 %s/containers "
      .. "&& ln -s HOST/dir %s/containers/victim"):format(PATH, PATH, PATH),
    ["has no parent"] = "ln -s HOST/new " .. PATH,
  }
  for what, script in pairs(cases) do
    it("is not trusted when it " .. what, function()
      as_attacker((script:gsub("HOST", place.host)))
      local ran, harm = run()
      assert.equal("", harm)
      assert.equal(125, ran.code)
      assert.matches("cannot be trusted", ran.stderr)
    end)
  end

  -- Leftovers are removed, so whose they are decides what is.
  for _, verb in ipairs { "ps", "gc", "rm", "inspect", "logs", "kill", "stop", "stats", "wait" } do
    it("is not cleaned up by luactr " .. verb .. " when it is somebody else's", function()
      as_attacker(("mkdir -m 777 %s && ln -s %s %s/containers"):format(PATH, place.host, PATH))
      place.canary:watch()
      local words = { "env", "-u", "XDG_RUNTIME_DIR", support.luactr_program, verb, user = VICTIM }
      if verb ~= "ps" and verb ~= "gc" then words[#words + 1] = "dir" end
      local ran = support.run(words)
      assert.equal("", table.concat(place.canary:harm(ran.stdout .. ran.stderr), "\n"))
      if verb ~= "gc" then
        assert.equal(125, ran.code)
        assert.matches("cannot be trusted", ran.stderr)
      end
    end)
  end

  it("is made where nobody was first", function()
    local ran, harm = run()
    assert.same({ 0, "" }, { ran.code, harm }, ran.stderr)
    assert.equal("rwx------", lfs.attributes(PATH, "permissions"))
  end)
end)

-- Who waits for somebody to read from the pipe learns that it was opened; a device of the image
-- would have been opened as well, which can do what cannot be undone.
describe("accounts of an image #attack", function()
  local it = support.it(it, pending, "root", "program:gcc")

  before_each(world.check)
  after_each(world.check)

  it("are not opened where they are no files", function()
    local place <close> = gallery.place()
    local path = place.image .. "/etc/passwd"
    os.remove(path)
    support.must { "mkfifo", path }
    local waiting <close> =
      process.start { "sh", "-c", 'echo waits; exec 3>"$0"; echo opened', path }
    waiting:expect "waits"
    sys.nanosleep(0.1)
    local recipe = place.dir:write("recipe.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = %q, user = "somebody", command = { "/bin/id" }, stdin = "null" }
]]):format(place.image))
    local ran = support.luactr { recipe }
    assert.equal(125, ran.code)
    assert.matches("is a fifo", ran.stderr)
    waiting:pump(0.1)
    assert.equal("waits\n", waiting.stdout)
  end)
end)

describe("what is shipped #attack", function()
  it("loads a recipe as text only", function()
    local dir <close> = support.tmpdir()
    local path = dir:write("recipe.lua", string.dump(load "print 'escaped: bytecode is run'"))
    local ran = support.luactr { path }
    assert.equal(125, ran.code)
    assert.is_nil(ran.stdout:find("escaped"))
  end)

  it("has no set-user-id, set-group-id or capable file", function()
    local dir <close> = support.tmpdir()
    local ran = support.run { "cmake", "--install", support.build, "--prefix", dir.path }
    assert.equal(0, ran.code, ran.stderr)
    assert.equal("", support.run({ "find", dir.path, "-perm", "/6000" }).stdout)
    assert.is_true(#support.run({ "find", dir.path, "-type", "f" }).stdout > 0)
    if support.lacks "program:getcap" then return end
    assert.equal("", support.run({ "getcap", "-r", dir.path }).stdout)
  end)
end)
