-- Images that are built: by functions of recipes, and by Dockerfiles.

local build = require("luactr.image.build").build
local ctr = require("luactr")
local store = require("luactr.image.store")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local EPOCH <const> = 1700000000

local it = support.it(it, pending, "root")

describe("ctr.image.build #system", function()
  local dir, notes, shared

  -- A root with a shell, and a store that has it: for all of them.
  setup(function()
    shared = support.tmpdir()
    shared:mkdir("root/bin")
    support.copy("/bin/busybox", shared.path .. "/root/bin/sh")
    shared:write("root/etc/passwd", "root:x:0:0::/:/bin/sh\napp:x:7:8::/:/bin/sh\n")
    shared:write("root/etc/group", "staff:x:9:\n")
  end)

  -- The kernel closes work directories to the owner, too.
  local function remove_all(path) assert(require("luactr.files.remove").name(path)) end

  teardown(function() remove_all(shared.path) end)

  local function at(name) return dir.path .. "/" .. name end

  -- What a build tells, as a list.
  local function listener()
    notes = {}
    local nothing = function() end
    return { note = function(_, text) notes[#notes + 1] = text end, start = nothing,
      add = nothing, done = nothing, close = nothing }
  end

  local function count_notes(text)
    local count = 0
    for _, note in ipairs(notes) do count = count + (note:find(text, 1, true) and 1 or 0) end
    return count
  end

  before_each(function()
    world.check()
    dir = support.tmpdir()
    dir:mkdir("context")
  end)

  after_each(function()
    remove_all(dir.path)
    world.check()
  end)

  local function options_of(options)
    options.store = options.store or shared.path .. "/store"
    options.progress, options.quiet = options.progress or listener(), true
    options.compression = options.compression or "none"
    options.context = options.context or at "context"
    return options
  end

  --- Build with a root that has a shell, and return what was made.
  local function made(options)
    options.from = options.from or ctr.rootfs.dir(shared.path .. "/root")
    local built, err = build(options_of(options))
    return assert(built, tostring(err))
  end

  local function trees_of(built)
    local trees, count = {}, #built.layers
    for i, layer in ipairs(built.layers) do
      trees[count - i + 1] = assert(built.store:layer(layer[2]))
    end
    return trees
  end

  --- The result of a command in what was built.
  local function output(built, script)
    local result = assert(ctr.run { rootfs = ctr.rootfs.overlay { lower = trees_of(built) },
      command = { "/bin/sh", "-c", script }, stdin = "null", stdout = "capture",
      stderr = "stdout" })
    return result.stdout
  end

  -- The same without a container, where its files are all there is to see.
  local function text(built, ...)
    local view <close> = assert(require("luactr.image.build.view").open(trees_of(built)))
    local list = {}
    for i, path in ipairs { ... } do
      list[i] = assert(view:read(path), path)
    end
    return table.concat(list)
  end

  local function names(built, path)
    local view <close> = assert(require("luactr.image.build.view").open(trees_of(built)))
    local list = view:names(path)
    table.sort(list)
    return table.concat(list, " ")
  end

  -- Owner, group and mode.
  local function owned(built, path)
    local view <close> = assert(require("luactr.image.build.view").open(trees_of(built)))
    local stat = assert(view:find(view:resolve(path, true)), path)
    return ("%d %d %o"):format(stat.uid, stat.gid, stat.mode), stat.nlink
  end

  local function failure(options)
    options.from = options.from or not options.file
      and ctr.rootfs.dir(shared.path .. "/root") or nil
    local built, err = build(options_of(options))
    assert.is_nil(built)
    return err
  end

  --- Names of images and what is being made.
  local function leftovers()
    local here <close> = assert(store.open { root = at "store" })
    return { #assert(here:list()), #assert(sys.readdir(at "store/tmp")) }
  end

  it("makes an image of copied files and commands", function()
    dir:write("context/a/one", "1")
    dir:write("context/a/two", "2")
    dir:write("context/run.sh", "exec cat /srv/one", "0755")
    local built <close> = made { tag = "app:1", args = { V = 3 }, function(b)
      b:workdir("/srv"):copy("a", "."):copy({ "*.sh" }, "/opt/")
      b:env { MODE = "x" }:run("echo $V$MODE $(pwd) >out; rm two")
      b:user("app:staff"):run { "/bin/sh", "-c", "id -u; echo hi >/tmp/$(id -g)", cwd = "/" ,
        mounts = { ctr.tmpfs "/tmp" } }
      b:entrypoint { "/opt/run.sh" }:cmd { "x" }:expose(80, "53/udp"):volume "/data"
      b:label { a = "b" }:stop_signal "usr1"
    end }
    assert.equal("3x /srv\n1one out\n", output(built,
      "cat /srv/out; cat /srv/one; echo $(ls /srv)"))
    assert.same({
      Env = { "MODE=x" }, User = "app:staff", WorkingDir = "/srv", Entrypoint = { "/opt/run.sh" },
      Cmd = { "x" }, ExposedPorts = { ["80/tcp"] = {}, ["53/udp"] = {} },
      Volumes = { ["/data"] = {} }, Labels = { a = "b" }, StopSignal = "SIGUSR1",
    }, built.image.config.config)
    local here <close> = assert(store.open { root = shared.path .. "/store" })
    assert.equal(built.digest, assert(here:find("app:1")).digest)
  end)

  it("copies from an earlier stage, with its owners", function()
    local first <close> = made { function(b)
      b:run "mkdir /out; echo 1 >/out/x; chown 3:4 /out/x; ln -s out/x /link"
    end }
    local second <close> = made { from = "scratch", function(b)
      b:copy("bin", "/bin", { from = first }):copy("link", "/x", { from = first })
      b:copy("out/x", "/y", { from = first, owner = "5", mode = "0600" })
    end }
    assert.equal("3 4 644", (owned(second, "/x")))
    assert.equal("5 5 600", (owned(second, "/y")))
  end)

  it("gives the same digest for the same input", function()
    local digests = {}
    for i = 1, 2 do
      if i > 1 then
        remove_all(at "context")
        remove_all(at "store")
      end
      dir:write("context/b", "text")
      dir:write("context/sub/a", "text")
      local function steps(b)
        b:copy(".", "/c/"):run("echo x >/made; mkdir /new; rm /etc/group"):workdir("/w/d")
        b:label { b = "1", a = "2" }
      end
      local built <close> = made { tag = "x", epoch = EPOCH, compression = "gzip",
        store = at "store", steps }
      digests[i] = built.digest
      assert.equal("2023-11-14T22:13:20Z", built.image.created)
    end
    assert.equal(digests[1], digests[2])
  end)

  it("takes from the cache what does not depend on a change", function()
    local function run()
      local built <close> = made { tag = "x", store = at "store", function(b)
        b:run("echo 1 >/one"):copy("file", "/file"):run("cat /file >/copy")
      end }
      return count_notes("as before"), built.digest
    end
    dir:write("context/file", "a")
    local none, first = run()
    dir:write("context/file", "a") -- with another time
    local all, second = run()
    dir:write("context/file", "b")
    local some, third = run()
    assert.same({ 0, 4, 2 }, { none, all, some })
    assert.equal(first, second)
    assert.not_equal(first, third)
  end)

  it("makes layers anew that are gone", function()
    local function run()
      local built <close> = made { store = at "store", function(b) b:run "echo 1 >/one" end }
      return text(built, "/one")
    end
    run()
    local here <close> = assert(store.open { root = at "store", write = true })
    assert(here:gc())
    here:close()
    assert.equal("1\n", run())
    assert.equal(0, count_notes("as before"))
  end)

  describe("of a step that fails", function()
    it("tells the step, its line and the status, and leaves nothing", function()
      local line = debug.getinfo(1, "l").currentline + 2
      local err = failure { tag = "x", store = at "store", function(b)
        b:run "echo out; exit 3"
      end }
      assert.matches('cannot build "x".*step 2: RUN echo out; exit 3.*ended with status 3'
        .. ".*image_build_spec.lua:" .. line, tostring(err))
      assert.equal("out\n", err.output)
      assert.matches("network", err.remedy)
      assert.same({ 0, 0 }, leftovers())
    end)

    it("says which signal or limit it was", function()
      local err = failure { function(b) b:run "kill -KILL $$" end }
      assert.matches("ended by signal 9", err.cause)
    end)

    it("passes on what the recipe itself raises", function()
      local err = failure { tag = "x", store = at "store", function() error("no luck") end }
      assert.matches("no luck", err.message)
      assert.same({ 0, 0 }, leftovers())
    end)

    it("tells what of its command is wrong", function()
      local err = failure { function(b)
        b:run { "/bin/sh", usr = "x", limits = { memory = -1 } }
      end }
      assert.matches("step 2: RUN /bin/sh\n.*limits.memory: .*usr: .*did you mean user",
        tostring(err))
      err = failure { function(b) b:run { "/bin/sh", rootfs = "/" } end }
      assert.matches("rootfs is not for a step to say", err.message)
    end)

    it("names the line of what is no copy", function()
      local line = debug.getinfo(1, "l").currentline
      for i, steps in ipairs {
        function(b) b:copy "context" end,
        function(b) b:copy("context", "/x", { ownr = "1" }) end,
        function(b) b:add({}, "/x") end,
      } do
        assert.matches("_spec.lua:" .. line + 1 + i .. ": b:", failure({ steps }).message, 1, true)
      end
    end)

    it("tells of a program that is not there", function()
      local err = failure { function(b) b:run { "/no/such" } end }
      assert.same({ "ENOENT", 2 }, { err.code, err.step })
      assert.matches("^exec /no/such", err.cause)
    end)
  end)

  describe("isolates its commands:", function()
    it("no network, no capabilities beyond the default, a host name of their own", function()
      local built <close> = made { function(b)
        b:run "echo $(ls /sys/class/net) $(hostname) >/x; mount -t tmpfs x /bin || echo no >>/x"
        :run { "/bin/sh", "-c", "ls /sys/class/net | wc -l >/y", network = "host" }
      end }
      assert.equal("lo build\nno\n", text(built, "/x"))
    end)

    it("nothing of what is mounted for them is in the layer", function()
      local built <close> = made { function(b)
        b:run { "/bin/sh", "-c", "echo >/x", mounts = { ctr.tmpfs "/mnt/y" }, network = "host" }
      end }
      assert.equal("bin etc mnt x", names(built, ""))
      assert.equal("group passwd", names(built, "etc"))
    end)
  end)

  describe("copies", function()
    local function cause(sources, target, options)
      local err = failure { function(b) b:copy(sources, target, options) end }
      return err.cause
    end

    it("nothing from outside of its directory", function()
      dir:write("secret", "s")
      sys.symlink(at "secret", at "context/absolute")
      sys.symlink("../secret", at "context/relative")
      sys.symlink("..", at "context/up")
      assert.matches("no such file in the build's directory", cause("absolute", "/x"))
      assert.matches("no such file in the build's directory", cause("relative", "/x"))
      assert.matches("no such file in the build's directory", cause("up/secret", "/x"))
      assert.matches("leads out of the build's directory", cause("../secret", "/x"))
      assert.matches("no such file in the build's directory", cause("/etc/passwd", "/x"))
    end)

    it("nothing of a file outside into its errors, either", function()
      dir:write("secret", "topsecret[\n")
      sys.symlink(at "secret", at "context/Dockerfile")
      sys.symlink(at "secret", at "context/.dockerignore")
      assert.matches("no Dockerfile", failure({ file = true }).message)
      local built <close> = made { function(b) b:copy(".", "/x") end }
      assert.equal(".dockerignore Dockerfile", names(built, "x"))
    end)

    it("nothing to where links of the image lead outside", function()
      dir:mkdir("outside")
      dir:mkdir("root")
      sys.symlink(at "outside", at "root/absolute")
      sys.symlink("../../../../../../../../.." .. at "outside", at "root/relative")
      dir:write("context/x/file", "text")
      local built <close> = made { from = ctr.rootfs.dir(at "root"), function(b)
        b:copy("x", "/absolute/a"):copy("x/file", "/relative/file"):copy("x", "/relative/")
      end }
      assert.same({}, sys.readdir(at "outside"))
      assert.equal("text", text(built, at "outside" .. "/a/file"))
    end)

    it("into directories that are links, and leaves directories as they are", function()
      dir:mkdir("root/usr/lib")
      assert(sys.chmod(at "root/usr", "1777"))
      sys.symlink("usr/lib", at "root/lib")
      dir:write("context/tree/lib/x", "1")
      assert(sys.chmod(at "context/tree/lib", "0700"))
      local built <close> = made { from = ctr.rootfs.dir(at "root"), function(b)
        b:copy("tree", "/")
      end }
      assert.equal("lib usr", names(built, ""))
      assert.equal("11", text(built, "/usr/lib/x", "/lib/x"))
      assert.equal("0 0 1777", (owned(built, "/usr")))
      assert.equal("0 0 755", (owned(built, "/usr/lib")))
    end)

    it("not what is ignored", function()
      dir:write("context/.dockerignore", "*.log\nsecret\n!keep.log\n")
      for _, name in ipairs { "a.log", "keep.log", "secret/x", "plain" } do
        dir:write("context/" .. name, name)
      end
      local built <close> = made { function(b) b:copy(".", "/c") end }
      assert.equal(".dockerignore keep.log plain", names(built, "c"))
      assert.matches("it is left out: .*%.dockerignore:2 says so", cause("secret", "/x"))
      assert.matches("fits the pattern", cause("a.*", "/x"))
    end)

    it("with owners by name, modes, and hard links", function()
      dir:write("context/d/a", "1")
      sys.link(at "context/d/a", at "context/d/b")
      local built <close> = made { function(b)
        b:copy("d", "/d", { owner = "app:staff", mode = "0640" }):file("/f", "text\n")
      end }
      for _, path in ipairs { "/d/a", "/d/b" } do
        assert.same({ "7 9 640", 2 }, { owned(built, path) })
      end
      assert.equal("text\n", text(built, "/f"))
      assert.matches('no user "ap"', failure { function(b)
        b:copy("d", "/x", { owner = "ap" })
      end }.cause)
    end)

    it("and says what is in the way", function()
      dir:write("context/a", "1")
      dir:write("context/b", "1")
      dir:mkdir("context/c/etc/passwd")
      assert.matches("several files go into a directory", cause({ "a", "b" }, "/x"))
      assert.matches("did you mean a%?", cause("aa", "/x"))
      assert.matches("there is a file", cause("c", "/"))
      assert.matches("there is a file", cause("a", "/etc/passwd/x"))
    end)

    it("no archive to outside, whatever its names and links say", function()
      dir:mkdir("outside")
      local function archive(name, entries)
        local file <close> = assert(sys.open(at("context/" .. name), sys.O_RDWR | sys.O_CREAT))
        local writer <close> = assert(require("luactr.files.archive").writer(file))
        for _, entry in ipairs(entries) do
          entry.mode, entry.uid, entry.gid, entry.mtime = entry.mode or 511, 0, 0, 0
          assert(writer:put(entry))
        end
        assert(writer:finish())
      end
      archive("links.tar", {
        { path = "way", type = "symlink", link = at "outside" },
        { path = "way/planted", type = "fifo" },
        { path = "up", type = "symlink", link = ("../"):rep(20) .. at("outside"):sub(2) },
        { path = "up/planted", type = "fifo" }, { path = "/absolute", type = "fifo" },
      })
      archive("dots.tar", { { path = "a/../../../planted", type = "fifo" } })
      archive("hard.tar", { { path = "x", type = "link", link = "/etc/passwd" } })
      local built <close> = made { function(b) b:add("links.tar", "/t/") end }
      assert.same({}, sys.readdir(at "outside"))
      assert.equal("absolute up way planted\n", output(built,
        "echo $(ls /t) $(ls " .. at "outside" .. ")"))
      for _, name in ipairs { "dots.tar", "hard.tar" } do
        local err = failure { function(b) b:add(name, "/t/") end }
        assert.equal(2, err.step)
      end
    end)

    it("archives with add, as directories", function()
      dir:write("t/sub/x", "1")
      sys.link(at "t/sub/x", at "t/y")
      support.must { "tar", "-C", at "t", "--owner=5", "-czf", at "context/a.tgz", "sub", "y" }
      dir:write("context/plain.gz", "\x1f\x8b no archive")
      local built <close> = made { function(b)
        b:add({ "a.tgz", "plain.gz" }, "/x/"):copy("a.tgz", "/x/")
      end }
      assert.equal("a.tgz plain.gz sub y", names(built, "x"))
      assert.equal("1", text(built, "/x/y"))
      assert.matches("^5 ", (owned(built, "/x/sub/x")))
    end)
  end)

  it("begins with programs of the host", function()
    local built <close> = made { from = ctr.rootfs.host { "sh" }, function(b)
      b:run("echo x >/x")
    end }
    assert.equal("x\n", output(built, "read a </x; echo $a"))
  end)

  it("refuses what it does not know", function()
    for wanted, options in pairs {
      ["did you mean context%?"] = { contxt = ".", from = "scratch", print },
      ["a function"] = { from = "scratch" },
      ["an image's name"] = { from = 7, print },
      ["its own steps"] = { file = true, from = "scratch" },
      ["epoch"] = { from = "scratch", epoch = "x", print },
    } do
      assert.has_error(function() build(options) end)
      assert.matches(wanted, select(2, pcall(build, options)))
    end
    assert.matches("no name for an image", failure { tag = "No Name", print }.cause)
    assert.matches("no image \"nothing:latest\".*luactr image pull",
      tostring(failure { from = "nothing", print }))
  end)

  describe("of a Dockerfile", function()
    local function dockerfile(lines) dir:write("context/Dockerfile", lines) end

    local BASE <const> = "FROM scratch AS base\nCOPY sh /bin/sh\n"

    before_each(function()
      assert(sys.link(shared.path .. "/root/bin/sh", at "context/sh"))
    end)

    local function from_file(options)
      options.file, options.tag = options.file or true, options.tag or "d:1"
      local built, err = build(options_of(options))
      return assert(built, tostring(err))
    end

    it("carries out its instructions", function()
      dockerfile("ARG NAME=base\n" .. BASE .. [[
FROM $NAME AS made
ARG V=1
ENV A="a $V" \
    B=b
WORKDIR /w
RUN <<EOF
echo $A$B >out
EOF
RUN cat <<'X' >>out
$A
X
COPY --chmod=0600 <<one <<"two" /files/
${B:-c}
one
$B
two
FROM base AS unused
RUN exit 1
FROM base
COPY --from=made /w/out /files /all/
SHELL ["/bin/sh", "-e", "-c"]
CMD cat /all/out
LABEL a=b "c d"='e f'
EXPOSE 80 90-91/udp
VOLUME ["/a b"]
STOPSIGNAL 15
USER 1:2
]])
      local built <close> = from_file { args = { V = "2" } }
      assert.equal("a 2b\n$A\nb\n$B\n", text(built, "/all/out", "/all/one", "/all/two"))
      assert.same({
        Cmd = { "/bin/sh", "-e", "-c", "cat /all/out" }, Labels = { a = "b", ["c d"] = "e f" },
        ExposedPorts = { ["80/tcp"] = {}, ["90/udp"] = {}, ["91/udp"] = {} },
        Volumes = { ["/a b"] = {} }, StopSignal = "15", User = "1:2",
        Shell = { "/bin/sh", "-e", "-c" },
      }, built.image.config.config)
      assert.equal("CMD cat /all/out", built.image.config.history[4].created_by)
    end)

    it("builds the stage that is asked for", function()
      dockerfile(BASE .. "FROM base AS a\nLABEL x=a\nFROM base\nLABEL x=b\n")
      local built <close> = from_file { target = "a" }
      assert.same({ x = "a" }, built.image.config.config.Labels)
      local err = failure { file = true, target = "bas" }
      assert.matches("did you mean base%?", err.message)
    end)

    it("runs scripts by who their first line names", function()
      dockerfile(BASE .. "RUN <<EOF\n#!/bin/sh -e\necho $0 $- >/x\nEOF\n")
      local built <close> = from_file {}
      assert.equal("/dev/luactr-script e\n", text(built, "/x"))
    end)

    it("names the line of what fails", function()
      for _, case in ipairs {
        { "RUN exit 7", "Dockerfile:3", "status 7" },
        { "COPY shh /", "Dockerfile:3", "did you mean sh%?" },
        { "EXPOSE 99999", "Dockerfile:3", "no port" },
        { "STOPSIGNAL FOO", "Dockerfile:3", "unknown signal FOO" },
        { "USER ${x:?is needed}", "Dockerfile:3", "x: is needed" },
        { "COPY --from=nothing a b", "Dockerfile:3", "no image" },
        { "ADD http://x/y /", "Dockerfile:3", "not supported" },
        { "RNU x", "Dockerfile:3", "did you mean RUN" },
      } do
        dockerfile(BASE .. case[1])
        local err = tostring(failure { file = true, tag = "x" })
        assert.matches(case[2], err)
        assert.matches(case[3], err)
      end
    end)

    it("runs commands of users by number with their groups", function()
      dir:write("context/passwd", "app:x:7:8::/:/bin/sh\n")
      dir:mkdir("context/t")
      dockerfile(BASE .. "COPY passwd /etc/\nCOPY --chmod=0777 t /t\nUSER 7\nRUN id -g >/t/a\n"
        .. "USER 9\nRUN id -g >/t/b\nUSER 9:3\nRUN id -g >/t/c\n")
      local built <close> = from_file {}
      assert.equal("8\n0\n3\n", text(built, "/t/a", "/t/b", "/t/c"))
    end)

    it("has a search path to add to, and makes the directory that an image names", function()
      dockerfile(BASE .. "ENV PATH=$PATH:/opt\nRUN echo $PATH >/x\n")
      local built <close> = from_file { }
      assert.equal("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt\n",
        text(built, "/x"))
      built.config.config.WorkingDir = "/not/there"
      local second <close> = made { from = built, function(b) b:run "pwd >/y" end }
      assert.equal("/not/there\n", text(second, "/y"))
    end)
  end)
end)
