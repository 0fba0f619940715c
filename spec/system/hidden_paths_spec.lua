-- masked_paths and readonly_paths of a recipe, by their effect inside.

local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("hidden paths #system", function()
  local dir, root

  before_each(function()
    dir = support.tmpdir()
    root = dir:mkdir("root")
    dir:mkdir("root/bin")
    support.copy("/bin/busybox", root .. "/bin/sh")
    for _, name in ipairs { "cat", "ls", "stat", "umount" } do
      support.symlink("sh", root .. "/bin/" .. name)
    end
    dir:write("root/etc/secret", "secret")
    dir:write("root/srv/private/secret", "secret")
    support.symlink("srv/private", root .. "/link")
    world.check()
  end)

  after_each(function()
    world.check()
    dir:close()
  end)

  local function output(fields, script)
    fields.rootfs, fields.stdin = root, "null"
    fields.stdout, fields.stderr = "capture", "stdout"
    fields.command = { "/bin/sh", "-c", script }
    return (assert(ctr.run(fields)).stdout:gsub("\n$", ""))
  end

  describe("masked", function()
    it("files are empty, and take nothing", function()
      assert.are.equal("character special file\nend", output({ masked_paths = { "/etc/secret" } },
        "cat /etc/secret; echo x >/etc/secret; stat -c %F /etc/secret; echo end"))
      assert.are.equal("secret", support.read(root .. "/etc/secret"))
    end)

    it("directories are empty and read-only, also by another name", function()
      assert.matches("^[^\n]*Read%-only[^\n]*\nend$", output({ masked_paths = { "/srv/private" } },
        "ls /srv/private; ls /link/; echo x >/srv/private/new; echo end"))
    end)

    it("are what a link leads to", function()
      assert.are.equal("", output({ masked_paths = { "/link" } }, "ls /srv/private"))
    end)

    it("may be missing", function()
      assert.are.equal("end", output({ masked_paths = { "/none", "/etc/secret/none" } },
        "echo end"))
    end)

    it("come after the recipe's mounts, and stay", function()
      dir:write("data/secret", "secret")
      assert.matches("^umount[^\n]*Operation not permitted[^\n]*\nend$", output({
        mounts = { ctr.bind(dir.path .. "/data", "/data") }, masked_paths = { "/data/secret" },
      }, "cat /data/secret; umount /data/secret; cat /data/secret; echo end"))
    end)
  end)

  describe("read-only", function()
    it("files and directories can be read, not written", function()
      local text = output({ readonly_paths = { "/etc/secret", "/srv" } },
        "cat /etc/secret /srv/private/secret; echo x >/etc/secret; echo x >/srv/private/new; "
        .. "echo x >/new && echo end")
      assert.matches("^secretsecret.*Read%-only.*Read%-only.*end$", text)
    end)

    it("directories have all that is mounted below", function()
      local mounts = { ctr.tmpfs("/srv/t"), ctr.tmpfs("/srv/t/u", nil, { noexec = true }) }
      local text = output({ mounts = mounts, readonly_paths = { "/srv" } },
        "echo x >/srv/t/new; echo x >/srv/t/u/new; cat /proc/self/mounts")
      assert.matches("Read%-only.*Read%-only", text)
      assert.matches(" /srv/t/u tmpfs ro,nosuid,nodev,noexec", text)
    end)

    it("paths may be missing", function()
      assert.are.equal("end", output({ readonly_paths = { "/none" } }, "echo end"))
    end)
  end)

  it("are none, if that is said", function()
    local mounts = output({ masked_paths = {}, readonly_paths = {} }, "cat /proc/self/mounts")
    assert.is_nil(mounts:match(" /proc/"))
    assert.is_truthy(output({}, "cat /proc/self/mounts"):match(" /proc/"))
  end)
end)
