--- Shares of caches and memory bandwidth: a group of resctrl, the kernel's file system for Intel
--- RDT and its like. A container is put into a group that is there, or into one that is made.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local NOT_HERE <const> = "this host has no resctrl file system: mount -t resctrl resctrl "
  .. "/sys/fs/resctrl, on a CPU with Intel RDT or the like"

--- The parent writes the init into the group before it has any child.
---@param host luactr.host
---@return table[]? steps
---@return luactr.problem[]? problems
function M.wait(host)
  if not host.resctrl then
    return nil, { { path = "resctrl", message = NOT_HERE } }
  end
  return { { op = "rendezvous", number = core.plan.rendezvous.resctrl, from = "resctrl" } }
end

-- ---- files

local function failure(op, path, errno, cause)
  return nil, {
    errno = errno, op = op, path = path, from = "resctrl", cause = cause, checked = cause ~= nil,
    action = string.format("cannot %s %s", op, path),
  }
end

local function read(path)
  local file <close> = io.open(path)
  return file and file:read("a")
end

local function write(root, path, text)
  local file <close>, _, errno = sys.open(path, { "wronly", "creat", "trunc" }, "0644")
  local done = file
  if file then
    done, _, errno = file:write(text)
  end
  if done then
    return true
  end
  local why = (read(root .. "/info/last_cmd_status") or ""):match("^%s*(.-)%s*$")
  return failure("write", path, errno, why ~= "" and why ~= "ok" and why or nil)
end

--- A line of schemata without what does not count: "L3:0=00ff;1=0f" is "L3:0=ff;1=f".
local function plain(line)
  return (line:gsub("%s+", ""):gsub("=0+(%x)", "=%1"):lower())
end

--- The first of the lines that a group does not have. Of a line the domains that it names count.
local function missing(lines, schemata)
  local has = {}
  for line in schemata:gmatch("[^\n]+") do
    local resource, domains = plain(line):match("^(%w+):(.*)$")
    for domain in (domains or ""):gmatch("[^;]+") do
      has[resource .. ":" .. domain] = true
    end
  end
  for _, line in ipairs(lines) do
    local resource, domains = plain(line):match("^(%w+):(.*)$")
    for domain in (domains or ""):gmatch("[^;]+") do
      if not has[resource .. ":" .. domain] then
        return line
      end
    end
  end
end

-- ---- a container's group

---@class luactr.resctrl.group
---@field root string
---@field path string
---@field monitor? string
---@field made string[] directories that go with the container
local Group = {}
Group.__index = Group

--- A directory that goes with the container, by a link that tells whoever cleans up.
local function make(self, path, link, directory)
  local done, _, errno = sys.symlink(path, link, directory)
  if done then
    done, _, errno = sys.mkdir(path, "0755")
  end
  if done then
    table.insert(self.made, 1, path)
    return true
  end
  sys.unlink(link, directory)
  return failure("mkdir", path, errno, errno == sys.errno.ENOSPC
    and "the hardware has no group of that kind left" or nil)
end

--- One that has a name stays when the container goes. True, nil and whether it is new; or nil and
--- what went wrong.
local function find_named(self, lines)
  local there = sys.stat(self.path)
  if there and #lines > 0 then
    local line = missing(lines, read(self.path .. "/schemata") or "")
    if line then
      return failure("use", self.path, sys.errno.EINVAL,
        string.format("the group is there, with another schema than %q", line))
    end
    return true
  elseif there then
    return true
  elseif #lines == 0 then
    return failure("find", self.path, sys.errno.ENOENT,
      "there is no such group, and resctrl says nothing of what to make it of")
  end
  local done, _, errno = sys.mkdir(self.path, "0755")
  if not done then
    return failure("mkdir", self.path, errno)
  end
  return true, nil, true
end

local function schemata_of(wanted)
  local lines = { wanted.l3, wanted.bandwidth }
  if not wanted.l3 then
    lines = { wanted.bandwidth }
  end
  return table.move(wanted.schemata or {}, 1, #(wanted.schemata or {}), #lines + 1, lines)
end

--- Bring the group about.
---@param wanted table resctrl of the spec
---@param id string
---@param root string of the file system
---@param directory luactr.fd the container's, where what is to be removed is written down
---@return luactr.resctrl.group?
---@return table? fields of an error
function M.open(wanted, id, root, directory)
  local name = wanted.group or id
  local self = setmetatable({ root = root, made = {},
    path = name == "/" and root or root .. "/" .. name }, Group)
  local fine, err, is_new
  local lines = schemata_of(wanted)
  if wanted.group then
    fine, err, is_new = find_named(self, lines)
  else
    fine, err = make(self, self.path, "resctrl.group", directory)
    is_new = fine
  end
  for _, line in ipairs(is_new and lines or {}) do
    if fine then
      fine, err = write(root, self.path .. "/schemata", line .. "\n")
    end
  end
  if fine and wanted.monitoring then
    self.monitor = string.format("%s/mon_groups/%s", self.path, id)
    fine, err = make(self, self.monitor, "resctrl.monitor", directory)
  end
  if not fine then
    self:close()
    return nil, err
  end
  return self
end

--- Give the group of a container that runs other lines.
---@param resctrl table of its spec
---@param changes { l3?: string, bandwidth?: string }
---@param id string
---@param root string
---@return boolean? done
---@return table? fields of an error
function M.change(resctrl, changes, id, root)
  local name = resctrl.group or id
  local path = (name == "/" and root or root .. "/" .. name) .. "/schemata"
  local done, err = true, nil
  for _, field in ipairs { "l3", "bandwidth" } do
    if done and changes[field] then
      done, err = write(root, path, changes[field] .. "\n")
    end
    resctrl[field] = done and changes[field] or resctrl[field]
  end
  return done, err
end

--- Put a process in, and whoever it starts from then on.
---@param pid integer
---@return boolean? done
---@return table? fields
function Group:enter(pid)
  local done, err = write(self.root, self.path .. "/tasks", pid .. "\n")
  if done and self.monitor then
    done, err = write(self.root, self.monitor .. "/tasks", pid .. "\n")
  end
  return done, err
end

--- From now on somebody else removes it.
function Group:disown()
  self.made = {}
end

function Group:close()
  for _, path in ipairs(self.made) do
    sys.rmdir(path)
  end
  self.made = {}
end

--- Remove what the directory of a container says that it made.
---@param directory luactr.fd
function M.remove(directory)
  for _, link in ipairs { "resctrl.monitor", "resctrl.group" } do
    local path = sys.readlink(link, directory)
    if path then
      sys.rmdir(path)
    end
  end
end

return M
