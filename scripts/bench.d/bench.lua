-- The measurements of scripts/bench, a recipe: luactr bench.lua JSON_FILE WHAT...
-- Ratios only, of medians of runs side by side: absolute times belong to the machine of the day.
local ctr = require "luactr"
local cjson = require "cjson"

local here <const> = arg[0]:match("^(.*)/")
local luactr <const> = os.getenv("BENCH_LUACTR")
local work <const> = os.getenv("BENCH_WORK")
local rootfs <const> = os.getenv("BENCH_ROOTFS")
local peer_namespace <const> = os.getenv("BENCH_PEER_NAMESPACE")

local START_ROUNDS <const> = math.tointeger(os.getenv("BENCH_ROUNDS")) or 60
local LOOP_ROUNDS <const> = 40 -- in each turn
local LOOP_TURNS <const> = 6
local HEAP_MIB <const> = 200
local QUOTA_SECONDS <const> = 10

---- small tools

-- The lines that a program prints; raises when it fails.
local function lines_of(argv)
  local sys, words = ctr.sys, { "env" }
  for i, word in ipairs(argv) do words[i + 1] = tostring(word) end
  local reader, writer = assert(sys.pipe())
  local child <close> = assert(sys.clone({}, function()
    assert(sys.dup2(writer, 1))
    return sys.exec("/usr/bin/env", words)
  end))
  writer:close()
  local text = ""
  repeat
    local part = assert(reader:read(65536))
    text = text .. part
  until part == ""
  reader:close()
  assert(child:wait().code == 0, argv[1] .. " failed")
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

local function has_program(name)
  for directory in os.getenv("PATH"):gmatch("[^:]+") do
    if ctr.sys.stat(directory .. "/" .. name) then return true end
  end
  return false
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function quantile(sorted, part)
  return sorted[math.max(1, math.ceil(#sorted * part))]
end

--- Median and spread, in milliseconds, of a list of nanoseconds.
local function summary(times)
  table.sort(times)
  local function ms(part) return quantile(times, part) / 1e6 end
  return { median = ms(0.5), low = ms(0.1), high = ms(0.9), runs = #times }
end

---- the container that all measure

local function description()
  return {
    rootfs = ctr.rootfs.dir(rootfs),
    command = { "/bin/payload" },
    limits = { cpu = 0.9, memory = "64M", pids = 64 },
  }
end

---- the peers, with what that container has as far as they can

-- Without a seccomp filter, which luactr has: building one would only make the peers slower.
local function bundle()
  local directory = work .. "/bundle"
  ctr.sys.mkdir(directory, "0755")
  os.remove(directory .. "/config.json")
  lines_of { "crun", "spec", "--bundle", directory }
  local config = cjson.decode(read(directory .. "/config.json"))
  config.process.terminal = false
  config.process.args = { "/bin/payload" }
  config.process.capabilities.ambient = nil -- not inheritable there: the kernel refuses them
  config.root = { path = rootfs, readonly = false }
  config.linux.resources = {
    cpu = { period = 100000, quota = 90000 },
    memory = { limit = 64 << 20 },
    pids = { limit = 64 },
  }
  -- cjson writes an empty list as {}; the only empty tables here are lists
  write(directory .. "/config.json", (cjson.encode(config):gsub("{}", "[]")))
  return directory
end

-- @FILE is race's: that mount namespace hides a cgroup layout that the peer refuses.
local function oci_peer(name)
  return function()
    local argv = { name, "run", "--bundle", bundle(), "luactr-bench-" .. name }
    if peer_namespace then table.insert(argv, 1, "@" .. peer_namespace) end
    return argv
  end
end

local function compile()
  local host = require("luactr.host").facts()
  local spec = assert(require("luactr.spec").check(description()))
  return assert(require("luactr.plan").compile(spec, host)), host
end

-- What bwrap read-only binds in a /proc of its own without being told.
local BWRAP_READONLY <const> = { ["/proc/sys"] = true, ["/proc/sysrq-trigger"] = true,
  ["/proc/irq"] = true, ["/proc/bus"] = true }

-- Options that hide what luactr's plan hides, the way that bwrap has for it.
local HIDE <const> = {
  mask = function(path, is_directory)
    if is_directory then
      return { "--tmpfs", path, "--remount-ro", path }
    end
    return { "--ro-bind", "/dev/null", path }
  end,
  readonly = function(path)
    return not BWRAP_READONLY[path] and { "--ro-bind", path, path } or {}
  end,
}

-- bwrap cannot mount a sysfs: it binds the host's, without the cgroups and all else that is mounted
-- in there.
local function bwrap()
  local argv = { "bwrap", "--unshare-all", "--bind", rootfs, "/", "--proc", "/proc", "--dev",
    "/dev", "--mqueue", "/dev/mqueue", "--tmpfs", "/dev/shm",
    "--ro-bind", work .. "/sys", "/sys" }
  for _, step in ipairs(compile().steps) do
    local there = HIDE[step.op] and ctr.sys.stat(step.path)
    if there then
      local words = HIDE[step.op](step.path, there.type == "directory")
      table.move(words, 1, #words, #argv + 1, argv)
    end
  end
  return table.move({ "--hostname", "bench", "--cap-drop", "ALL", "--chdir", "/", "/bin/payload" },
    1, 7, #argv + 1, argv)
end

local function unshare()
  return { "unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork",
    "--root=" .. rootfs, "--mount-proc", "/bin/payload" }
end

local PEERS <const> = {
  { name = "crun", argv = oci_peer("crun"), bar = 0.45 },
  { name = "runc", argv = oci_peer("runc") },
  { name = "bwrap", argv = bwrap, bar = 1.0 },
  { name = "unshare", argv = unshare },
}

---- the floor: the same container by hand, from luactr's own plan

-- A step's arguments in plan.h's order, which is the floor's too.
local function step_line(step, kinds)
  local words = { step.op }
  for i, argument in ipairs(kinds[step.op].args) do
    local value = step[argument.name]
    words[i + 1] = type(value) == "table" and "" or tostring(value or "")
  end
  if step.op == "exec" then words = { "exec", step.argv[1] } end
  return table.concat(words, "\t")
end

local function step_kinds()
  local kinds = {}
  for _, kind in ipairs(require("luactr.core").plan.steps) do kinds[kind.name] = kind end
  return kinds
end

-- What the floor knows; the rest (security, init) is what luactr does beyond it.
local FLOOR_STEPS <const> = { unshare = true, sethostname = true, loopback_up = true,
  propagation = true, root_bind = true, root_tmpfs = true, mkdir = true, file = true,
  symlink = true, mknod = true, mount = true, bind = true, mount_setattr = true, mask = true,
  readonly = true, pivot_root = true, exec = true }

local FLOOR_CGROUP <const> = "/luactr-floor"

-- The directory in each hierarchy that the limits need, once, and where a process enters it: the
-- kernel moves a single thread in less time.
local function floor_cgroups(compiled, layout)
  local cgroups, seen = {}, {}
  for _, entry in ipairs(compiled.writes) do
    local hierarchy = layout.controllers[entry.controller]
    if not seen[hierarchy] then
      seen[hierarchy] = true
      cgroups[#cgroups + 1] = { directory = hierarchy.mount .. FLOOR_CGROUP,
        attach = hierarchy.version == 1 and "tasks" or "cgroup.procs" }
    end
  end
  return cgroups
end

local function add_cgroup_lines(lines, compiled, layout)
  for _, cgroup in ipairs(floor_cgroups(compiled, layout)) do
    lines[#lines + 1] = "make_cgroup\t" .. cgroup.directory
    lines[#lines + 1] = ("cgroup_attach\t%s/%s"):format(cgroup.directory, cgroup.attach)
    lines[#lines + 1] = "remove_cgroup\t" .. cgroup.directory
  end
  for _, entry in ipairs(compiled.writes) do
    local directory = layout.controllers[entry.controller].mount .. FLOOR_CGROUP
    lines[#lines + 1] = ("write_cgroup\t%s/%s\t%s"):format(directory, entry.file, entry.text)
  end
end

local function floor_list()
  local plan, host = compile()
  local lines, kinds = { ("%#x"):format(plan.flags) }, step_kinds()
  add_cgroup_lines(lines, plan.cgroup, host.cgroup)
  for _, step in ipairs(plan.steps) do
    if FLOOR_STEPS[step.op] then lines[#lines + 1] = step_line(step, kinds) end
  end
  local path = work .. "/floor.list"
  write(path, table.concat(lines, "\n") .. "\n")
  return path
end

---- the measurements

local rows, details = {}, {}

-- `bar`: the value must not be larger
local function add(what, value, unit, bar)
  rows[#rows + 1] = { what = what, value = value, unit = unit, bar = bar }
end

--- Time programs in turn; name -> summary.
local function race(programs, rounds)
  local argv = { work .. "/race", rounds }
  for i, program in ipairs(programs) do
    if i > 1 then argv[#argv + 1] = ";" end
    argv[#argv + 1] = program.name
    table.move(program.argv, 1, #program.argv, #argv + 1, argv)
  end
  local times = {}
  for _, line in ipairs(lines_of(argv)) do
    local name, took = line:match("^(.+) (%d+)$")
    times[name] = times[name] or {}
    table.insert(times[name], tonumber(took))
  end
  local summaries = {}
  for name, list in pairs(times) do summaries[name] = summary(list) end
  return summaries
end

local function start()
  local programs = {
    { name = "luactr", argv = { luactr, "run", here .. "/start.lua" } },
    { name = "luactr version", argv = { luactr, "version" } },
  }
  for _, peer in ipairs(PEERS) do
    if has_program(peer.name) then
      programs[#programs + 1] = { name = peer.name, argv = peer.argv() }
    else
      io.stderr:write("bench: no ", peer.name, " (scripts/bench --peers installs it)\n")
    end
  end
  details.start = race(programs, START_ROUNDS)
  local own = details.start.luactr.median
  for _, peer in ipairs(PEERS) do
    local times = details.start[peer.name]
    if times then
      add("start: luactr run / " .. peer.name, own / times.median, "ratio", peer.bar)
    end
  end
end

--- A container of crun's that waits, and the words that run a command in it; close() ends it.
local function crun_that_waits(id)
  local directory = bundle()
  local config = cjson.decode(read(directory .. "/config.json"))
  config.process.args = { "/bin/payload", "wait" }
  write(directory .. "/config.json", (cjson.encode(config):gsub("{}", "[]")))
  local inside = peer_namespace and { "nsenter", "--mount=" .. peer_namespace } or {}
  local function run(...)
    lines_of(table.move({ ... }, 1, select("#", ...), #inside + 1,
      table.move(inside, 1, #inside, 1, {})))
  end
  -- who has its output would wait for its end
  run("sh", "-c", 'exec crun run --detach --bundle "$0" "$1" </dev/null >/dev/null 2>&1',
    directory, id)
  local argv = { "crun", "exec", id, "/bin/payload" }
  if peer_namespace then table.insert(argv, 1, "@" .. peer_namespace) end
  return argv, setmetatable({}, { __close = function() run("crun", "delete", "--force", id) end })
end

local function exec()
  local wanted = description()
  wanted.name, wanted.command = "bench-exec", { "/bin/payload", "wait" }
  local found = assert(ctr.container(wanted):start { detach = true })
  local _ <close> = setmetatable({}, { __close = function() found:remove { force = true } end })
  local programs = { { name = "luactr", argv = { luactr, "exec", found.id, "/bin/payload" } } }
  if has_program("crun") then
    local argv, box <close> = crun_that_waits("luactr-bench-exec")
    programs[2] = { name = "crun", argv = argv }
    details.exec = box and race(programs, START_ROUNDS)
    add("exec: luactr exec / crun", details.exec.luactr.median / details.exec.crun.median, "ratio",
      0.45)
  end
end

-- Somebody who may do nothing, with a state directory where root's is.
local STRANGER <const> = 65534
local STRANGER_RUNTIME <const> = "/run/luactr-bench"

-- Both change their user by the same program; without limits, which nobody delegates.
local function as_user(uid)
  return { "setpriv", "--reuid", tostring(uid), "--regid", tostring(uid), "--clear-groups", "--",
    "env", "XDG_RUNTIME_DIR=" .. STRANGER_RUNTIME, luactr, "run", here .. "/rootless.lua" }
end

local function rootless()
  local sys = ctr.sys
  sys.mkdir(STRANGER_RUNTIME, "0700")
  local _ <close> = setmetatable({}, { __close = function()
    lines_of { "rm", "-rf", STRANGER_RUNTIME }
  end })
  assert(sys.chown(STRANGER_RUNTIME, STRANGER, STRANGER))
  details.rootless = race({ { name = "root", argv = as_user(0) },
    { name = "rootless", argv = as_user(STRANGER) } }, START_ROUNDS)
  add("rootless: a start without root / as root",
    details.rootless.rootless.median / details.rootless.root.median, "ratio", 1.3)
end

--- Programs that time their own rounds, in turn; name -> summary.
local function turns(programs)
  local times = {}
  for turn = 0, LOOP_TURNS do
    for _, program in ipairs(programs) do
      for _, line in ipairs(lines_of(program.argv)) do
        times[program.name] = times[program.name] or {}
        -- the first turn warms the caches
        if turn > 0 then table.insert(times[program.name], tonumber(line)) end
      end
    end
  end
  local summaries = {}
  for name, list in pairs(times) do summaries[name] = summary(list) end
  return summaries
end

local function loop_program(name, mib)
  return { name = name, argv = { luactr, "run", here .. "/loop.lua", LOOP_ROUNDS, mib } }
end

local function loop()
  details.loop = turns {
    loop_program("luactr", 0),
    { name = "floor", argv = { work .. "/floor", LOOP_ROUNDS, floor_list() } },
  }
  add("loop: box:run() / C floor", details.loop.luactr.median / details.loop.floor.median,
    "ratio", 1.3)
end

local function heap()
  details.heap = turns { loop_program("small", 0), loop_program("large", HEAP_MIB) }
  add(("heap: box:run() with %d MiB of Lua / without"):format(HEAP_MIB),
    details.heap.large.median / details.heap.small.median, "ratio", 1.15)
end

-- Containers that burn CPU side by side under the same limit; how far each is from it, in percent.
local function burn(count, cpu)
  local boxes = {}
  for i = 1, count do
    local wanted = description()
    wanted.command = { "/bin/payload", "burn" }
    wanted.limits = { cpu = cpu, wall_time = QUOTA_SECONDS }
    boxes[i] = ctr.container(wanted)
    assert(boxes[i]:start())
  end
  for i, box in ipairs(boxes) do
    local result = assert(box:wait())
    box:close()
    local used = result.cpu_seconds / result.wall_seconds
    details.quota = details.quota or {}
    table.insert(details.quota, { limit = cpu, of = count, used = used })
    add(("quota: %.1f CPU, container %d of %d, off by"):format(cpu, i, count),
      math.abs(used / cpu - 1) * 100, "%", 2)
  end
end

local function quota()
  burn(1, 0.3)
  burn(1, 0.4)
  burn(2, 0.2)
end

local function pss_of(pid)
  return tonumber(read(("/proc/%d/smaps_rollup"):format(pid)):match("Pss:%s*(%d+) kB"))
end

--- conmon with the same payload under crun, with a log of the same kind.
local function conmon_pss()
  local directory, id = bundle(), "luactr-bench-conmon"
  local config = cjson.decode(read(directory .. "/config.json"))
  config.process.args = { "/bin/payload", "wait" }
  write(directory .. "/config.json", (cjson.encode(config):gsub("{}", "[]")))
  local created = work .. "/conmon.created"
  os.remove(created)
  local inside = peer_namespace and { "nsenter", "--mount=" .. peer_namespace } or {}
  local function run(...)
    return lines_of(table.move({ ... }, 1, select("#", ...), #inside + 1,
      table.move(inside, 1, #inside, 1, {})))
  end
  run("conmon", "--cid", id, "--cuuid", id, "--runtime", "/usr/bin/crun", "--bundle", directory,
    "--conmon-pidfile", work .. "/conmon.pid", "--log-path", "k8s-file:" .. work .. "/conmon.log",
    "--no-sync-log", "--full-attach", "--container-pidfile", created)
  while not ctr.sys.stat(created) do ctr.sys.nanosleep(0.01) end -- it creates after it has returned
  run("crun", "start", id)
  local pss = pss_of(tonumber(read(work .. "/conmon.pid"):match("%d+")))
  run("crun", "delete", "--force", id)
  return pss
end

local function monitor_memory()
  local wanted = description()
  wanted.command = { "/bin/payload", "wait" }
  local found = assert(ctr.container(wanted):start { detach = true })
  local pss = pss_of(found.record.owner.pid)
  assert(found:remove { force = true })
  details.memory.monitor_pss_kib = pss
  if has_program("conmon") and has_program("crun") then
    details.memory.conmon_pss_kib = conmon_pss()
    add("memory: the monitor's PSS, of conmon's", pss / details.memory.conmon_pss_kib, "", 0.6)
  end
end

local function memory()
  local wanted = description()
  wanted.command = { "/bin/payload", "wait" }
  local box <close> = ctr.container(wanted)
  assert(box:start())
  local pss = pss_of(box:pid())
  details.memory = { pid1_pss_kib = pss }
  add("memory: PID 1's PSS", pss, "KiB", 64)
  monitor_memory()
end

local IDLE <const> = math.tointeger(os.getenv("BENCH_IDLE")) or 500
local MANY <const> = 2 * IDLE

--- Detached containers of which nobody hears, up to number `count`.
local function fill(idle, count)
  for i = #idle + 1, count do
    local wanted = description()
    wanted.name, wanted.command = "bench-idle-" .. i, { "/bin/payload", "wait" }
    idle[i] = assert(ctr.container(wanted):start { detach = true })
  end
end

local function running(list)
  local count = 0
  for _, found in ipairs(list) do
    count = count + (found:state() == "running" and 1 or 0)
  end
  return count
end

-- These cannot take turns: the machine may be another one after all of them are up, so that the
-- start without them is measured before and after.
local function scale()
  local one = { name = "start", argv = { luactr, "run", here .. "/start.lua" } }
  local list = { name = "ps", argv = { luactr, "ps" } }
  local idle, times = {}, {}
  times.before = race({ one }, START_ROUNDS).start
  fill(idle, IDLE)
  local beside = race({ one, list }, START_ROUNDS)
  times.beside, times.ps = beside.start, beside.ps
  fill(idle, MANY)
  local missing = MANY - running(idle)
  for _, found in ipairs(idle) do assert(found:remove { force = true }) end
  times.after = race({ one }, START_ROUNDS).start
  details.scale = times
  add(("scale: start with %d idle containers up, of none"):format(IDLE),
    2 * times.beside.median / (times.before.median + times.after.median), "ratio", 1.25)
  add(("scale: ps of %d containers"):format(IDLE), times.ps.median, "ms", 50)
  add(("scale: of %d containers at once are not up"):format(MANY), missing, "", 0)
end

local function images()
  dofile(here .. "/images.lua") { add = add, details = details, luactr = luactr, here = here,
    work = work, rootfs = rootfs, rounds = START_ROUNDS, lines_of = lines_of,
    has_program = has_program, race = race, turns = turns }
end

local function oci()
  dofile(here .. "/oci.lua") { add = add, details = details, luactr = luactr, work = work,
    rootfs = rootfs, rounds = START_ROUNDS, lines_of = lines_of, has_program = has_program,
    race = race, bundle = bundle, peer_namespace = peer_namespace, read = read, write = write }
end

---- the report

local MEASURES <const> = { start = start, loop = loop, heap = heap, quota = quota, memory = memory,
  scale = scale, rootless = rootless, exec = exec, images = images, oci = oci }

local function verdict(row)
  if not row.bar then return "" end
  return row.value <= row.bar and "met" or "NOT MET"
end

local function print_rows()
  print(("%-52s %9s %-5s %7s"):format("what", "value", "", "bar"))
  for _, row in ipairs(rows) do
    print(("%-52s %9.2f %-5s %7s  %s"):format(row.what, row.value, row.unit,
      row.bar and ("<= " .. row.bar) or "", verdict(row)))
  end
end

local TIMED <const> = { "start", "loop", "heap", "scale", "oci_run", "oci_life",
  "oci_podman run" }

local function print_times()
  print("\nmilliseconds                     median      10 %      90 %   runs")
  for _, what in ipairs(TIMED) do
    local names = {}
    for name in pairs(details[what] or {}) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
      local t = details[what][name]
      print(("%-28s %10.3f %9.3f %9.3f %6d"):format(what .. ": " .. name, t.median, t.low, t.high,
        t.runs))
    end
  end
end

for i = 2, #arg do MEASURES[arg[i]]() end
for _, row in ipairs(rows) do row.met = row.bar and row.value <= row.bar end
write(arg[1], cjson.encode { rows = rows, details = details })
print_rows()
for _, what in ipairs(TIMED) do
  if details[what] then
    print_times()
    break
  end
end
