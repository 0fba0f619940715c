-- What security modules know a command by.
local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local root_it = support.it(it, pending, "root")
local apparmor_it = support.it(it, pending, "root", "program:apparmor_parser",
  "file:/sys/module/apparmor")

local PROFILE <const> = [[
profile %s flags=(attach_disconnected) {
  file,
  deny /secret r,
}
]]

-- The tools and luactr look for securityfs at one place, where a host need not have it.
local function with_mount(kind, ...)
  return support.run { "unshare", "--mount", "sh", "-c",
    'mount -t $0 none /sys/kernel/security 2>/dev/null; exec "$@"', kind, ... }
end

describe("luactr.security.label #system", function()
  before_each(world.check)
  after_each(world.check)

  local function recipe(fields)
    fields.rootfs, fields.name = ctr.rootfs.host { "/bin/busybox" }, support.name "label"
    fields.mounts = { ctr.file("/secret", "told") }
    fields.stdout, fields.stderr = "capture", "stdout"
    fields.command = fields.command or { "/bin/busybox", "cat", "/proc/self/attr/current",
      "/secret" }
    return fields
  end

  local function refused(fields)
    local result, err = ctr.run(recipe(fields))
    assert.is_nil(result)
    return tostring(err)
  end

  describe("apparmor", function()
    local dir, profile

    setup(function()
      dir, profile = support.tmpdir(), support.name "profile"
      dir:write("profile", PROFILE:format(profile))
    end)

    teardown(function() dir:close() end)

    local function parser(option)
      local done = with_mount("securityfs", "apparmor_parser", option, dir.path .. "/profile")
      assert.equal(0, done.code, done.stderr)
    end

    apparmor_it("confines the command, whoever it is", function()
      parser "--replace"
      local confined = profile .. " (enforce)\n"
        .. "cat: can't open '/secret': Permission denied\n"
      local results = {
        ctr.run(recipe { apparmor = profile }),
        ctr.run(recipe { apparmor = profile, user = 1000 }),
        ctr.run(recipe { apparmor = profile, no_new_privileges = false, init = false }),
        ctr.run(recipe { apparmor = profile, idmap = "auto" }),
      }
      local free = ctr.run(recipe {})
      parser "--remove"
      for _, result in ipairs(results) do
        assert.equal(confined, result.stdout)
      end
      assert.equal(4, #results)
      assert.equal("unconfined\ntold", free.stdout)
    end)

    -- Luactr looks the profile up where it can, and the kernel does in any case.
    for kind, said in pairs {
      securityfs = "apparmor: no such profile is loaded: apparmor_parser loads them",
      tmpfs = "no profile luactr%-no%-such%-profile is loaded",
    } do
      apparmor_it("runs nothing under a profile that is not loaded, by " .. kind, function()
        local script = dir:write("recipe.lua", [[
          local ctr = require "luactr"
          return ctr.container { rootfs = ctr.rootfs.host { "/bin/busybox" },
            command = { "/bin/busybox", "echo", "ran" }, apparmor = "luactr-no-such-profile" }]])
        local result = with_mount(kind, support.luactr_program, script)
        assert.equal(125, result.code)
        assert.equal("", result.stdout)
        assert.matches(said, result.stderr)
      end)
    end
  end)

  root_it("is refused where the kernel lacks the module", function()
    local lsm, name = require("luactr.lsm"), { apparmor = "AppArmor", selinux = "SELinux" }
    for field, module in pairs(name) do
      if not lsm[field] "unconfined" then
        assert.matches(field .. ": this kernel runs without " .. module,
          refused { [field] = "unconfined" })
      end
    end
  end)

  it("is one line", function()
    for text, said in pairs {
      [""] = "selinux: is empty", [" a"] = "selinux: label expected",
      ["a\nb"] = "selinux: label expected", [("a"):rep(4001)] = "selinux: longer than 4000 bytes",
    } do
      local fine, err = pcall(ctr.container, recipe { selinux = text })
      assert.is_false(fine)
      assert.is_truthy(tostring(err):find(said, 1, true), tostring(err))
    end
  end)
end)
