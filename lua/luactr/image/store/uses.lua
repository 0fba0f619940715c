--- uses/ID.TOKEN: the image that a container is made of, which is kept as long as that exists, with
--- or without a name.
--
-- A use counts while its maker has the file locked, that is until its end in the foreground, or
-- while the container's state directory is there. The directory is told by its inode, too, since
-- containers can be renamed.
local disk = require "luactr.image.store.disk"
local json = require "luactr.image.json"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local LARGEST <const> = 1 << 20
local PRIVATE_FILE <const> = 384 -- 0600

---@class luactr.image.use
---@field path string
---@field file? luactr.fd
local Use = { __name = "luactr.image.use" }
Use.__index = Use

--- The container is gone. Idempotent; a fork of the owner leaves it to the owner.
function Use:close()
  if self.file and self.pid == sys.getpid() then
    sys.unlink(self.path)
    self.file:close()
    self.file = nil
  end
end

--- From now on the container's state directory says whether it exists.
function Use:disown()
  if self.file then
    self.file:close()
    self.file = nil
  end
end

Use.__close = Use.close
Use.__gc = Use.close

--- Say that a container uses layers. The caller holds the store's lock, so that nobody looks at a
--- file that is not written yet.
---@param root string
---@param id string of the container
---@param image luactr.image
---@return luactr.image.use?
---@return luactr.error?
function M.add(root, id, image)
  local state = string.format("%s/containers/%s", require("luactr.host").facts().state_dir, id)
  local stat = sys.stat(state, sys.AT_SYMLINK_NOFOLLOW)
  local path = string.format("%s/uses/%s.%s", root, id, disk.token())
  local file, message, errno = sys.open(path, sys.O_WRONLY | sys.O_CREAT | sys.O_EXCL,
    PRIVATE_FILE)
  if errno == sys.errno.EROFS then
    return setmetatable({ path = path }, Use) -- nobody can collect garbage there either
  elseif not file then
    return disk.failed(message, errno, "open", path)
  end
  core.supervise.lock(file)
  local done
  done, message, errno = disk.write_all(file, json.encode {
    id = id, image = image.digest, diff_ids = table.concat(image.diff_ids, " "),
    state = state, inode = stat and stat.ino,
  } .. "\n")
  if not done then
    sys.unlink(path)
    file:close()
    return disk.failed(message, errno, "write", path)
  end
  return setmetatable({ path = path, file = file, pid = sys.getpid() }, Use)
end

-- ---- who uses what

--- Whether the state directory is there, under its name or another.
local function has_state(use)
  if not use.inode then
    return false
  end
  -- Not the inode that readdir tells: an overlay may have others there.
  local parent = use.state:match("^(.*)/")
  for _, entry in ipairs(sys.readdir(parent) or {}) do
    local stat = sys.stat(parent .. "/" .. entry.name, sys.AT_SYMLINK_NOFOLLOW)
    if stat and stat.ino == use.inode then
      return true
    end
  end
  return false
end

--- A use that counts: nil when it does not.
local function read(path)
  local file <close> = sys.open(path, sys.O_RDONLY | sys.O_NOFOLLOW)
  if not file then
    return nil
  end
  local is_locked = not core.supervise.lock(file, "shared")
  local text = disk.read(path, LARGEST)
  local use = text and json.decode(text)
  return use and (is_locked or has_state(use)) and use or nil
end

--- The containers that are made of these layers.
---@param root string
---@param diff_ids string[]
---@return string[] ids
function M.of(root, diff_ids)
  local wanted, ids = table.concat(diff_ids, " "), {}
  for _, entry in ipairs(sys.readdir(root .. "/uses") or {}) do
    local use = read(root .. "/uses/" .. entry.name)
    ids[#ids + 1] = use and use.diff_ids == wanted and use.id or nil
  end
  table.sort(ids)
  return ids
end

--- The containers that use each layer, and the files of those that are gone.
---@param root string
---@return table<string, string[]> users by diff id
---@return string[] dead paths
---@return table<string, boolean> images digests of their manifests
function M.all(root)
  local users, dead, images = {}, {}, {}
  for _, entry in ipairs(sys.readdir(root .. "/uses") or {}) do
    local path = root .. "/uses/" .. entry.name
    local use = read(path)
    for diff_id in use and use.diff_ids:gmatch("%S+") or function() end do
      users[diff_id] = users[diff_id] or {}
      table.insert(users[diff_id], use.id)
    end
    dead[#dead + 1] = not use and path or nil
    if use and use.image then
      images[use.image] = true
    end
  end
  return users, dead, images
end

return M
