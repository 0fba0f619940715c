--- Files of the image store: made whole by rename, removed with all that is below.
local remove = require "luactr.files.remove"

local sys <const> = require("luactr.core").sys

local M = {}

M.PRIVATE_DIRECTORY = 448 -- 0700
local PRIVATE_FILE <const> = 384 -- 0600
local CHUNK <const> = 1 << 20

-- ---- errors

local REMEDIES <const> = {
  ENOSPC = "luactr image gc, or an image store on another disk (LUACTR_IMAGES)",
  EDQUOT = "luactr image gc, or an image store on another disk (LUACTR_IMAGES)",
  EROFS = "an image store that can be written to (LUACTR_IMAGES)",
  EACCES = "the store's owner, or an image store of your own (LUACTR_IMAGES)",
}

--- The error object for the triple of a primitive.
---@param message string
---@param errno integer
---@param op string
---@param path string
---@return nil
---@return luactr.error
function M.failed(message, errno, op, path)
  local err = require("luactr.error").from_sys(message, errno, op, path)
  err.remedy = REMEDIES[err.code]
  return nil, err
end

---@param fields table as luactr.error; its `code` is an errno's name
---@return nil
---@return luactr.error
function M.refused(fields)
  fields.errno = fields.errno or sys.errno[fields.code]
  return nil, require("luactr.error").new(fields)
end

-- ---- names

--- A name that nobody else has.
---@return string
function M.token()
  local file <close> = assert(sys.open("/dev/urandom", sys.O_RDONLY))
  return (file:read(8):gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

-- ---- directories

--- Make a directory with those above it, for nobody else.
---@param path string
---@return boolean? done
---@return luactr.error?
function M.make_directories(path)
  for at in path:gmatch("()/") do
    if at > 1 then
      sys.mkdir(path:sub(1, at - 1), M.PRIVATE_DIRECTORY)
    end
  end
  local made, message, errno = sys.mkdir(path, M.PRIVATE_DIRECTORY)
  if not made and errno ~= sys.errno.EEXIST then
    return M.failed(message, errno, "mkdir", path)
  end
  return true
end

--- Remove a file or a directory with all that is below; what is not there is removed.
---@param path string
---@return boolean? done
---@return luactr.error?
function M.remove(path)
  local done, message, errno = remove.name(path)
  if done or errno == sys.errno.ENOENT then
    return true
  end
  return M.failed(message, errno, "rmdir", path)
end

-- ---- files

--- A file's text; nil and an error, code "ENOENT" where there is none.
---@param path string
---@param most integer bytes
---@return string?
---@return luactr.error?
function M.read(path, most)
  local file <close>, message, errno = sys.open(path, sys.O_RDONLY | sys.O_NOFOLLOW)
  if not file then
    return M.failed(message, errno, "open", path)
  end
  local parts, size = {}, 0
  while size <= most do
    local part
    part, message, errno = file:read(math.min(CHUNK, most + 1 - size))
    if not part then
      return M.failed(message, errno, "read", path)
    elseif part == "" then
      return table.concat(parts)
    end
    parts[#parts + 1], size = part, size + #part
  end
  return M.refused { code = "EFBIG", op = "read", path = path,
    message = string.format("%s has more than %d bytes", path, most) }
end

--- Write all of a text to an open file.
---@param file luactr.fd
---@param text string
---@return boolean? done
---@return string? message
---@return integer? errno
function M.write_all(file, text)
  while text ~= "" do
    local written, message, errno = file:write(text)
    if not written then
      return nil, message, errno
    end
    text = text:sub(written + 1)
  end
  return true
end

--- Put a file in place at once: it is written beside, whole, and renamed.
---@param path string
---@param text string
---@param temporary string where it is written, on the same file system
---@return boolean? done
---@return luactr.error?
function M.put(path, text, temporary)
  local file <close>, message, errno =
    sys.open(temporary, sys.O_WRONLY | sys.O_CREAT | sys.O_TRUNC | sys.O_NOFOLLOW, PRIVATE_FILE)
  if not file then
    return M.failed(message, errno, "open", temporary)
  end
  local done
  done, message, errno = M.write_all(file, text)
  if done then
    done, message, errno = sys.rename(temporary, path)
  end
  if not done then
    sys.unlink(temporary)
    return M.failed(message, errno, "write", path)
  end
  return true
end

return M
