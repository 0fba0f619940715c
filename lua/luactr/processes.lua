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

--- Without a cgroup: everything in PID 1's pid namespace, or below it.
local function members_of_namespace(leader)
  local namespace = sys.readlink("/proc/" .. leader .. "/ns/pid_for_children")
  local pids = {}
  for _, entry in ipairs(sys.readdir("/proc")) do
    local pid = math.tointeger(tonumber(entry.name))
    if pid and sys.readlink("/proc/" .. pid .. "/ns/pid") == namespace then
      pids[#pids + 1] = pid
    end
  end
  return pids
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

---@param run luactr.run
---@return luactr.process[] sorted by pid inside
function M.list(run)
  local leader = run.process:pid()
  local first = status(leader)
  if not first then
    return {}
  end
  local pids = run.cgroup and run.cgroup:processes() or members_of_namespace(leader)
  local list = {}
  for _, pid in ipairs(pids) do
    list[#list + 1] = describe(pid, #first.pids)
  end
  table.sort(list, function(a, b) return a.pid < b.pid end)
  add_parents(list)
  return list
end

return M
