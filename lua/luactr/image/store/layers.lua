--- Unpacked layers: layers/HEX of the diff id, with the files in tree/ and what is known of them in
--- layer.json. Never changed once they are in place.
local disk = require "luactr.image.store.disk"
local json = require "luactr.image.json"
local reference = require "luactr.image.reference"

local sys <const> = require("luactr.core").sys

local M = {}

local LARGEST <const> = 1 << 20
local OWNER_WRITES <const> = 192 -- 0300

---@class luactr.image.layer_info layer.json
---@field size? integer bytes of the tar archive
---@field files? integer how many entries there are
---@field bytes? integer of all files
---@field blob? string digest of the blob that it was unpacked from

local function check(diff_id)
  local problem = reference.digest_problem(diff_id)
  if problem then
    return disk.refused { code = "EINVAL", op = "open", message = "diff id: " .. problem }
  end
  return true
end

--- Where a layer is.
---@param root string
---@param diff_id string
---@return string
function M.path(root, diff_id)
  return root .. "/layers/" .. diff_id:match("^sha256:(%x+)$")
end

--- The directory with a layer's files; nil when it is not unpacked.
---@param root string
---@param diff_id string
---@return string?
function M.tree(root, diff_id)
  local tree = check(diff_id) and M.path(root, diff_id) .. "/tree"
  local stat = tree and sys.stat(tree, sys.AT_SYMLINK_NOFOLLOW)
  return stat and stat.type == "directory" and tree or nil
end

---@param root string
---@param diff_id string
---@return luactr.image.layer_info?
function M.info(root, diff_id)
  local text = disk.read(M.path(root, diff_id) .. "/layer.json", LARGEST)
  return text and json.decode(text) or nil
end

--- A directory takes another parent only if its owner may write to it.
local function move_directory(from, to)
  local done, message, errno = sys.rename(from, to)
  if not done and errno == sys.errno.EACCES then
    local stat = sys.stat(from, sys.AT_SYMLINK_NOFOLLOW)
    if stat and sys.chmod(from, stat.mode | OWNER_WRITES) then
      done, message, errno = sys.rename(from, to)
      sys.chmod(done and to or from, stat.mode)
    end
  end
  return done, message, errno
end

--- The layer's directory in the stage, whole.
local function assemble(stage, name, info)
  local path = stage.path .. "/layer-" .. disk.token()
  local done, message, errno = sys.mkdir(path, disk.PRIVATE_DIRECTORY)
  if done then
    done, message, errno = move_directory(stage.path .. "/" .. name, path .. "/tree")
  end
  if not done then
    return disk.failed(message, errno, "rename", stage.path .. "/" .. name)
  end
  local put, err = disk.put(path .. "/layer.json", json.encode(info) .. "\n",
    path .. "/layer.json.new")
  return put and path or nil, err
end

--- Take a layer away: at once, and then its files.
---@param root string
---@param diff_id string
---@return boolean? done
---@return luactr.error?
function M.discard(root, diff_id)
  local path = M.path(root, diff_id)
  local away = string.format("%s/tmp/%s-%s", root, path:match("[^/]+$"), disk.token())
  local done, message, errno = sys.rename(path, away)
  if done then
    return disk.remove(away)
  elseif errno == sys.errno.ENOENT then
    return true
  end
  return disk.failed(message, errno, "rename", path)
end

local THERE <const> = { [sys.errno.ENOTEMPTY] = true, [sys.errno.EEXIST] = true }

--- Put an unpacked tree in its place, unless another was first.
---@param root string
---@param stage luactr.image.stage
---@param name string of the tree in the stage
---@param diff_id string
---@param info luactr.image.layer_info
---@return boolean? done
---@return luactr.error?
function M.adopt(root, stage, name, diff_id, info)
  local path, err = check(diff_id), nil
  if path then
    path, err = assemble(stage, name, info)
  end
  if not path then
    return nil, err
  end
  local done, message, errno = sys.rename(path, M.path(root, diff_id))
  if done then
    return true
  elseif THERE[errno] then
    return disk.remove(path)
  end
  return disk.failed(message, errno, "rename", M.path(root, diff_id))
end

return M
