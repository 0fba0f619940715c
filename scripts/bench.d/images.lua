-- scripts/bench images: a layer of a Debian root of about 300 MB, against tar and umoci; and a
-- container of it, against one of a directory.
local cjson = require "cjson"
local digest = require "luactr.files.digest"
local sys = require "luactr.sys"

local ROUNDS <const> = math.tointeger(os.getenv("BENCH_ROUNDS")) or 5
local PACKAGES <const> = "perl,python3,git,vim"
local PACK <const> = { gzip = "gzip -6", zstd = "zstd -q -3" }
local OCI <const> = "application/vnd.oci.image."

---- what is unpacked

-- By mmdebstrap where it is installed and reaches a mirror, else of the programs of this host.
local MAKE <const> = [[
. /etc/os-release
mmdebstrap --quiet --format=tar --variant=minbase --include="$1" "$VERSION_CODENAME" "$0.new" ||
  tar -cf "$0.new" -C / usr/bin usr/sbin usr/lib
mv "$0.new" "$0"]]

local function shell(bench, script, ...)
  return bench.lines_of { "sh", "-c", script, ... }
end

local function root_archive(bench, directory)
  local path = directory .. "/root.tar"
  if not sys.stat(path) then shell(bench, MAKE, path, PACKAGES) end
  return path
end

local function compressed(bench, path, kind)
  local packed = path .. "." .. kind
  if not sys.stat(packed) then
    shell(bench, PACK[kind] .. ' <"$0" >"$1.new" && mv "$1.new" "$1"', path, packed)
  end
  return packed
end

---- an image layout for umoci

local function digest_of(path)
  local fd <close> = assert(sys.open(path))
  return (assert(digest.of_fd(fd)))
end

local function put(layout, value, kind)
  local text = cjson.encode(value)
  local sum = assert(digest.of(text))
  local file <close> = assert(io.open(layout .. "/blobs/sha256/" .. sum:sub(8), "w"))
  file:write(text)
  return { mediaType = OCI .. kind .. ".v1+json", digest = sum, size = #text }
end

local function write(path, value)
  local file <close> = assert(io.open(path, "w"))
  file:write(cjson.encode(value))
end

local function make_layout(bench, layout, plain, packed, kind)
  shell(bench, 'rm -rf "$0"; mkdir -p "$0/blobs/sha256"', layout)
  local sum = digest_of(packed)
  shell(bench, 'ln "$0" "$1"', packed, layout .. "/blobs/sha256/" .. sum:sub(8))
  local config = put(layout, { architecture = "amd64", os = "linux", config = { Env = { "x=y" } },
    rootfs = { type = "layers", diff_ids = { digest_of(plain) } } }, "config")
  local manifest = put(layout, { schemaVersion = 2, config = config,
    layers = { { mediaType = OCI .. "layer.v1.tar+" .. kind, digest = sum,
      size = sys.stat(packed).size } } }, "manifest")
  manifest.annotations = { ["org.opencontainers.image.ref.name"] = "bench" }
  write(layout .. "/oci-layout", { imageLayoutVersion = "1.0.0" })
  write(layout .. "/index.json", { schemaVersion = 2, manifests = { manifest } })
end

---- the measurement

-- umoci 0.4 takes no layers of zstd.
local function has_umoci(bench, kind)
  return kind == "gzip" and bench.has_program("umoci")
end

-- Each into a new file system. ext4 looks at all inodes that were freed in the last minutes before
-- it gives one: who came after the removal of another's files waited longer for that than for all
-- else.
local FRESH <const> = [[mkdir -p "$0" && { ! mountpoint -q "$0" || umount "$0"; }
rm -f "$0.img" && truncate -s 4G "$0.img" &&
  mkfs.ext4 -q -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$0.img" &&
  mount -o loop "$0.img" "$0" || mount -t tmpfs unpacked "$0" && sync]]
local GONE <const> = 'umount "$0" && rm -f "$0.img" && rmdir "$0"'

local function contestants(bench, directory, kind, packed)
  local place = directory .. "/unpacked"
  local out = place .. "/out"
  local list = {
    { name = "luactr", argv = { bench.luactr, bench.here .. "/unpack.lua", packed, out } },
    { name = "tar", argv = { "sh", "-c", 'mkdir "$1" && exec tar -xf "$0" -C "$1"', packed, out } },
  }
  if has_umoci(bench, kind) then
    list[3] = { name = "umoci", argv = { "umoci", "unpack", "--image",
      directory .. "/layout-" .. kind .. ":bench", out } }
  end
  return list, place
end

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

local function race(bench, list, place)
  local times, memory = {}, 0
  for round = 0, ROUNDS do
    for _, one in ipairs(list) do
      shell(bench, FRESH, place)
      local began = sys.clock_gettime()
      local lines = bench.lines_of(one.argv)
      local took = sys.clock_gettime() - began
      if one.name == "luactr" then memory = math.max(memory, tonumber(lines[1])) end
      times[one.name] = times[one.name] or {}
      -- the first round warms the caches
      if round > 0 then table.insert(times[one.name], took) end
    end
  end
  shell(bench, GONE, place)
  for name, all in pairs(times) do times[name] = median(all) end
  return times, memory
end

local function measure(bench, kind, directory, plain)
  local packed = compressed(bench, plain, kind)
  if has_umoci(bench, kind) then
    make_layout(bench, directory .. "/layout-" .. kind, plain, packed, kind)
  end
  local times, memory = race(bench, contestants(bench, directory, kind, packed))
  bench.details["images_" .. kind] = times
  bench.add("images: unpack a layer of " .. kind .. " / tar", times.luactr / times.tar, "ratio",
    1.15)
  if times.umoci then
    bench.add("images: unpack a layer of " .. kind .. " / umoci", times.luactr / times.umoci,
      "ratio", 0.5)
  end
  bench.add("images: memory of unpacking " .. kind, memory / 1024, "MiB", 32)
end

---- what an image is used for

local CHANGE <const> = 10 << 20

-- By programs with an image store of the measurement's own.
local function use(bench, directory, plain)
  local store <const>, change <const> = directory .. "/store", directory .. "/change"
  local small <const>, tree <const> = directory .. "/small.tar", directory .. "/tree"
  local function with_store(...) return { "env", "LUACTR_IMAGES=" .. store, bench.luactr, ... } end
  shell(bench, [[rm -rf "$0" "$3" && mkdir "$3" && tar -xf "$4" -C "$3" && tar -cf "$1" -C "$5" . &&
    head -c "$6" /dev/urandom >"$2"]], store, small, change, tree, plain, bench.rootfs, CHANGE)
  bench.lines_of(with_store("image", "import", "-q", "--name", "bench:large", plain))
  bench.lines_of(with_store("image", "import", "-q", "--name", "bench:small", small))
  local starts = bench.race({
    { name = "image", argv = with_store(bench.here .. "/image.lua", "image", "bench:large") },
    { name = "directory", argv = with_store(bench.here .. "/image.lua", "directory", tree) },
  }, bench.rounds)
  local commits = bench.turns {
    { name = "large", argv = with_store(bench.here .. "/commit.lua", ROUNDS, "bench:large", change,
      "/bin/sleep", "1000") },
    { name = "small", argv = with_store(bench.here .. "/commit.lua", ROUNDS, "bench:small", change,
      "/bin/payload", "wait") },
  }
  shell(bench, 'rm -rf "$0" "$1" "$2" "$3"', store, tree, change, small)
  bench.details.images_use = { starts = starts, commits = commits }
  bench.add("images: a start from an image / from a directory",
    starts.image.median / starts.directory.median, "ratio", 1.1)
  bench.add("images: commit of 10 MB above 300 MB / above 1 MB",
    commits.large.median / commits.small.median, "ratio", 1.3)
end

---@param bench table what bench.lua shares
return function(bench)
  local directory = bench.work .. "/images"
  shell(bench, 'mkdir -p "$0"', directory)
  local plain = root_archive(bench, directory)
  use(bench, directory, plain)
  for _, kind in ipairs { "gzip", "zstd" } do measure(bench, kind, directory, plain) end
end
