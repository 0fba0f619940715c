--- What no single field of a mount can know: rules between its fields. Pure.
local M = {}

local LONGEST_OPTIONS <const> = 4095 -- mount(2) takes one page

local function missing_field(mount)
  if (mount.type == "bind" or mount.type == "symlink") and not mount.source then
    return ".source", "is missing: a " .. mount.type .. " has a source"
  elseif mount.type == "file" and not mount.content then
    return ".content", "is missing: a file has content"
  elseif mount.target == "/" then
    return ".target", "is the root itself: that is rootfs"
  end
end

-- Fields, and the types that they are for.
local FIELDS <const> = {
  content = { file = true }, mode = { file = true, dir = true },
  quota = { bind = true }, uid = { file = true, dir = true }, gid = { file = true, dir = true },
}

local PLACED <const> = { file = true, dir = true, symlink = true }

-- What a mount's type has no use for.
local function useless_fields(mount, path, problems)
  for name, types in pairs(FIELDS) do
    if mount[name] ~= nil and not types[mount.type] then
      problems:add(path .. "." .. name, "is not for a mount of type %s", mount.type)
    end
  end
  if PLACED[mount.type] and (#mount.options > 0 or mount.create or mount.optional) then
    problems:add(path .. ".type", "a %s has no options", mount.type)
  elseif mount.quota and type(mount.source) ~= "string" then
    problems:add(path .. ".quota", "is for a directory that is named")
  elseif mount.source and type(mount.source) ~= "string" and mount.type ~= "bind" then
    problems:add(path .. ".source", "a descriptor is the source of a bind alone")
  end
end

--- Every wrong option; what the right ones mean is not needed yet.
local function check_options(mount, path, problems)
  if #mount.options > 0 then
    require("luactr.mount.options").parse(mount.type, mount.options, function(index, message)
      problems:add(string.format("%s.options[%d]", path, index), "%s", message)
    end, mount.exact)
  end
  local single = mount.type == "overlay"
    and require("luactr.spec.overlay").is_single(mount.options)
  if not single and #table.concat(mount.options, ",") > LONGEST_OPTIONS then
    problems:add(path .. ".options", "longer than %d bytes together, where mount(2) cuts them off",
      LONGEST_OPTIONS)
  end
end

---@param mounts table[] normalized, one by one
---@param problems luactr.problems
function M.apply(mounts, problems)
  for i, mount in ipairs(mounts) do
    local path = "mounts[" .. i .. "]"
    local field, message = missing_field(mount)
    if field then
      problems:add(path .. field, "%s", message)
    end
    useless_fields(mount, path, problems)
    check_options(mount, path, problems)
  end
end

return M
