--- Mount options by the names of mount(8) and the OCI runtime specification. Pure.
local sys = require("luactr.core").sys

local M = {}

-- Name, the name that takes it back, flag of mount(2), bit of mount_setattr(2).
-- With an r before it ("rro") OCI means the whole tree of a recursive bind; here a recursive bind
-- is one tree, and its options always mean all of it.
local FLAGS <const> = {
  { "ro", "rw", sys.MS_RDONLY, sys.MOUNT_ATTR_RDONLY },
  { "nosuid", "suid", sys.MS_NOSUID, sys.MOUNT_ATTR_NOSUID },
  { "nodev", "dev", sys.MS_NODEV, sys.MOUNT_ATTR_NODEV },
  { "noexec", "exec", sys.MS_NOEXEC, sys.MOUNT_ATTR_NOEXEC },
  { "noatime", "atime", sys.MS_NOATIME, sys.MOUNT_ATTR_NOATIME },
  { "relatime", "norelatime", sys.MS_RELATIME, 0 }, -- the kernel's default
  { "strictatime", "nostrictatime", sys.MS_STRICTATIME, sys.MOUNT_ATTR_STRICTATIME },
  { "nodiratime", "diratime", sys.MS_NODIRATIME, sys.MOUNT_ATTR_NODIRATIME },
  { "nosymfollow", "symfollow", sys.MS_NOSYMFOLLOW, sys.MOUNT_ATTR_NOSYMFOLLOW },
  { "sync", "async", sys.MS_SYNCHRONOUS, 0 },
  { "dirsync", nil, sys.MS_DIRSYNC, 0 },
  { "lazytime", "nolazytime", sys.MS_LAZYTIME, 0 },
  { "silent", "loud", sys.MS_SILENT, 0 },
}

local PROPAGATION <const> = {
  private = sys.MS_PRIVATE, shared = sys.MS_SHARED, slave = sys.MS_SLAVE,
  unbindable = sys.MS_UNBINDABLE,
}

-- What else a mount's options may say.
local WORDS <const> = {
  bind = function(parsed) parsed.bind, parsed.recursive = true, false end,
  rbind = function(parsed) parsed.bind, parsed.recursive = true, true end,
  optional = function(parsed) parsed.optional = true end,
  nofail = function(parsed) parsed.optional = true end,
  defaults = function() end,
}

local LATER <const> = { idmap = true, ridmap = true, tmpcopyup = true, remount = true }

-- Options that a file system itself knows; one that is not here takes whatever it is given.
local DATA <const> = {
  bind = {}, proc = { "hidepid", "gid", "subset" }, sysfs = {}, mqueue = {}, cgroup = {},
  tmpfs = {
    "size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol", "inode32", "inode64",
    "noswap",
  },
  devpts = { "newinstance", "uid", "gid", "mode", "ptmxmode", "max" },
  cgroup2 = {
    "nsdelegate", "favordynmods", "memory_localevents", "memory_recursiveprot",
    "memory_hugetlb_accounting", "pids_localevents",
  },
}

---@class luactr.mount.parsed
---@field flags integer of mount(2)
---@field set integer bits of mount_setattr(2) to set
---@field clear integer bits to take away
---@field propagation { flag: integer, recursive: boolean }?
---@field bind boolean? said by an option
---@field recursive boolean?
---@field optional boolean
---@field data string[] options of the file system itself

local function apply_flag(parsed, row, on)
  if on then
    parsed.flags, parsed.set = parsed.flags | row[3], parsed.set | row[4]
    parsed.clear = parsed.clear & ~row[4]
  else
    parsed.flags, parsed.set = parsed.flags & ~row[3], parsed.set & ~row[4]
    parsed.clear = parsed.clear | row[4]
  end
end

local by_name -- every word to a function(parsed)

local function build_index()
  by_name = {}
  for word, apply in pairs(WORDS) do
    by_name[word] = apply
  end
  for _, row in ipairs(FLAGS) do
    for _, prefix in ipairs { "", "r" } do
      by_name[prefix .. row[1]] = function(parsed) apply_flag(parsed, row, true) end
      if row[2] then
        by_name[prefix .. row[2]] = function(parsed) apply_flag(parsed, row, false) end
      end
    end
  end
  for word, flag in pairs(PROPAGATION) do
    for prefix, recursive in pairs { [""] = false, r = true } do
      by_name[prefix .. word] = function(parsed)
        parsed.propagation = { flag = flag, recursive = recursive }
      end
    end
  end
end

local function all_names(type)
  local names = table.move(DATA[type] or {}, 1, #(DATA[type] or {}), 1, {})
  for name in pairs(by_name) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function is_data(type, option)
  local known = DATA[type]
  local name = option:match("^[^=]*")
  for _, candidate in ipairs(known or { name }) do
    if candidate == name then
      return true
    end
  end
  return false
end

-- The kernel knows K, M and G only, a recipe more.
local function kernel_text(option)
  local size = option:match("^size=(.+)$")
  local bytes = size and not size:find("%%$") and require("luactr.units").size(size)
  return bytes and "size=" .. bytes or option
end

--- Take apart the options of a mount.
---@param type string of the mount
---@param list string[]
---@param problem fun(index: integer, message: string) is told of each wrong option
---@return luactr.mount.parsed
function M.parse(type, list, problem)
  if not by_name then
    build_index()
  end
  -- Nothing that is mounted brings set-user-id programs or devices along unless that is said.
  local restricted = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV
  local parsed = {
    flags = sys.MS_NOSUID | sys.MS_NODEV, set = restricted, clear = 0, data = {}, optional = false,
  }
  for i, option in ipairs(list) do
    local apply = by_name[option]
    if apply then
      apply(parsed)
    elseif LATER[option] then
      problem(i, option .. " is not supported yet")
    elseif is_data(type, option) then
      parsed.data[#parsed.data + 1] = kernel_text(option)
    else
      local hint = require("luactr.nearest").hint(option, all_names(type))
      problem(i, string.format("unknown option %q of %s%s", option, type, hint))
    end
  end
  return parsed
end

return M
