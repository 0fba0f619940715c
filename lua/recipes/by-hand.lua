#!/usr/bin/env luactr
-- A container by hand, one system call after the other, without the help of ctr.container.
--
--   luactr by-hand.lua                                   both programs, with bash in each
--   luactr by-hand.lua namespaces [PROGRAM ARGUMENT...]  only the first
--   luactr by-hand.lua container [PROGRAM ARGUMENT...]   only the second (PROGRAM is a full path)
--
-- The first is the classic C program about namespaces. clone(2) makes a child that sees fresh
-- copies of what is shared on Linux: mounts, host name, IPC objects, process ids. Try `echo $$`
-- (bash is process 1), `hostname` (changed inside, not outside), `ps` (sees only its own).
--
-- The second adds the two other parts of a container: a root directory of its own (chroot), and a
-- control group that gives it 40 % of one CPU. Try `while :; do :; done &` and look at it with
-- top from outside; start two, and each gets 20 %.
--
-- Every step is one function of luactr.sys, and the manual page of the same name explains it.
-- What this leaves open is the reason to have luactr: root can get out of a chroot, keeps all its
-- privileges, and sees the host's network.

local sys = require("luactr.sys")

local NAMESPACES <const> = { "newns", "newuts", "newipc", "newpid" }
local PERIOD <const>, QUOTA <const> = 100000, 40000 -- microseconds: 40 % of one CPU

local function write(path, text)
  local file <close> = assert(sys.open(path, "wronly"))
  assert(file:write(tostring(text)))
end

-- Programs that look for processes read /proc, and each proc shows one pid namespace: mount ours.
local function mount_proc(directory)
  assert(sys.mount("proc", directory, "proc", { "nosuid", "nodev", "noexec" }))
end

-- What both children do first. They run in the new namespaces already.
local function begin(hostname)
  assert(sys.parent_death_signal("KILL")) -- no container outlives the program that made it
  assert(sys.sethostname(hostname))
  assert(sys.mount(nil, "/", nil, { "rec", "private" })) -- our mounts do not spread to the host
end

-- The parent's side: tell both views of the process ids, wait, return an exit status.
local function supervise(child)
  print(("outside: this program is process %d, its child %d"):format(sys.getpid(), child:pid()))
  io.stdout:flush()
  local ended = assert(child:wait())
  return ended.code or 128 + ended.signal, ended
end

---- the first program: namespaces

local function namespaces(command)
  local child <close> = assert(sys.clone(NAMESPACES, function()
    begin("container")
    mount_proc("/proc")
    return sys.exec(command[1], command)
  end))
  return (supervise(child))
end

---- the second program: a root directory, ...

-- Something that is removed at the end of a `<close>` variable.
local function directory(path)
  assert(sys.mkdir(path, "0700"))
  return setmetatable({ path = path }, { __close = function() sys.rmdir(path) end })
end

-- Show /usr, where programs and libraries live, read-only inside; on most systems /bin and /lib
-- are links into it.
local function share(root, path)
  local link = sys.readlink(path)
  if link then return assert(sys.symlink(link, root .. path)) end
  if not sys.stat(path) then return end
  assert(sys.mkdir(root .. path))
  assert(sys.mount(path, root .. path, nil, { "bind", "rec" }))
  assert(sys.mount(nil, root .. path, nil, { "remount", "bind", "rdonly" }))
end

-- In the child's mount namespace: all of it is gone when the last process in there is.
local function fill(root)
  assert(sys.mount("by-hand", root, "tmpfs", { "nosuid" }, "size=1m,mode=0755"))
  for _, path in ipairs { "/usr", "/bin", "/sbin", "/lib", "/lib64" } do share(root, path) end
  for _, name in ipairs { "/proc", "/dev", "/tmp" } do assert(sys.mkdir(root .. name)) end
  assert(sys.mknod(root .. "/dev/null", "020666", sys.makedev(1, 3)))
  assert(sys.mknod(root .. "/dev/tty", "020666", sys.makedev(5, 0)))
  mount_proc(root .. "/proc")
end

---- ... a control group, ...

local function has_word(text, word)
  return (" " .. text:gsub("[,\n]", " ") .. " "):find(" " .. word .. " ", 1, true)
end

-- Where the cpu controller is: the mount point of its hierarchy, and "cgroup" (version 1) or
-- "cgroup2". Version 2 lists its controllers in a file, version 1 in the mount options.
local function cpu_hierarchy()
  for line in io.lines("/proc/self/mountinfo") do
    local point, version, options =
      line:match("^%d+ %d+ %S+ %S+ (%S+) .- %- (cgroup2?) %S+ (%S+)")
    if version == "cgroup2" then
      local list <close> = io.open(point .. "/cgroup.controllers")
      options = list and list:read("a") or ""
    end
    if point and has_word(options, "cpu") then return point, version end
  end
  error("no cpu controller is mounted")
end

-- A control group is a directory; its limits are files in it.
local function limit_cpu(group, version)
  if version == "cgroup2" then return write(group .. "/cpu.max", QUOTA .. " " .. PERIOD) end
  write(group .. "/cpu.cfs_period_us", PERIOD)
  write(group .. "/cpu.cfs_quota_us", QUOTA)
end

---- ... and the namespaces of before

local function container(command)
  local name = "luactr-by-hand-" .. sys.getpid()
  local hierarchy, version = cpu_hierarchy()
  if version == "cgroup2" then write(hierarchy .. "/cgroup.subtree_control", "+cpu") end
  local group <close> = directory(hierarchy .. "/" .. name)
  limit_cpu(group.path, version)
  local root <close> = directory("/tmp/" .. name)
  local start = sys.clock_gettime()
  local child <close> = assert(sys.clone(NAMESPACES, function()
    write(group.path .. "/cgroup.procs", "0") -- me; the children to come are born in it
    begin("container")
    fill(root.path)
    assert(sys.chroot(root.path))
    assert(sys.chdir("/")) -- the working directory would still be outside
    return sys.exec(command[1], command, { "PATH=/usr/bin:/bin", "HOME=/", "TERM=linux" })
  end))
  local status, ended = supervise(child)
  local share_used = (ended.user_seconds + ended.system_seconds) / (sys.clock_gettime() - start)
  print(("outside: it used %.0f %% of a CPU"):format(100 * share_used))
  return status
end

---- which of them

local programs <const> = { namespaces = namespaces, container = container }

local function main(which, ...)
  local command = select("#", ...) > 0 and { ... } or { "/bin/bash" }
  if which then
    local program = programs[which] or error("no program " .. which)
    return program(command)
  end
  print("1. namespaces: leave them with exit")
  namespaces(command)
  print("2. container: leave it with exit")
  return container(command)
end

os.exit(main(...), true)
