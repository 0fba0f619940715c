--- Reading a config.json: the file, its text, what the specification wants of it.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local LARGEST <const> = 8 << 20
local READ <const> = { "rdonly", "nonblock", "noctty" } -- a bundle may have a FIFO there

local function wrong(path, cause, code, errno)
  return nil, require("luactr.error").new {
    code = code, errno = errno, message = "cannot read " .. path, op = "open", path = path,
    cause = cause, checked = cause ~= nil,
  }
end

local function read_all(fd, path)
  local parts, size = {}, 0
  repeat
    local part, _, errno = sys.read(fd, 1 << 16)
    if not part then
      return wrong(path, nil, nil, errno)
    end
    parts[#parts + 1], size = part, size + #part
    if size > LARGEST then
      return wrong(path, string.format("it is larger than %d MiB", LARGEST >> 20), "EFBIG")
    end
  until part == ""
  return table.concat(parts)
end

local STDIN <const> = "-"

--- A file, or where `path` may be - and is, all of luactr's standard input.
local function text_of(path, may_be_stdin)
  if may_be_stdin and path == STDIN then
    return read_all(0, "the standard input")
  end
  local fd <close>, _, errno = sys.open(path, READ)
  if not fd then
    return wrong(path, errno == sys.errno.ENOENT and "there is no such file" or nil, nil, errno)
  end
  local type = sys.stat(fd).type
  if type ~= "file" then
    return wrong(path, "it is a " .. type .. ", not a file", "EINVAL")
  end
  return read_all(fd, path)
end

--- The value of a JSON file, unchecked.
---@param path string
---@param may_be_stdin? boolean whether - is the standard input
---@return any value nil, error
---@return luactr.error? error
function M.value(path, may_be_stdin)
  local text, err = text_of(path, may_be_stdin)
  if not text then
    return nil, err
  end
  local value, problem = require("luactr.oci.json").decode(text)
  if value == nil then
    return wrong(path, problem, "ESPEC")
  end
  return value
end

--- The document of a config.json, checked against the specification's schema.
---@param path string
---@return table? document
---@return luactr.error? error code "ESPEC" with all problems, or that of the file
function M.read(path)
  local value, err = M.value(path)
  if err then
    return nil, err
  end
  return require("luactr.oci.config").check(value,
    { file = path, subject = "config.json" })
end

return M
