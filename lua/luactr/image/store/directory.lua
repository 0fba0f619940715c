--- The directory of the image store: where it is, whether it can be trusted, what is in it.
local disk = require "luactr.image.store.disk"

local sys <const> = require("luactr.core").sys

local M = {}

local PARTS <const> = { "blobs", "blobs/sha256", "layers", "tmp", "uses" }
local OTHERS_WRITE <const> = 18 -- 0022

--- Where images are kept.
---@param uid? integer whose; of this process if left out
---@return string
function M.path(uid)
  local function set(name)
    local value = os.getenv(name)
    return value ~= "" and value or nil
  end
  local override = set "LUACTR_IMAGES"
  if override then
    return override
  elseif (uid or sys.geteuid()) == 0 then
    return "/var/lib/luactr/images"
  end
  local home = set "XDG_DATA_HOME" or (set "HOME" or "/") .. "/.local/share"
  return home .. "/luactr/images"
end

--- Who else could write here would decide what containers are made of.
---@param path string
---@return boolean? trusted
---@return luactr.error? code "ENOENT", "EPERM"
function M.check_owner(path)
  local stat, message, errno = sys.stat(path)
  if not stat then
    return disk.failed(message, errno, "stat", path)
  end
  local cause = stat.type ~= "directory" and "it is no directory"
    or stat.uid ~= sys.geteuid() and "it is another user's"
    or stat.mode & OTHERS_WRITE ~= 0 and "others can write to it"
  if cause then
    return disk.refused {
      code = "EPERM", op = "open", path = path, checked = true,
      message = "the image store " .. path .. " cannot be trusted",
      cause = cause, remedy = "another directory in LUACTR_IMAGES",
    }
  end
  return true
end

--- Make it where there is none.
---@param path string
---@return boolean? done
---@return luactr.error?
function M.make(path)
  local done, err = disk.make_directories(path)
  if done then
    done, err = M.check_owner(path)
  end
  for _, name in ipairs(done and PARTS or {}) do
    local made, message, errno = sys.mkdir(path .. "/" .. name, disk.PRIVATE_DIRECTORY)
    if not made and errno ~= sys.errno.EEXIST then
      return disk.failed(message, errno, "mkdir", path .. "/" .. name)
    end
  end
  return done, err
end

return M
