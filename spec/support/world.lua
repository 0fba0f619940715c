-- The world round a spec: what a container could leave behind or change by mistake.
--
--   before_each(world.check)   -- the first call takes a snapshot,
--   after_each(world.check)    -- the second fails if anything differs from it
--
-- Only what can be ours counts: descendants of this process, cgroups and state under luactr's
-- names, and everything of which this process has a view of its own (mounts, devices, fds).
-- The kernel takes things down asynchronously, so a difference is looked at again for a while.

local lfs = require("lfs")
local system = require("system")
local support = require("support")

local PATIENCE <const> = 60.0 -- seconds
local PAUSE <const> = 0.02

local world = {}

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

-- The names in a directory; none if there is no such directory.
local function names(path)
  local list = {}
  if lfs.attributes(path, "mode") ~= "directory" then return list end
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then list[#list + 1] = name end
  end
  return list
end

---- the kinds of things; each function returns { [identity] = description }

local KERNEL_THREAD <const> = 0x00200000 -- PF_KTHREAD

-- Most processes are the kernel's, whose parents never change: each is read once.
local kernel_threads = {}

-- pid -> parent's pid and state letter, for all processes. The name may hold blanks and brackets.
local function read_processes()
  local processes = {}
  for _, name in ipairs(names("/proc")) do
    local pid = name:find("^%d+$") and tonumber(name)
    local stat = pid and not kernel_threads[pid] and read("/proc/" .. name .. "/stat")
    if stat then
      local state, parent, flags = stat:match("^.*%) (%S) (%d+) %S+ %S+ %S+ %S+ (%d+)")
      processes[pid] = { state = state, parent = tonumber(parent) }
      kernel_threads[pid] = tonumber(flags or 0) & KERNEL_THREAD ~= 0 and processes[pid] or nil
    elseif pid then
      processes[pid] = kernel_threads[pid]
    end
  end
  return processes
end

local known_processes -- read once for each snapshot

local function process_table()
  known_processes = known_processes or read_processes()
  return known_processes
end

local function own_pid()
  return tonumber(lfs.symlinkattributes("/proc/self", "target"))
end

local function command_of(pid)
  local arguments = (read("/proc/" .. pid .. "/cmdline") or ""):gsub("%z", " ")
  return arguments ~= "" and arguments or read("/proc/" .. pid .. "/comm") or "?"
end

local function is_ours(pid, processes, self)
  while processes[pid] and pid ~= self do pid = processes[pid].parent end
  return pid == self
end

local function descendants()
  local found, processes, self = {}, process_table(), own_pid()
  for pid, process in pairs(processes) do
    if pid ~= self and is_ours(pid, processes, self) then
      found[pid] = ("%s (%s, child of %d)"):format(command_of(pid), process.state, process.parent)
    end
  end
  return found
end

-- Whether a text has the number of a living process that is not ours: then somebody else's luactr
-- is at work there.
local function names_a_stranger(text, pattern)
  local processes, self = process_table(), own_pid()
  for number in (text or ""):gmatch(pattern) do
    local pid = tonumber(number)
    if processes[pid] and not is_ours(pid, processes, self) then return true end
  end
  return false
end

-- Whether a thing with this name was made by a spec of another run, see support.run_id; nil when no
-- spec has named it.
local function is_of_another_run(name)
  local run = name:match("spec%-(%d+)%-")
  return run and run ~= support.run_id
end

-- Fields of mountinfo: id, parent, device, root, mount point, ... - type source options
local function mounts()
  local found = {}
  for line in io.lines("/proc/self/mountinfo") do
    local id, point, kind = line:match("^(%d+) %d+ %S+ %S+ (%S+) .- %- (%S+)")
    if not is_of_another_run(point) then found[point .. " #" .. id] = kind end
  end
  return found
end

--- The host's mounts, but for those of other runs.
world.mounts = mounts

local function cgroup_mounts()
  local points = {}
  for line in io.lines("/proc/self/mountinfo") do
    local point = line:match("^%d+ %d+ %S+ %S+ (%S+) .- %- cgroup2? ")
    if point then points[#points + 1] = point end
  end
  return points
end

local STATE <const> = "/run/luactr/containers/"

-- Whether a container is somebody else's: its owner locks its state directory. In /proc/locks:
-- "1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF".
-- One that a spec leaves to a monitor is named after the spec's run: see support.name.
local function is_a_strangers(id)
  if is_of_another_run(id) then return true end
  local inode = lfs.attributes(STATE .. id, "ino")
  local owner = inode and read("/proc/locks"):match("FLOCK[^\n]* (%d+) %x+:%x+:" .. inode .. " ")
  return owner ~= nil and names_a_stranger(owner, "%d+")
end

-- The containers' cgroups: <mount>/luactr/<id>, or below our own cgroup where that is delegated.
local function cgroups()
  local found, own = {}, {}
  for line in io.lines("/proc/self/cgroup") do own[line:match("^%d+:[^:]*:(.*)$")] = true end
  own["/"] = true
  for _, mount in ipairs(cgroup_mounts()) do
    for path in pairs(own) do
      local parent = mount .. path:gsub("/$", "") .. "/luactr"
      for _, id in ipairs(names(parent)) do
        local cgroup = parent .. "/" .. id
        if lfs.attributes(cgroup, "mode") == "directory" and not is_a_strangers(id) then
          found[cgroup] = "cgroup"
        end
      end
    end
  end
  return found
end

local function devices()
  local found = {}
  for _, name in ipairs(names("/sys/class/net")) do found[name] = "device" end
  return found
end

-- A luactr process keeps the sealed images of the init and the monitor for its next container.
local KEPT <const> = { "^/memfd:luactr%-init", "^/memfd:luactr%-monitor" }

local function descriptors()
  local found, listing = {}, ("^/proc/%d/fd$"):format(own_pid())
  for _, fd in ipairs(names("/proc/self/fd")) do
    local target = lfs.symlinkattributes("/proc/self/fd/" .. fd, "target")
    if target and not target:find(listing) and not target:find(KEPT[1])
      and not target:find(KEPT[2]) then
      found[fd .. " -> " .. target] = "open"
    end
  end
  return found
end

-- Without a runtime directory a user's state is here: no temporary file, though in /tmp.
local USER_STATE <const> = "^luactr%-%d+$"

local function temporary_files()
  local found = {}
  for _, name in ipairs(names("/tmp")) do
    if name:find("^luactr") and not name:find(USER_STATE) then
      local is_foreign = is_of_another_run(name)
      if is_foreign == nil then is_foreign = names_a_stranger(name, "%d+") end
      found["/tmp/" .. name] = not is_foreign and "temporary" or nil
    end
  end
  return found
end

local function state_tops()
  local tops = { "/run/luactr" }
  local runtime = os.getenv("XDG_RUNTIME_DIR")
  if runtime then tops[#tops + 1] = runtime .. "/luactr" end
  for _, name in ipairs(names("/tmp")) do
    if name:find(USER_STATE) then tops[#tops + 1] = "/tmp/" .. name end
  end
  return tops
end

local CACHE <const> = "seccomp" -- compiled filters, kept on purpose

local function state_files()
  local found = {}
  for _, top in ipairs(state_tops()) do
    for _, directory in ipairs(names(top)) do
      for _, name in ipairs(names(top .. "/" .. directory)) do
        if directory ~= CACHE and not is_a_strangers(name) then
          found[("%s/%s/%s"):format(top, directory, name)] = "state"
        end
      end
    end
  end
  return found
end

-- What this process is; a call made in the wrong process would change it.
local function own_attributes()
  local status = read("/proc/self/status")
  local found = { ["directory " .. lfs.currentdir()] = "own" }
  for _, field in ipairs { "Umask", "SigBlk", "SigIgn", "CapEff", "NoNewPrivs", "Seccomp" } do
    found[field .. " " .. (status:match("\n" .. field .. ":%s*(%S+)") or "?")] = "own"
  end
  for _, name in ipairs(names("/proc/self/ns")) do
    local target = lfs.symlinkattributes("/proc/self/ns/" .. name, "target")
    if target then found["namespace " .. target] = "own" end
  end
  found["hostname " .. (read("/proc/sys/kernel/hostname") or "?")] = "own"
  return found
end

-- `both`: that something is gone counts too
local KINDS <const> = {
  { name = "process", list = descendants },
  { name = "mount", list = mounts, both = true },
  { name = "cgroup", list = cgroups },
  { name = "network device", list = devices, both = true },
  { name = "descriptor", list = descriptors },
  { name = "file", list = temporary_files },
  { name = "state", list = state_files },
  { name = "attribute", list = own_attributes, both = true },
}

---- comparison

-- Orphans of a program that a spec has killed come to us (see adopt_orphans); a dead one is no
-- leak. Busted loads this file anew for each spec file, so ask the kernel whether we adopt.
local function reap_orphans()
  local sys = require("luactr.core").sys
  if not sys.get_child_subreaper() then return end
  for pid, process in pairs(process_table()) do
    if process.parent == own_pid() and process.state == "Z" then
      sys.waitid(pid)
      known_processes[pid] = nil
    end
  end
end

--- From now on a descendant that loses its parent becomes our child, so that it is still seen as
--- ours. For specs that kill luactr.
function world.adopt_orphans()
  assert(require("luactr.core").sys.child_subreaper(true))
end

function world.snapshot()
  known_processes = nil
  reap_orphans()
  local snapshot = {}
  for _, kind in ipairs(KINDS) do snapshot[kind.name] = kind.list() end
  return snapshot
end

local function missing_from(list, other, kind, verb, differences)
  for identity, description in pairs(list) do
    if other[identity] == nil then
      differences[#differences + 1] = ("%s %s: %s (%s)"):format(verb, kind, identity, description)
    end
  end
end

--- What `after` has and `before` had not, and the reverse where that matters: a sorted list.
function world.differences(before, after)
  local differences = {}
  for _, kind in ipairs(KINDS) do
    local was, is = before[kind.name] or {}, after[kind.name] or {}
    missing_from(is, was, kind.name, "left", differences)
    if kind.both then missing_from(was, is, kind.name, "gone", differences) end
  end
  table.sort(differences)
  return differences
end

--- Wait until the world is as in `before`; the differences that stay. What nobody refers to any
--- more is no leak; to look for that takes longer than most specs, so it waits for a reason.
function world.settle(before, patience)
  local deadline = system.monotime() + (patience or PATIENCE)
  while true do
    local differences = world.differences(before, world.snapshot())
    if #differences == 0 or system.monotime() > deadline then return differences end
    collectgarbage() -- twice: the first run's finalizers may release more
    collectgarbage()
    system.sleep(PAUSE)
  end
end

local baseline

--- For before_each and after_each: take the snapshot, or compare with it and forget it.
function world.check()
  if not baseline then
    baseline = world.snapshot()
    return
  end
  local before = baseline
  baseline = nil
  local differences = world.settle(before)
  if #differences > 0 then
    error("the world is not as it was:\n  " .. table.concat(differences, "\n  "), 0)
  end
end

return world
