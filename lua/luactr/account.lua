--- Users and groups by the names that they have in the container: its own /etc/passwd and
--- /etc/group, as far as they can be known before it exists.
--
-- A file is looked for where the container will find it: in the mount of the recipe that covers it,
-- else in the root file system. A path below a directory is resolved inside it by the kernel, so
-- that no link of a hostile image leads to a file of the host.
local core = require "luactr.core"
local database = require "luactr.account.database"

local sys <const> = core.sys

local M = {}

local PASSWD <const>, GROUP <const> = "/etc/passwd", "/etc/group"
local LARGEST <const> = 4 << 20
local CHUNK <const> = 1 << 16
local READ <const> = { "rdonly", "nonblock", "noctty" }

-- ---- where the file is

-- "/a//b/./c/" as "/a/b/c", and how many parts it has.
local function normalized(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    parts[#parts + 1] = part ~= "." and part or nil
  end
  return "/" .. table.concat(parts, "/"), #parts
end

local function covers(target, path)
  return target == path or path:sub(1, #target + 1) == target .. "/"
end

--- The mount of the recipe that is on top at a path, and the path from there.
local function mount_at(spec, path)
  local top, rest, deepest = nil, "", 0
  for _, mount in ipairs(spec.mounts) do
    local target, depth = normalized(mount.target)
    if covers(target, path) and mount.type ~= "dir" and depth >= deepest then
      top, rest, deepest = mount, path:sub(#target + 1), depth
    end
  end
  return top, rest
end

local function is_bind(mount)
  if mount.type == "bind" then
    return true
  end
  for _, option in ipairs(mount.options) do
    if option == "bind" or option == "rbind" then
      return true
    end
  end
  return false
end

--- { text }, { root, path } with a path inside a directory of the host, { file } of the host
--- itself, or nil when there can be no such file.
local function place_of(spec, path, host)
  local mount, rest = mount_at(spec, path)
  if not mount then
    return spec.rootfs:find(path)
  elseif mount.type == "file" then
    return { text = mount.content }
  elseif not is_bind(mount) or not mount.source then
    return nil
  end
  local source = mount.source:sub(1, 1) == "/" and mount.source or host.cwd .. "/" .. mount.source
  return rest == "" and { file = source } or { root = source, path = rest }
end

-- ---- reading it

local function read_all(fd)
  local parts, size = {}, 0
  repeat
    local part, message, errno = sys.read(fd, CHUNK)
    if not part then
      return nil, message, errno
    end
    parts[#parts + 1], size = part, size + #part
    if size > LARGEST then
      return nil, "is larger than " .. LARGEST .. " bytes"
    end
  until part == ""
  return table.concat(parts)
end

--- Without openat2 (before Linux 5.6): from directory to directory, through no link at all.
local function open_by_components(root, path)
  local directory = root
  local parent, name = path:match("^(.*)/([^/]+)$")
  for part in parent:gmatch("[^/]+") do
    local below, message, errno =
      sys.open(part, { "path", "directory", "nofollow" }, nil, { dir = directory })
    if directory ~= root then
      directory:close()
    end
    if not below then
      return nil, message, errno
    end
    directory = below
  end
  local fd, message, errno = sys.open(name, { "path", "nofollow" }, nil, { dir = directory })
  if directory ~= root then
    directory:close()
  end
  return fd, message, errno
end

--- Only its place: to open a device of the image can do what cannot be undone.
local function open_place(place)
  if place.file then
    return sys.open(place.file, { "path" })
  end
  local root <close>, message, errno = sys.open(place.root, { "path", "directory" })
  if not root then
    return nil, message, errno
  end
  local fd
  fd, message, errno = sys.open((place.path:gsub("^/+", "")), { "path" }, nil,
    { dir = root, resolve = { "in_root", "no_magiclinks" } })
  if errno == sys.errno.ENOSYS then
    return open_by_components(root, place.path)
  end
  return fd, message, errno
end

local function read(place)
  if place.text then
    return #place.text <= LARGEST and place.text, "is larger than " .. LARGEST .. " bytes"
  end
  local found <close>, why, number = open_place(place)
  if not found then
    return nil, why, number
  end
  local type = sys.stat(found).type
  if type ~= "file" then
    return nil, "is a " .. type .. ", not a file"
  end
  local fd <close>, message, errno = sys.open("/proc/self/fd/" .. found:fileno(), READ)
  if not fd then
    return nil, message, errno
  end
  return read_all(fd)
end

--- Reads each file when it is first asked for.
local function files(spec, host)
  local texts = {}
  return function(path)
    if not texts[path] then
      local place = place_of(spec, path, host)
      local text, message, errno = nil, nil, sys.errno.ENOENT
      if place then
        text, message, errno = read(place)
      end
      if not text and errno then
        message = errno == sys.errno.ENOENT and "the container has no " .. path
          or path .. " of the container cannot be read: " .. sys.strerror(errno)
      elseif not text then
        message = path .. " of the container " .. message
      end
      texts[path] = { text = text, problem = message }
    end
    return texts[path].text, texts[path].problem
  end
end

-- ---- looking up

local function look(file_of, path, find, name, what)
  local text, problem = file_of(path)
  if not text then
    return nil, string.format("%s %q is not known: %s", what, name, problem)
  end
  local found
  found, problem = find(text, name)
  if not found then
    return nil, problem and path .. " of the container: " .. problem
      or string.format("%s of the container has no %s %q", path, what, name)
  end
  return found
end

local function group_number(file_of, group)
  if math.type(group) then
    return group
  end
  return look(file_of, GROUP, database.group, group, "group")
end

--- A user by number, with its home directory; one that nobody knows has "/".
local function with_home(file_of, wanted)
  local text = file_of(PASSWD)
  return { uid = wanted.uid, gid = wanted.gid,
    home = text and database.home_of(text, wanted.uid) or "/" }
end

local function find_user(file_of, wanted, problem)
  if wanted.look_up then
    return with_home(file_of, wanted)
  end
  local result, message = wanted, nil
  if type(wanted.user) == "string" then
    result, message = look(file_of, PASSWD, database.user, wanted.user, "user")
  elseif wanted.user then
    result = { uid = wanted.user }
  end
  if not result then
    return problem("user", message)
  end
  local gid = result.gid
  if wanted.group then
    gid, message = group_number(file_of, wanted.group)
    if not gid then
      return problem("user", message)
    end
  end
  return { uid = result.uid, gid = gid, home = result.home }
end

--- The groups of a user without a group of its own choice are those that name it. A container
--- without the file has none.
local function memberships(file_of, name, gid, problem)
  local text = file_of(GROUP)
  if not text then
    return {}
  end
  local list, message = database.memberships(text, name)
  if not list then
    return problem("user", GROUP .. " of the container: " .. message)
  end
  local others = {}
  for _, group in ipairs(list) do
    others[#others + 1] = group ~= gid and group or nil
  end
  return others
end

local function find_groups(file_of, groups, problem)
  local list = {}
  for i, group in ipairs(groups) do
    local number, message = group_number(file_of, group)
    list[i] = number or 0
    if not number then
      problem("groups[" .. i .. "]", message)
    end
  end
  return list
end

--- The group of a user's number, by the first line that has it.
---@param place { root?: string, path?: string, file?: string } of an /etc/passwd
---@param uid integer
---@return integer? gid
function M.group_of(place, uid)
  local text = read(place)
  return text and database.group_of(text, uid)
end

--- The spec's user and groups as numbers.
---@param spec luactr.spec
---@param host luactr.host
---@return { uid: integer, gid: integer, home?: string }? user
---@return integer[]|luactr.problem[] groups or problems
function M.resolve(spec, host)
  local problems = {}
  local function problem(path, message)
    problems[#problems + 1] = { path = path, message = message }
  end
  local file_of = files(spec, host)
  local wanted = spec.user
  local user = find_user(file_of, wanted, problem)
  local groups = spec.groups
  if user and not spec.given.groups and type(wanted.user) == "string" and not wanted.group then
    groups = memberships(file_of, wanted.user, user.gid, problem)
  elseif not groups.keep then
    groups = find_groups(file_of, groups, problem)
  end
  if #problems > 0 then
    return nil, problems
  end
  return user, groups
end

return M
