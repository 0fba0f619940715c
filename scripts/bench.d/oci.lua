-- scripts/bench oci: `luactr oci` against crun and runc, called by the same words for the same
-- bundle: alone, below podman, and with as little memory as each can do with.
local cjson = require "cjson"

local PEERS <const> = { "crun", "runc" }
local BARS <const> = { run = 0.5, life = 0.5 } -- of crun

local MEMORY_STEP <const>, MEMORY_MOST <const> = 64 << 10, 64 << 20
local MEMORY_ROUNDS <const> = 3 -- what is charged at a time differs

--- The runtimes that are there: how each is called, in the mount namespace that it needs.
local function runtimes(bench)
  local list = { { name = "luactr", words = { bench.luactr, "oci" } } }
  for _, name in ipairs(PEERS) do
    if bench.has_program(name) then
      list[#list + 1] = { name = name, words = { name }, place = bench.peer_namespace }
    end
  end
  return list
end

local function join(...)
  local words = {}
  for _, part in ipairs { ... } do table.move(part, 1, #part, #words + 1, words) end
  return words
end

--- For race, which enters @FILE itself.
local function contestant(runtime, ...)
  return { name = runtime.name, argv = join({ runtime.place and "@" .. runtime.place }, ...) }
end

-- ---- processes

local function id_for(runtime) return "luactr-bench-" .. runtime.name end

local function measure(bench, what, contestants)
  local times = bench.race(contestants, bench.rounds)
  bench.details["oci_" .. what] = times
  for _, peer in ipairs(PEERS) do
    if times[peer] then
      bench.add(("oci: %s, luactr / %s"):format(what, peer),
        times.luactr.median / times[peer].median, "ratio", peer == "crun" and BARS[what] or nil)
    end
  end
end

local function run(bench, bundle)
  local list = {}
  for i, runtime in ipairs(runtimes(bench)) do
    list[i] = contestant(runtime, runtime.words, { "run", "--bundle", bundle, id_for(runtime) })
  end
  measure(bench, "run", list)
end

-- create, start and delete, each by a process of its own.
local function life(bench, bundle)
  local list = {}
  for i, runtime in ipairs(runtimes(bench)) do
    list[i] = contestant(runtime, { bench.work .. "/cycle", bundle, id_for(runtime) },
      runtime.words)
  end
  measure(bench, "life", list)
end

-- ---- podman

-- It touches no storage of the host's. No network: all runtimes would wait for that alike.
local function podman_words(bench, runtime)
  return { "podman", "--root", bench.work .. "/podman", "--runroot", "/run/luactr-bench-podman",
    "--tmpdir", "/run/luactr-bench-podman/tmp", "--cgroup-manager", "cgroupfs",
    "--events-backend", "none", "--storage-driver", "vfs", "--runtime", runtime, "run", "--rm",
    "--network", "none", "--log-driver", "none", "--cgroups", "no-conmon",
    "--cgroup-parent", "luactr-bench-podman",
    "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", -- it asks for more than there is
    "--rootfs", bench.rootfs, "/bin/payload" }
end

local CLEAN_UP <const> = [[rm -rf "$0" /run/luactr-bench-podman
find /sys/fs/cgroup -depth -type d -name luactr-bench-podman -exec rmdir {} +]]

local function path_of(name)
  for directory in os.getenv("PATH"):gmatch("[^:]+") do
    if require("luactr.sys").stat(directory .. "/" .. name) then return directory .. "/" .. name end
  end
end

local function podman(bench)
  if not bench.has_program("podman") then return end
  local list = {}
  for i, runtime in ipairs(runtimes(bench)) do
    local path = runtime.name == "luactr" and bench.luactr .. "-oci" or path_of(runtime.name)
    -- podman itself wants what the peers want
    list[i] = contestant({ name = runtime.name, place = bench.peer_namespace },
      podman_words(bench, path))
  end
  measure(bench, "podman run", list)
end

-- Last of all: podman's own clean-up goes on when its run has returned.
local function clean_up(bench)
  bench.lines_of { "sh", "-c", CLEAN_UP, bench.work .. "/podman" }
end

-- ---- memory

--- Whether it runs, every time, with that limit.
local function runs(bench, runtime, bundle, config, limit)
  config.linux.resources.memory = { limit = limit }
  bench.write(bundle .. "/config.json", (cjson.encode(config):gsub("{}", "[]")))
  local inside = runtime.place and { "nsenter", "--mount=" .. runtime.place } or {}
  local argv = join(inside, runtime.words, { "run", "--bundle", bundle, id_for(runtime) })
  for _ = 1, MEMORY_ROUNDS do
    local script = '"$@" >/dev/null 2>&1 && echo yes || echo no'
    if bench.lines_of(join({ "sh", "-c", script, "sh" }, argv))[1] ~= "yes" then return false end
  end
  return true
end

--- The smallest limit in bytes; nil: none is enough.
local function least(bench, runtime, bundle, config)
  local low, high = 0, MEMORY_MOST // MEMORY_STEP
  if not runs(bench, runtime, bundle, config, high * MEMORY_STEP) then return nil end
  while high - low > 1 do
    local middle = (low + high) // 2
    if runs(bench, runtime, bundle, config, middle * MEMORY_STEP) then
      high = middle
    else
      low = middle
    end
  end
  return high * MEMORY_STEP
end

local function memory(bench, bundle)
  local config = cjson.decode(bench.read(bundle .. "/config.json"))
  local list, limits = runtimes(bench), {}
  for _, runtime in ipairs(list) do
    limits[runtime.name] = assert(least(bench, runtime, bundle, config), runtime.name)
  end
  bench.details.oci_memory = limits
  for _, runtime in ipairs(list) do
    bench.add("oci: the least memory limit, " .. runtime.name, limits[runtime.name] / 1024, "KiB",
      runtime.name == "luactr" and limits.crun and limits.crun // 1024 or nil)
  end
end

---@param bench table what bench.lua shares
return function(bench)
  run(bench, bench.bundle())
  life(bench, bench.bundle())
  podman(bench)
  memory(bench, bench.bundle())
  clean_up(bench)
end
