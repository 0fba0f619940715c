--- A system call that waits for its answer, as a handler sees it: its arguments, the caller's
--- memory and descriptors. See luactr.notify.
local core = require "luactr.core"

local notify <const> = core.notify
local sys <const> = core.sys

local AF_UNIX <const> = 1
local PAGE <const> = 4096
local LONGEST_STRING <const> = 4096 -- PATH_MAX

---@class luactr.call a system call that waits
---@field name string
---@field args table<integer, integer> args[0] to args[5]: 64 bits, as `index` in rules counts them
---@field pid integer the calling thread, as luactr sees it
---@field id integer
---@field abi string "x86_64", "x86"...
---@field number integer
local Call = {}
Call.__index = Call

--- Whether the caller still waits: it may have been killed, and its pid be another's by now.
---@return boolean
function Call:valid()
  return notify.valid(self.listener, self.id) == true
end

--- The memory is held by a descriptor that is proven to be the caller's: the call was still waiting
--- after it was opened.
local function memory_of(call)
  if not call.memory then
    local memory, _, errno = sys.open("/proc/" .. call.pid .. "/mem", sys.O_RDWR)
    if not memory then
      return nil, sys.errname(errno)
    end
    call.memory = memory
  end
  if not call:valid() then
    return nil, "ENOENT"
  end
  return call.memory
end

local function memory_error(call, errno)
  return nil, not call:valid() and "ENOENT" or errno == sys.errno.EIO and "EFAULT"
    or sys.errname(errno)
end

--- Bytes of the caller's memory.
---@param address integer
---@param size integer
---@return string? bytes
---@return string? errno a name, fit for an answer: EFAULT, ENOENT when the caller is gone
function Call:read(address, size)
  local memory, problem = memory_of(self)
  if not memory then
    return nil, problem
  end
  local bytes, _, errno = notify.peek(memory, address, size)
  if not bytes then
    return memory_error(self, errno)
  elseif not self:valid() then
    return nil, "ENOENT"
  elseif #bytes < size then
    return nil, "EFAULT"
  end
  return bytes
end

--- A string of the caller's memory, up to its NUL.
---@param address integer
---@param longest? integer default 4096
---@return string? text
---@return string? errno EFAULT, ENAMETOOLONG, ENOENT
function Call:string(address, longest)
  local parts, left = {}, longest or LONGEST_STRING
  while left > 0 do
    local size = math.min(left, PAGE - address % PAGE)
    local bytes, problem = self:read(address, size)
    if not bytes then
      return nil, problem
    end
    local text = bytes:match("^(.-)%z")
    parts[#parts + 1] = text or bytes
    if text then
      return table.concat(parts)
    end
    address, left = address + size, left - size
  end
  return nil, "ENAMETOOLONG"
end

--- Write into the caller's memory.
---@param address integer
---@param bytes string
---@return boolean? done
---@return string? errno
function Call:write(address, bytes)
  local memory, problem = memory_of(self)
  if not memory then
    return nil, problem
  end
  local count, _, errno = notify.poke(memory, address, bytes)
  if not count then
    return memory_error(self, errno)
  elseif count < #bytes then
    return nil, "EFAULT"
  end
  return true
end

--- Put a copy of a descriptor into the caller.
---@param fd luactr.anyfd
---@param options? { number?: integer, cloexec?: boolean }
---@return integer? number there
---@return string? errno
function Call:add_fd(fd, options)
  options = options or {}
  local number, _, errno = notify.give(self.listener, self.id, fd, options.number, options.cloexec)
  if not number then
    return nil, sys.errname(errno)
  end
  return number
end

--- The process of the calling thread: descriptors belong to it.
local function process_of(call)
  local status <close> = sys.open("/proc/" .. call.pid .. "/status", sys.O_RDONLY)
  local text = status and status:read(4096)
  return text and math.tointeger(tonumber(text:match("\nTgid:%s*(%d+)")))
end

--- A copy of one of the caller's descriptors. pidfd_getfd(2)
---@param number integer
---@return luactr.fd? fd
---@return string? errno
function Call:fd(number)
  local process = process_of(self)
  local pidfd <close>, _, errno = sys.pidfd_open(process or self.pid)
  if not pidfd then
    return nil, sys.errname(errno)
  end
  local fd
  fd, _, errno = sys.pidfd_getfd(pidfd, number)
  if not self:valid() then -- the pid may have been another's
    return nil, "ENOENT"
  elseif not fd then
    return nil, sys.errname(errno)
  end
  return fd
end

--- Make the connect(2) that the caller asks for in its place, with an address that was looked at:
--- no other thread of the caller can exchange that one. Paths of unix sockets would be luactr's.
---@param address string the bytes of a struct sockaddr
---@return integer? answer 0
---@return string? errno
function Call:connect(address)
  if #address < 2 or string.unpack("=I2", address) == AF_UNIX then
    return nil, "EINVAL"
  end
  local fd <close>, problem = self:fd(self.args[0] & 0xffffffff)
  if not fd then
    return nil, problem
  end
  local done, _, errno = notify.connect(fd, address)
  if not done then
    return nil, sys.errname(errno)
  end
  return 0
end

return Call
