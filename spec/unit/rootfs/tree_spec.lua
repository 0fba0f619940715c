local fake_fs = require "support.fake_fs"
local tree = require "luactr.rootfs.tree"

-- The list as lines: "dir /usr 755", "link /bin usr/bin", "file /usr/bin/sh".
local function lines(t)
  local result = {}
  for i, item in ipairs(t:list()) do
    local entry = item.entry
    local detail = entry.link or (entry.mode and string.format("%o", entry.mode))
      or (entry.source ~= item.path and entry.source or nil)
    result[i] = entry.kind .. " " .. item.path .. (detail and " " .. detail or "")
  end
  return result
end

describe("luactr.rootfs.tree #unit", function()
  describe("add()", function()
    it("records directories, links on the way and the file at the end", function()
      local t = tree.new(fake_fs.host())
      assert.are.equal("/usr/bin/sh", t:add("/bin/sh"))
      assert.are.same({
        "link /bin usr/bin", "dir /usr 755", "dir /usr/bin 755", "file /usr/bin/sh",
      }, lines(t))
    end)

    it("follows chains of links, absolute and relative ones", function()
      local t = tree.new(fake_fs.host {
        ["/usr/bin/awk"] = { link = "/etc/alternatives/awk" },
        ["/etc/alternatives/awk"] = { link = "../../usr/bin/mawk" },
        ["/usr/bin/mawk"] = "x",
      })
      assert.are.equal("/usr/bin/mawk", t:add("/usr/bin/awk"))
      assert.are.same({
        "dir /etc 755", "dir /etc/alternatives 755",
        "link /etc/alternatives/awk ../../usr/bin/mawk",
        "dir /usr 755", "dir /usr/bin 755", "link /usr/bin/awk /etc/alternatives/awk",
        "file /usr/bin/mawk",
      }, lines(t))
    end)

    it("takes a directory with all that is in it", function()
      local t = tree.new(fake_fs.host { ["/srv/data/x"] = "x", ["/srv/data/y"] = "y" })
      t:add("/srv/data/x")
      t:add("/srv/data")
      assert.are.same({ "dir /srv 755", "subtree /srv/data" }, lines(t))
    end)

    it("says which path has no way", function()
      local t = tree.new(fake_fs.host { ["/a"] = { link = "/b" }, ["/b"] = { link = "/a" } })
      local real, message, errno = t:add("/usr/nope")
      assert.is_nil(real)
      assert.matches("/usr/nope", message, 1, true)
      assert.are.equal(2, errno)
      real, message = t:add("/a/x")
      assert.is_nil(real)
      assert.matches("too many levels", message)
    end)

    it("does not leave the root by ..", function()
      assert.are.equal("/usr/bin/sh", tree.new(fake_fs.host()):add("/../../usr/./bin/../bin/sh"))
    end)
  end)

  describe("add_as()", function()
    it("puts a file elsewhere and makes what is missing", function()
      local t = tree.new(fake_fs.host { ["/home/user/loop"] = "x" })
      assert.are.equal("/usr/bin/loop", t:add_as("/bin/loop", "/home/user/loop"))
      assert.are.equal("/new/place/loop", t:add_as("/new/place/loop", "/home/user/loop"))
      assert.are.same({
        "link /bin usr/bin", "dir /new 755", "dir /new/place 755",
        "file /new/place/loop /home/user/loop", "dir /usr 755", "dir /usr/bin 755",
        "file /usr/bin/loop /home/user/loop",
      }, lines(t))
    end)

    it("keeps a stranger in a subtree", function()
      local t = tree.new(fake_fs.host { ["/srv/data/x"] = "x" })
      t:add("/srv/data")
      t:add_as("/srv/data/x", "/usr/bin/sh")
      assert.are.same({ "dir /srv 755", "subtree /srv/data", "file /srv/data/x /usr/bin/sh" },
        lines(t))
    end)

    it("fails on a missing source", function()
      local real, _, errno = tree.new(fake_fs.host()):add_as("/x", "/nope")
      assert.is_nil(real)
      assert.are.equal(2, errno)
    end)
  end)

  it("lists a directory before its contents and marks it as implied", function()
    local t = tree.new(fake_fs.host { ["/a-b"] = "x", ["/a/x"] = "x", ["/z"] = { mode = 448 } })
    t:add("/a-b")
    t:add("/a/x")
    t:add_directory("/z")
    t:add_directory("/tmp")
    local implied = {}
    for _, item in ipairs(t:list()) do implied[item.path] = item.implied or false end
    assert.are.same({ ["/a"] = true, ["/a/x"] = false, ["/a-b"] = false, ["/tmp"] = false,
      ["/z"] = false }, implied)
  end)
end)
