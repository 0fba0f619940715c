-- Disk quotas: what a directory may hold, and where that is refused.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

-- Needs ext4 with project quotas: made in a file, mounted in a namespace of its own at DIR/m. Then
-- `run(fields, script)` prints what a container says; its root has bin/sh alone.
local PRELUDE <const> = [[
local ctr = require "luactr"
local DIR <const> = %q
local sys = ctr.sys
local function root(name)
  local path = DIR .. "/m/" .. name
  for _, part in ipairs { "", "/bin", "/d", "/d/old" } do
    sys.mkdir(path .. part, "0777")
    sys.chmod(path .. part, "0777")
  end
  local from <close> = io.open("/bin/busybox", "rb")
  local to <close> = io.open(path .. "/bin/sh", "wb")
  assert(to:write(from:read("a")))
  sys.chmod(path .. "/bin/sh", "0755")
  sys.symlink("sh", path .. "/bin/dd")
  return path
end
local function run(fields, script)
  fields.name, fields.namespaces = "quota", fields.namespaces or { user = "new" }
  fields.stdin, fields.stdout, fields.stderr = "null", "capture", "stdout"
  fields.command = { "/bin/sh", "-c", script }
  local result, err = ctr.run(fields)
  io.write(result and result.stdout or tostring(err) .. "\n")
end
]]

local WITH_QUOTAS <const> = [[
[ -e /dev/loop-control ] || modprobe -q loop
mount -o loop,%s "$1/img" "$1/m" || exit 77
shift 1
exec "$@"]]

describe("disk quotas #system #layout", function()
  local dir

  before_each(function()
    dir = support.tmpdir()
    world.check()
  end)

  after_each(function()
    world.check()
    dir:close()
  end)

  local PROJECTS <const> = { "-O", "quota,project", "-E", "quotatype=prjquota" }

  -- What a program prints on a file system that is made and mounted with options.
  local function on_ext4(features, option, text)
    support.needs("program:mkfs.ext4", "program:unshare", "file:/bin/busybox")
    dir:mkdir("m")
    support.must { "truncate", "-s", "64M", dir.path .. "/img" }
    local mkfs = { "mkfs.ext4", "-q", dir.path .. "/img" }
    support.must(table.move(features, 1, #features, 4, mkfs))
    local script = dir:write("program.lua", PRELUDE:format(dir.path) .. text)
    return support.run { "unshare", "--mount", "sh", "-c", WITH_QUOTAS:format(option), "sh",
      dir.path, support.luactr_program, script }
  end

  local function with_quotas(text)
    local result = on_ext4(PROJECTS, "prjquota", text)
    if result.code == 77 then
      pending("this host cannot mount ext4 with prjquota: " .. result.stderr)
    end
    assert.are.equal(0, result.code, result.stderr)
    return result.stdout
  end

  it("keep a root to its size, in directories that were there as well", function()
    local text = with_quotas([[
local path = root("a")
run({ rootfs = ctr.rootfs.dir(path, { quota = "3M" }) },
  "dd if=/dev/zero of=/d/old/big bs=64k count=64; for f in /d/old/*; do echo $f; done")
local size = require("luactr").sys.stat(path .. "/d/old/big").size
print(size > 0 and size < 3 << 20)
]])
    assert.matches("Disk quota exceeded", text)
    assert.matches("/d/old/big\ntrue\n$", text)
  end)

  it("count files", function()
    local text = with_quotas([[
run({ rootfs = ctr.rootfs.dir(root("a"), { quota = { inodes = 10 } }) },
  "i=0; while [ $i -lt 10 ]; do echo >/d/$i || break; i=$((i+1)); done; echo stopped at $i")
]])
    assert.matches("Disk quota exceeded", text)
    assert.matches("stopped at [1-6]\n", text)
  end)

  it("limit a bound directory, and leave the rest alone", function()
    local text = with_quotas([[
local path, other = root("a"), root("b")
run({ rootfs = path, mounts = { { source = other .. "/d", target = "/x", quota = "1M" } } },
  "dd if=/dev/zero of=/x/big bs=64k count=32 2>/dev/null || echo full; "
  .. "dd if=/dev/zero of=/d/big bs=64k count=32 2>/dev/null && echo fine")
]])
    assert.are.equal("full\nfine\n", text)
  end)

  it("stay with the directory, and can be changed and taken off", function()
    local text = with_quotas([[
local path = root("a")
local WRITE <const> =
  "dd if=/dev/zero of=/d/big bs=64k count=32 2>/dev/null && echo fine || echo full"
for _, quota in ipairs { "2M", false, "8M", "none" } do
  run({ rootfs = ctr.rootfs.dir(path, { quota = quota or nil }) }, WRITE)
end
local fd <close> = ctr.sys.open(path, "directory")
print(ctr.sys.project(fd) ~= 0)
]])
    assert.are.equal("full\nfull\nfine\nfine\ntrue\n", text)
  end)

  it("give two directories two projects", function()
    local text = with_quotas([[
for _, name in ipairs { "a", "b" } do
  run({ rootfs = ctr.rootfs.dir(root(name), { quota = "4M" }) },
    "dd if=/dev/zero of=/d/big bs=64k count=32 2>/dev/null && echo fine")
end
]])
    assert.are.equal("fine\nfine\n", text)
  end)

  it("cannot be escaped by the container's root", function()
    local text = with_quotas(([[
local path = root("a")
local ESCAPE <const> = [=[
package.cpath = "/luactr/?.so"
local sys = require("luactr.core").sys
local file = io.open("/d/file", "w")
print(sys.project(file) ~= 0, (sys.set_project(file, 0)), sys.errname(select(3,
  sys.set_project(file, 0))), (sys.set_project(sys.open("/d", 0), 0, false)))]=]
run({ rootfs = ctr.rootfs.dir(path, { quota = "4M" }), seccomp = "unconfined",
  capabilities = "all", env = { ESCAPE = ESCAPE }, mounts = {
    ctr.bind("/usr"), ctr.bind("/lib"), ctr.bind("/lib64"), ctr.bind(%q, "/luactr"),
  } }, "lua5.4 -e \"$ESCAPE\"; "
  .. "dd if=/dev/zero of=/d/big bs=64k count=128 2>/dev/null || echo full")
]]):format(support.build .. "/lib"))
    assert.are.equal("true\tnil\tEINVAL\tnil\nfull\n", text)
  end)

  describe("are refused", function()
    local function refusal(fields)
      fields.name, fields.command = support.name("quota"), { "/bin/sh" }
      fields.namespaces = fields.namespaces or { user = "new" }
      local result, err = ctr.run(fields)
      assert.is_nil(result)
      return err
    end

    it("on a file system that has none", function()
      local err = refusal { rootfs = ctr.rootfs.dir("/dev/shm", { quota = "1M" }) }
      assert.are.equal("EOPNOTSUPP", err.code)
      assert.matches("^tmpfs, which is at %S+ %(%S+%), has no project quotas", err.cause)
      assert.are.equal("a directory on ext4 or xfs", err.remedy)
    end)

    it("where the mount option is missing", function()
      local result = on_ext4({}, "rw", [[
run({ rootfs = ctr.rootfs.dir(root("a"), { quota = "2M" }) }, "echo it ran")]])
      if result.code == 77 then pending("this host cannot mount ext4: " .. result.stderr) end
      assert.matches("limit the disk space of %S+/m/a", result.stdout)
      assert.matches("the ext4 at %S+/m %(/dev/loop%d+%) is mounted without project quotas",
        result.stdout)
      assert.matches("try: tune2fs %-O project,quota %-Q prjquota /dev/loop%d+ ", result.stdout)
    end)

    it("for a directory that is not there", function()
      local err = refusal { rootfs = ctr.rootfs.dir(dir.path .. "/none", { quota = "1M" }) }
      assert.are.equal("ENOENT", err.code)
    end)

    it("without users of the container's own", function()
      local err = refusal { rootfs = ctr.rootfs.dir("/", { quota = "1M" }),
        namespaces = { user = "host" } }
      assert.are.equal("ESPEC", err.code)
      assert.matches("rootfs.quota: needs users of the container's own", tostring(err), 1, true)
    end)

    local cases = {
      { { type = "tmpfs", target = "/x", quota = "1M" }, "is not for a mount of type tmpfs" },
      { { source = 3, target = "/x", quota = "1M" }, "is for a directory that is named" },
      { { source = "/x", target = "/x", quota = "1MB" }, "quota" },
    }
    for _, case in ipairs(cases) do
      it("in a mount that has no use for them: " .. case[2], function()
        local fine, err = pcall(ctr.container, { rootfs = "/", command = { "/bin/sh" },
          mounts = { case[1] } })
        assert.is_false(fine)
        assert.matches(case[2], tostring(err), 1, true)
      end)
    end

    it("if rootfs.dir does not understand them", function()
      assert.has_error(function() ctr.rootfs.dir("/", { quotas = "1M" }) end,
        "rootfs.dir: unknown option quotas: idmap, quota, devices")
    end)
  end)

  it("are explained", function()
    local box = ctr.container { rootfs = ctr.rootfs.dir("/x", { quota = "1M" }),
      command = { "/bin/sh" }, namespaces = { user = "new" } }
    local plan = assert(require("luactr.plan").compile(box.spec, require("luactr.host").facts()))
    assert.matches('quotactl(Q_SETQUOTA, project of "/x", {1048576 bytes, 0 inodes})',
      require("luactr.explain").text(plan), 1, true)
  end)
end)
