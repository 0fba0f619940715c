--- The memory that takes what a container writes, where others are to find it while the container
--- runs: a tmpfs that luactr mounts, attached nowhere, and of which it, or the monitor, keeps a
--- descriptor.
local M = {}

local PUBLIC <const>, PRIVATE <const> = 493, 448 -- 0755, 0700

local function sys()
  return require("luactr.core").sys
end

---@class luactr.rootfs.memory
---@field fd luactr.fd of the tmpfs, which has the directories upper and work
local Memory = {}
Memory.__index = Memory

--- For the monitor.
function Memory:held()
  return self.fd
end

--- Idempotent.
function Memory:close()
  self.fd:close()
end

local function failure(errno)
  return nil, { op = "fsmount", errno = errno, action = "mount a tmpfs for what is written" }
end

local function mount(size)
  local context <close>, _, errno = sys().fsopen("tmpfs")
  local done = context ~= nil
  for _, option in ipairs { { "set_string", "mode", "0755" },
    { "set_string", "size", size and tostring(size) }, { "cmd_create" } } do
    if done and (option[3] or not option[2]) then
      done, _, errno = sys().fsconfig(context, table.unpack(option))
    end
  end
  local fd
  if done then
    fd, _, errno = sys().fsmount(context)
  end
  return fd, errno
end

--- Who is root in the container owns what it writes to.
local function directories(fd, maps)
  local owner = {}
  for _, kind in ipairs { "uid", "gid" } do
    for _, row in ipairs(maps and maps[kind] or {}) do
      owner[kind] = row.inside == 0 and row.outside or owner[kind]
    end
  end
  for _, row in ipairs { { "." }, { "upper", PUBLIC }, { "work", PRIVATE } } do
    local name, mode = row[1], row[2]
    local done, _, errno = true, nil, nil
    if mode then
      done, _, errno = sys().mkdir(name, mode, fd)
    end
    if done and owner.uid then
      done, _, errno = sys().chown(name, owner.uid, owner.gid or 0, 0, fd)
    end
    if not done then
      return nil, errno
    end
  end
  return true
end

--- Mount the tree of a plan.
---@param tree luactr.idmap.tree
---@param run luactr.run which keeps it
---@return luactr.fd?
---@return table? fields of an error
function M.open(tree, run)
  local fd, errno = mount(tree.size)
  if not fd then
    return failure(errno)
  end
  local done, copy, _
  done, errno = directories(fd, run.id_maps)
  if done then
    copy, _, errno = sys().dup(fd)
  end
  if not copy then
    fd:close()
    return failure(errno)
  end
  run.memory = run:own(setmetatable({ fd = copy }, Memory))
  return fd
end

return M
