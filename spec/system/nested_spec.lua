-- luactr in a container of luactr, and how a container is kept from being one.

local ctr = require("luactr")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local root_it = support.it(it, pending, "root")
local stranger_it = support.it(it, pending, "root", "stranger")

local RECIPE <const> = "lua/recipes/nested.lua"
local SAID <const> = "outer: PID 2\ninner: PID 2\n"

local INNER <const> = [[
  local ctr = require "luactr"
  return ctr.container { rootfs = ctr.rootfs.host { "cat" },
    command = { "cat", "/proc/self/uid_map" }, %s }
]]

-- What an inner luactr says in a container with these fields; `inner` are fields of its recipe. The
-- checkout may lie in a directory that only root may enter.
local function nested(fields, inner)
  local dir <close> = support.tmpdir()
  local luactr = dir.path .. "/luactr"
  support.copy(support.luactr_program, luactr)
  assert(sys.chmod(dir.path, "0755"))
  local raw = {
    rootfs = ctr.rootfs.host { "cat", luactr }, seccomp = "unconfined",
    masked_paths = {}, readonly_paths = {}, stdout = "capture", stderr = "capture",
    mounts = { ctr.tmpfs("/run", "16M"), ctr.file("/inner.lua", INNER:format(inner or "")) },
    command = { luactr, "/inner.lua" },
  }
  for name, value in pairs(fields) do raw[name] = value end
  local result = assert(ctr.run(raw))
  return (result.stdout:gsub("%s+", " ")), result.stderr
end

local function refused(words, ...)
  local _, said = nested(...)
  for _, word in ipairs(words) do
    assert.is_truthy(said:find(word, 1, true), said)
  end
end

describe("luactr in luactr #system", function()
  before_each(world.check)
  after_each(world.check)

  root_it("runs as the recipe says, as root", function()
    local result = support.luactr { RECIPE }
    assert.same({ 0, SAID, "" }, { result.code, result.stdout, result.stderr })
  end)

  stranger_it("runs as the recipe says, without root", function()
    local dir <close> = support.tmpdir()
    local runtime = dir:mkdir "run"
    assert(sys.chown(runtime, support.stranger, support.stranger))
    local result = support.luactr { RECIPE, user = support.stranger,
      env = { XDG_RUNTIME_DIR = runtime } }
    assert.same({ 0, SAID, "" }, { result.code, result.stdout, result.stderr })
  end)

  root_it("has one user of the outer's, or as many as it says", function()
    assert.equal(" 0 0 1 ", (nested {}))
    assert.equal(" 0 0 1 ", (nested { idmap = "auto" }))
    assert.equal(" 0 1000 1 ", (nested { idmap = "auto", user = 1000 }))
    assert.equal(" 0 500 1000 ",
      (nested({ idmap = "auto" }, "idmap = { uid = { { 0, 500, 1000 } } }")))
  end)

  root_it("runs with all capabilities, which make no device nodes in a user namespace", function()
    assert.is_truthy((nested { capabilities = "all", idmap = "auto" }):find(" 65536 $"))
  end)

  root_it("maps no user that the outer container lacks", function()
    refused({ "idmap.uid[1]: user 60000-69999: only 0-65535 exist in luactr's own user namespace" },
      { idmap = "auto" }, "idmap = { uid = { { 0, 60000, 10000 } } }")
    refused({ "idmap: luactr's own user namespace has no 65536 ids to spare" }, { idmap = "auto" },
      "idmap = 'range'")
  end)

  root_it("says what the outer container does not allow", function()
    refused({ "the seccomp filter that luactr itself runs under refuses new user namespaces",
      'seccomp = "unconfined"' }, { seccomp = "default" })
    refused({ "mount proc on /proc", "/proc/sys is covered here", "readonly_paths = {}" },
      { readonly_paths = { "/proc/sys" } })
    refused({ "mount proc on /proc", "/proc/interrupts is covered here", "masked_paths = {}" },
      { masked_paths = { "/proc/interrupts" } })
  end)
end)

describe("nesting = false #system", function()
  before_each(world.check)
  after_each(world.check)

  local function shown(fields, script)
    local raw = { rootfs = ctr.rootfs.host { "/bin/busybox" }, idmap = "auto", nesting = false,
      seccomp = "unconfined", readonly_paths = {}, stdout = "capture", stderr = "stdout",
      command = { "/bin/busybox", "sh", "-c", script } }
    for name, value in pairs(fields) do raw[name] = value end
    return assert(ctr.run(raw)).stdout
  end

  local TRY <const> = "busybox unshare -U true && echo made"
  local RAISE <const> = "echo 9 > /proc/sys/user/max_user_namespaces;"

  root_it("keeps user namespaces from a container without a filter", function()
    assert.equal("made\n", shown({ nesting = true }, TRY))
    assert.equal("unshare: unshare(0x10000000): No space left on device\n", shown({}, TRY))
  end)

  root_it("cannot be undone from inside, by root with every other capability neither", function()
    local more <const> = { masked_paths = {},
      capabilities = { add = { "SYS_ADMIN", "DAC_OVERRIDE", "SYS_PTRACE" } } }
    local denied <const> = "can't create %s/sys/user/max_user_namespaces: Permission denied"
    for _, fields in ipairs { {}, more } do
      local said = shown(fields, "(" .. RAISE .. ") 2>&1; busybox mkdir /tmp/p;"
        .. "busybox mount -t proc p /tmp/p && (echo 9 > /tmp/p/sys/user/max_user_namespaces) 2>&1;"
        .. "busybox cat /proc/sys/user/max_user_namespaces;" .. TRY)
      assert.is_truthy(said:find(denied:format("/proc"), 1, true), said)
      assert.equal(fields == more, said:find(denied:format("/tmp/p"), 1, true) ~= nil, said)
      assert.is_truthy(said:find("\n0\nunshare: unshare(0x10000000): No space left on device\n", 1,
        true), said)
      assert.is_falsy(said:find("made"))
    end
  end)

  stranger_it("needs no root", function()
    local dir <close> = support.tmpdir()
    local runtime = dir:mkdir "run"
    assert(sys.chown(runtime, support.stranger, support.stranger))
    local recipe = dir:write("recipe.lua", [[
      local ctr = require "luactr"
      return ctr.container { rootfs = ctr.rootfs.host { "/bin/busybox" }, nesting = false,
        seccomp = "unconfined", command = { "/bin/busybox", "unshare", "-U", "true" } }
    ]])
    local result = support.luactr { recipe, user = support.stranger,
      env = { XDG_RUNTIME_DIR = runtime } }
    assert.equal("unshare: unshare(0x10000000): No space left on device\n", result.stderr)
  end)

  root_it("is refused where it would promise too much", function()
    local fields = { rootfs = ctr.rootfs.empty(), nesting = false, command = { "x" } }
    local _, err = ctr.run(fields)
    assert.equal("needs a user namespace of the container's own: idmap = \"auto\"",
      err.problems[1].message)
    fields.idmap, fields.capabilities = "auto", "all"
    _, err = ctr.run(fields)
    assert.equal("could be undone with CAP_SYS_RESOURCE: leave that out of capabilities",
      err.problems[1].message)
  end)
end)
