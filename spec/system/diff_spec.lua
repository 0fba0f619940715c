-- What a container has changed: as its script has done it, and the same by each way to find out.

local cjson = require("cjson")
local ctr = require("luactr")
local detached = require("support.detached")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

local PROGRAMS <const> = { "sh", "sleep", "rm", "mkdir", "mv", "chmod", "touch", "ln" }

local function image(dir)
  for _, name in ipairs { "bin", "dir/sub", "tmp", "gone/deep", "hollow", "moved" } do
    dir:mkdir("lower/" .. name)
  end
  dir:write("lower/bin/busybox", support.read("/bin/busybox"), "0755")
  for _, name in ipairs(PROGRAMS) do
    assert(sys.symlink("busybox", dir.path .. "/lower/bin/" .. name))
  end
  for _, name in ipairs { "same", "changed", "mode", "deleted", "dir/deleted", "gone/deep/x",
    "hollow/x", "hollow/again", "typed", "moved/x" } do
    dir:write("lower/" .. name, "old")
  end
  return dir.path .. "/lower"
end

local SCRIPT <const> = [[
echo new > /changed; chmod 600 /mode; rm /deleted /dir/deleted; rm -r /gone
rm -r /hollow; mkdir /hollow; echo new > /hollow/again; echo new > /hollow/new
rm /typed; mkdir /typed; mkdir -p /added/deep; echo new > /added/deep/x
ln -s nowhere "/added/new
line"]]

local EXPECTED <const> = [[
A /added
A /added/deep
A /added/deep/x
A /added/new
line
C /changed
D /deleted
C /dir
D /dir/deleted
D /gone
C /hollow
C /hollow/again
A /hollow/new
D /hollow/x
C /mode
C /typed]]

local LETTERS <const> = { added = "A", changed = "C", deleted = "D" }

local function in_words(list)
  local lines = {}
  for i, change in ipairs(list) do lines[i] = LETTERS[change.kind] .. " " .. change.path end
  return table.concat(lines, "\n")
end

describe("diff() of a container #system", function()
  local dir, lower

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir = support.tmpdir()
    lower = image(dir)
  end)

  after_each(function()
    dir:close()
    world.check()
  end)

  -- Started, and its script has come to its end.
  local function changed(rootfs, fields)
    local spec = { rootfs = rootfs, stdin = "null", stdout = "null",
      command = { "/bin/sh", "-c", SCRIPT .. "\n: > /tmp/done; exec sleep 1000" } }
    for key, value in pairs(fields or {}) do spec[key] = value end
    local box = ctr.container(spec)
    assert(box:start())
    local deadline = sys.clock_gettime() + 60
    while not sys.stat("/proc/" .. box:pid() .. "/root/tmp/done") do
      assert(sys.clock_gettime() < deadline, "the script has not ended")
      sys.nanosleep(0.01)
    end
    return box
  end

  local function with_upper()
    return ctr.rootfs.overlay { lower = lower, upper = dir:mkdir "upper", work = dir:mkdir "work" }
  end

  it("reads the upper directory of an overlay", function()
    local box <close> = changed(with_upper(), { mounts = { ctr.tmpfs "/tmp" } })
    assert.equal(EXPECTED, in_words(assert(box:diff())))
  end)

  it("compares, when the upper directory is in memory", function()
    local box <close> = changed(ctr.rootfs.overlay { lower = lower },
      { mounts = { ctr.tmpfs "/tmp" } })
    assert.equal(EXPECTED, in_words(assert(box:diff())))
  end)

  it("compares, when directories were moved in the upper directory", function()
    local layers = { lower = lower, upper = dir:mkdir "upper", work = dir:mkdir "work",
      options = { "redirect_dir=on" } }
    local box <close> = changed(ctr.rootfs.overlay(layers), { mounts = { ctr.tmpfs "/tmp" },
      command = { "/bin/sh", "-c", "mv /moved /new; : > /tmp/done; exec sleep 1000" } })
    assert.equal("D /moved\nA /new\nA /new/x", in_words(assert(box:diff())))
  end)

  -- What hides files of the layer below it, and deletes one.
  local function make_top()
    dir:mkdir "top/dir"
    dir:write("top/changed", "of the top")
    dir:write("top/only", "")
    assert(sys.mknod(dir.path .. "/top/deleted", "020000", 0)) -- deleted before
    assert(sys.mkdir(dir.path .. "/top/gone"))
    sys.setxattr(dir.path .. "/top/gone", "trusted.overlay.opaque", "y")
    return dir.path .. "/top"
  end

  local ABOVE <const> = "echo x > /deleted; mkdir /gone/deep; echo x > /only; rm /changed; "
  local CHANGED_ABOVE <const> = "D /changed\nA /deleted\nC /gone\nA /gone/deep\nC /only"

  it("knows which of several layers has what", function()
    local box <close> = changed(ctr.rootfs.overlay { lower = { make_top(), lower },
      upper = dir:mkdir "upper", work = dir:mkdir "work" },
      { mounts = { ctr.tmpfs "/tmp" }, command = { "/bin/sh", "-c",
        ABOVE .. ": > /tmp/done; exec sleep 1000" } })
    assert.equal(CHANGED_ABOVE, in_words(assert(box:diff())))
  end)

  it("compares with several layers, also for somebody who may not mount them", function()
    local options = ("overlay { lower = { %q, %q } }"):format(make_top(), lower)
    local here <close> = detached.open(options, 'mounts = { ctr.tmpfs "/tmp" },')
    local name = here:start(ABOVE .. "echo done; exec sleep 1000")
    local records = assert(ctr.find(name):logs { follow = true })
    repeat until records().text == "done"
    local result = support.luactr { "diff", name, without = { EPERM = { "fsopen" } } }
    assert.same({ "", CHANGED_ABOVE .. "\n" }, { result.stderr, result.stdout })
  end)

  it("says when there is nothing to compare with", function()
    for cause, rootfs in pairs {
      ["its root is the directory itself"] = ctr.rootfs.dir(lower),
      ["its root is made of mounts in memory"] = ctr.rootfs.host { "/bin/busybox" },
      ["it has no root of its own"] = ctr.rootfs.none(),
    } do
      local box <close> = ctr.container { rootfs = rootfs,
        command = { "/bin/busybox", "sleep", "1000" } }
      assert(box:start())
      local list, err = box:diff()
      assert.is_nil(list)
      assert.equal("ENOTSUP", err.code)
      assert.matches(cause, err.cause, 1, true)
    end
  end)

  it("is told by the command line, of one that runs and one that has ended", function()
    local options = ("overlay { lower = %q, upper = %q, work = %q }"):format(lower,
      dir:mkdir "upper", dir:mkdir "work")
    local here <close> = detached.open(options, 'mounts = { ctr.tmpfs "/tmp" },')
    local name = here:start(SCRIPT)
    assert.equal(0, here.luactr("wait", name).code)
    local result = here.luactr("diff", name)
    assert.same({ 0, "" }, { result.code, result.stderr })
    assert.equal(EXPECTED:gsub("\nline", "\\x0aline") .. "\n", result.stdout)
    local list = cjson.decode(here.luactr("diff", "--json", name).stdout)
    assert.equal(EXPECTED, in_words(list))
    here.fails(here.luactr("diff", "none-such"), 125, "no container")
  end)

  it("compares copies of the host's programs with those of the start", function()
    local here <close> = detached.open('host { "sh", "rm", copy = true }')
    local name = here:start("echo new > /new; rm /bin/rm")
    assert.equal(0, here.luactr("wait", name).code)
    local result = here.luactr("diff", name)
    assert.equal("", result.stderr)
    assert.matches("A /new\n", result.stdout, 1, true)
    assert.matches("D /[%w/]*bin/rm\n", result.stdout)
    assert.is_nil(result.stdout:find("proc", 1, true))
    assert.is_nil(result.stdout:find("/sh\n", 1, true))
  end)
end)
