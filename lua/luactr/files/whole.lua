--- Files that are written whole or not at all: beside their place, and renamed at the end.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local function failure(path, errno)
  return nil, require("luactr.error").new { op = "open", path = path, errno = errno,
    message = "cannot write " .. path }
end

--- Write a file by a function; nil and its error leave what is there as it is. What is no file, as
--- /dev/null and pipes are, is written to directly.
---@param path string
---@param write fun(file: luactr.fd): boolean?, luactr.error?
---@return boolean? done
---@return luactr.error?
function M.write(path, write)
  local known = sys.stat(path)
  local beside = (not known or known.type == "file") and string.format("%s.%d.new", path,
    sys.getpid())
  local flags = sys.O_WRONLY | (beside and sys.O_CREAT | sys.O_EXCL or 0)
  local file <close>, _, errno = sys.open(beside or path, flags)
  if not file then
    return failure(path, errno)
  end
  local done, err = write(file)
  if done and beside then
    done, _, errno = sys.rename(beside, path)
    if not done then
      err = select(2, failure(path, errno))
    end
  end
  if not done and beside then
    sys.unlink(beside)
  end
  return done, err
end

return M
