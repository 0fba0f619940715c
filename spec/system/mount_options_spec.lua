-- Options of mounts in real containers: each by its effect.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

-- Begins a program that has mounts of its own: a tmpfs at DIR/t, in it another at DIR/t/sub, and
-- `run(mount, script, fields)`, which prints what a container with the mount says.
local PRELUDE <const> = [[
local ctr, sys = require "luactr", require("luactr").sys
local DIR <const> = %q
assert(sys.unshare("newns"))
assert(sys.mount("none", "/", nil, { "rec", "private" }))
sys.mkdir(DIR .. "/t", "0755")
assert(sys.mount("tmpfs", DIR .. "/t", "tmpfs", { "nosuid" }))
sys.mkdir(DIR .. "/t/sub", "0755")
assert(sys.mount("tmpfs", DIR .. "/t/sub", "tmpfs", { "nosuid" }))
local rootfs = ctr.rootfs.host { "bash", "cat", "touch" }
function run(mount, script, fields)
  fields = fields or {}
  fields.name = "mount-options"
  fields.rootfs = fields.rootfs or rootfs
  fields.mounts = { mount }
  fields.command = { "/bin/bash", "-c", script }
  fields.stdin, fields.stdout, fields.stderr = "null", "capture", "stdout"
  local result, err = ctr.run(fields)
  io.write(result and result.stdout or tostring(err))
  for _, warning in ipairs(result and result.warnings or {}) do print("warning: " .. warning) end
end
]]

describe("luactr.mount options #system", function()
  local dir, rootfs

  setup(function()
    rootfs = ctr.rootfs.host { "bash", "cat", "ls", "readlink", "stat", "touch" }
  end)

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    dir:close()
  end)

  local function result_of(fields, script)
    fields.rootfs = fields.rootfs or rootfs
    fields.stdin, fields.stdout, fields.stderr = "null", "capture", "stdout"
    fields.command = { "/bin/bash", "-c", script }
    return ctr.run(fields)
  end

  local function output(mounts, script)
    local result = assert(result_of({ mounts = mounts }, script))
    return (result.stdout:gsub("\n$", ""))
  end

  local function failure(mount)
    local result, err = result_of({ mounts = { mount } }, "echo it ran")
    assert.is_nil(result)
    return err
  end

  -- What a program with the prelude prints.
  local function program(text)
    local path = dir:write("program.lua", PRELUDE:format(dir.path) .. text)
    local result = support.luactr { path }
    assert.are.equal(0, result.code, result.stderr)
    return result.stdout
  end

  -- The options of the mount at each path, from an output of /proc/self/mounts.
  local function options_of(text)
    local found = {}
    for target, options in text:gmatch("%S+ (%S+) %S+ (%S+) 0 0") do
      found[target] = {}
      for word in options:gmatch("[^,]+") do found[target][word] = true end
    end
    return found
  end

  describe("of a tree", function()
    local function options(words)
      return options_of(program(([[
run(ctr.bind(DIR .. "/t", "/x", { options = { %s } }), "cat /proc/self/mounts")
]]):format(words)))
    end

    for _, word in ipairs { "ro", "rro" } do
      it("restrict what is mounted below, too: " .. word, function()
        local found = options('"' .. word .. '"')
        assert.is_true(found["/x"].ro and found["/x/sub"].ro)
      end)
    end

    for _, word in ipairs { "noexec", "nodev", "nosuid", "noatime", "nodiratime", "nosymfollow" } do
      it("restrict what is mounted below, too: r" .. word, function()
        local found = options('"suid", "dev", "r' .. word .. '"')
        assert.is_true(found["/x"][word], word)
        assert.is_true(found["/x/sub"][word], word)
      end)
    end

    it("take a restriction back from the mount itself, or with r from all", function()
      local found = options('"suid"')
      assert.is_nil(found["/x"].nosuid)
      assert.is_true(found["/x/sub"].nosuid)
      found = options('"rsuid"')
      assert.is_nil(found["/x"].nosuid)
      assert.is_nil(found["/x/sub"].nosuid)
    end)

    it("choose how access times are kept", function()
      assert.is_true(options('"noatime", "rrelatime"')["/x/sub"].relatime)
      local strict = options('"rstrictatime"')["/x/sub"]
      assert.is_nil(strict.relatime or strict.noatime)
      local back = options('"rnoatime", "atime"')
      assert.is_true(back["/x"].relatime)
    end)
  end)

  it("nosymfollow keeps links from being followed", function()
    dir:write("file", "text")
    support.symlink("file", dir.path .. "/link")
    assert.are.equal("text", output({ ctr.bind(dir.path, "/x") }, "cat /x/link"))
    assert.matches("Too many levels",
      output({ ctr.bind(dir.path, "/x", { nosymfollow = true }) }, "cat /x/link"))
  end)

  it("labels of SELinux are passed on, and missed where it is off", function()
    local options = { "context=system_u:object_r:tmp_t:s0", "size=1M" }
    local result, err = result_of({ mounts = { { type = "tmpfs", target = "/x",
      options = options } } }, "cat /proc/self/mounts")
    if require("lfs").attributes("/sys/fs/selinux/enforce") then
      assert.matches("/x tmpfs %S*context=", assert(result, err).stdout)
    else
      assert.matches("context= is a label of SELinux, which is not on here", err.cause, 1, true)
    end
  end)

  it("remount changes a mount that is there", function()
    local found = options_of(output({ { type = "tmpfs", target = "/dev/shm",
      options = { "remount", "ro", "exec" } } }, "cat /proc/self/mounts"))["/dev/shm"]
    assert.is_true(found.ro and found.nosuid and found.nodev)
    assert.is_nil(found.noexec)
  end)

  describe("propagation", function()
    -- The container waits in a FIFO while its outside is mounted below the source.
    local LATE <const> = [[
assert(sys.mount("none", DIR .. "/t", nil, { "shared" }))
sys.mkdir(DIR .. "/t/late", "0755")
local function late(word)
  local box <close> = ctr.container { name = "mount-options", rootfs = rootfs, stdout = "capture",
    mounts = { ctr.bind(DIR .. "/t", "/x", { propagation = word }),
      ctr.bind(DIR .. "/t", "/y") },
    stdin = { file = DIR .. "/fifo" },
    command = { "/bin/bash", "-c",
      "echo up >/x/up; read; cd /x/late; echo *; cd /y/late; echo *" } }
  local hold = assert(sys.open(DIR .. "/fifo", "RDWR"))
  assert(box:start())
  while not sys.stat(DIR .. "/t/up") do sys.nanosleep(0.001) end
  assert(sys.mount("tmpfs", DIR .. "/t/late", "tmpfs"))
  io.open(DIR .. "/t/late/seen", "w"):close()
  hold:write("\n")
  print(assert(box:wait()).stdout:gsub("\n", " "))
  hold:close()
  assert(sys.umount(DIR .. "/t/late"))
  assert(sys.unlink(DIR .. "/t/up"))
end
]]
    local function late(word)
      support.must { "mkfifo", dir.path .. "/fifo" }
      return program(LATE .. ("late(%q)"):format(word))
    end

    it("slave lets later mounts of the host in, and only there", function()
      assert.matches("^seen %* ", late("rslave"))
    end)

    it("shared does as well", function()
      assert.matches("^seen %* ", late("rshared"))
    end)

    it("private keeps them out", function()
      assert.matches("^%* %* ", late("rprivate"))
    end)

    local function root_line(word)
      local result = assert(result_of({ propagation = word }, "cat /proc/self/mountinfo"))
      return result.stdout:match("\n?(%d+ %d+ %S+ %S+ / [^\n]*)")
    end

    it("of the root is private by default", function()
      assert.is_nil(root_line(nil):match("shared:") or root_line(nil):match("master:"))
    end)

    it("of the root may be shared or unbindable", function()
      assert.matches(" shared:%d+ ", root_line("shared"))
      assert.matches(" unbindable ", root_line("runbindable"))
    end)

    it("of the root may be slave of the host's", function()
      local text = program([[
assert(sys.mount("none", DIR .. "/t", nil, { "shared" }))
for _, name in ipairs { "bin", "proc", "lib", "lib64", "usr" } do
  sys.mkdir(DIR .. "/t/" .. name, "0755")
  if name ~= "proc" then sys.mount("/" .. name, DIR .. "/t/" .. name, nil, { "bind" }) end
end
run(ctr.bind("/etc", "/etc"), "while read -r line; do echo \"$line\"; done </proc/self/mountinfo",
  { rootfs = DIR .. "/t", propagation = "rslave" })
]])
      assert.matches(" / %S+ master:%d+ ", text)
      assert.is_nil(text:match(" /etc [^\n]*master:"))
    end)

    it("names the kernel's call that it needs", function()
      local script = dir:write("program.lua", PRELUDE:format(dir.path) .. [[
run(ctr.bind(DIR .. "/t", "/x", { propagation = "rslave" }), "echo it ran")]])
      local result = support.luactr { script, without = { "open_tree" } }
      assert.matches("this kernel has no open_tree(2), which came with Linux 5.2", result.stdout, 1,
        true)
    end)

    it("warns where the host's mount propagates nothing", function()
      local text = program([[
run(ctr.bind(DIR .. "/t", "/x", { propagation = "rslave" }), "echo fine")]])
      assert.matches("^fine\nwarning: mounts%[1%]: %S+/t lies on a private mount", text)
    end)
  end)

  describe("a read-only root", function()
    local SCRIPT <const> = "for f in /x /sub/x /tmp/x; do echo $f; echo >$f || :; done"
    local ROOT <const> = [[
for _, name in ipairs { "bin", "lib", "lib64", "usr", "tmp", "proc", "dev", "sys" } do
  sys.mkdir(DIR .. "/t/" .. name, "0755")
end
for _, name in ipairs { "bin", "lib", "lib64", "usr" } do
  sys.mount("/" .. name, DIR .. "/t/" .. name, nil, { "bind" })
end
run(ctr.tmpfs("/tmp"), %q, { rootfs = DIR .. "/t", readonly = %s })
]]
    it("is the mount at /", function()
      local text = program(ROOT:format(SCRIPT, "true"))
      assert.matches("^/x\n[^\n]*Read%-only[^\n]*\n/sub/x\n/tmp/x\n$", text)
    end)

    it("is with \"recursive\" all that the host has there, and no mount of the recipe", function()
      local text = program(ROOT:format(SCRIPT, '"recursive"'))
      assert.matches("^/x\n[^\n]*Read%-only[^\n]*\n/sub/x\n[^\n]*Read%-only[^\n]*\n/tmp/x\n$", text)
    end)
  end)

  describe("an optional source that is missing", function()
    it("mounts nothing, and is recorded", function()
      local result = assert(result_of({ mounts = {
        ctr.bind(dir.path .. "/none", "/x", { optional = true }),
        ctr.bind(dir.path, "/y", { optional = true }),
      } }, "ls -d /x /y"))
      assert.matches("cannot access '/x'", result.stdout)
      assert.matches("\n/y\n", result.stdout)
      assert.are.same({ ("mounts[1]: there is no %s/none: nothing is mounted at /x")
        :format(dir.path) }, result.warnings)
    end)

    it("may leave a file or a directory at the target", function()
      local none = dir.path .. "/none"
      assert.are.equal("regular empty file\ndirectory", output({
        ctr.bind(none, "/a/f", { optional = true, create = "file" }),
        ctr.bind(none, "/a/d", { optional = true, options = { "create=dir" } }),
      }, "stat -c %F /a/f /a/d"))
    end)

    it("may be a device that is not there", function()
      local mount = ctr.mount("ext4", "/dev/none", "/x", { "optional" })
      local result = assert(result_of({ mounts = { mount } }, "ls -A /x"))
      assert.are.equal("", result.stdout)
      assert.matches("there is no /dev/none", result.warnings[1], 1, true)
    end)
  end)

  it("create = \"never\" wants the target to exist", function()
    local err = failure(ctr.bind(dir.path, "/x", { create = "never" }))
    assert.are.equal("ENOENT", err.code)
    assert.matches('there is no /x inside, and create = "never"', err.cause, 1, true)
    dir:write("file", "text")
    assert.are.equal("text",
      output({ ctr.dir("/there"), ctr.bind(dir.path, "/there", { create = "never" }) },
        "cat /there/file"))
  end)

  it("create tells when it does not fit the source", function()
    local err = failure(ctr.bind(dir.path, "/x", { create = "file" }))
    assert.matches('create = "file" does not fit the source, which is a directory', err.cause, 1,
      true)
  end)

  describe("links", function()
    before_each(function()
      dir:write("file", "text")
      support.symlink("file", dir.path .. "/link")
    end)

    it("of the source may be bound themselves", function()
      local link = ctr.bind(dir.path .. "/link", "/l", { options = { "src-nofollow",
        "dest-nofollow" } })
      assert.are.equal("file", output({ ctr.symlink("elsewhere", "/l"), link }, "readlink /l"))
    end)

    it("of the source may be copied", function()
      local link = ctr.bind(dir.path .. "/link", "/l", { options = { "copy-symlink" } })
      local file = ctr.bind(dir.path .. "/file", "/f", { options = { "copy-symlink" } })
      assert.are.equal("file\ntext", output({ link, file }, "readlink /l; cat /f"))
    end)

    it("of the target may be covered, and lead nowhere", function()
      local file = ctr.bind(dir.path .. "/file", "/l", { options = { "dest-nofollow" } })
      assert.are.equal("text\ngone", output({ ctr.symlink("/made", "/l"), file },
        "cat /l; echo; [ -e /made ] || echo gone"))
    end)
  end)

  describe("a descriptor", function()
    it("is a source: a file, a directory, a number", function()
      dir:write("file", "text")
      local file <close> = assert(io.open(dir.path .. "/file"))
      local tree <close> = assert(ctr.sys.open(dir.path, "PATH"))
      assert.are.equal("text\ntext\ntext", output({ ctr.bind(file, "/f"), ctr.bind(tree, "/d"),
        ctr.bind(tree:fileno(), "/e", { ro = true }) },
        "cat /f; echo; cat /d/file; echo; cat /e/file"))
    end)

    it("is that file, whatever its name leads to by now", function()
      dir:write("file", "text")
      local file <close> = assert(io.open(dir.path .. "/file"))
      assert(os.rename(dir.path .. "/file", dir.path .. "/moved"))
      dir:write("file", "other")
      assert.are.equal("text", output({ ctr.bind(file, "/f") }, "cat /f"))
    end)

    it("without a name is refused", function()
      dir:write("file", "text")
      local file <close> = assert(io.open(dir.path .. "/file"))
      assert(os.remove(dir.path .. "/file"))
      local err = failure(ctr.bind(file, "/f"))
      assert.are.equal("ESTALE", err.code)
      assert.matches("leads to another file by now, or to none", err.cause, 1, true)
    end)

    it("is a source where the newer calls are missing, too", function()
      local path = dir:write("file", "text")
      local script = dir:write("program.lua", PRELUDE:format(dir.path)
        .. ('run(ctr.bind(io.open(%q), "/x"), "cat /x")'):format(path))
      local result = support.luactr { script, without = require("support.without").newer }
      assert.are.equal("text", result.stdout .. result.stderr)
    end)

    it("works in a user namespace", function()
      dir:write("file", "text")
      support.must { "chmod", "755", dir.path }
      local file <close> = assert(io.open(dir.path .. "/file"))
      local result = assert(result_of({ mounts = { ctr.bind(file, "/f") },
        namespaces = { user = "new" } }, "cat /f"))
      assert.are.equal("text", result.stdout)
    end)
  end)

  describe("mode and owner", function()
    it("are those of files and directories", function()
      assert.are.equal("600 1000:100\n4755 0:7\n1750 5:6", output({
        ctr.file("/f", "x", { mode = "0600", uid = 1000, gid = 100 }),
        ctr.file("/s", "x", { mode = "04755", gid = 7 }),
        ctr.dir("/d", { mode = "01750", uid = 5, gid = 6 }),
      }, "stat -c '%a %u:%g' /f /s /d"))
    end)

    it("are those of new device nodes and pipes", function()
      local result = assert(result_of({ devices = {
        { path = "/dev/x", type = "c", major = 1, minor = 3, mode = "0640", uid = 7, gid = 8 },
        { path = "/run/pipe", type = "p", mode = "0600", uid = 9 },
      } }, "stat -c '%F %a %u:%g' /dev/x /run/pipe; echo fine >/dev/x"))
      assert.are.equal("character special file 640 7:8\nfifo 600 9:0\n", result.stdout)
    end)

    it("change a directory that is there", function()
      assert.are.equal("711 9:0", output({ ctr.dir("/usr", { mode = "0711", uid = 9 }) },
        "stat -c '%a %u:%g' /usr"))
      assert.are.equal("755 0:0", output({ ctr.dir("/usr") }, "stat -c '%a %u:%g' /usr"))
    end)

    it("must exist in a user namespace", function()
      local result, err = result_of({ mounts = { ctr.file("/f", "x", { uid = 12 }) },
        namespaces = { user = "new" } }, ":")
      assert.is_nil(result)
      assert.matches("does not exist in the user namespace", err.cause, 1, true)
    end)
  end)

  it("work for a user without rights", function()
    support.needs("stranger")
    dir:write("data/file", "text")
    dir:write("data/old/file", "old")
    support.must { "chmod", "-R", "a+rX", dir.path }
    local script = dir:write("stranger.lua", ([[
local ctr = require "luactr"
local DATA <const> = %q
local function run(mounts, script)
  local result, err = ctr.run { rootfs = ctr.rootfs.host { "bash", "cat", "stat" }, stdin = "null",
    stdout = "capture", stderr = "stdout", mounts = mounts,
    command = { "/bin/bash", "-c", script } }
  print(result and result.stdout:gsub("\n", " ") or err)
  for _, warning in ipairs(result and result.warnings or {}) do print(warning) end
end
run({ ctr.bind(DATA, "/x", { ro = true, noexec = true, nosymfollow = true }) },
  "while read -r _ at _ words _; do [ $at = /x ] && echo $words; done </proc/self/mounts")
run({ ctr.bind("/sys", "/s", { ro = true }) }, "echo fine")
run({ ctr.bind(io.open(DATA .. "/file"), "/f"), ctr.bind(DATA .. "/none", "/n",
  { optional = true, create = "dir" }) }, "cat /f; stat -c %%F /n")
run({ ctr.bind(DATA, "/x"), ctr.tmpfs("/x", "1M", { copy = true }) },
  "cat /x/old/file; echo new >/x/old/file; cat /x/old/file")
run({ ctr.file("/f", "text", { mode = "0600", uid = 0 }), ctr.dir("/d", { mode = "0711" }) },
  "stat -c '%%a %%u' /f /d")
run({ ctr.bind(DATA, "/x", { propagation = "rslave" }) }, "cat /x/file")
]]):format(dir.path .. "/data"))
    local result = support.luactr { script, user = support.stranger }
    local lines = {}
    for line in result.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.matches("^ro,nosuid,nodev,noexec,relatime,nosymfollow", lines[1], result.stderr)
    assert.matches("^fine", lines[2])
    assert.matches("\ntextdirectory ", result.stdout, 1, true)
    assert.matches("mounts%[2%]: there is no %S+/none: nothing is mounted at /n", result.stdout)
    assert.matches("\noldnew ", result.stdout)
    assert.matches("\n600 0 711 0 \ntext\n", result.stdout)
  end)

  describe("refuses", function()
    local cases = {
      { { type = "dir", target = "/x", options = { "ro" } }, "a dir has no options" },
      { { type = "tmpfs", target = "/x", uid = 7 }, "uid: is not for a mount of type tmpfs" },
      { { type = "tmpfs", source = 3, target = "/x" }, "the source of a bind alone" },
      { { source = "/usr", target = "/x", options = { "sync" } }, "sync belongs to the file" },
      { { type = "tmpfs", target = "/dev", options = { "remount", "size=1M" } },
        "size=1M belongs to the file system" },
      { { type = "tmpfs", target = "/x", options = { "mand" } }, "mand needs mandatory locks" },
      { { source = "/usr", target = "/x", options = { "rbin" } }, "did you mean rbind?" },
      { { source = "/usr", target = "/x", create = "link" }, '"dir", "file", "never" expected' },
    }
    for _, case in ipairs(cases) do
      it(case[2], function()
        local fine, err = pcall(ctr.container, { rootfs = "/", command = { "/bin/sh" },
          mounts = { case[1] } })
        assert.is_false(fine)
        assert.matches(case[2], tostring(err), 1, true)
      end)
    end
  end)
end)
