--- Mount options by the names of mount(8) and the OCI runtime specification. Pure.
local sys = require("luactr.core").sys

local M = {}

-- Name, the name that takes it back, flag of mount(2), bit of mount_setattr(2); `fs` marks what
-- belongs to the file system itself, which a bind cannot change. With an r before the name the
-- option is for a whole tree. A restriction always is, with the r or without; only what takes one
-- back is for the mount itself unless it has the r.
local FLAGS <const> = {
  { "ro", "rw", sys.MS_RDONLY, sys.MOUNT_ATTR_RDONLY },
  { "nosuid", "suid", sys.MS_NOSUID, sys.MOUNT_ATTR_NOSUID },
  { "nodev", "dev", sys.MS_NODEV, sys.MOUNT_ATTR_NODEV },
  { "noexec", "exec", sys.MS_NOEXEC, sys.MOUNT_ATTR_NOEXEC },
  { "nodiratime", "diratime", sys.MS_NODIRATIME, sys.MOUNT_ATTR_NODIRATIME },
  { "nosymfollow", "symfollow", sys.MS_NOSYMFOLLOW, sys.MOUNT_ATTR_NOSYMFOLLOW },
  { "sync", "async", sys.MS_SYNCHRONOUS, fs = true },
  { "dirsync", nil, sys.MS_DIRSYNC, fs = true },
  { "lazytime", "nolazytime", sys.MS_LAZYTIME, fs = true },
  { "iversion", "noiversion", sys.MS_I_VERSION, fs = true },
  { "silent", "loud", sys.MS_SILENT },
}

-- How access times are kept is one choice of three; relatime is the kernel's own, and what is left
-- when another is taken back.
local ATIME <const> = sys.MOUNT_ATTR__ATIME
local ATIME_FLAGS <const> = sys.MS_NOATIME | sys.MS_RELATIME | sys.MS_STRICTATIME
local ATIMES <const> = {
  noatime = { sys.MS_NOATIME, sys.MOUNT_ATTR_NOATIME },
  strictatime = { sys.MS_STRICTATIME, sys.MOUNT_ATTR_STRICTATIME },
  relatime = { sys.MS_RELATIME, 0 },
  atime = { 0, 0 }, norelatime = { 0, 0 }, nostrictatime = { 0, 0 },
}

local PROPAGATION <const> = {
  private = sys.MS_PRIVATE, shared = sys.MS_SHARED, slave = sys.MS_SLAVE,
  unbindable = sys.MS_UNBINDABLE,
}

-- What else a mount's options may say.
local WORDS <const> = {
  bind = function(parsed) parsed.bind, parsed.recursive = true, false end,
  rbind = function(parsed) parsed.bind, parsed.recursive = true, true end,
  remount = function(parsed) parsed.remount = true end,
  optional = function(parsed) parsed.optional = true end,
  nofail = function(parsed) parsed.optional = true end,
  defaults = function() end,
  tmpcopyup = function(parsed) parsed.copy_up = true end,
  nomand = function() end, -- the kernel has no mandatory locks any more
  ["src-nofollow"] = function(parsed) parsed.policy.source_nofollow = true end,
  ["dest-nofollow"] = function(parsed) parsed.policy.target_nofollow = true end,
  ["copy-symlink"] = function(parsed) parsed.policy.copy_symlink = true end,
  idmap = function(parsed) parsed.idmap = "mount" end,
  ridmap = function(parsed) parsed.idmap = "whole" end,
  ["create=dir"] = function(parsed) parsed.create = "dir" end,
  ["create=file"] = function(parsed) parsed.create = "file" end,
  ["create=never"] = function(parsed) parsed.create = "never" end,
}

local REFUSED <const> = {
  mand = "needs mandatory locks, which Linux has no more since 5.15",
}

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

-- What SELinux knows of every file system.
local LABELS <const> = {
  context = true, fscontext = true, defcontext = true, rootcontext = true,
}

---@class luactr.mount.parsed
---@field flags integer of mount(2)
---@field set integer bits of mount_setattr(2) to set, in the whole tree
---@field set_here integer bits to set on the mount itself
---@field clear integer bits to take away from the mount itself
---@field clear_all integer bits to take away in the whole tree
---@field said integer those of these bits that an option named
---@field propagation { flag: integer, recursive: boolean }?
---@field bind boolean? said by an option
---@field recursive boolean? the source with what is mounted below it
---@field in_tree boolean? an option with an r before it was said
---@field remount boolean?
---@field copy_up boolean? begin with what is covered
---@field exact boolean? what no option says, is not
---@field optional boolean
---@field idmap "mount"|"whole"? the files have the container's users
---@field create "dir"|"file"|"never"?
---@field policy table<string, boolean> names of core.plan.bind_policy
---@field data string[] options of the file system itself

local function take_back(parsed, bit, in_tree)
  parsed.set, parsed.clear = parsed.set & ~bit, parsed.clear & ~bit
  parsed.set_here = parsed.set_here & ~bit
  parsed.clear_all = parsed.clear_all & ~bit
  if in_tree then
    parsed.clear_all = parsed.clear_all | bit
  else
    parsed.clear = parsed.clear | bit
  end
end

local function restrict(parsed, bit, in_tree)
  if in_tree or not parsed.exact then
    parsed.set = parsed.set | bit
  else
    parsed.set_here = parsed.set_here | bit
  end
  parsed.clear, parsed.clear_all = parsed.clear & ~bit, parsed.clear_all & ~bit
end

local function apply_flag(parsed, row, on, in_tree)
  local flag, bit = row[3], row[4] or 0
  parsed.in_tree = parsed.in_tree or in_tree
  parsed.said = parsed.said | bit
  if on then
    parsed.flags = parsed.flags | flag
    restrict(parsed, bit, in_tree)
  else
    parsed.flags = parsed.flags & ~flag
    take_back(parsed, bit, in_tree)
  end
end

local function apply_atime(parsed, row, in_tree)
  parsed.said, parsed.in_tree = parsed.said | ATIME, parsed.in_tree or in_tree
  parsed.flags = parsed.flags & ~ATIME_FLAGS | row[1]
  take_back(parsed, ATIME, in_tree)
  if row[2] ~= 0 then
    restrict(parsed, ATIME, in_tree)
    parsed.set = parsed.set & ~(ATIME & ~row[2])
    parsed.set_here = parsed.set_here & ~(ATIME & ~row[2])
  end
end

local by_name -- every word to a function(parsed)
local of_fs -- those that a bind cannot take

local function add_flag(row, prefix)
  local in_tree = prefix == "r"
  by_name[prefix .. row[1]] = function(parsed) apply_flag(parsed, row, true, in_tree) end
  of_fs[row[1]] = row.fs
  if row[2] then
    by_name[prefix .. row[2]] = function(parsed) apply_flag(parsed, row, false, in_tree) end
  end
end

local function build_index()
  by_name, of_fs = {}, {}
  for word, apply in pairs(WORDS) do
    by_name[word] = apply
  end
  for _, prefix in ipairs { "", "r" } do
    for _, row in ipairs(FLAGS) do
      if prefix == "" or row[4] then
        add_flag(row, prefix)
      end
    end
    for word, row in pairs(ATIMES) do
      by_name[prefix .. word] = function(parsed) apply_atime(parsed, row, prefix == "r") end
    end
    for word, flag in pairs(PROPAGATION) do
      by_name[prefix .. word] = function(parsed)
        parsed.propagation = { flag = flag, recursive = prefix == "r" }
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

--- All words that any mount takes, in order.
---@return string[]
function M.names()
  if not by_name then
    build_index()
  end
  return all_names(nil)
end

local function is_data(type, option, exact)
  local known = DATA[type]
  if exact and type ~= "bind" then
    return true
  end
  local name = option:match("^[^=]*")
  if LABELS[name] and type ~= "bind" then
    return true
  end
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

local function unknown(type, option)
  local hint = require("luactr.nearest").hint(option, all_names(type))
  return string.format("unknown option %q of %s%s", option, type, hint)
end

--- What is wrong with an option, once it is known that it is a bind or a remount.
local function misplaced(parsed, type, option)
  if parsed.idmap and not parsed.bind and option:find("^r?idmap$") then
    return option .. " is for a bind"
  elseif parsed.bind and of_fs[option] and not parsed.exact then
    return option .. " belongs to the file system: a bind cannot change it"
  elseif option == "tmpcopyup" and type ~= "tmpfs" then
    return "tmpcopyup is an option of tmpfs alone"
  elseif parsed.copy_up and of_fs[option] then
    return option .. " does not go with tmpcopyup"
  elseif parsed.remount and not by_name[option] then
    return option .. " belongs to the file system: a remount changes the mount alone"
  end
end

local function nothing_said(type, exact)
  return { flags = 0, set = 0, set_here = 0, clear = 0, clear_all = 0, said = 0, data = {},
    policy = {}, optional = false, bind = type == "bind" or nil, exact = exact or nil }
end

--- Take apart the options of a mount.
---@param type string of the mount
---@param list string[]
---@param problem fun(index: integer, message: string) is told of each wrong option
---@param exact? boolean what they do not say, is not
---@return luactr.mount.parsed
function M.parse(type, list, problem, exact)
  if not by_name then
    build_index()
  end
  local parsed = nothing_said(type, exact)
  if not exact then
    -- Nothing that is mounted brings set-user-id programs or devices along unless that is said.
    parsed.flags = sys.MS_NOSUID | sys.MS_NODEV
    parsed.set = sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV
  end
  for i, option in ipairs(list) do
    local apply = by_name[option]
    if apply then
      apply(parsed)
    elseif REFUSED[option] then
      problem(i, option .. " " .. REFUSED[option])
    elseif is_data(type, option, exact) then
      parsed.data[#parsed.data + 1] = kernel_text(option)
    else
      problem(i, unknown(type, option))
    end
  end
  for i, option in ipairs(list) do
    local message = misplaced(parsed, type, option)
    if message then
      problem(i, message)
    end
  end
  return parsed
end

return M
