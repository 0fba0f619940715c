--- Doctor's section "Files": file systems, what they can do, and luactr's own directory.

local function file_system(name, what)
  return { name = name, check = function(_, eyes)
    local known = (eyes.read("/proc/filesystems") or "") .. "\n"
    local has = known:find("\t" .. name .. "\n", 1, true) ~= nil
    return has, what, not has and "modprobe " .. name or nil
  end }
end

--- It is made when it is needed, so the nearest directory above counts.
local function directory(wanted, host, eyes, remedy)
  local path = wanted
  while path ~= "" and not eyes.stat(path) do
    path = path:match("^(.*)/") or ""
  end
  path = path == "" and "/" or path
  local access = require "luactr.cause.access"
  local who = { uid = host.uid, gids = { [host.gid] = true }, override = host.uid == 0 }
  if access.allowed(eyes.stat(path), who, access.WRITE) then
    return true, wanted
  end
  return false, string.format("%s: this user may not write to %s", wanted, path), remedy
end

local function state_directory(host, eyes)
  return directory(host.state_dir, host, eyes, "set XDG_RUNTIME_DIR to a directory of your own")
end

local function image_directory(host, eyes)
  return directory(require("luactr.image.store").path(host.uid), host, eyes,
    "set LUACTR_IMAGES to a directory of your own")
end

local function idmapped(host, _, probes)
  if not host.privileged then
    return false, "ids of a mount can be mapped by root only", "run luactr as root"
  end
  local lacking, why = {}, nil
  for _, path in ipairs { "/", "/tmp" } do
    local fine, message = probes.idmapped(path)
    if not fine then
      lacking[#lacking + 1], why = path, message
    end
  end
  if #lacking == 0 then
    return true, "the file systems of / and /tmp take an id map"
  end
  return false, string.format("the file system of %s takes no id map (%s)",
    table.concat(lacking, " and of "), tostring(why)),
    "ext4, xfs, btrfs, tmpfs on a kernel from 6.3 on; elsewhere files are copied or chowned"
end

--- Mount points whose options count blocks by project.
local function project_quotas(_, eyes)
  local found = {}
  for line in (eyes.read "/proc/self/mounts" or ""):gmatch("[^\n]+") do
    local target, kind, options = line:match("^%S+ (%S+) (%S+) (%S+)")
    local words = "," .. (options or "") .. ","
    if words:find(",prjquota,", 1, true) or words:find(",pquota,", 1, true) then
      found[#found + 1] = target .. " (" .. kind .. ")"
    end
  end
  if #found > 0 then
    return true, table.concat(found, ", ")
  end
  return false, "no file system counts blocks by project: a disk quota is refused",
    "xfs: mount -o prjquota; ext4: tune2fs -O project,quota -Q prjquota, then mount -o prjquota"
end

return {
  file_system("tmpfs", "roots and mounts in memory"),
  file_system("overlay", "layers on top of each other"),
  { name = "idmapped mounts", check = idmapped },
  { name = "project quotas", check = project_quotas },
  { name = "images", check = image_directory },
  { name = "state", required = true, check = state_directory },
}
