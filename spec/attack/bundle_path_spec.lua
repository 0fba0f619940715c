-- Paths that engines pass on to `luactr oci`: the root, what is mounted and where, terminals, files
-- that luactr writes, the state directory; and one id for several.
local door = require("support.gallery.door")
local lfs = require("lfs")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local PLAIN <const> = { label = "nothing hostile", held = "^inside\n/\n$" }

local function with(case, more)
  for key, value in pairs(more or {}) do case[key] = value end
  return case
end

-- ---- the root

local function root(label, path, more)
  return with({ label = label, change = function(config, place)
    config.root.path = path:gsub("{(%l+)}", { image = place.image, work = place.work })
  end }, more)
end

local ROOTS <const> = {
  root("empty", "", { refused = "root.path: is empty" }),
  root("a NUL", "image\0/..", { refused = "root.path: contains a NUL byte" }),
  root("missing", "nowhere", { refused = "/nowhere as the root; ENOENT" }),
  root("a file", "{image}/bin/busybox", { refused = "is a file, not a directory" }),
  root("a descriptor", "/proc/self/fd/3", { refused = "take /proc/self/fd/3 as the root; E" }),
  root("a loop", "loop", { refused = "ELOOP" }),
  root("a link in the bundle", "root", { held = PLAIN.held }),
  root("outside of the bundle, relative", "../bundle/../image", { held = PLAIN.held }),
}

-- ---- what is mounted below links of the image

local function target(label, change, refused)
  return { label = label, change = change, refused = refused,
    held = not refused and "^inside\n/\n$" or nil }
end

local function mount(label, path, kind, options, refused)
  return target(label, function(config, place)
    table.insert(config.mounts, { destination = path, type = kind, options = options,
      source = kind == "bind" and place.image .. "/etc" or kind })
  end, refused)
end

local TARGETS <const> = {
  mount("a bind", "/out/x", "bind", { "rbind" }, "/out/x; ENOTDIR"),
  mount("a bind on the link", "/out", "bind", { "bind" }, "on /out; ENOTDIR"),
  mount("procfs", "/out/x", "proc", {}, "/out/x; ENOTDIR"),
  mount("a tmpfs with a copy", "/out", "tmpfs", { "tmpcopyup" }, "copy what is there; ENOTDIR"),
  mount("message queues", "/out", "mqueue", {}, "/out; ENOTDIR"),
  mount("terminals", "/out", "devpts", { "newinstance" }, "/out (newinstance); ENOTDIR"),
  mount("cgroups", "/out", "cgroup", { "ro" }, "ENOTDIR"),
  target("a device", function(config)
    config.linux.devices = { { path = "/out/null", type = "c", major = 1, minor = 3 } }
  end, "ENOTDIR"),
  target("a mask", function(config) config.linux.maskedPaths = { "/out/secret", "/out/dir" } end),
  target("a read-only path", function(config) config.linux.readonlyPaths = { "/out/dir" } end),
}

-- ---- terminals

local function devpts(config)
  table.insert(config.mounts, { destination = "/dev/pts", type = "devpts", source = "devpts",
    options = { "newinstance", "ptmxmode=0666", "mode=0620" } })
end

local function on_terminal(config)
  config.process.terminal = true
  devpts(config)
end

local function console(label, path, refused)
  return { label = label, options = { "--detach", "--console-socket", path }, refused = refused }
end

local CONSOLES <const> = {
  console("a file", "{work}/text", "/text; ECONNREFUSED"),
  console("a link to a file", "{work}/link", "/link; ECONNREFUSED"),
  console("a directory", "{work}", "; ECONNREFUSED"),
  console("missing", "{work}/nowhere", "/nowhere; ENOENT"),
  console("too long for a socket", "{work}/" .. ("a"):rep(200), "ENAMETOOLONG"),
  { label = "nobody's", options = { "--detach" },
    refused = "process.terminal needs --console-socket" },
}

-- Binds a socket of that kind, and accepts nobody.
local NEVER <const> = [[
import socket, sys
server = socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[2]))
server.bind(sys.argv[1])
if sys.argv[2] == "SOCK_STREAM": server.listen(8)
print("ready", flush=True)
sys.stdin.read()]]

local function listener(place, name, kind)
  local listening = process.start { "python3", "-c", NEVER, place.work .. "/" .. name, kind }
  listening:expect "ready"
  return listening
end

-- What the image has at the places of terminals.
local function planted(path, where, refused)
  return function(place)
    door.link(place, place.host .. where, path)
    door.configure(place, "echo inside", on_terminal)
    os.remove(place.log)
    place.canary:watch()
    local run <close> = process.start { support.build .. "/luactr-oci", "--root", place.state,
      "--log", place.log, "run", "--bundle", place.bundle, "box", tty = true }
    local code = run:wait().code
    os.remove(place.image .. "/" .. path)
    assert.equal("", table.concat(place.canary:harm(run.stdout), "\n"))
    assert.equal("", door.left(place))
    if refused then
      assert.matches(refused, run.stdout, 1, true)
      return assert.are_not.equal(0, code)
    end
    assert.equal(0, code, run.stdout)
    assert.matches("inside", run.stdout, 1, true)
  end
end

local PLANTED <const> = {
  ["refused: the image's console is a link to the host"] =
    planted("dev/console", "/new", "/dev/console of the root is a link that leads nowhere"),
  ["refused: its directory of terminals is"] =
    planted("dev/pts", "/dir", "mount devpts on /dev/pts"),
  ["refused: what makes terminals is"] = planted("dev/ptmx", "/ptmx", "the link /dev/ptmx"),
  ["held: nothing is there"] = planted("tmp/unused", "/new"),
}

local function more_consoles(it, place_of_now)
  it("held: somebody who never accepts", function()
    support.needs("program:python3")
    local place = place_of_now()
    local listening <close> = listener(place, "never", "SOCK_STREAM")
    door.configure(place, "exec /bin/sleep 1000", on_terminal)
    local ran = door.call(place, { "create", "--bundle", place.bundle, "--console-socket",
      "{work}/never", "box" })
    assert.same({ 0, "" }, { ran.code, ran.stderr })
    assert.equal(0, door.call(place, { "delete", "--force", "box" }).code)
    assert.equal("", door.left(place))
    listening:end_input()
  end)

  it("refused: a socket of another kind", function()
    support.needs("program:python3")
    local place = place_of_now()
    local listening <close> = listener(place, "datagram", "SOCK_DGRAM")
    door.configure(place, "exec /bin/sleep 1000", on_terminal)
    os.remove(place.log)
    door.expect_refused(place, door.call(place, { "create", "--bundle", place.bundle,
      "--console-socket", "{work}/datagram", "box" }), "/datagram; EPROTOTYPE")
    assert.equal("", door.left(place))
    listening:end_input()
  end)

  for what, try in pairs(PLANTED) do
    it(what, function() try(place_of_now()) end)
  end
end

-- ---- files that luactr writes

local function is_a_link(path)
  return lfs.symlinkattributes(path, "mode") == "link" and path .. " is a link still" or nil
end

-- The link itself is what is replaced; what it led to is the canary's.
local function pid_file(label, text, more)
  return with({ label = label, held = PLAIN.held, options = { "--pid-file", "{work}/pid" },
    prepare = function(place)
      os.remove(place.work .. "/pid")
      assert(sys.symlink((text:gsub("{host}", place.host)), place.work .. "/pid"))
    end,
    check = function(place) return is_a_link(place.work .. "/pid") end }, more)
end

local FILES <const> = {
  pid_file("a pid file that is a link to a file", "{host}/secret"),
  pid_file("a pid file that is a link to nothing", "{host}/new"),
  { label = "a pid file that is a directory", options = { "--pid-file", "{work}/bundle" },
    verb = "create", refused = "EISDIR" },
  { label = "a pid file in no directory", options = { "--pid-file", "{work}/no/pid" },
    verb = "create", refused = "/no/.pid." },
}

-- ---- the state directory

local function foreign(label, prepare)
  return { label = label, prepare = function(place)
    support.must { "rm", "-rf", place.work .. "/foreign" }
    prepare(place.work .. "/foreign", place)
  end, global = { "--root", "{work}/foreign" }, refused = "/foreign cannot be trusted; EPERM" }
end

local STATES <const> = {
  foreign("somebody else's", function(path)
    assert(lfs.mkdir(path))
    assert(sys.chown(path, support.stranger, support.stranger))
  end),
  foreign("open to all", function(path)
    assert(lfs.mkdir(path))
    assert(sys.chmod(path, "0777"))
  end),
  foreign("a link", function(path, place) assert(sys.symlink(place.host .. "/dir", path)) end),
  foreign("a file", function(path) support.write(path, "") end),
}

local function other_states(it, place_of_now)
  it("refused: somebody else's, by every verb", function()
    local place = place_of_now()
    local path = place.work .. "/foreign"
    support.must { "rm", "-rf", path }
    assert(lfs.mkdir(path))
    assert(sys.symlink(place.host, path .. "/containers"))
    assert(sys.chown(path, support.stranger, support.stranger))
    place.canary:watch()
    for _, verb in ipairs { "list", "state", "start", "kill", "delete", "exec" } do
      os.remove(place.log)
      local words = { verb, verb ~= "list" and "dir" or nil, verb == "exec" and "true" or nil }
      door.expect_refused(place, door.call(place, words, { global = { "--root", path } }),
        "/foreign cannot be trusted; EPERM")
    end
    assert.equal("", table.concat(place.canary:harm(""), "\n"))
  end)
end

-- ---- one id for several

local RIVALS <const> = 6

-- Each creates it, and tells its status.
local TOGETHER <const> = [[
count=$1
shift
for ((i = 0; i < count; i++)); do
  { "$@" 2>/dev/null; echo "status $?"; } &
done
wait]]

describe("a path that luactr oci is told #attack", function()
  local it = support.it(it, pending, "root", "program:gcc")

  setup(world.check)
  teardown(world.check)

  door.specs {
    attack = "oci-root", twin = PLAIN, cases = ROOTS, prepare = function(place)
      assert(sys.symlink("loop", place.bundle .. "/loop"))
      assert(sys.symlink("../image", place.bundle .. "/root"))
    end,
  }

  door.specs {
    attack = "oci-targets", cases = TARGETS,
    twin = mount("a directory", "/run/x", "bind", { "rbind" }),
    prepare = function(place) door.link(place, place.host, "out") end,
  }

  door.specs({
    attack = "oci-consoles", cases = CONSOLES, change = on_terminal,
    twin = { label = "no terminal", change = function(config) config.process.terminal = false end,
      held = PLAIN.held },
    prepare = function(place)
      place.dir:write("text", "")
      assert(sys.symlink("text", place.work .. "/link"))
      place.dir:mkdir "image/dev/pts"
    end,
  }, more_consoles)

  door.specs {
    attack = "oci-files", cases = FILES,
    twin = { label = "a new one", options = { "--pid-file", "{work}/new" }, held = PLAIN.held },
  }

  door.specs({
    attack = "oci-state", cases = STATES,
    twin = { label = "its own", global = { "--root", "{work}/own" }, held = PLAIN.held },
  }, other_states)

  -- Whoever is second learns that, and takes nothing from the first.
  it("is one container's, however many are made at once", function()
    local place <close> = door.place()
    door.configure(place, "exec /bin/sleep 1000")
    local ran = support.run { "bash", "-c", TOGETHER, "-", RIVALS, support.build .. "/luactr-oci",
      "--root", place.state, "--log", place.log, "--log-format", "json", "create", "--bundle",
      place.bundle, "box" }
    local told = door.told(place)
    assert.equal(0, door.call(place, { "delete", "--force", "box" }).code)
    local _, created = ran.stdout:gsub("status 0\n", "")
    local _, refused = told:gsub('container "box" already exists', "")
    assert.same({ 1, RIVALS - 1 }, { created, refused }, told)
    assert.equal("", door.left(place))
  end)
end)

