--- Blobs: files of the image store that are named by their digest, which is checked when they are
--- written and when they are read.
local disk = require "luactr.image.store.disk"
local reference = require "luactr.image.reference"

local sys <const> = require("luactr.core").sys

local M = {}

--- The digest of a text.
---@param text string
---@return string? "sha256:HEX"
---@return luactr.error?
function M.digest(text)
  return require("luactr.files.digest").of(text)
end

--- The digest of an open file, from where it stands to its end.
---@param file luactr.fd
---@return string? digest
---@return integer|luactr.error size in bytes
function M.digest_of(file)
  return require("luactr.files.digest").of_fd(file)
end

--- Where a blob is in a store.
---@param root string
---@param digest string
---@return string
function M.path(root, digest)
  return root .. "/blobs/sha256/" .. digest:match("^sha256:(%x+)$")
end

local function digest_error(digest)
  local problem = reference.digest_problem(digest)
  if problem then
    return disk.refused { code = "EINVAL", op = "open", message = problem }
  end
  return true
end

--- Whether a store has a blob. One that a crash of the machine has cut short is none.
---@param root string
---@param digest string
---@param size? integer
---@return boolean
function M.exists(root, digest, size)
  local stat = digest_error(digest) and sys.stat(M.path(root, digest), sys.AT_SYMLINK_NOFOLLOW)
  return stat ~= nil and stat.type == "file" and (size == nil or stat.size == size)
end

local function missing(digest, path)
  return disk.refused { code = "ENOENT", op = "open", path = path,
    message = "the image store has no blob " .. digest,
    remedy = "import or pull the image again" }
end

--- Open a blob for reading; nothing is checked.
---@param root string
---@param digest string
---@return luactr.fd?
---@return luactr.error?
function M.open(root, digest)
  local fine, err = digest_error(digest)
  if not fine then
    return nil, err
  end
  local path = M.path(root, digest)
  local file, message, errno = sys.open(path, sys.O_RDONLY | sys.O_NOFOLLOW)
  if file then
    return file
  elseif errno == sys.errno.ENOENT then
    return missing(digest, path)
  end
  return disk.failed(message, errno, "open", path)
end

local function damaged(digest, path, cause)
  return disk.refused { code = "EBADMSG", op = "read", path = path, checked = true,
    message = "the blob " .. digest .. " is damaged", cause = cause,
    remedy = "luactr image verify, then import or pull the image again" }
end

--- The text of a small blob, of which only the size is checked: for what was checked when it was
--- put in, and is read at each start.
---@param root string
---@param digest string
---@param most integer bytes
---@param size? integer that it should have
---@return string?
---@return luactr.error?
function M.peek(root, digest, most, size)
  local fine, err = digest_error(digest)
  if not fine then
    return nil, err
  end
  local path = M.path(root, digest)
  local text
  text, err = disk.read(path, most)
  if text and size and #text ~= size then
    return damaged(digest, path, string.format("it has %d bytes, not %d", #text, size))
  elseif not text and err.code == "ENOENT" then
    return missing(digest, path)
  end
  return text, err
end

--- The text of a small blob, which is what its digest says.
---@param root string
---@param digest string
---@param most integer bytes
---@param size? integer that it should have
---@return string?
---@return luactr.error?
function M.read(root, digest, most, size)
  local text, err = M.peek(root, digest, most, size)
  local found
  if text then
    found, err = M.digest(text)
  end
  if found and found ~= digest then
    return damaged(digest, M.path(root, digest), "the digest of what it holds is " .. found)
  end
  return found and text, err
end

--- Put a small blob into a store, by way of a stage.
---@param root string
---@param stage luactr.image.stage
---@param text string
---@param media_type string
---@return luactr.image.descriptor?
---@return luactr.error?
function M.put(root, stage, text, media_type)
  local digest, err = M.digest(text)
  if not digest then
    return nil, err
  end
  local descriptor = { mediaType = media_type, digest = digest, size = #text }
  if not M.exists(root, descriptor.digest, descriptor.size) then
    local temporary = stage.path .. "/" .. disk.token()
    local done
    done, err = disk.put(M.path(root, descriptor.digest), text, temporary)
    if not done then
      return nil, err
    end
  end
  return descriptor
end

return M
