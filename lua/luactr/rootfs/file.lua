--- A root in a file that holds a file system: squashfs, erofs. It is mounted by luactr, attached
--- nowhere, and handed to the init. The mount, and with it a loop device, is gone with its
--- container, however that ends.
local M = {}

---@class luactr.rootfs.file
---@field type "squashfs"|"erofs"
---@field path string

local function sys()
  return require("luactr.core").sys
end

-- ---- errors

local UNOPENED <const> = {
  ENOENT = "there is no %s on this host", EACCES = "luactr may not read %s",
}

local function failure(tree, errno, fields)
  fields.op, fields.path, fields.errno = fields.op or "fsmount", tree.source, errno
  fields.action = fields.action or string.format("mount the %s %s", tree.type, tree.source)
  fields.checked = fields.cause ~= nil
  return nil, fields
end

local function no_such_type(tree, errno)
  local is_missing = errno == sys().errno.ENODEV
  return failure(tree, errno, {
    cause = is_missing and "this kernel has no file system " .. tree.type
      or "only the host's root may mount a file",
    remedy = is_missing and string.format("modprobe %s, or unpack the file and name the directory",
      tree.type) or "unpack the file and name the directory" })
end

local function no_loop(tree, errno)
  local is_missing = errno == sys().errno.ENODEV
  return failure(tree, errno, { op = "loop",
    action = "make a loop device of " .. tree.source,
    cause = is_missing and "this kernel has no loop devices (/dev/loop-control)" or nil,
    remedy = is_missing and "modprobe loop, or unpack the file and name the directory" or nil })
end

local NOT_ONE <const> = { EINVAL = true, EUCLEAN = true, EIO = true, EFSCORRUPTED = true,
  EBADMSG = true }

local function refused(tree, errno)
  local name = sys().errname(errno)
  local cause = NOT_ONE[name] and string.format("%s is no %s, or a damaged one", tree.source,
    tree.type) or name == "EOPNOTSUPP" and string.format(
    "%s uses what this kernel's %s cannot do", tree.source, tree.type) or nil
  return failure(tree, errno, { cause = cause })
end

-- ---- mounting

--- A context with a source; nil, errno when the kernel does not take that.
local function create(context, source)
  for _, option in ipairs { { "set_flag", "ro" }, { "set_string", "source", source },
    { "cmd_create" } } do
    local done, _, errno = sys().fsconfig(context, table.unpack(option))
    if not done then
      return nil, errno
    end
  end
  return true
end

local function mounted(context)
  local fd, _, errno = sys().fsmount(context, { "rdonly", "nodev" })
  return fd, errno
end

--- nil where the kernel wants a block device.
local function by_file(tree)
  local context <close> = sys().fsopen(tree.type)
  return context and create(context, tree.source) and mounted(context) or nil
end

local function by_loop(tree, file)
  local context <close>, _, number = sys().fsopen(tree.type)
  if not context then
    return no_such_type(tree, number)
  end
  local device <close>, path, errno = sys().loop_attach(file)
  if not device then
    return no_loop(tree, errno)
  end
  local done, fd
  done, errno = create(context, path)
  if done then
    fd, errno = mounted(context)
  end
  if not fd then
    return refused(tree, errno)
  end
  return fd
end

--- Mount the file of a tree.
local function open(tree)
  local file <close>, _, errno = sys().open(tree.source, sys().O_RDONLY | sys().O_NONBLOCK)
  if not file then
    local cause = UNOPENED[sys().errname(errno)]
    return failure(tree, errno, { cause = cause and cause:format(tree.source) })
  elseif sys().stat(file).type ~= "file" then
    return failure(tree, sys().errno.EINVAL, { cause = tree.source .. " is no file",
      remedy = "ctr.rootfs.dir for a directory" })
  end
  local fd = tree.type == "erofs" and by_file(tree) -- since Linux 6.12
  if fd then
    return fd
  end
  return by_loop(tree, file)
end

-- ---- the kind

local OPEN <const> = {} -- by type

for _, type in ipairs { "squashfs", "erofs" } do
  OPEN[type] = function(tree)
    return open(setmetatable({ type = type }, { __index = tree }))
  end
end

---@param type "squashfs"|"erofs"
---@param path string
---@return luactr.rootfs.file
function M.new(type, path)
  return { type = type, path = path }
end

function M.layers(self)
  return { { path = self.path, open = OPEN[self.type] } }
end

function M.steps(self, host)
  local slot <const> = "tree:rootfs"
  return { { op = "root_bind", source = self.path, recursive = 0, detached = slot, from = "rootfs",
    opened = { slot = slot, source = self.path, recursive = false, open = OPEN[self.type],
      map = host.foreign and host.privileged or nil, lenient = true } } }
end

return M
