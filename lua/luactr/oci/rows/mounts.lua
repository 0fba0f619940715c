--- config.json: mounts. Pure.
local T = require "luactr.oci.types"

local M = {}

local rows <const> = {
  { name = "destination", type = T.text, required = true, field = "mounts[].target" },
  { name = "source", type = T.text, field = "mounts[].source" },
  { name = "type", type = T.text, field = "mounts[].type" },
  { name = "options", type = T.texts, default = {}, field = "mounts[].options" },
  { name = "uidMappings", type = T.mappings, field = "mounts[].idmap.uid" },
  { name = "gidMappings", type = T.mappings, field = "mounts[].idmap.gid" },
}

M.type = T.list(T.object(rows), { max = 4096 })

local function is_bind(mount)
  for _, option in ipairs(mount.options) do
    if option == "bind" or option == "rbind" then
      return true
    end
  end
  return false
end

local function has(mount, wanted)
  for _, option in ipairs(mount.options) do
    if option == wanted then
      return true
    end
  end
  return false
end

local function idmap(mount, b, path)
  local uid, gid = mount.uidMappings, mount.gidMappings
  if uid and not gid or gid and not uid then
    local missing = uid and ".gidMappings" or ".uidMappings"
    return b:problem(path .. missing, "is missing beside the other")
  elseif uid and #uid + #gid > 0 then
    return { uid = uid, gid = gid }
  end
end

-- Words that fstab has for programs.
local function is_for_others(option)
  return option == "_netdev" or option == "auto" or option == "noauto" or option == "nouser"
    or option:find("^[xX]%-") ~= nil or option:find("^comment=") ~= nil
end

local function options_of(mount, bind)
  local list = {}
  for _, option in ipairs(mount.options) do
    if option ~= "" and not is_for_others(option) then
      list[#list + 1] = option
    end
  end
  if bind and not is_bind(mount) then
    list[#list + 1] = "bind"
  end
  return list
end

local function given(text)
  return text ~= "" and text or nil
end

local function one(mount, b, path)
  local kind, source = given(mount.type), given(mount.source)
  local bind = is_bind(mount) or kind == "bind"
  if mount.destination == "" then
    b:problem(path .. ".destination", "is empty")
  elseif not bind and (not kind or kind == "none") and not has(mount, "remount") then
    b:problem(path .. ".type", "is missing: a file system, or bind among the options")
  elseif bind and not source and not has(mount, "remount") then
    b:problem(path .. ".source", "is missing: a bind has a source")
  end
  return {
    type = bind and "bind" or kind or "none",
    source = source and bind and b:absolute(source) or source,
    target = mount.destination:sub(1, 1) == "/" and mount.destination or "/" .. mount.destination,
    options = options_of(mount, bind), exact = true, idmap = idmap(mount, b, path),
  }
end

function M.to(list, b, path)
  local mounts = {}
  for i, mount in ipairs(list) do
    local at = string.format("%s[%d]", path, i)
    mounts[i] = one(mount, b, at)
    local name = "mounts[" .. i .. "]"
    b:origin(name .. ".target", at .. ".destination")
    b:origin(name .. ".idmap.uid", at .. ".uidMappings")
    b:origin(name .. ".idmap.gid", at .. ".gidMappings")
  end
  b:set("mounts", mounts, path)
end

return M
