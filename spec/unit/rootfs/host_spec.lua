local fake_fs = require "support.fake_fs"
local host = require "luactr.rootfs.host"
local rootfs = require "luactr.rootfs"
local sys = require "luactr.sys"

local FACTS <const> = { stage = "/run/luactr/stage" }

local function steps(options, files)
  options.path = "/usr/bin"
  local value = assert(host.new(options, fake_fs.host(files)))
  assert.is_nil(value.problem)
  local lines = {}
  for i, step in ipairs(host.steps(value, FACTS)) do
    assert.are.equal("rootfs", step.from)
    lines[i] = step.op .. " " .. (step.target or step.path or step.stage or step.source)
  end
  return lines
end

describe("luactr.rootfs #unit", function()
  describe("host()", function()
    it("builds a tmpfs root of links and read-only binds", function()
      assert.are.same({
        "root_tmpfs /run/luactr/stage",
        "symlink /bin", "symlink /lib", "symlink /lib64", "mkdir /tmp",
        "bind /usr/bin/sh",
        "bind /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        "bind /usr/lib/x86_64-linux-gnu/libc.so.6",
        "symlink /usr/lib64/ld-linux-x86-64.so.2",
      }, steps { "sh" })
    end)

    it("has no link into a directory that it does not have", function()
      local lines = table.concat(steps({}, { ["/sbin"] = { link = "usr/sbin" } }), "\n")
      assert.is_nil(lines:find("/sbin", 1, true))
    end)

    it("adds files where they are and elsewhere", function()
      local lines = table.concat(steps({ files = { "/etc/passwd", ["/x/sh"] = "/usr/bin/sh" } },
        { ["/etc/passwd"] = "root" }), "\n")
      assert.matches("bind /etc/passwd", lines, 1, true)
      assert.matches("bind /x/sh", lines, 1, true)
    end)

    it("binds the copy's directory instead when asked to copy", function()
      assert.are.same({ "root_bind /home/container" }, steps { "sh", copy = "/home/container" })
      assert.are.same({ "root_bind /home/user/here" }, steps { "sh", copy = "here" })
    end)

    it("keeps what the host lacks until it is used", function()
      local value = host.new({ "shh", path = "/usr/bin" }, fake_fs.host())
      assert.are.equal("ENOENT", value.problem.code)
      assert.are.equal("rootfs.host", value.problem.op)
      value = host.new({ "sh", path = "/usr/bin", files = { "/etc/nope" } }, fake_fs.host())
      assert.are.equal("/etc/nope", value.problem.path)
    end)

    for _, case in ipairs {
      { "sh", "list of programs expected" },
      { { 5 }, "a program is a string" },
      { { "sh", file = {} }, "unknown option file, did you mean files?" },
      { { "sh", copy = 5 }, "copy is a number, boolean or string expected" },
      { { "sh", files = "/etc/passwd" }, "files is a string, table expected" },
      { { "sh", files = { "passwd" } }, "files are absolute paths" },
    } do
      it("raises at the caller's line: " .. case[2], function()
        local ok, message = pcall(function() rootfs.host(case[1]) end)
        assert.is_false(ok)
        assert.matches("host_spec.lua:%d+: rootfs.host: ", message)
        assert.matches(case[2], message, 1, true)
      end)
    end
  end)

  describe("dir()", function()
    it("binds a directory of the host, whose device nodes are dead", function()
      assert.are.same({
        { op = "root_bind", source = "/srv/x", recursive = 1, from = "rootfs" },
        { op = "mount_setattr", target = "/", set = sys.MOUNT_ATTR_NODEV, clear = 0, recursive = 1,
          from = "rootfs" },
      }, rootfs.dir("/srv/x"):steps(FACTS))
    end)

    it("raises on what is no path", function()
      assert.has_error(function() rootfs.dir(5) end)
      assert.has_error(function() rootfs.dir("") end)
    end)
  end)

  it("empty() is a tmpfs", function()
    assert.are.same({
      { op = "root_tmpfs", stage = FACTS.stage, data = "mode=0755", from = "rootfs" },
    }, rootfs.empty():steps(FACTS))
  end)
end)
