--- Open what is imported. What cannot be sought in, a pipe, is copied into the stage first.
local disk = require "luactr.image.store.disk"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local CHUNK <const> = 1 << 20
local STDIN <const> = 0

--- nil, and the error of an import.
---@param shown string what is imported
---@param errno integer
---@param cause? string
---@param remedy? string
function M.failure(shown, errno, cause, remedy)
  return nil, require("luactr.error").new {
    op = "import", path = shown, errno = errno, cause = cause, checked = cause ~= nil,
    remedy = remedy, message = "cannot import " .. shown,
  }
end

local failure <const> = M.failure

local function spool(from, stage, shown)
  local to, _, errno = sys.open(stage.path .. "/input", sys.O_RDWR | sys.O_CREAT | sys.O_EXCL)
  if not to then
    return failure(shown, errno)
  end
  repeat
    local data, done
    data, _, errno = sys.read(from, CHUNK)
    if data then
      done, _, errno = disk.write_all(to, data)
    end
    if not done then
      to:close()
      return failure(shown, errno)
    end
  until data == ""
  return to
end

--- Open a file or a directory; "-" is stdin.
---@param path string
---@param stage luactr.image.stage
---@param shown string for errors
---@return luactr.fd?
---@return luactr.error?
function M.open(path, stage, shown)
  local from = STDIN
  local file, _, errno
  if path ~= "-" then
    file, _, errno = sys.open(path, sys.O_RDONLY | sys.O_NOCTTY)
    if not file then
      return failure(shown, errno)
    end
    from = file
  end
  local stat = sys.stat(from)
  if stat and stat.type == "file" and not file then
    file, _, errno = sys.open("/proc/self/fd/0", sys.O_RDONLY) -- from its beginning
    return file, not file and select(2, failure(shown, errno)) or nil
  elseif stat and (stat.type == "file" or stat.type == "directory") then
    return file
  elseif stat and stat.type == "char" and sys.isatty(from) then
    return failure(shown, sys.errno.EINVAL, "an archive does not come from a terminal")
  end
  local _ <close> = file
  return spool(from, stage, shown)
end

return M
