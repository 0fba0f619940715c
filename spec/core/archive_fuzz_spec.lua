-- Archives that are not what they should be: read and unpacked, they end in an error or in files
-- below the directory that was named.

local archive = require("luactr.files.archive")
local layer = require("luactr.image.layer")
local support = require("support")
local sys = require("luactr.sys")
local target = require("luactr.files.target")

local random = math.random
local BLOCK <const> = 512
local ENOUGH <const> = 100 -- archives of which some are to be read to the end, and some not
local NAMES <const> = { "a", "a/b", "../out/x", "/abs", ".", "..", "l", "l/x", "a/../b", "h", "",
  ("d/"):rep(40) .. "x", ".wh.a", "l/.wh.file", "a/.wh..wh..opq", ".wh...", "../.wh.out" }
local TYPES <const> = { "file", "directory", "symlink", "link", "fifo", "char" }

local function pick(list) return list[random(#list)] end

local function random_entry()
  local kind = pick(TYPES)
  local data = kind == "file" and sys.memfd_create("data") or nil
  if data then data:write(("x"):rep(random(0, 2000))) end
  return {
    path = pick(NAMES), type = kind, mode = random(0, 4095), mtime = random(-1, 1 << 40),
    uid = random(0, 3), gid = 0, size = data and sys.stat(data).size, fd = data,
    link = kind:find("link$") and pick { "../out", "a", "l", "/abs", "." } or nil,
    xattrs = random(4) == 1 and { ["user.x"] = "y" } or nil,
  }
end

local function random_archive()
  local fd <close> = sys.memfd_create("archive")
  local writer <close> = assert(archive.writer(fd))
  for _ = 1, random(1, 6) do
    local entry = random_entry()
    if entry.path ~= "" then writer:put(entry) end
    if entry.fd then entry.fd:close() end
  end
  assert(writer:finish())
  sys.lseek(fd, 0)
  return fd:read(1 << 20)
end

-- A header's checksum is right again, or nothing behind it would be read.
local function with_checksum(block)
  local blank = block:sub(1, 148) .. (" "):rep(8) .. block:sub(157)
  local sum = 0
  for i = 1, #blank do sum = sum + blank:byte(i) end
  return block:sub(1, 148) .. ("%06o\0 "):format(sum) .. block:sub(157)
end

local function mutate(text)
  if #text < BLOCK then return text end -- it was cut already
  local at = BLOCK * random(0, #text // BLOCK - 1)
  local block = text:sub(at + 1, at + BLOCK)
  for _ = 1, random(1, 4) do
    local i = random(#block)
    block = block:sub(1, i - 1) .. string.char(pick { 0, 1, 47, 46, 48, 55, 53, 128, 255,
      random(0, 255) }) .. block:sub(i + 1)
  end
  if random(5) > 1 then block = with_checksum(block) end
  text = text:sub(1, at) .. block .. text:sub(at + BLOCK + 1)
  return random(8) == 1 and text:sub(1, random(#text)) or text
end

local function unpack(text, path)
  local fd <close> = sys.memfd_create("archive")
  fd:write(text)
  sys.lseek(fd, 0)
  local reader <close> = archive.reader(fd)
  local dir <close> = assert(sys.open(path, "directory"))
  local to <close> = target.open(dir, { keep = true, privileges = true, devices = true,
    limits = { entries = 20, bytes = 1 << 20, depth = 20 } })
  return reader and to:put_all(reader)
end

-- The directory is made anew. Nothing may be left of a layer that is refused.
local function unpack_layer(text, path)
  local fd <close> = sys.memfd_create("layer")
  fd:write(text)
  sys.lseek(fd, 0)
  assert(sys.rmdir(path))
  local above <const> = path:match("^(.*)/")
  local stage <const> = { path = above, fd = assert(sys.open(above, "directory")) }
  local done = layer.unpack(fd, stage, "in", { devices = true,
    limits = { entries = 20, bytes = 1 << 20, depth = 20 } })
  stage.fd:close()
  assert.equal(done ~= nil, sys.stat(path) ~= nil)
  if not done then assert(sys.mkdir(path)) end
  return done
end

local function names_in(path)
  local names = {}
  for i, entry in ipairs(assert(sys.readdir(path))) do names[i] = entry.name end
  table.sort(names)
  return table.concat(names, " ")
end

describe("an archive under a fuzzer #fuzz", function()
  it("ends in an error, or in files below the directory", function()
    support.needs("root")
    local unpacked, refused = 0, 0
    support.fuzz(function()
      local dir <close> = support.tmpdir()
      dir:write("out/file", "outside", "0600")
      dir:mkdir "in"
      local text = random_archive()
      for _ = 1, random(0, 3) do text = mutate(text) end
      local done = pick { unpack, unpack_layer }(text, dir.path .. "/in")
      unpacked, refused = unpacked + (done and 1 or 0), refused + (done and 0 or 1)
      assert.equal("in out", names_in(dir.path))
      assert.equal("file", names_in(dir.path .. "/out"))
      assert.equal("outside", support.read(dir.path .. "/out/file"))
      local stat = sys.stat(dir.path .. "/out/file")
      assert.same({ 384, 1 }, { stat.mode, stat.nlink })
      support.must { "rm", "-rf", dir.path .. "/in" }
    end)
    local few = unpacked + refused < ENOUGH -- on a slow machine
    assert.is_true(few or unpacked > 0 and refused > 0)
  end)
end)
