--- Layers that images know no media type for, since they are compressed by xz or bzip2, are
--- compressed by gzip again.
local disk = require "luactr.image.store.disk"
local limits = require "luactr.image.limits"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local RARE <const> = { "\xfd7zXZ\0", "BZh" }
local LONGEST <const> = 6
local CHUNK <const> = 1 << 20
local PRIVATE_FILE <const> = 384 -- 0600

--- Whether a file begins as one of those.
---@param fd luactr.fd at its beginning, where it stays
---@return boolean
function M.is_rare(fd)
  local at = sys.lseek(fd, 0, "cur")
  local text = fd:read(LONGEST) or ""
  sys.lseek(fd, at)
  for _, magic in ipairs(RARE) do
    if text:sub(1, #magic) == magic then
      return true
    end
  end
  return false
end

--- From the end of one pump to that of the other. A failure of either ends it; finish() says which.
local function pass(from, into)
  while true do
    local data, message, errno = from:read(CHUNK)
    if not data or data == "" then
      return data ~= nil, message, errno
    end
    local done
    done, message, errno = disk.write_all(into, data)
    if not done then
      return nil, message, errno
    end
  end
end

local function failed(message, errno)
  return nil, require("luactr.error").new {
    op = "unpack", errno = errno, message = "cannot unpack the layer", cause = message,
    checked = true, remedy = errno == sys.errno.E2BIG and limits.remedy or nil,
  }
end

local function convert(fd, to, ratio)
  local unpacked <close>, from, code = core.pump.unpack(fd, nil, nil, ratio)
  if not unpacked then
    return failed(from, code)
  end
  local packed <close>, into, errno = core.pump.pack(to, "gzip")
  if not packed then
    from:close()
    return failed(into, errno)
  end
  local done, message
  done, message, errno = pass(from, into)
  from:close()
  into:close()
  local report, why, number = unpacked:finish(not done)
  if not report and number ~= sys.errno.ECANCELED then
    return failed(why, number)
  end
  report, why, number = packed:finish(not done)
  if not report and number ~= sys.errno.ECANCELED then
    return failed(why, number)
  elseif not done then
    return failed(message, errno)
  end
  return true
end

--- Compress a file again.
---@param work luactr.image.work
---@param fd luactr.fd
---@param name string of the new file in the stage
---@return luactr.fd?
---@return string|luactr.error name
function M.to_gzip(work, fd, name)
  local path = work.stage.path .. "/" .. name
  local to, message, errno = sys.open(path, sys.O_RDWR | sys.O_CREAT | sys.O_EXCL, PRIVATE_FILE)
  if not to then
    return disk.failed(message, errno, "open", path)
  end
  local done, err = convert(fd, to, work.limits and work.limits.ratio or limits.defaults.ratio)
  if not done then
    to:close()
    return nil, err
  end
  sys.lseek(to, 0)
  return to, name
end

return M
