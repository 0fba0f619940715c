-- Layers of images: unpacked into what an overlay shows, and packed again.

local layer = require("luactr.image.layer")
local layers = require("support.layers")
local digest = require("luactr.files.digest")
local marks = require("luactr.files.layers")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local SECOND <const> = 1000000000

-- One more reader, 1234: version, then tag, permissions and id of each line.
local ACL <const> = ("<I4"):pack(2) .. ("<I2I2I4I2I2I4I2I2I4I2I2I4I2I2I4"):pack(1, 6, 0xffffffff,
  2, 4, 1234, 4, 4, 0xffffffff, 16, 4, 0xffffffff, 32, 0, 0xffffffff)

local function names(path)
  local list = {}
  for i, entry in ipairs(assert(sys.readdir(path))) do list[i] = entry.name end
  table.sort(list)
  return table.concat(list, " ")
end

local function stat(stage, name) return sys.stat(stage.tree .. "/" .. name, "symlink_nofollow") end

local function is_opaque(path)
  local fd <close> = assert(sys.open(path, "directory"))
  return marks.is_opaque(fd)
end

-- Nothing of a layer that could not be unpacked may stay.
local function refuse(stage, code, cause, done, err)
  assert.is_nil(done)
  assert.equal(code, err.code)
  assert.matches(cause, tostring(err))
  assert.equal("", names(stage.path))
end

local SIMPLE <const> = {
  { path = "./", type = "directory", mode = 493, mtime = 2 * SECOND },
  { path = "etc/", type = "directory", mode = 493, mtime = 3 * SECOND },
  { path = "etc/file", text = "hello", mode = 416, mtime = 7 * SECOND },
  { path = "etc/hard", type = "link", link = "etc/file" },
  { path = "bin", type = "symlink", link = "usr/bin" },
}

describe("luactr.image.layer #system", function()
  before_each(world.check)
  after_each(world.check)

  describe("unpack()", function()
    for _, filter in ipairs { "none", "gzip", "zstd" } do
      it("tells all of a layer that is compressed by " .. filter, function()
        local stage <close> = layers.stage()
        local fd <close> = layers.tar(SIMPLE, filter ~= "none" and filter or nil)
        local sum, size = digest.of_fd(fd)
        local plain <close> = layers.tar(SIMPLE)
        local diff_id = digest.of_fd(plain)
        sys.lseek(fd, 0)
        local told = 0
        local result = assert(layer.unpack(fd, stage, "tree", { blob = "blob", diff_id = diff_id,
          descriptor = { digest = sum, size = size },
          progress = function(bytes) told = told + bytes end }))
        assert.same({ sum, size, diff_id, 5, 5, size, filter }, { result.digest, result.size,
          result.diff_id, result.files, result.bytes, told,
          result.media_type:match("tar%+?(%l*)"):gsub("^$", "none") .. "" })
        local blob <close> = assert(sys.open(stage.path .. "/blob"))
        assert.equal(sum, (digest.of_fd(blob)))
        assert.equal("hello", support.read(stage.tree .. "/etc/hard"))
        assert.equal(2, stat(stage, "etc/file").nlink)
        assert.equal(2 * SECOND, stat(stage, ".").mtime_ns)
        assert.equal(3 * SECOND, stat(stage, "etc").mtime_ns)
        assert.equal("usr/bin", sys.readlink(stage.tree .. "/bin"))
      end)
    end

    for _, program in ipairs { "xz", "bzip2" } do
      it("knows " .. program, function()
        support.needs("program:" .. program)
        local stage <close> = layers.stage()
        local dir <close> = support.tmpdir()
        local plain <close> = layers.tar(SIMPLE)
        local path = dir:write("layer", plain:read(1 << 20))
        support.must { program, path }
        local fd <close> = assert(sys.open(path .. (program == "xz" and ".xz" or ".bz2")))
        assert.matches(program .. "$", assert(layer.unpack(fd, stage, "tree")).media_type)
      end)
    end

    it("turns deletions into an overlay's marks", function()
      local stage <close> = layers.stage()
      assert(layers.unpack(stage, {
        { path = "a/.wh.gone", text = "" },
        { path = "b/", type = "directory" }, { path = "b/.wh..wh..opq", text = "" },
        { path = "c/.wh..wh..opq", text = "" }, { path = "c/new", text = "x" },
      }))
      assert.is_true(marks.is_whiteout(stat(stage, "a/gone")))
      assert.is_false(is_opaque(stage.tree .. "/a"))
      for _, name in ipairs { "b", "c" } do assert.is_true(is_opaque(stage.tree .. "/" .. name)) end
      assert.equal("new", names(stage.tree .. "/c"))
    end)

    -- By the specification they are about the layers below, whatever the order.
    it("keeps what a layer has and deletes below", function()
      local stage <close> = layers.stage()
      assert(layers.unpack(stage, {
        { path = "first", text = "1" }, { path = ".wh.first", text = "" },
        { path = ".wh.second", text = "" }, { path = "second", text = "2" },
        { path = "d/x", text = "x" }, { path = ".wh.d", text = "" },
        { path = ".wh.e", text = "" }, { path = "e/x", text = "x" },
        { path = ".wh.f", text = "" }, { path = "f/", type = "directory", mode = 448 },
      }))
      assert.equal("1", support.read(stage.tree .. "/first"))
      assert.equal("2", support.read(stage.tree .. "/second"))
      for _, name in ipairs { "d", "e", "f" } do
        assert.is_true(is_opaque(stage.tree .. "/" .. name))
      end
      assert.equal(448, stat(stage, "f").mode)
    end)

    it("has the last of several entries of a name", function()
      local stage <close> = layers.stage()
      assert(layers.unpack(stage, {
        { path = "x", text = "1" }, { path = "x", text = "2" },
        { path = "d/deep/file", text = "1" }, { path = "d", text = "now a file" },
        { path = "l", type = "symlink", link = "/" }, { path = "l/", type = "directory" },
      }))
      assert.equal("2", support.read(stage.tree .. "/x"))
      assert.equal("now a file", support.read(stage.tree .. "/d"))
      assert.equal("directory", stat(stage, "l").type)
    end)

    it("follows links inside the layer", function()
      local stage <close> = layers.stage()
      assert(layers.unpack(stage, {
        { path = "usr/lib/", type = "directory" },
        { path = "lib", type = "symlink", link = "/usr/lib" },
        { path = "lib/file", text = "x" }, { path = "copy", type = "link", link = "lib/file" },
      }))
      assert.equal("x", support.read(stage.tree .. "/usr/lib/file"))
      assert.equal("x", support.read(stage.tree .. "/copy"))
    end)

    it("keeps attributes, ACLs, but no marks of overlays", function()
      support.needs("root")
      local stage <close> = layers.stage()
      assert(layers.unpack(stage, {
        { path = "d/", type = "directory", xattrs = { ["system.posix_acl_default"] = ACL,
          ["trusted.overlay.opaque"] = "y", ["user.overlay.opaque"] = "y" } },
        { path = "d/f", text = "x", mode = 416, xattrs = { ["user.x"] = "y" } },
        { path = "f", text = "x", mode = 416, xattrs = { ["system.posix_acl_access"] = ACL,
          ["security.capability"] = "\1\0\0\2\0\0\32\0" .. ("\0"):rep(12) } },
      }))
      assert.equal(ACL, sys.getxattr(stage.tree .. "/d", "system.posix_acl_default"))
      assert.is_nil(sys.getxattr(stage.tree .. "/d/f", "system.posix_acl_access"))
      assert.equal(416, stat(stage, "d/f").mode)
      assert.equal("y", sys.getxattr(stage.tree .. "/d/f", "user.x"))
      assert.equal(ACL, sys.getxattr(stage.tree .. "/f", "system.posix_acl_access"))
      assert.is_truthy(sys.getxattr(stage.tree .. "/f", "security.capability"))
      assert.is_false(is_opaque(stage.tree .. "/d"))
    end)

    it("keeps ACLs as tar writes them", function()
      support.needs("root", "program:setfacl")
      local dir <close> = support.tmpdir()
      dir:mkdir "in/d"
      dir:write("in/f", "x", "0640")
      support.must { "setfacl", "-m", "u:1234:r", dir.path .. "/in/f" }
      support.must { "setfacl", "-d", "-m", "g:4321:rx", dir.path .. "/in/d" }
      support.must { "tar", "--acls", "-cf", dir.path .. "/layer", "-C", dir.path .. "/in", "." }
      local stage <close> = layers.stage()
      local fd <close> = assert(sys.open(dir.path .. "/layer"))
      assert(layer.unpack(fd, stage, "tree"))
      for path, name in pairs { f = "access", d = "default" } do
        name = "system.posix_acl_" .. name
        local expected = sys.getxattr(dir.path .. "/in/" .. path, name)
        assert.is_truthy(expected)
        assert.equal(expected, sys.getxattr(stage.tree .. "/" .. path, name))
      end
    end)

    it("keeps set-id bits and leaves out devices, and says so", function()
      support.needs("root")
      local stage <close> = layers.stage()
      local list = { { path = "su", text = "", mode = tonumber("4755", 8) },
        { path = "null", type = "char", major = 1, minor = 3 },
        { path = "sda", type = "block", major = 8, minor = 0 } }
      local result = assert(layers.unpack(stage, list))
      assert.equal(tonumber("4755", 8), stat(stage, "su").mode)
      assert.same({ { why = "it is a device", path = "null", count = 2 } }, result.notices)
      local other <close> = layers.stage()
      assert(layers.unpack(other, list, { devices = true, privileges = false }))
      assert.equal(tonumber("755", 8), stat(other, "su").mode)
      assert.same({ "char", "block" }, { stat(other, "null").type, stat(other, "sda").type })
    end)

    for _, case in ipairs {
      { limits = { entries = 3 }, cause = "more than 3 files" },
      { limits = { bytes = 4 }, cause = "more than 4 bytes" },
      { limits = { depth = 1 }, cause = "deeper than 1" },
    } do
      it("has a limit: " .. case.cause, function()
        local stage <close> = layers.stage()
        refuse(stage, "E2BIG", case.cause .. ".*higher limits",
          layers.unpack(stage, SIMPLE, { limits = case.limits, blob = "blob" }))
      end)
    end

    it("has a limit for what a layer becomes", function()
      local stage <close> = layers.stage()
      local dir <close> = support.tmpdir()
      local zeros <close> = assert(sys.open(dir.path .. "/zeros", { "rdwr", "creat" }, "0600"))
      sys.ftruncate(zeros, 100 << 20)
      support.must { "gzip", "-1", dir.path .. "/zeros" }
      local fd <close> = assert(sys.open(dir.path .. "/zeros.gz"))
      refuse(stage, "E2BIG", "more than 50 times",
        layer.unpack(fd, stage, "tree", { limits = { ratio = 50 }, blob = "blob" }))
    end)

    for _, case in ipairs {
      { what = "size", code = "EBADMSG", cause = "has %d+ bytes, and its descriptor says",
        change = function(descriptor) descriptor.size = descriptor.size + 1 end },
      { what = "smaller size", code = "EBADMSG", cause = "more than the %d+ bytes",
        change = function(descriptor) descriptor.size = 100 end },
      { what = "digest", code = "EBADMSG", cause = "its digest is sha256:%x+, and its descriptor",
        change = function(descriptor) descriptor.digest = "sha256:" .. ("0"):rep(64) end },
      { what = "media type", code = "EINVAL", cause = 'compression "lz4" of a layer is unknown',
        change = function(descriptor)
          descriptor.mediaType = "application/vnd.oci.image.layer.v1.tar+lz4"
        end },
      { what = "diff id", code = "EBADMSG", cause = "its diff id is .*the image's config says",
        change = function(_, options) options.diff_id = "sha256:" .. ("0"):rep(64) end },
    } do
      it("refuses a wrong " .. case.what, function()
        local stage <close> = layers.stage()
        local fd <close> = layers.tar(SIMPLE, "gzip")
        local sum, size = digest.of_fd(fd)
        sys.lseek(fd, 0)
        local options = { blob = "blob", descriptor = { digest = sum, size = size,
          mediaType = "application/vnd.oci.image.layer.v1.tar+gzip" } }
        case.change(options.descriptor, options)
        refuse(stage, case.code, case.cause, layer.unpack(fd, stage, "tree", options))
      end)
    end

    for what, text in pairs { ["no archive"] = ("no archive\n"):rep(100),
      ["one of an unknown compression"] = "\x04\x22\x4d\x18" .. ("x"):rep(600) } do
      it("refuses what is " .. what, function()
        local stage <close> = layers.stage()
        local fd <close> = layers.memory(text)
        refuse(stage, "EBADMSG", "no tar archive",
          layer.unpack(fd, stage, "tree", { blob = "blob" }))
      end)
    end

    for _, filter in ipairs { "gzip", "zstd", "none" } do
      it("refuses one that was cut short, " .. filter, function()
        local stage <close> = layers.stage()
        local random <close> = assert(sys.open("/dev/urandom"))
        local whole <close> = layers.tar({ { path = "x", text = random:read(100000) } },
          filter ~= "none" and filter or nil)
        local fd <close> = layers.memory(whole:read(50000))
        refuse(stage, "EBADMSG", "[Tt]runcated", layer.unpack(fd, stage, "tree", { blob = "blob" }))
      end)
    end

    it("leaves nothing on a disk that is full", function()
      support.needs("root")
      local stage <close> = layers.stage()
      local small = stage.path .. "/small"
      sys.mkdir(small, "0700")
      local child <close> = assert(sys.clone("newns", function()
        assert(sys.mount(nil, "/", nil, { "rec", "private" }))
        assert(sys.mount("tmpfs", small, "tmpfs", nil, "size=1m"))
        local place = { path = small, fd = assert(sys.open(small, "directory")) }
        local done, err = layers.unpack(place, { { path = "x", text = ("x"):rep(2 << 20) } },
          { blob = "blob" })
        return not done and err.code == "ENOSPC" and err.remedy:find("image gc", 1, true)
          and names(small) == "" or false
      end))
      assert.equal(0, child:wait().code)
    end)
  end)

  describe("pack()", function()
    local function tree()
      local dir <const> = support.tmpdir()
      dir:write("b/file", "hello", "0640")
      dir:write("a", "x")
      support.must { "ln", dir.path .. "/a", dir.path .. "/z" }
      support.symlink("a", dir.path .. "/link")
      return dir
    end

    local function packed(path, options)
      local fd = layers.memory()
      local result = assert(layer.pack(path, fd, options))
      sys.lseek(fd, 0)
      return fd, result
    end

    for _, compression in ipairs { "none", "gzip", "zstd" } do
      it("tells all of what it has written, " .. compression, function()
        local dir <close> = tree()
        local fd <close>, result = packed(dir.path, { compression = compression })
        local sum, size = digest.of_fd(fd)
        assert.same({ sum, size, 6 }, { result.digest, result.size, result.files })
        sys.lseek(fd, 0)
        local stage <close> = layers.stage()
        local unpacked = assert(layer.unpack(fd, stage, "tree", { diff_id = result.diff_id }))
        assert.equal(result.media_type, unpacked.media_type)
        assert.equal("a b link z", names(stage.tree))
        assert.equal("hello", support.read(stage.tree .. "/b/file"))
        assert.same({ 416, 2 }, { stat(stage, "b/file").mode, stat(stage, "z").nlink })
      end)
    end

    it("gives the same bytes for the same files, whatever their times", function()
      local sums = {}
      for i = 1, 2 do
        local dir <close> = tree()
        sys.utimens(dir.path .. "/a", nil, (1700000000 + i) * SECOND)
        local fd <close>, result = packed(dir.path, { epoch = 1600000000 })
        sums[i] = result.digest
        fd:close()
      end
      assert.equal(sums[1], sums[2])
    end)

    it("keeps deletions, and directories that hide others", function()
      local stage <close> = layers.stage()
      local again <close> = layers.stage()
      assert(layers.unpack(stage, { { path = "a/.wh.gone", text = "" },
        { path = "b/.wh..wh..opq", text = "" }, { path = "b/file", text = "x" } }))
      local fd <close> = packed(stage.tree)
      assert(layer.unpack(fd, again, "tree"))
      assert.is_true(marks.is_whiteout(stat(again, "a/gone")))
      assert.is_true(is_opaque(again.tree .. "/b"))
      assert.equal("file", names(again.tree .. "/b"))
    end)

    it("keeps attributes and ACLs", function()
      support.needs("root")
      local dir <close> = tree()
      assert(sys.setxattr(dir.path .. "/a", "system.posix_acl_access", ACL))
      assert(sys.setxattr(dir.path .. "/a", "user.x", "y"))
      local fd <close> = packed(dir.path)
      local stage <close> = layers.stage()
      assert(layer.unpack(fd, stage, "tree"))
      assert.equal(ACL, sys.getxattr(stage.tree .. "/a", "system.posix_acl_access"))
      assert.equal("y", sys.getxattr(stage.tree .. "/a", "user.x"))
    end)

    it("says what it cannot pack, and where it cannot write", function()
      local fd <close> = layers.memory()
      local done, err = layer.pack("/nowhere", fd)
      assert.same({ nil, "ENOENT", "/nowhere" }, { done, err.code, err.path })
      local dir <close> = tree()
      local full <close> = assert(sys.open("/dev/full", "wronly"))
      for _, compression in ipairs { "none", "gzip", "zstd" } do
        done, err = layer.pack(dir.path, full, { compression = compression })
        assert.same({ nil, "ENOSPC" }, { done, err.code }, compression)
      end
    end)
  end)
end)
