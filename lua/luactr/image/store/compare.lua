--- Whether two unpacked layers are the same: names, types, modes, owners, attributes, data. Times
--- of directories do not count, since not every archive says them.
local digest = require "luactr.files.digest"

local sys <const> = require("luactr.core").sys

local M = {}

local OPEN <const> = {
  directory = sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW,
  file = sys.O_RDONLY | sys.O_NONBLOCK | sys.O_NOFOLLOW,
}

-- Attributes that are a layer's; others are the host's, as labels are.
local ATTRIBUTES <const> = { "^user%.", "^trusted%.", "^security%.capability$",
  "^system%.posix_acl_" }

-- ---- one file

local STAT <const> = { "type", "mode", "uid", "gid", "rdev" }

local function stat_difference(wanted, found)
  for _, field in ipairs(STAT) do
    if wanted[field] ~= found[field] then
      return "another " .. field
    end
  end
  if wanted.type ~= "directory" and wanted.nlink ~= found.nlink then
    return "another number of names"
  elseif wanted.type == "file" and wanted.size ~= found.size then
    return "another size"
  elseif wanted.type == "file" and wanted.mtime_ns ~= found.mtime_ns then
    return "another time"
  end
end

local function attributes_of(fd)
  local list = {}
  for _, name in ipairs(sys.listxattr(fd) or {}) do
    for _, pattern in ipairs(ATTRIBUTES) do
      list[#list + 1] = name:find(pattern) and name .. "=" .. (sys.getxattr(fd, name) or "") or nil
    end
  end
  table.sort(list)
  return table.concat(list, "\0")
end

local compare_directories

local COMPARE <const> = {
  directory = function(wanted, found, path) return compare_directories(wanted, found, path) end,
  file = function(wanted, found)
    local one, two = digest.of_fd(wanted), digest.of_fd(found)
    return one ~= two and "other data" or nil
  end,
}

--- What has data or entries. A file that its owner may not read is taken as it is.
local function compare_open(kind, wanted, found, name, path)
  local one <close>, _, errno = sys.open(name, OPEN[kind], 0, { dir = wanted })
  local two <close> = sys.open(name, OPEN[kind], 0, { dir = found })
  if not one or not two then
    return errno ~= sys.errno.EACCES and "it cannot be opened" or nil
  elseif attributes_of(one) ~= attributes_of(two) then
    return "other attributes"
  end
  return COMPARE[kind](one, two, path)
end

local function compare(wanted, found, name, path)
  local one = sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, wanted)
  local two = sys.stat(name, sys.AT_SYMLINK_NOFOLLOW, found)
  if not one or not two then
    return one and "it is missing" or "it is too much", path
  end
  local problem = stat_difference(one, two)
  if not problem and one.type == "symlink"
    and sys.readlink(name, wanted) ~= sys.readlink(name, found) then
    problem = "another link"
  end
  if problem or not OPEN[one.type] then
    return problem, path
  end
  local deeper
  problem, deeper = compare_open(one.type, wanted, found, name, path)
  return problem, deeper or path
end

-- ---- directories

local function names_of(...)
  local names, seen = {}, {}
  for _, directory in ipairs { ... } do
    for _, entry in ipairs(sys.readdir(directory) or {}) do
      names[#names + 1] = not seen[entry.name] and entry.name or nil
      seen[entry.name] = true
    end
  end
  table.sort(names)
  return names
end

function compare_directories(wanted, found, path)
  for _, name in ipairs(names_of(wanted, found)) do
    local problem, where = compare(wanted, found, name, path .. "/" .. name)
    if problem then
      return problem, where
    end
  end
end

--- The first difference of a tree from what it should be.
---@param wanted string
---@param found string
---@return string? problem "other data"
---@return string? path in the tree, "/etc/passwd"
function M.difference(wanted, found)
  local one <close> = sys.open(wanted, OPEN.directory)
  local two <close> = sys.open(found, OPEN.directory)
  if not one or not two then
    return "it cannot be opened", "/"
  end
  local stats = stat_difference(sys.stat(one), sys.stat(two))
    or attributes_of(one) ~= attributes_of(two) and "other attributes"
  if stats then
    return stats, "/"
  end
  return compare_directories(one, two, "")
end

return M
