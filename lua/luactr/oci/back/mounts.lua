--- From a recipe's mounts back to those of config.json, which have all that a recipe means by
--- itself among their options. Pure.
local M = {}

local function sys()
  return require("luactr.core").sys
end

-- What a recipe's container has by itself.
local function default_mounts(spec)
  local group = spec.namespaces.user == "new" and {} or { "gid=5" }
  local function row(target, type, source, ...)
    return { destination = target, type = type, source = source, options = { ... } }
  end
  return {
    row("/proc", "proc", "proc", "nosuid", "nodev", "noexec"),
    row("/dev", "tmpfs", "tmpfs", "nosuid", "noexec", "strictatime", "mode=0755", "size=65536"),
    row("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666",
      "mode=0620", table.unpack(group)),
    row("/dev/shm", "tmpfs", "tmpfs", "nosuid", "nodev", "noexec", "mode=1777", "size=67108864"),
    row("/dev/mqueue", "mqueue", "mqueue", "nosuid", "nodev", "noexec"),
    row("/sys", "sysfs", "sysfs", "nosuid", "nodev", "noexec", "ro"),
  }
end

-- ---- options, from what they were understood as

-- Bit of mount_setattr(2), flag of mount(2), the word and the one that takes it back.
local function words()
  local s = sys()
  return {
    { s.MOUNT_ATTR_RDONLY, s.MS_RDONLY, "ro", "rw" },
    { s.MOUNT_ATTR_NOSUID, s.MS_NOSUID, "nosuid", "suid" },
    { s.MOUNT_ATTR_NODEV, s.MS_NODEV, "nodev", "dev" },
    { s.MOUNT_ATTR_NOEXEC, s.MS_NOEXEC, "noexec", "exec" },
    { s.MOUNT_ATTR_NODIRATIME, s.MS_NODIRATIME, "nodiratime", "diratime" },
    { s.MOUNT_ATTR_NOSYMFOLLOW, s.MS_NOSYMFOLLOW, "nosymfollow", "symfollow" },
    { 0, s.MS_SYNCHRONOUS, "sync" }, { 0, s.MS_DIRSYNC, "dirsync" },
    { 0, s.MS_LAZYTIME, "lazytime" }, { 0, s.MS_I_VERSION, "iversion" },
    { 0, s.MS_SILENT, "silent" },
    { 0, s.MS_NOATIME, "noatime" }, { 0, s.MS_RELATIME, "relatime" },
    { 0, s.MS_STRICTATIME, "strictatime" },
  }
end

local function add_atime(list, bits, prefix)
  local s = sys()
  local how = bits & s.MOUNT_ATTR__ATIME
  list[#list + 1] = how == s.MOUNT_ATTR_NOATIME and prefix .. "noatime"
    or how == s.MOUNT_ATTR_STRICTATIME and prefix .. "strictatime" or nil
end

local function options_of_bind(parsed)
  local list = { parsed.recursive == false and "bind" or "rbind" }
  for _, row in ipairs(words()) do
    local bit, word, back = row[1], row[3], row[4]
    if bit ~= 0 then
      list[#list + 1] = parsed.set & bit ~= 0 and "r" .. word or nil
      list[#list + 1] = parsed.set_here & bit ~= 0 and word or nil
      list[#list + 1] = parsed.clear_all & bit ~= 0 and "r" .. back or nil
      list[#list + 1] = parsed.clear & bit ~= 0 and back or nil
    end
  end
  add_atime(list, parsed.set, "r")
  add_atime(list, parsed.set_here, "")
  if (parsed.clear | parsed.clear_all) & sys().MOUNT_ATTR__ATIME ~= 0
    and (parsed.set | parsed.set_here) & sys().MOUNT_ATTR__ATIME == 0
  then
    list[#list + 1] = parsed.clear_all & sys().MOUNT_ATTR__ATIME ~= 0 and "rrelatime" or "relatime"
  end
  return list
end

local function options_of_file_system(parsed)
  local list = {}
  for _, row in ipairs(words()) do
    list[#list + 1] = parsed.flags & row[2] ~= 0 and row[3] or nil
  end
  list[#list + 1] = parsed.copy_up and "tmpcopyup" or nil
  return table.move(parsed.data, 1, #parsed.data, #list + 1, list)
end

local POLICY <const> = { source_nofollow = "src-nofollow", target_nofollow = "dest-nofollow",
  copy_symlink = "copy-symlink" }

local PROPAGATION <const> = { "private", "shared", "slave", "unbindable" }

local function add_others(list, mount, parsed)
  local propagation = parsed.propagation
  for _, word in ipairs(propagation and PROPAGATION or {}) do
    if sys()["MS_" .. word:upper()] == propagation.flag then
      list[#list + 1] = (propagation.recursive and "r" or "") .. word
    end
  end
  for name, word in pairs(POLICY) do
    list[#list + 1] = parsed.policy[name] and word or nil
  end
  local create = mount.create or parsed.create
  list[#list + 1] = create and "create=" .. create
  list[#list + 1] = (mount.optional or parsed.optional) and "optional" or nil
  local whole = parsed.idmap == "whole"
  list[#list + 1] = (mount.idmap or parsed.idmap) and (whole and "ridmap" or "idmap") or nil
  return list
end

-- ---- mounts

local PLACED <const> = { file = "text of a file", symlink = "link", dir = "directory" }

local function mappings(ranges)
  local list = {}
  for i, range in ipairs(ranges) do
    list[i] = { containerID = range.inside, hostID = range.outside, size = range.count }
  end
  return list
end

M.mappings = mappings

local function one(mount, path, b)
  if PLACED[mount.type] then
    return b:lose(path, "a " .. PLACED[mount.type] .. " is no mount: put it into the root")
  elseif mount.source and type(mount.source) ~= "string" then
    return b:lose(path .. ".source", "a descriptor, where a path is wanted")
  elseif mount.quota then
    b:lose(path .. ".quota", "not known there")
  end
  local parsed = require("luactr.mount.options").parse(mount.type, mount.options, function() end,
    mount.exact)
  local result = { destination = mount.target, source = mount.source or mount.type,
    type = parsed.bind and "bind" or mount.type }
  if parsed.remount then
    result.options = mount.options
    return result
  end
  result.options = add_others(parsed.bind and options_of_bind(parsed)
    or options_of_file_system(parsed), mount, parsed)
  local taken_back = (parsed.clear | parsed.clear_all) & sys().MOUNT_ATTR_RDONLY ~= 0
  if mount.type == "cgroup" and not mount.exact and not taken_back then
    table.insert(result.options, "ro") -- which a recipe takes back by word
  end
  if type(mount.idmap) == "table" then
    result.uidMappings, result.gidMappings = mappings(mount.idmap.uid), mappings(mount.idmap.gid)
  end
  return result
end

local function covers(mount, target)
  return (target .. "/"):sub(1, #mount.target + 1) == mount.target .. "/"
end

local function is_replaced(target, mounts)
  for _, mount in ipairs(mounts) do
    if not PLACED[mount.type] and covers(mount, target) then
      return true
    end
  end
  return false
end

local function depth(mount)
  return select(2, mount.target:gsub("/+[^/]", ""))
end

--- In the order in which they are mounted.
local function in_order(spec)
  local list = {}
  for i, mount in ipairs(spec.mounts) do
    list[i] = { mount = mount, index = i, depth = spec.default_mounts and depth(mount) or 0 }
  end
  table.sort(list, function(x, y)
    return x.depth < y.depth or x.depth == y.depth and x.index < y.index
  end)
  return list
end

---@return table[] mounts of config.json
function M.of(spec, b)
  local list = {}
  for _, mount in ipairs(spec.default_mounts and default_mounts(spec) or {}) do
    if not is_replaced(mount.destination, spec.mounts) then
      list[#list + 1] = mount
    end
  end
  for _, entry in ipairs(in_order(spec)) do
    list[#list + 1] = one(entry.mount, "mounts[" .. entry.index .. "]", b)
  end
  for _, device in ipairs(spec.devices) do
    if not device.type then -- the host's
      list[#list + 1] = { destination = device.path, source = device.path, type = "bind",
        options = { "bind", "nosuid", "noexec" } }
    end
  end
  return list
end

return M
