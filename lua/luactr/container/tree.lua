--- The processes of a container as the host sees them: a tree, with the pid of each in every pid
--- namespace from the host's down to its own.
local processes = require "luactr.processes"

local sys <const> = require("luactr.core").sys

local M = {}

local LONGEST_COMMAND <const> = 4096

---@class luactr.tree.process
---@field pid integer the host's
---@field pids integer[] the host's, then one in each pid namespace below
---@field command string its arguments, or its name in brackets
---@field state string as in ps(1)
---@field children? luactr.tree.process[] by their pids

---@alias luactr.tree.seen table<integer, luactr.tree.process>

local function command_of(pid, name)
  local file <close> = sys.open("/proc/" .. pid .. "/cmdline", sys.O_RDONLY)
  local words = file and file:read(LONGEST_COMMAND) or ""
  words = words:gsub("%z+$", ""):gsub("%z", " ")
  if words:find("^luactr%-init ") then
    return "luactr-init" -- what follows are its descriptors
  end
  return words ~= "" and words or "[" .. (name or "?") .. "]"
end

--- All processes of the host, each with its children.
---@return luactr.tree.seen
function M.look()
  local seen, parents = {}, {}
  for _, pid in ipairs(processes.all_pids()) do
    local status = processes.status(pid)
    if status then
      seen[pid] = { pid = pid, pids = status.pids, name = status.command, state = status.state,
        children = {} }
      parents[pid] = status.parent
    end
  end
  for pid, parent in pairs(parents) do
    local list = seen[parent] and seen[parent].children
    if list then
      list[#list + 1] = seen[pid]
    end
  end
  return seen
end

--- A copy for the caller; `taken` gets all that are in it.
local function copy(process, taken)
  taken[process.pid] = true
  local children = {}
  for i, child in ipairs(process.children) do
    children[i] = copy(child, taken)
  end
  table.sort(children, function(a, b) return a.pid < b.pid end)
  return {
    pid = process.pid, pids = process.pids, state = process.state,
    children = #children > 0 and children or nil,
    command = command_of(process.pid, process.name),
  }
end

local function namespace(pid)
  return sys.readlink("/proc/" .. pid .. "/ns/pid")
end

--- Those in the namespace of PID 1 whose parents are elsewhere: they were put in from outside.
local function beside(leader, seen, taken)
  local depth, home = #leader.pids, namespace(leader.pid)
  local pids = {}
  for pid, process in pairs(seen) do
    if not taken[pid] and #process.pids == depth and home and namespace(pid) == home then
      pids[#pids + 1] = pid
    end
  end
  table.sort(pids)
  return pids
end

---@param pid integer the host's, of PID 1
---@param seen? luactr.tree.seen
---@return luactr.tree.process[] roots the first is PID 1
function M.of(pid, seen)
  seen = seen or M.look()
  local leader = seen[pid]
  if not leader then
    return {}
  end
  local taken, roots = {}, {}
  roots[1] = copy(leader, taken)
  -- In the host's own namespace everything would be beside it.
  if namespace(pid) ~= namespace("self") then
    for _, other in ipairs(beside(leader, seen, taken)) do
      if not taken[other] then -- it may be the child of one before it
        roots[#roots + 1] = copy(seen[other], taken)
      end
    end
  end
  return roots
end

return M
