--- The processes of a container, with their pids inside and outside.
local sys <const> = require("luactr.core").sys

local M = {}

local function read(path)
  local file <close> = sys.open(path, sys.O_RDONLY)
  return file and file:read(4096)
end

--- /proc/PID/status as a table of the fields that count; nil when the process is gone.
local function status(pid)
  local text = read("/proc/" .. pid .. "/status")
  if not text or text == "" then
    return nil
  end
  local pids = {}
  for number in (text:match("\nNSpid:([^\n]*)") or ""):gmatch("%d+") do
    pids[#pids + 1] = math.tointeger(tonumber(number))
  end
  return {
    command = text:match("^Name:\t([^\n]*)"),
    state = text:match("\nState:%s*(%a)"),
    parent = math.tointeger(tonumber(text:match("\nPPid:%s*(%d+)"))),
    pids = pids,
  }
end

M.status = status

--- The pids of all processes that there are here.
---@return integer[]
local function all_pids()
  local pids = {}
  for _, entry in ipairs(sys.readdir("/proc")) do
    pids[#pids + 1] = math.tointeger(tonumber(entry.name))
  end
  return pids
end

M.all_pids = all_pids

--- The children of a process that has one thread.
---@param pid integer
---@return integer[]
function M.children(pid)
  local list, text = {}, read(string.format("/proc/%d/task/%d/children", pid, pid))
  for number in (text or ""):gmatch("%d+") do
    list[#list + 1] = math.tointeger(tonumber(number))
  end
  return list
end

--- Without a cgroup: everything in PID 1's pid namespace, or below it.
local function members_of_namespace(leader)
  local namespace = sys.readlink("/proc/" .. leader .. "/ns/pid_for_children")
  local pids = {}
  for _, pid in ipairs(all_pids()) do
    if sys.readlink("/proc/" .. pid .. "/ns/pid") == namespace then
      pids[#pids + 1] = pid
    end
  end
  return pids
end

--- With neither: the leader and all below it, since it adopts who loses its parent.
local function family(leader)
  local children = {}
  for _, pid in ipairs(all_pids()) do
    local found = status(pid)
    local parent = found and found.parent or 0
    children[parent] = children[parent] or {}
    table.insert(children[parent], pid)
  end
  local pids, at = { leader }, 1
  while pids[at] do
    local more = children[pids[at]] or {}
    table.move(more, 1, #more, #pids + 1, pids)
    at = at + 1
  end
  return pids
end

--- Whether its pids are the host's own and in no cgroup, so that nothing ends them all at once.
local function is_loose(run, first)
  return not run.cgroup and first ~= nil and #first.pids == 1
end

--- In how many pid namespaces the container's processes are. Its first process is in one less
--- where it waits outside of the one that its children are in.
local function depth_of(leader, first)
  local path = "/proc/" .. leader .. "/ns/"
  local outside = sys.readlink(path .. "pid") ~= sys.readlink(path .. "pid_for_children")
  return #first.pids + (outside and 1 or 0)
end

--- Inside pids count by PID 1's depth: in a namespace within the container a process has more.
local function describe(pid, depth)
  local found = status(pid)
  if found and found.pids[depth] then
    return {
      pid = found.pids[depth], host_pid = pid, host_parent = found.parent,
      command = found.command, state = found.state,
    }
  end
end

local function add_parents(list)
  local inside = {}
  for _, process in ipairs(list) do
    inside[process.host_pid] = process.pid
  end
  for _, process in ipairs(list) do
    process.parent = inside[process.host_parent] or 0
    process.host_parent = nil
  end
end

--- Kill a process that still has this parent: by a descriptor, since its number may be another's.
local function kill_child(pid, parents)
  local handle <close> = sys.pidfd_open(pid)
  local found = handle and status(pid)
  return found and parents[found.parent]
    and sys.pidfd_send_signal(handle, sys.signals.KILL) and found.state ~= "Z" or false
end

--- End what only its leader holds together. The leader goes last: it adopts the others.
---@param run luactr.run
function M.end_family(run)
  local leader = run.process:pid()
  while is_loose(run, status(leader)) do
    local pids, parents, killed = family(leader), {}, false
    for _, pid in ipairs(pids) do
      parents[pid] = true
    end
    for i = 2, #pids do
      killed = kill_child(pids[i], parents) or killed
    end
    if not killed then
      return
    end
  end
end

--- Kill a child of a process, if it has one.
---@param leader integer
---@return boolean killed
function M.kill_children(leader)
  local killed = false
  for _, pid in ipairs(M.children(leader)) do
    killed = kill_child(pid, { [leader] = true }) or killed
  end
  return killed
end

---@param run luactr.run
---@return luactr.process[] sorted by pid inside
function M.list(run)
  local leader = run.process:pid()
  local first = status(leader)
  if not first then
    return {}
  end
  local pids = run.cgroup and run.cgroup:processes()
    or (is_loose(run, first) and family or members_of_namespace)(leader)
  local list, depth = {}, depth_of(leader, first)
  for _, pid in ipairs(pids) do
    list[#list + 1] = describe(pid, depth)
  end
  table.sort(list, function(a, b) return a.pid < b.pid end)
  add_parents(list)
  return list
end

return M
