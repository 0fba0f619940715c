--- SHA-256, as images name what they are made of: "sha256:" and 64 hexadecimal digits.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

--- One that takes its data piece by piece.
---@class luactr.digest
---@field update fun(self: luactr.digest, data: string): luactr.digest
---@field update_fd fun(self: luactr.digest, fd: luactr.anyfd): integer?, string?, integer? all from
---  its position on; the number of bytes
---@field finish fun(self: luactr.digest): string what it is by now; it begins anew after that
---@field close fun(self: luactr.digest) idempotent

local function failure(message, errno)
  local missing = errno == sys.errno.ELIBACC
  return nil, require("luactr.error").new {
    op = "digest", errno = errno, message = missing and "cannot make digests" or message,
    checked = missing, cause = missing and "libnettle.so.8 cannot be loaded" or nil,
    remedy = missing and "apt install libnettle8" or nil,
  }
end

--- Begin one.
---@return luactr.digest?
---@return luactr.error?
function M.new()
  local handle, message, errno = core.digest.new()
  if not handle then
    return failure(message, errno)
  end
  return handle
end

--- Of a string.
---@param text string
---@return string? digest
---@return luactr.error?
function M.of(text)
  local digest <close>, err = M.new()
  if not digest then
    return nil, err
  end
  return digest:update(text):finish()
end

--- Of all that a descriptor has from its position on.
---@param fd luactr.anyfd stays the caller's
---@return string? digest
---@return integer|luactr.error size in bytes
function M.of_fd(fd)
  local digest <close>, err = M.new()
  if not digest then
    return nil, err
  end
  local size, message, errno = digest:update_fd(fd)
  if not size then
    return failure("cannot read what is to have a digest: " .. message, errno)
  end
  return digest:finish(), size
end

return M
