--- Tar archives as streams of entries: a reader is a source as luactr.files.source is one, a writer
--- takes what a source gives. Data goes through descriptors, never through Lua.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local function failure(what, message, errno)
  if errno == sys.errno.EILSEQ then -- which libarchive has for any wrong format
    errno = sys.errno.EBADMSG
  end
  local missing = errno == sys.errno.ELIBACC
  return nil, require("luactr.error").new {
    op = what, errno = errno, message = "cannot " .. what .. " the archive", checked = true,
    cause = missing and "libarchive.so.13 cannot be loaded" or message:gsub("^.-archive: ", ""),
    remedy = missing and "apt install libarchive13" or nil,
  }
end

-- ---- reading

---@class luactr.files.reader
local Reader = { __name = "luactr.files.reader" }
Reader.__index = Reader

--- The next entry; nil at the end.
---@return luactr.files.entry?
---@return luactr.error?
function Reader:next()
  local entry, message, errno = self.handle:next()
  if entry == nil then
    return failure("read", message, errno)
  end
  return entry or nil
end

--- The data of the current entry into an empty file, holes as holes.
---@param to luactr.fd
---@return boolean? done
---@return string? message
---@return integer? errno
function Reader:copy(to)
  return self.handle:extract(to)
end

--- Idempotent.
function Reader:close()
  self.handle:close()
end

Reader.__close = Reader.close

--- Read a tar archive, compressed by gzip, bzip2, xz, zstd or not at all.
---@param fd luactr.anyfd stays the caller's
---@return luactr.files.reader?
---@return luactr.error?
function M.reader(fd)
  local handle, message, errno = core.archive.reader(fd)
  if errno == sys.errno.EBADMSG then -- the first bytes of one are all there is to see
    message = "it is no tar archive, or a truncated one"
  end
  if not handle then
    return failure("read", message, errno)
  end
  return setmetatable({ handle = handle }, Reader)
end

-- ---- writing

---@class luactr.files.writer
local Writer = { __name = "luactr.files.writer" }
Writer.__index = Writer

--- Write an entry, and the data of one with a descriptor.
---@param entry luactr.files.entry
---@return boolean? done
---@return luactr.error?
function Writer:put(entry)
  local done, shrunk, errno = self.handle:add(entry, entry.fd)
  if not done then
    return failure("write", shrunk, errno)
  elseif shrunk then
    self.notice(entry.path, "it became shorter while it was read")
  end
  return true
end

--- All entries of a source, then the archive's end.
---@param source luactr.files.source
---@return boolean? done
---@return luactr.error?
function Writer:put_all(source)
  while true do
    local entry, err = source:next()
    local done = entry
    if entry then
      done, err = self:put(entry)
    end
    if err then
      return nil, err
    elseif not done then
      return self:finish()
    end
  end
end

--- Write what ends an archive. Without it, it is not whole.
---@return boolean? done
---@return luactr.error?
function Writer:finish()
  local done, message, errno = self.handle:finish()
  if not done then
    return failure("write", message, errno)
  end
  return true
end

--- Idempotent.
function Writer:close()
  self.handle:close()
end

Writer.__close = Writer.close

--- Write a tar archive in the pax format.
---@param fd luactr.anyfd stays the caller's
---@param options? { filter?: "gzip"|"zstd", notice?: fun(path: string, why: string) }
---@return luactr.files.writer?
---@return luactr.error?
function M.writer(fd, options)
  options = options or {}
  local handle, message, errno = core.archive.writer(fd, options.filter)
  if not handle then
    return failure("write", message, errno)
  end
  return setmetatable({ handle = handle, notice = options.notice or function() end }, Writer)
end

return M
