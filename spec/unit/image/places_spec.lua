-- luactr.image.places: where the files of a tar archive are; its headers come from strangers.

local header = require("luactr.image.places.header")
local places = require("luactr.image.places")
local support = require("support")
local sys = require("luactr.core").sys

local function field(text, size) return text .. ("\0"):rep(size - #text) end

-- A header block; `change` is told of the fields before the sum is made.
local function block(options)
  local text = field(options.name or "file", 100) .. field("0000644", 8) .. field("0000000", 8)
    .. field("0000000", 8) .. (options.raw_size or field(("%011o"):format(options.size or 0), 12))
    .. field("00000000000", 12) .. (" "):rep(8) .. (options.type or "0")
    .. field(options.link or "", 100) .. (options.magic or "ustar\0") .. "00" .. field("", 80)
    .. field(options.prefix or "", 155) .. ("\0"):rep(12)
  local sum = 0
  for i = 1, #text do sum = sum + text:byte(i) end
  return text:sub(1, 148) .. ("%06o\0 "):format(options.sum or sum) .. text:sub(157)
end

local function padded(text) return text .. ("\0"):rep(-#text % 512) end

local function record(key, value)
  local length = #key + #value + 3
  local total = length + #tostring(length)
  total = length + #tostring(total)
  return ("%d %s=%s\n"):format(total, key, value)
end

local function archive(...)
  local fd = sys.memfd_create("luactr-spec")
  fd:write(table.concat { ... })
  return fd
end

local function list(fd)
  local found = {}
  local done, err = places.each(fd, function(place) found[#found + 1] = place end)
  fd:close()
  return done and found, err
end

describe("luactr.image.places.header #unit", function()
  it("reads what ustar says", function()
    assert.same({ type = "file", name = "a/b", size = 9 },
      header.parse(block { name = "b", prefix = "a", size = 9 }))
    assert.same({ type = "link", name = "x", link = "y", size = 0 },
      header.parse(block { name = "x", type = "1", link = "y", size = 9 }))
    assert.same({ type = "directory", name = "d/", size = 0 },
      header.parse(block { name = "d/", magic = "      " }))
    assert.equal("other", header.parse(block { type = "S" }).type)
    assert.is_false(header.parse(("\0"):rep(512)))
  end)

  it("reads sizes that octal digits cannot hold", function()
    local raw = "\x80" .. (">I3"):pack(0) .. (">I8"):pack(1 << 40)
    assert.equal(1 << 40, header.parse(block { raw_size = raw }).size)
  end)

  it("says what is wrong", function()
    for _, case in ipairs {
      { "a header's checksum is wrong", block { sum = 7 } },
      { "a header's checksum is wrong", ("x"):rep(512) },
      { "a header's size is no number", block { raw_size = field("banana", 12) } },
      { "a header's size is no number", block { raw_size = "\xff" .. ("\xff"):rep(11) } },
    } do
      assert.same({ nil, case[1] }, { header.parse(case[2]) })
    end
  end)

  it("reads records of pax headers", function()
    assert.same({ path = "a=b\n", size = "12" },
      header.records(record("path", "a=b\n") .. record("size", "12")))
    for _, text in ipairs { "x", "5 a", "99 path=x\n", "0 a=b\n", "7 path\n", "10 path=xx" } do
      assert.same({ nil, "a pax header is damaged" }, { header.records(text) })
    end
  end)
end)

describe("luactr.image.places #unit", function()
  it("tells where files are", function()
    local found = list(archive(block { name = "./one", size = 3 }, padded "abc",
      block { name = "d/", type = "5" }, block { name = "d/two", size = 0 },
      block { name = "l", type = "2", link = "one" }, ("\0"):rep(1024)))
    assert.same({
      { name = "one", type = "file", offset = 512, size = 3 },
      { name = "d", type = "directory", offset = 1536, size = 0 },
      { name = "d/two", type = "file", offset = 2048, size = 0 },
      { name = "l", type = "symlink", link = "one", offset = 2560, size = 0 },
    }, found)
  end)

  it("takes names and sizes from pax and GNU headers", function()
    local long, pax = ("n"):rep(150), record("path", "p") .. record("size", "2")
    local found = list(archive(
      block { name = "././@LongLink", type = "L", size = 151 }, padded(long .. "\0"),
      block { name = "n", size = 1 }, padded "x",
      block { name = "pax", type = "x", size = #pax }, padded(pax),
      block { name = "short" }, padded "ab"))
    assert.same({ { name = long, type = "file", offset = 1536, size = 1 },
      { name = "p", type = "file", offset = 3584, size = 2 } }, found)
  end)

  it("reads what tar(1) writes", function()
    local dir <close> = support.tmpdir()
    local name = ("deep/"):rep(30) .. "file"
    dir:write("in/" .. name, "text")
    for _, format in ipairs { "ustar", "gnu", "pax" } do
      support.must { "tar", "-C", dir.path .. "/in", "--format", format, "-cf", dir.path .. "/t",
        name }
      local fd = sys.open(dir.path .. "/t")
      local found = {}
      assert(places.each(fd, function(place) found[#found + 1] = place end))
      assert.same({ name, 4 }, { found[1].name, found[1].size })
      assert.equal("text", places.read(fd, found[1].offset, 4))
      fd:close()
    end
  end)

  it("finds what is truncated or damaged", function()
    for _, case in ipairs {
      { "it is truncated: a is not all there", block { name = "a", size = 600 } .. padded "x" },
      { "it is truncated", block {} .. "x" },
      { "it is truncated", block { size = 1 } .. "x" },
      { "it is truncated", block { type = "L", size = 600 } .. "x" },
      { "a name is too long", block { type = "L", size = 1 << 30 } },
      { "a pax header is damaged", block { type = "x", size = 5 } .. padded "hello" },
      { "a header's checksum is wrong", block {} .. ("x"):rep(512) },
      { "it is truncated: p is not all there", block { type = "x", size = 20 }
        .. padded(record("path", "p") .. record("size", "-1")) .. block { name = "p" } },
    } do
      local found, err = list(archive(case[2]))
      assert.same({ nil, "EBADMSG", case[1] }, { found, err.code, err.cause })
    end
  end)

  it("survives any bytes #fuzz", function()
    local whole = block { name = "a", size = 3 } .. padded "abc"
      .. block { type = "x", size = 30 } .. padded(record("path", "p") .. record("size", "1"))
      .. block { name = "b" } .. padded "x"
    support.fuzz(function()
      local bytes = { whole:byte(1, -1) }
      for _ = 1, math.random(6) do
        local at = math.random(#bytes)
        bytes[at] = math.random(0, 255)
        if at < 513 and math.random(2) == 1 then -- with a sum that fits
          local text = string.char(table.unpack(bytes, 1, 512))
          local sum = 8 * 32
          for i = 1, 512 do sum = sum + ((i < 149 or i > 156) and text:byte(i) or 0) end
          table.move({ ("%06o\0 "):format(sum):byte(1, -1) }, 1, 8, 149, bytes)
        end
      end
      local found, err = list(archive(string.char(table.unpack(bytes))))
      assert.is_true(found and not err or not found and err.code == "EBADMSG")
    end)
  end)
end)
