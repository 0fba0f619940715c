-- Files of the host with the users of the container: by a map of the mount, where the file system
-- takes one, and what is said where it does not.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local plain_it = it
local it = support.it(plain_it, pending, "root", "idmapped")

local BUSYBOX <const> = "/bin/busybox"
local UNABLE <const> =
  "takes no id maps in this kernel, or something that is mounted below does not"

-- A root with busybox below a directory that only root may enter, and files of other users.
local function place()
  local dir = support.tmpdir()
  assert(sys.chmod(dir.path, "0700"))
  for _, name in ipairs { "bin", "proc", "dev", "sys", "d" } do dir:mkdir("root/" .. name) end
  support.copy(BUSYBOX, dir .. "/root/bin/busybox")
  dir:write("data/file", "text\n")
  dir:write("data/sub/other", "more\n")
  assert(sys.chown(dir .. "/data/file", 5, 6))
  return dir
end

local function run(dir, fields, script)
  local raw = { rootfs = dir .. "/root", stdout = "capture", stderr = "capture", idmap = "auto",
    command = { "/bin/busybox", "sh", "-c", script } }
  for name, value in pairs(fields) do raw[name] = value end
  if raw.idmap == false then raw.idmap = nil end
  return ctr.run(raw)
end

local function shown(...)
  local result = assert(run(...))
  return result.stdout .. result.stderr, result
end

local OWNER <const> = "busybox stat -c '%u:%g' /d/file"

describe("idmapped mounts #system #layout", function()
  local dir

  before_each(function()
    world.check()
    dir = place()
  end)
  after_each(function()
    dir:close()
    world.check()
  end)

  it("give root of the container the root directory, and root of the host what it makes", function()
    local text, result = shown(dir, {}, "busybox touch /new; busybox chown 7:8 /new;"
      .. "busybox stat -c '%u:%g' / /new; busybox grep -c idmapped /proc/self/mountinfo")
    assert.equal("0:0\n7:8\n1\n", text)
    assert.is_nil(result.warnings)
    local made = assert(sys.stat(dir .. "/root/new"))
    assert.same({ 7, 8 }, { made.uid, made.gid })
  end)

  it("leave the root directory as it is when told so", function()
    local fields = { rootfs = ctr.rootfs.dir(dir .. "/root", { idmap = false }) }
    assert.equal("65534\ntouch: /new: Permission denied\n",
      (shown(dir, fields, "busybox stat -c %u /; busybox touch /new")))
  end)

  it("leave a root directory alone that has the container's users on disk", function()
    for _, name in ipairs { "", "/bin", "/bin/busybox" } do
      assert(sys.chown(dir .. "/root" .. name, 300000, 300000))
    end
    local map = { uid = { { 0, 300000, 1000 } } }
    assert.equal("0\n", (shown(dir, { idmap = map },
      "busybox touch /new; busybox stat -c %u /new")))
    assert.equal(300000, sys.stat(dir .. "/root/new").uid)
  end)

  it("give a bind the container's users, by word and by option", function()
    local data = dir .. "/data"
    assert.equal("65534:65534\n", (shown(dir, { mounts = { ctr.bind(data, "/d") } }, OWNER)))
    assert.equal("5:6\n", (shown(dir, { mounts = { ctr.bind(data, "/d", { idmap = true }) } },
      OWNER)))
    for _, option in ipairs { "idmap", "ridmap" } do
      assert.equal("5:6\n", (shown(dir, { mounts = { { source = data, target = "/d",
        options = { "bind", option } } } }, OWNER)))
    end
  end)

  it("keep other restrictions of a bind", function()
    local bind = ctr.bind(dir .. "/data/file", "/d/file", { idmap = true, ro = true })
    assert.equal("5:6\nsh: can't create /d/file: Read-only file system\n",
      (shown(dir, { mounts = { bind } }, OWNER .. "; echo x > /d/file")))
  end)

  it("take a map of their own, also without a user namespace", function()
    local map = { uid = { { 5, 77, 1 } }, gid = { { 6, 78, 1 } } }
    local bind = ctr.bind(dir .. "/data", "/d", { idmap = map })
    assert.equal("77:78\n65534\n", (shown(dir, { idmap = false, mounts = { bind } },
      OWNER .. "; busybox stat -c %u /d/sub")))
  end)

  it("show nothing of the container's mounts on the host", function()
    support.must { "mount", "-t", "tmpfs", "none", dir .. "/data" }
    local _ <close> = setmetatable({}, { __close = function()
      support.run { "umount", "-R", dir .. "/data" }
    end })
    support.must { "mount", "--make-shared", dir .. "/data" }
    assert(sys.mkdir(dir .. "/data/sub"))
    local before = world.mounts()
    local box <close> = ctr.container { rootfs = dir .. "/root", idmap = "auto",
      mounts = { ctr.bind(dir .. "/data", "/d", { idmap = true }), ctr.tmpfs("/d/sub") },
      command = { "/bin/busybox", "sleep", "60" } }
    assert(box:start())
    assert.same(before, world.mounts())
  end)

  it("are an error where the file system takes none, and name it", function()
    local result, err = run(dir, { mounts = { ctr.bind("/sys/kernel", "/d",
      { idmap = true, recursive = false }) } }, "true")
    assert.is_nil(result)
    assert.same({ "EINVAL", "mount_setattr", "/sys/kernel", true },
      { err.code, err.op, err.path, err.checked })
    assert.equal("sysfs " .. UNABLE, err.cause)
    assert.is_truthy(err.remedy:find("chown"))
  end)

  it("say that there is no such path, or no such call", function()
    local result, err = run(dir, { mounts = { ctr.bind(dir .. "/none", "/d") } }, "true")
    assert.is_nil(result)
    assert.same({ "ENOENT", "there is no " .. dir .. "/none on this host" },
      { err.code, err.cause })
    local recipe = dir:write("recipe.lua", ([[
      local ctr = require "luactr"
      return ctr.container { rootfs = %q, idmap = "auto", command = { "/bin/busybox", "true" } }
    ]]):format(dir .. "/root"))
    local said = support.luactr { recipe, without = { "open_tree" } }
    assert.equal(125, said.code)
    assert.is_truthy(said.stderr:find("the kernel is older than Linux 5.12, so luactr cannot open",
      1, true), said.stderr)
  end)

  local refused <const> = {
    { { idmap = false }, { idmap = true }, "mounts[1]: idmap has no users to map to: "
      .. "the container has no user namespace of its own" },
    { {}, { idmap = true, optional = true }, "mounts[1]: idmap is for what exists, and "
      .. "not for a bind that propagates" },
    { {}, { idmap = { uid = { { 0, 0, 5 }, { 4, 9, 1 } } } },
      "mounts[1].idmap.uid[2]: overlaps mounts[1].idmap.uid[1]: inside 4 is in both" },
  }
  for i, case in ipairs(refused) do
    it("are refused when they mean nothing (" .. i .. ")", function()
      local fields = { mounts = { ctr.bind(dir .. "/data", "/d", case[2]) } }
      for name, value in pairs(case[1]) do fields[name] = value end
      local ok, result, err = pcall(run, dir, fields, "true")
      err = ok and err or result
      assert.equal(case[3], err.problems[1].path .. ": " .. err.problems[1].message)
    end)
  end

  it("leave the root's files to nobody where its file system takes none, with a warning", function()
    local recipe = dir:write("recipe.lua", ([[
      local ctr = require "luactr"
      local result = assert(ctr.run { rootfs = %q, idmap = "auto", stdout = "capture",
        command = { "/bin/busybox", "stat", "-c", "%%u", "/bin" } })
      io.write(result.stdout, table.concat(result.warnings, "\n"), "\n")
      local strict, err = ctr.run { rootfs = ctr.rootfs.dir(%q, { idmap = true }), idmap = "auto",
        command = { "/bin/busybox", "true" } }
      print(strict, err.code)
    ]]):format(dir .. "/plain", dir .. "/plain"))
    dir:mkdir "plain"
    local result = support.run { "unshare", "-m", "sh", "-c",
      'mount -t ramfs none "$1"; cd "$1"; mkdir bin proc dev sys; cp /bin/busybox bin;'
        .. 'exec "$2" "$3"', "sh",
      dir .. "/plain", support.luactr_program, recipe }
    assert.equal("", result.stderr)
    assert.equal("65534\nthe files of " .. dir .. "/plain belong to nobody in the container: ramfs "
      .. UNABLE .. "\nnil\tEINVAL\n", result.stdout)
  end)
end)

describe("idmapped mounts without root #system #layout", function()
  local stranger_it = support.it(plain_it, pending, "root", "stranger")

  stranger_it("are refused", function()
    local dir <close> = support.tmpdir()
    local runtime = dir:mkdir "run"
    assert(sys.chown(runtime, support.stranger, support.stranger))
    local path = dir:write("recipe.lua", [[
      local ctr = require "luactr"
      return ctr.container { rootfs = ctr.rootfs.host { "sh" }, command = { "sh" },
        mounts = { ctr.bind("/usr/share", "/d", { idmap = true }) } }
    ]])
    local result = support.luactr { path, user = support.stranger,
      env = { XDG_RUNTIME_DIR = runtime } }
    assert.is_truthy(result.stderr:find(
      "mounts[1]: idmap needs root: only the owner of a file system may map its users", 1, true))
  end)
end)
