-- tmpfs in real containers: its options, and copying what it covers.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("luactr.mount tmpfs #system", function()
  local dir, rootfs

  setup(function()
    rootfs = ctr.rootfs.host { "bash", "cat", "find", "ls", "readlink", "stat", "touch" }
  end)

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    support.must { "rm", "-rf", dir.path }
  end)

  local function shell(script)
    support.must { "sh", "-c", "cd " .. dir.path .. " && " .. script }
  end

  local function result_of(mounts, script, fields)
    fields = fields or {}
    fields.rootfs = fields.rootfs or rootfs
    fields.stdin, fields.stdout, fields.stderr = "null", "capture", "stdout"
    fields.command = { "/bin/bash", "-c", script }
    fields.mounts = mounts
    return ctr.run(fields)
  end

  local function output(mounts, script, fields)
    return (assert(result_of(mounts, script, fields)).stdout:gsub("\n$", ""))
  end

  it("has an owner and a number of files", function()
    local mount = ctr.tmpfs("/x", "1M", { uid = 1000, gid = 100, mode = "0700", nr_inodes = 2 })
    local text = output({ mount }, "stat -c '%u:%g %a' /x; touch /x/a; touch /x/b")
    assert.matches("^1000:100 700\n", text)
    assert.matches("'/x/b': No space left", text)
  end)

  -- The source is bound, so that it is not the root's file system.
  local function covering(script, options, fields)
    return output({ ctr.bind(dir.path, "/x"), ctr.tmpfs("/x", nil, options or { copy = true }) },
      script, fields)
  end

  describe("with copy", function()
    it("begins with what it covers, and keeps changes to itself", function()
      shell "mkdir -p a/b; echo one >a/b/file; echo two >top"
      assert.are.equal("one\ntwo\nnew",
        covering("cat /x/a/b/file /x/top; echo new >/x/top; cat /x/top"))
      assert.are.equal("two\n", support.read(dir.path .. "/top"))
    end)

    it("keeps modes, owners, times and links", function()
      shell [[
        echo x >suid; chown 7:8 suid; chmod 4750 suid; touch -d @1000000 suid
        mkdir -m 1711 d; chown 5 d; ln -s ../../nowhere d/link; chown -h 6:6 d/link
        touch -d @2000000 d; mkfifo -m 600 fifo; chmod 751 .]]
      assert.are.equal("4750 7:8 1000000\n1711 5:0 2000000\n777 6:6\n../../nowhere\nfifo 600\n751",
        covering [[
          stat -c '%a %u:%g %Y' /x/suid /x/d; stat -c '%a %u:%g' /x/d/link; readlink /x/d/link
          stat -c '%F %a' /x/fifo; stat -c %a /x]])
    end)

    it("prefers what its options say of the directory itself", function()
      shell "chmod 751 .; chown 5 ."
      assert.are.equal("700 9", covering("stat -c '%a %u' /x",
        { copy = true, mode = "0700", uid = 9 }))
    end)

    it("copies many files, and leaves holes", function()
      shell [[
        mkdir d; i=0; while [ $i -lt 3000 ]; do echo $i >d/a-file-with-a-name-$i; i=$((i+1)); done
        mkdir e; echo >e/last; truncate -s 1T sparse; echo end >>sparse]]
      assert.are.equal("3000\n1099511627780\n8\nlast",
        covering [[
          set -- /x/d/*; echo $#; stat -c %s /x/sparse; stat -c %b /x/sparse; ls /x/e]])
    end)

    it("follows no link out", function()
      shell "ln -s /etc/passwd file; ln -s /etc dir"
      assert.are.equal("/etc/passwd\n/etc\n0", covering(
        "readlink /x/file /x/dir; stat -c %s /x/file/ 2>/dev/null || echo 0"))
    end)

    it("leaves out device nodes and what is mounted below", function()
      local mounts = { ctr.bind("/dev", "/x"), ctr.tmpfs("/x", nil, { copy = true }) }
      assert.are.equal("no\n0", output(mounts,
        "[ -e /x/null ] || echo no; set -- /x/pts/[0-9p]*; [ -e $1 ] && echo $# || echo 0"))
    end)

    it("keeps extended attributes", function()
      support.needs("program:setcap")
      shell "echo x >file; setcap cap_net_raw=ep file"
      local with_getcap = { rootfs = ctr.rootfs.host { "bash", "getcap" } }
      assert.matches("cap_net_raw=ep", covering("getcap /x/file", nil, with_getcap))
    end)

    it("is read-only in the end, if that is said", function()
      shell "echo x >file"
      assert.are.equal("x\nro", covering(
        "cat /x/file; echo y 2>/dev/null >/x/file || echo ro", { copy = true, ro = true }))
    end)

    it("works in a user namespace", function()
      shell "chmod 755 .; mkdir d; echo text >d/file; chown 33 d/file"
      assert.are.equal("text\n0", covering("cat /x/d/file; stat -c %u /x/d/file", { copy = true },
        { namespaces = { user = "new" } }))
    end)

    it("copies where the newer calls are missing, too", function()
      dir:write("source/d/file", "text")
      local script = dir:write("program.lua", ([[
local ctr = require "luactr"
return ctr.container { rootfs = ctr.rootfs.host { "bash", "cat" }, stdin = "null",
  mounts = { ctr.bind(%q, "/x"), ctr.tmpfs("/x", "1M", { copy = true, ro = true }) },
  command = { "/bin/bash", "-c", "cat /x/d/file; echo; echo >/x/new" } }
]]):format(dir.path .. "/source"))
      local result = support.luactr { script, without = require("support.without").newer }
      assert.are.equal("text\n", result.stdout)
      assert.matches("Read%-only", result.stderr)
    end)

    it("has a target inside the root, whatever links lead there", function()
      dir:write("outside/secret", "secret")
      local root = dir:mkdir("root/bin"):gsub("/bin$", "")
      support.copy("/bin/busybox", root .. "/bin/sh")
      support.must { "ln", "-s", "../../../../../../../.." .. dir.path .. "/outside",
        root .. "/link" }
      dir:write("root" .. dir.path .. "/outside/inside", "text")
      local result = assert(ctr.run { rootfs = root, stdin = "null", stdout = "capture",
        mounts = { ctr.tmpfs("/link", nil, { copy = true }) },
        command = { "/bin/sh", "-c", "cd /link; echo *" } })
      assert.are.equal("inside\n", result.stdout)
    end)

    it("copies nothing from outside while somebody swaps directories for links", function()
      support.needs("program:mv")
      dir:write("outside/secret", "secret")
      dir:write("volume/d/file", "text")
      local racer <close> = ctr.container { rootfs = ctr.rootfs.host { "bash", "mv", "ln", "rm" },
        mounts = { ctr.bind(dir.path .. "/volume", "/v") }, stdin = "null", stdout = "null",
        stderr = "null", command = { "/bin/bash", "-c", ("cd /v; while :; do mv d e; "
          .. "ln -s ../../../../../..%s/outside d; rm -f d; mv e d; done")
          :format(dir.path) } }
      assert(racer:start())
      local seen = 0
      for _ = 1, 60 do
        local result = result_of({ ctr.bind(dir.path .. "/volume", "/x"),
          ctr.tmpfs("/x", nil, { copy = true }) }, "cd /x; find . -type f; find . -type l")
        local text = result and result.stdout or "" -- somebody changes it: a start may fail
        seen = seen + (text == "./d/file\n" and 0 or 1)
        assert.is_nil(text:find("secret", 1, true))
      end
      assert.is_true(seen > 0, "no start met a swap")
    end)

    local function failure(options)
      local result, err = result_of({ ctr.bind(dir.path, "/x"), ctr.tmpfs("/x", nil, options) },
        "echo it ran")
      assert.is_nil(result)
      return err
    end

    it("says so when the size is too small", function()
      shell "dd if=/dev/zero of=file bs=64k count=4 status=none"
      local err = failure { copy = true, options = { "size=64K" } }
      assert.are.equal("ENOSPC", err.code)
      assert.matches("does not fit into its size=", err.cause, 1, true)
    end)

    it("says so when the directories are too deep", function()
      shell "d=.; i=0; while [ $i -lt 130 ]; do d=$d/d; i=$((i+1)); done; mkdir -p $d"
      assert.matches("more than 127 directories in each other", failure({ copy = true }).cause)
      shell "rm -r d; d=.; i=0; while [ $i -lt 126 ]; do d=$d/d; i=$((i+1)); done; mkdir -p $d"
      assert.are.equal("127", covering("mapfile -t list < <(find /x); echo ${#list[@]}"))
    end)

    it("is for tmpfs alone", function()
      local fine, err = pcall(ctr.container, { rootfs = "/", command = { "/bin/sh" },
        mounts = { { type = "proc", target = "/proc", options = { "tmpcopyup" } } } })
      assert.is_false(fine)
      assert.matches("an option of tmpfs alone", tostring(err), 1, true)
    end)
  end)
end)
