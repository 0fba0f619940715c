-- Layers of images that want to be unpacked elsewhere, as root and as an ordinary user.

local digest = require("luactr.files.digest")
local document = require("support.gallery.document")
local gallery = require("support.gallery")
local layer = require("luactr.image.layer")
local layers = require("support.layers")
local marks = require("luactr.files.layers")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

local BLOCK <const> = 512
local USERS <const> = { root = 0, ["an ordinary user"] = support.stranger }
local LIMITS <const> = { entries = 100, bytes = 1 << 30, depth = 50, ratio = 20 }

-- ---- archives that no writer writes

-- One header; fields are texts as they are in it.
local function header(fields)
  local block = table.concat {
    fields.name .. ("\0"):rep(100 - #fields.name),
    fields.mode or "0000644\0", "0000000\0", "0000000\0", fields.size or "00000000000\0",
    "00000000000\0", (" "):rep(8), fields.kind or "0", ("\0"):rep(100), "ustar\00000",
  }
  block = block .. ("\0"):rep(BLOCK - #block)
  local sum = 0
  for i = 1, BLOCK do sum = sum + block:byte(i) end
  return block:sub(1, 148) .. ("%06o\0 "):format(sum) .. block:sub(157)
end

local function padded(text) return text .. ("\0"):rep(-#text % BLOCK) end

local END <const> = ("\0"):rep(2 * BLOCK)

-- A file of which a pax header says more.
local function pax(records)
  return header { name = "pax", kind = "x", size = ("%011o\0"):format(#records) } .. padded(records)
    .. header { name = "file", size = "00000000004\0" } .. padded "text" .. END
end

local function record(text)
  local length = #text + 2
  while #(length .. " " .. text .. "\n") ~= length do length = length + 1 end
  return length .. " " .. text .. "\n"
end

-- ---- one attempt

---@class layer.Attack
---@field attack string its row in docs/security.md
---@field layers fun(place: gallery.Place): (table[]|string)[] each a list of entries or an archive
---@field benign table[] of entries: what must be unpacked
---@field check? fun(tree: string): string? the harm done, besides that to the host

local function source_of(what)
  return type(what) == "table" and layers.tar(what) or layers.memory(what)
end

-- One layer after the other, in a process of that user: what came of each, a line.
local function unpack_all(uid, tries)
  local from, to = sys.pipe()
  local reading <close> = from
  local child <close> = assert(sys.clone({}, function()
    if uid ~= 0 then
      assert(sys.setgroups {})
      assert(sys.setgid(uid))
      assert(sys.setuid(uid))
    end
    sys.umask(0)
    for _, try in ipairs(tries) do
      local done, err = layer.unpack(try.source, try.stage, "tree",
        { blob = "blob", limits = LIMITS })
      to:write((done and "held" or tostring(err):sub(1, 1000):gsub("\n", " ")) .. "\n")
    end
  end))
  to:close()
  local said = {}
  for text in function() return reading:read(1 << 16) end do
    if text == "" then break end
    said[#said + 1] = text
  end
  assert.equal(0, child:wait().code)
  return table.concat(said)
end

local function left_in(stage)
  local names = {}
  for i, entry in ipairs(assert(sys.readdir(stage.path))) do names[i] = entry.name end
  table.sort(names)
  return table.concat(names, " ")
end

-- All of it is in its place, or nothing.
local function harm_in(attack, stage, result)
  local left = left_in(stage)
  if left ~= (result == "held" and "blob tree" or "") then return "left: " .. left end
  return result == "held" and attack.check and attack.check(stage.tree) or nil
end

-- Close both when it has been tried.
local function try_of(uid, what)
  local stage = layers.stage()
  assert(sys.chown(stage.fd, uid, uid))
  return { stage = stage, source = source_of(what) }
end

local function close_all(tries)
  for _, try in ipairs(tries) do
    getmetatable(try.stage).__close(try.stage)
    try.source:close()
  end
end

local function attempt(attack, uid, place)
  local tries <close> = setmetatable({}, { __close = close_all })
  for i, what in ipairs(attack.layers(place)) do tries[i] = try_of(uid, what) end
  tries[#tries + 1] = try_of(uid, attack.benign)
  local said = unpack_all(uid, tries)
  local harm, number, last = place.canary:harm(said), 0, nil
  for line in said:gmatch("[^\n]+") do
    number, last = number + 1, line
    local result = line == "held" and "held" or "refused"
    harm[#harm + 1] = number < #tries and harm_in(attack, tries[number].stage, result) or nil
    document.expect(attack, { result = #harm > 0 and "escaped" or result,
      harm = table.concat(harm, "\n"), output = line })
  end
  assert.equal(#tries, number)
  assert.equal("held", last)
end

---@param attack layer.Attack
local function specs(attack)
  for user, uid in pairs(USERS) do
    it(attack.attack .. ", " .. user, function()
      local place <close> = gallery.place(uid)
      place.canary:watch()
      attempt(attack, uid, place)
    end)
  end
end

local function up_to(place) return ("../"):rep(20) .. place.host:sub(2) end

describe("a layer #attack", function()
  before_each(world.check)
  after_each(world.check)

  specs {
    attack = "layer-names",
    layers = function(place)
      local list = {}
      for _, name in ipairs { up_to(place) .. "/pwned", "a/../../" .. up_to(place) .. "/pwned",
        "..", "../pwned", place.host .. "/pwned", "//" .. place.host .. "/secret" } do
        list[#list + 1] = { { path = name, text = "pwned" } }
        list[#list + 1] = { { path = name, type = "directory", mode = 511 } }
      end
      return list
    end,
    benign = { { path = "/etc/..x/...", text = "x" }, { path = "./a//b/./c", text = "x" } },
  }

  specs {
    attack = "layer-links",
    layers = function(place)
      local secret <const> = place.host .. "/secret"
      local etc <const> = { path = "etc", type = "symlink", link = place.host }
      return {
        { etc, { path = "etc/pwned", text = "x" } },
        { etc, { path = "etc", type = "directory", mode = 511 } },
        { { path = "etc", type = "symlink", link = up_to(place) },
          { path = "etc/pwned", text = "x" } },
        { { path = "a", type = "symlink", link = "/proc/self/root" .. place.host },
          { path = "a/secret", text = "pwned" } },
        { { path = "a", type = "symlink", link = "b" },
          { path = "b", type = "symlink", link = "a" }, { path = "a/x", text = "x" } },
        { { path = ".", type = "symlink", link = place.host }, { path = "pwned", text = "x" } },
        { { path = "./", type = "symlink", link = place.host },
          { path = "secret", text = "pwned" } },
        { { path = ".", text = "a file" }, { path = "pwned", text = "x" } },
        { { path = "h", type = "link", link = secret },
          { path = "h", text = "pwned", mode = 511 } },
        { { path = "h", type = "link", link = up_to(place) .. "/secret" } },
        { { path = "d", type = "symlink", link = place.host },
          { path = "h", type = "link", link = "d/secret" }, { path = "h", text = "pwned" } },
        { { path = "s", type = "symlink", link = secret },
          { path = "h", type = "link", link = "s" }, { path = "h", text = "pwned", mode = 511 },
          { path = "s", text = "pwned", mode = 511 } },
        { { path = "s", type = "symlink", link = secret },
          { path = "s", text = "", mode = tonumber("6777", 8), uid = support.stranger } },
        { { path = "x", text = "1" }, { path = "x", type = "symlink", link = secret },
          { path = "x", text = "pwned" }, { path = "x", type = "directory" } },
      }
    end,
    benign = { { path = "usr/lib/x", text = "x" },
      { path = "lib", type = "symlink", link = "usr/lib" },
      { path = "lib/y", text = "y" }, { path = "z", type = "link", link = "usr/lib/y" } },
  }

  specs {
    attack = "layer-whiteouts",
    layers = function(place)
      local etc <const> = { path = "etc", type = "symlink", link = place.host }
      return {
        { etc, { path = "etc/.wh.secret", text = "" } },
        { etc, { path = "etc/.wh..wh..opq", text = "" } },
        { { path = up_to(place) .. "/.wh.secret", text = "" } },
        { { path = up_to(place) .. "/.wh..wh..opq", text = "" } },
        { { path = ".wh...", text = "" } }, { { path = "a/.wh..", text = "" } },
        { { path = ".wh.", text = "" } }, { { path = "a/.wh.", type = "directory" } },
        { { path = "w", type = "symlink", link = place.host }, { path = ".wh.w", text = "" },
          { path = "w/pwned", text = "x" } },
      }
    end,
    benign = { { path = "etc/.wh.passwd", text = "" }, { path = "run/.wh..wh..opq", text = "" } },
  }

  -- An overlay would take these marks for its own: another directory in place of this one.
  specs {
    attack = "layer-privileges",
    layers = function()
      local prefixed, secret = {}, { ["security.selinux"] = "x", ["trusted.x"] = "y" }
      for _, prefix in ipairs { "trusted.overlay.", "user.overlay." } do
        for _, name in ipairs { "opaque", "redirect", "metacopy", "origin" } do
          prefixed[prefix .. name] = "/x"
        end
      end
      return {
        { { path = "zero", type = "char", major = 1, minor = 5 },
          { path = "disk", type = "block", major = 8, minor = 0, mode = 438 },
          { path = "hidden", type = "char", major = 0, minor = 0 } },
        { { path = "d", type = "directory", xattrs = prefixed },
          { path = "f", text = "x", xattrs = prefixed },
          { path = "g", text = "x", xattrs = secret } },
      }
    end,
    check = function(tree)
      for _, entry in ipairs(assert(sys.readdir(tree))) do
        local path = tree .. "/" .. entry.name
        local stat = sys.stat(path, "symlink_nofollow")
        if marks.is_whiteout(stat) or stat.type == "char" or stat.type == "block" then
          return "a device: " .. entry.name
        end
        for _, name in ipairs(sys.listxattr(path)) do
          if name ~= "security.selinux" then return "an attribute: " .. name end
        end
      end
    end,
    benign = { { path = "su", text = "x", mode = tonumber("4755", 8),
      xattrs = { ["user.x"] = "y" } } },
  }

  specs {
    attack = "layer-bombs",
    layers = function()
      local many, deep = {}, ("d/"):rep(60)
      for i = 1, 101 do many[i] = { path = "many" .. i, type = "directory" } end
      return {
        many, { { path = deep .. "x", text = "" } },
        { { path = ("n"):rep(5000), text = "" } },
        header { name = "large", size = "77777777777\0" } .. END,
        header { name = "larger", size = "\x80\0\0\0\x7f" .. ("\xff"):rep(7) } .. END,
        header { name = "negative", size = ("\xff"):rep(12) } .. padded "text" .. END,
        header { name = "negative", size = "-0000000004\0" } .. padded "text" .. END,
        pax(record "size=9223372036854775807"), pax(record "size=-1"),
        pax(record "size=99999999999999999999999"),
        pax(record "GNU.sparse.major=1" .. record "GNU.sparse.minor=0"
          .. record "GNU.sparse.realsize=9223372036854775807" .. record "GNU.sparse.name=hole"),
        pax "99999999999999999999 path=x\n", pax "4 path=",
        pax(record("path=" .. ("x/"):rep(200000))),
        header { name = "pax", kind = "x", size = "77777777777\0" } .. END,
      }
    end,
    benign = { { path = ("long/"):rep(40) .. ("n"):rep(250), text = "x" } },
  }

  it("layer-bombs: what is compressed becomes no more than its ratio", function()
    local dir <close> = support.tmpdir()
    local zeros <close> = assert(sys.open(dir.path .. "/zeros", { "rdwr", "creat" }, "0600"))
    zeros:write(header { name = "zeros", size = "00777777777\0" })
    sys.ftruncate(zeros, 100 << 20)
    support.must { "gzip", "-1", dir.path .. "/zeros" }
    local stage <close> = layers.stage()
    local fd <close> = assert(sys.open(dir.path .. "/zeros.gz"))
    local done, err = layer.unpack(fd, stage, "tree", { blob = "blob", limits = LIMITS })
    assert.same({ nil, "E2BIG", "" }, { done, err.code, left_in(stage) })
    assert.matches("more than 20 times", err.cause)
  end)

  it("layer-bombs: nothing that follows the archive is missing in its digests", function()
    local stage <close> = layers.stage()
    local fd <close> = layers.memory(padded "" .. END .. ("trailing"):rep(100000))
    local sum = digest.of_fd(fd)
    sys.lseek(fd, 0)
    assert.equal(sum, assert(layer.unpack(fd, stage, "tree")).diff_id)
  end)
end)
