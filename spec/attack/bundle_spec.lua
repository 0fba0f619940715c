-- What engines pass on to `luactr oci` of people who are not to be trusted: names, annotations, the
-- working directory, descriptors.
local cjson = require("cjson")
local door = require("support.gallery.door")
local host = require("luactr.oci.host")
local life = require("luactr.oci.life")
local world = require("support.world")

local PLAIN <const> = { label = "nothing hostile", held = "^inside\n/\n$" }

local function with(case, more)
  for key, value in pairs(more) do case[key] = value end
  return case
end

-- ---- names

local NO_NAME <const> = "the container's id: name of letters, digits, dot, dash and underscore"

local function no_id(label, id, refused)
  return { label = label, id = id, refused = refused or NO_NAME }
end

local function of_luactr(name) return { label = "named " .. name, id = name, held = PLAIN.held } end

local IDS <const> = {
  no_id("the directory above", ".."), no_id("the directory", "."), no_id("a path", "a/b"),
  no_id("a path of the host", "../../host"), no_id("nothing", "", "the container's id: is empty"),
  no_id("128 KiB", ("a"):rep(130000), "the container's id: longer than 64 bytes"),
  no_id("a line break", "a\nb"), no_id("an escape", "a\27[31m"), no_id("a bell", "a\7"),
  no_id("no UTF-8", "a\xff"), no_id("a dash in front", "-box"), no_id("an option", "--root"),
  no_id("a letter that only looks like one", "b\u{43e}x"), no_id("a blank", "a b"),
  no_id("a pattern", "b*"), no_id("a format", "%s%n"),
  of_luactr "state.json", of_luactr "oci", of_luactr "lock", of_luactr "containers",
}

local PATHS <const> = { "boxe", "..", "", "boxed/", "../containers/boxed", "BOXED", "boxed\n",
  "box*" }

local VERBS <const> = {
  { "state" }, { "start" }, { "kill" }, { "delete" }, { "pause" }, { "exec", "true" },
}

local function status_of(place, id)
  local ran = door.call(place, { "state", id })
  return ran.code == 0 and cjson.decode(ran.stdout).status or ran.stderr
end

local function other_ids(it, place_of_now)
  it("held: no verb takes a path or a part of an id for one", function()
    local place = place_of_now()
    local _ <close> = door.created(place, "boxed")
    for i, path in ipairs(PATHS) do
      for _, words in ipairs(i <= 2 and VERBS or { VERBS[1] }) do
        os.remove(place.log)
        local ran = door.call(place, { words[1], path, table.unpack(words, 2) })
        door.expect_refused(place, ran, "does not exist")
      end
      assert.equal(0, door.call(place, { "delete", "--force", path }).code)
    end
    assert.equal("created", status_of(place, "boxed"))
  end)

  it("refused: what no command line can say", function()
    local place = place_of_now()
    door.configure(place, "echo inside")
    for _, id in ipairs { "a\0b", ("a"):rep(1 << 20) } do
      local container, err = life.create { id = id, bundle = place.bundle,
        host = host.facts(place.state) }
      assert.is_nil(container)
      assert.matches("the container's id: ", tostring(err), 1, true)
      container, err = life.find(host.facts(place.state), id)
      assert.is_nil(container)
      assert.equal("ENOENT", err.code)
    end
  end)
end

-- ---- annotations

local function annotate(annotations)
  return function(config, place)
    config.annotations = {}
    for name, value in pairs(annotations) do
      config.annotations[name] = type(value) == "string" and value:gsub("{(%l+)}",
        { host = place.host, work = place.work }) or value
    end
  end
end

local function annotated(label, annotations, more)
  return with({ label = label, change = annotate(annotations) }, more)
end

local function property(label, name, value, refused)
  local case = annotated(label, { ["org.systemd.property." .. name] = value },
    { refused = refused, global = { "--systemd-cgroup" } })
  local annotation = case.change
  case.change = function(config, place)
    config.linux.cgroupsPath = "system.slice:luactr:box"
    annotation(config, place)
  end
  return case
end

local SAID <const> = "luactr itself says this one"

local ANNOTATIONS <const> = {
  annotated("a NUL in a name", { ["a\0b"] = "1" },
    { refused = 'annotations["a\\x00b"]: contains a NUL byte' }),
  annotated("a NUL in a value", { a = "1\0" }, { refused = "annotations.a: contains a NUL byte" }),
  annotated("no name", { [""] = "1" }, { refused = 'annotations[""]: is empty' }),
  annotated("a name of 70000 bytes", { [("k"):rep(70000)] = "1" },
    { refused = "longer than 4096 bytes" }),
  annotated("a number", { a = 1 }, { refused = "annotations.a: string expected" }),
  annotated("line breaks and escapes", { ["a\n\27[31mb"] = "1\n\27]0;x\7" }, { held = PLAIN.held }),
  annotated("a value of a megabyte", { a = ("x"):rep(1 << 20) }, { held = PLAIN.held }),
  annotated("those of other runtimes", {
    ["run.oci.hooks.stdout"] = "{host}/owned", ["run.oci.hooks.stderr"] = "{host}/owned",
    ["run.oci.handler"] = "{work}/evil", ["run.oci.systemd.subgroup"] = "../../owned",
    ["run.oci.delegate-cgroup"] = "../../owned", ["run.oci.mount_context_type"] = "x",
    ["run.oci.seccomp.receiver"] = "{host}/socket", ["run.oci.keep_original_groups"] = "1",
    ["io.kubernetes.cri-o.umask"] = "0", ["krun.exec"] = "{work}/evil",
  }, { held = PLAIN.held }),
  annotated("a recipe that nobody allows", { ["luactr.recipe"] = "evil" },
    { refused = 'the annotation luactr.recipe asks for "evil", which is not allowed' }),
  annotated("a recipe by a path", { ["luactr.recipe"] = "../../..{work}/evil" },
    { refused = "which is not allowed" }),
  annotated("systemd's, without systemd", { ["org.systemd.property.PIDs"] = "[uint32 1]" },
    { held = PLAIN.held }),
  property("a scope of others' processes", "PIDs", "[uint32 1]", SAID),
  property("another slice", "Slice", "'init.scope'", SAID),
  property("no delegation", "Delegate", "false", SAID),
  property("a property with a blank", "a b", "1",
    'annotations["org.systemd.property.a b"]: property expected'),
  property("a property as a path", "../x", "1",
    'annotations["org.systemd.property.../x"]: property expected'),
  property("a property that is no value", "X", "1 2", "annotations.org.systemd.property.X: "),
  property("brackets without end", "X", ("["):rep(4000), "annotations.org.systemd.property.X: "),
  property("a property of 70000 bytes", "X", ("1"):rep(70000), "longer than 4096 bytes"),
}

-- ---- the working directory

local OPEN_DIRECTORIES <const> = { "bash", "-c",
  'for i in {10..60}; do eval "exec $i</"; done; exec "$@"', "-" }

local LOOK <const> =
  "echo inside; pwd; cat {host}/secret ../../../../../..{host}/secret secret 2>/dev/null; :"

local function cwd(label, path, more)
  return with({ label = label, needs = { "program:bash" }, before = OPEN_DIRECTORIES,
    change = function(config, place)
      config.process.cwd = path
      config.process.args[4] = LOOK:gsub("{host}", place.host)
    end }, more)
end

local NOT_ABSOLUTE <const> = "process.cwd: absolute path expected"

local CWDS <const> = {
  cwd("relative", "tmp", { refused = NOT_ABSOLUTE }),
  cwd("relative, to above", "../..", { refused = NOT_ABSOLUTE }),
  cwd("empty", "", { refused = NOT_ABSOLUTE }),
  cwd("a NUL", "/tmp\0/x", { refused = "process.cwd: contains a NUL byte" }),
  cwd("a line break", "/tmp\n\27[31m", { refused = "process.cwd: contains a line break" }),
  cwd("5000 bytes", "/" .. ("a"):rep(5000), { refused = "process.cwd: longer than 4095 bytes" }),
  cwd("missing", "/missing/a", { refused = "there is no /missing in the root" }),
  cwd("a file", "/bin/busybox", { refused = "/bin/busybox is not a directory" }),
  cwd("a descriptor", "/proc/self/fd/10", { refused = "directory /proc/self/fd/10; E" }),
  cwd("above a descriptor", "/proc/self/fd/10/../..", { refused = "/proc/self/fd/10/../..; E" }),
  cwd("a link to a descriptor", "/fd10", { refused = "change to the directory /fd10; E" }),
  cwd("a link to where PID 1 is", "/cwd1", { refused = "change to the directory /cwd1; ELOOP" }),
  cwd("a link to the host", "/out", { refused = "change to the directory /out; ENOENT" }),
  cwd("a loop", "/loop", { refused = "change to the directory /loop; ELOOP" }),
  cwd("above the root", "/../../../tmp/..//tmp", { held = "^inside\n/tmp\n$" }),
  cwd("a link to the root", "/top", { held = "^inside\n/\n$" }),
}

local function link_directories(place)
  door.link(place, "/proc/self/fd/10", "fd10")
  door.link(place, "/proc/1/cwd", "cwd1")
  door.link(place, "loop", "loop")
  door.link(place, "/", "top")
  door.link(place, place.host, "out")
end

local function entered_cwds(it, place_of_now)
  it("refused: those of commands that enter", function()
    local place = place_of_now()
    local _ <close> = door.created(place, "boxed")
    assert.equal(0, door.call(place, { "start", "boxed" }).code)
    place.canary:watch()
    local function enter(path)
      return door.call(place, { "exec", "--cwd", path, "boxed", "/bin/busybox", "pwd" },
        { before = OPEN_DIRECTORIES })
    end
    for _, path in ipairs { "/fd10", "/cwd1", "/out", "/proc/self/fd/10", "tmp" } do
      os.remove(place.log)
      local ran = enter(path)
      door.expect_refused(place, ran, path:sub(1, 1) == "/" and path .. "; E" or "cwd: ")
    end
    local ran = enter "/tmp"
    assert.same({ 0, "/tmp\n" }, { ran.code, ran.stdout })
    assert.equal("", table.concat(place.canary:harm(""), "\n"))
  end)
end

-- ---- streams and descriptors

local FDS <const> = "{ echo inside; /bin/attack fds; } > /tmp/said"
local HANDED_ON <const> = "echo inside; i=0; while [ $i -lt 64 ]; do "
  .. "[ -e /proc/$$/fd/$i ] && echo $i; i=$((i + 1)); done"

local function streams(label, how)
  return { label = label, script = FDS, held = "^inside\n$", start = how }
end

local function handed_on(label, count, shell, more)
  return with({ label = label, options = { "--preserve-fds", tostring(count) },
    before = { "bash", "-c", shell .. ' exec "$@"', "-" }, needs = { "program:bash" } }, more)
end

local STREAMS <const> = {
  streams("no stdin", { stdin = "closed" }), streams("no stdout", { stdout = "closed" }),
  streams("no stderr", { stderr = "closed" }),
  streams("none", { stdin = "closed", stdout = "closed", stderr = "closed" }),
  handed_on("fifty directories, none of them handed on", 0, "for i in {3..50}; do "
    .. 'eval "exec $i</"; done;', { script = FDS, held = "^inside\n$" }),
  handed_on("fifty directories behind one that is handed on", 1,
    'exec 3</dev/null; for i in {4..50}; do eval "exec $i</"; done;',
    { script = HANDED_ON, held = "^inside\n0\n1\n2\n3\n$" }),
  handed_on("what luactr itself would open", 1, "exec 3<&-;",
    { refused = "take the fd 3 (--preserve-fds 1); EBADF" }),
  handed_on("a gap", 3, "exec 3</dev/null 4<&- 5</dev/null;",
    { refused = "take the fd 4 (--preserve-fds 3); EBADF" }),
  handed_on("fewer than none", -1, "", { refused = "--preserve-fds: a number from 0 on expected" }),
  handed_on("a million", 1000000, "exec 3</dev/null 4<&-;", { refused = "take the fd 4 (" }),
  handed_on("more than a number", ("9"):rep(40), "", { refused = "a whole number expected" }),
}

local function entered_descriptors(it, place_of_now)
  it("refused: what luactr itself would open, handed to a command that enters", function()
    local place = place_of_now()
    local _ <close> = door.created(place, "boxed")
    assert.equal(0, door.call(place, { "start", "boxed" }).code)
    local function enter(count)
      return door.call(place, { "exec", "--preserve-fds", count, "boxed", "/bin/busybox", "sh",
        "-c", HANDED_ON }, { before = { "bash", "-c", 'exec 3</ 4<&- 5</; exec "$@"', "-" } })
    end
    assert.matches("^inside\n0\n1\n2\n3\n$", enter("1").stdout)
    os.remove(place.log)
    door.expect_refused(place, enter "3", "take the fd 4 (--preserve-fds 3); EBADF")
  end)
end

describe("what luactr oci is told #attack", function()
  setup(world.check)
  teardown(world.check)

  door.specs({ attack = "oci-ids", twin = PLAIN, cases = IDS }, other_ids)

  door.specs {
    attack = "oci-annotations", cases = ANNOTATIONS,
    twin = annotated("plain ones", { name = "value" }, { held = PLAIN.held }),
    prepare = function(place)
      local text = ('io.open("%s/owned", "w"):close()'):format(place.host)
      place.dir:write("evil.lua", text)
      place.dir:write("evil", "#!/bin/sh\n: > " .. place.host .. "/owned\n", "755")
    end,
  }

  door.specs({
    attack = "oci-cwd", cases = CWDS, prepare = link_directories,
    twin = cwd("plain", "/tmp", { held = "^inside\n/tmp\n$" }),
  }, entered_cwds)

  door.specs({
    attack = "oci-streams", cases = STREAMS,
    twin = handed_on("one descriptor", 1, "exec 3</dev/null;",
      { script = HANDED_ON, held = "^inside\n0\n1\n2\n3\n$" }),
  }, entered_descriptors)
end)
