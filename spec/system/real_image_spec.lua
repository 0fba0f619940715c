-- scripts/test --images: a Debian root by mmdebstrap or debootstrap, as a layer.

local digest = require("luactr.files.digest")
local layer = require("luactr.image.layer")
local layers = require("support.layers")
local source = require("luactr.files.source")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

if not os.getenv("LUACTR_SPEC_IMAGES") then return end

local HEADROOM <const> = 32 << 10 -- KiB

-- Made once, and kept in the build directory.
local MAKE <const> = [[
. /etc/os-release
if command -v mmdebstrap; then
  mmdebstrap --quiet --variant=minbase --include=perl,python3,git "$VERSION_CODENAME" "$0.new"
else
  debootstrap --variant=minbase --include=perl,python3,git "$VERSION_CODENAME" "$0.tree" &&
    tar --numeric-owner --xattrs -cf "$0.new" -C "$0.tree" . && rm -rf "$0.tree"
fi && mv "$0.new" "$0"]]

local function root_archive()
  local directory = support.build .. "/spec/images"
  local path = directory .. "/root.tar"
  if not sys.stat(path) then
    support.must { "mkdir", "-p", directory }
    local made = support.run { "sh", "-c", MAKE, path }
    if made.code ~= 0 then return nil, made.stderr end
  end
  return path
end

-- { [path] = all that there is of a file }
local function look(path)
  local place = assert(sys.open(path, { "path", "directory" }))
  local files <close> = source.open(place, { layer = true })
  local found = {}
  for entry in function() return files:next() end do
    local words = { entry.type, entry.mode, entry.uid, entry.gid, entry.size or "-",
      entry.mtime // 1000000000, entry.link or "" }
    for name, value in pairs(entry.xattrs or {}) do words[#words + 1] = name .. "=" .. value end
    if entry.type == "file" then words[#words + 1] = assert(digest.of_fd(entry.fd)) end
    found[entry.path] = table.concat(words, " ")
  end
  return found
end

local function differences(a, b)
  local list = {}
  for path, words in pairs(a) do
    if words ~= b[path] then list[#list + 1] = ("%s: %s, %s"):format(path, words, b[path]) end
  end
  for path in pairs(b) do list[#list + 1] = not a[path] and path .. " is new" or nil end
  return table.concat(list, "\n", 1, math.min(#list, 20))
end

describe("a layer of Debian #images", function()
  before_each(world.check)
  after_each(world.check)

  for _, filter in ipairs { "gzip", "zstd" } do
    it("has the files that tar makes of it, " .. filter, function()
      support.needs("root", "program:" .. filter)
      local archive, why = root_archive()
      if not archive then return pending("no Debian root: " .. why) end
      local dir <close> = support.tmpdir()
      local stage <close> = layers.stage()
      local packed = dir.path .. "/layer"
      support.must { "sh", "-c", filter .. ' -1 <"$0" >"$1"', archive, packed }
      dir:mkdir "tar"
      -- devices are left out by luactr, and no tar is asked to make them
      support.must { "tar", "--xattrs", "--xattrs-include=*", "--exclude=./dev/*", "-xpf", packed,
        "-C", dir.path .. "/tar" }
      local before = tonumber(support.read("/proc/self/status"):match("VmHWM:%s*(%d+)"))
      local fd <close> = assert(sys.open(packed))
      local result = assert(layer.unpack(fd, stage, "tree", { blob = "blob" }))
      local after = tonumber(support.read("/proc/self/status"):match("VmHWM:%s*(%d+)"))
      assert.is_true(after - before < HEADROOM)
      local expected, found = look(dir.path .. "/tar"), look(stage.tree)
      for path in pairs(found) do
        if path:find("^dev/") then found[path] = nil end
      end
      assert.equal("", differences(expected, found))
      local plain <close> = assert(sys.open(archive))
      assert.equal((digest.of_fd(plain)), result.diff_id)
    end)
  end

  it("is packed, unpacked and packed again to the same bytes", function()
    support.needs("root")
    local archive, why = root_archive()
    if not archive then return pending("no Debian root: " .. why) end
    local ids = {}
    local stages = { layers.stage(), layers.stage() }
    local source_file = assert(sys.open(archive))
    for i, stage in ipairs(stages) do
      assert(layer.unpack(source_file, stage, "tree"))
      source_file:close()
      source_file = assert(sys.open(stage.path .. "/packed", { "rdwr", "creat" }, "0600"))
      ids[i] = assert(layer.pack(stage.tree, source_file, { compression = "zstd" })).digest
      sys.lseek(source_file, 0)
    end
    source_file:close()
    for _, stage in ipairs(stages) do getmetatable(stage).__close(stage) end
    assert.equal(ids[1], ids[2])
  end)
end)
