--- names.json: which manifest a name stands for.
local disk = require "luactr.image.store.disk"
local json = require "luactr.image.json"
local lock = require "luactr.image.store.lock"

local sys <const> = require("luactr.core").sys

local M = {}

local RESERVE <const> = 65536 -- bytes
local LARGEST <const> = 64 << 20
local PATIENCE <const> = 30 -- seconds; names are locked for moments

---@class luactr.image.name
---@field digest string of the manifest
---@field size integer of the manifest
---@field mediaType string
---@field time number seconds since the epoch, when the name was given

local function path_of(root)
  return root .. "/names.json"
end

--- All names.
---@param root string
---@return table<string, luactr.image.name>?
---@return luactr.error?
function M.read(root)
  local path = path_of(root)
  local text, err = disk.read(path, LARGEST)
  if not text then
    return err.code == "ENOENT" and {} or nil, err.code ~= "ENOENT" and err or nil
  end
  local names, problem = json.decode(text)
  for _, name in pairs(names or {}) do
    problem = problem or type(name) ~= "table" and "an entry is no object" or nil
  end
  if problem then
    return disk.refused { code = "EBADMSG", op = "read", path = path,
      message = "the names of images cannot be read", cause = problem, checked = true }
  end
  return names
end

--- Room for the names that are left when one is removed from a store whose disk is full. Without it
--- nothing could be removed, since a file that is replaced needs room for both.
---@param root string
function M.reserve(root)
  local path = root .. "/reserve"
  if not sys.stat(path) then
    disk.put(path, ("\0"):rep(RESERVE), path .. ".new")
  end
end

local function write(root, names, frees)
  local path, text = path_of(root), json.encode(names) .. "\n"
  local done, err = disk.put(path, text, path .. ".new")
  if not done and frees and err.code == "ENOSPC" and sys.unlink(root .. "/reserve") then
    done, err = disk.put(path, text, path .. ".new")
  end
  return done, err
end

--- Change names: change(names) returns true, or nil and an error to leave them as they are.
---@param root string
---@param change fun(names: table<string, luactr.image.name>): boolean?, luactr.error?
---@param frees? boolean it is a removal, which may use the reserve
---@return boolean? done
---@return luactr.error?
function M.change(root, change, frees)
  local held <close>, err = lock.open(root .. "/names.lock", true)
  local done = held
  if done then
    done, err = held:take("exclusive", PATIENCE)
  end
  local names
  if done then
    names, err = M.read(root)
    done = names
  end
  if done then
    done, err = change(names)
  end
  if not done then
    return nil, err
  end
  return write(root, names, frees)
end

return M
