--- System calls that a recipe answers itself: the handlers of `seccomp = { notify = { ... } }`, fed
--- by the listener of the container's filter.
--
-- The caller sleeps until it has its answer, and so does whoever waits for it. A handler runs in
-- luactr, with luactr's rights, on words of a stranger: what it reads from the caller's memory may
-- change while it looks, so a call that was let go on ("continue") is no decision about security.
local core = require "luactr.core"

local notify <const> = core.notify
local sys <const> = core.sys

local M = {}

local AT_ONCE <const> = 16 -- calls, before the supervisor looks at its limits again
local MAX_ERRORS <const> = 20 -- kept; a handler that is wrong is wrong a thousand times
local PAGE <const> = 4096
local AF_UNIX <const> = 1
local LONGEST_STRING <const> = 4096 -- PATH_MAX

-- ---- a call, as a handler sees it

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

-- ---- answers

local EXPECTED <const> =
  "a handler returns a number, nil and an errno, \"continue\" or a file descriptor, not "

--- A copy of the descriptor, and its number there as the answer, at once where the kernel can.
local function answer_with_fd(call, fd, options)
  options = options or {}
  local number, _, errno = notify.give(call.listener, call.id, fd, options.number,
    options.cloexec, true)
  if not number and errno == sys.errno.EINVAL then -- before Linux 5.14
    number, _, errno = notify.give(call.listener, call.id, fd, options.number, options.cloexec)
    if number then
      notify.answer(call.listener, call.id, number, 0)
    end
  end
  if not options.keep then
    fd:close()
  end
  if not number then
    notify.answer(call.listener, call.id, -1, errno)
  end
end

--- Carry out what a handler returned; a problem if it makes no sense.
local function give_answer(call, value, detail)
  local listener, id = call.listener, call.id
  if value == nil and detail ~= nil then
    local errno, problem = require("luactr.spec.seccomp.actions").errno(detail)
    if not errno then
      return problem
    end
    notify.answer(listener, id, -1, errno)
  elseif value == "continue" then
    notify.pass(listener, id)
  elseif math.type(value) == "integer" then
    notify.answer(listener, id, value, 0)
  elseif require("luactr.check").class(value) == "luactr.fd" then
    answer_with_fd(call, value, detail)
  else
    return EXPECTED .. require("luactr.check").show(value)
  end
end

-- ---- the listener

---@class luactr.notify
---@field fd? any nil once nobody is left who could call
---@field errors { call: string, message: string }[] of handlers
local Notify = {}
Notify.__index = Notify

---@param fd any the listener; becomes its own
---@param handlers table<string, function>
---@return luactr.notify
function M.new(fd, handlers)
  return setmetatable({ fd = fd, handlers = handlers, errors = {} }, Notify)
end

function Notify:close()
  if self.fd then
    self.fd:close()
    self.fd = nil
  end
end

Notify.__close = Notify.close
Notify.__gc = Notify.close

--- As if nobody listened: the call fails with ENOSYS. What was wrong goes into the result.
function Notify:complain(call, problem)
  notify.answer(self.fd, call.id, -1, sys.errno.ENOSYS)
  if #self.errors < MAX_ERRORS then
    self.errors[#self.errors + 1] = { call = call.name, message = problem }
  end
end

local function name_of(call)
  local name, abi = require("luactr.spec.seccomp.syscalls").find(call.audit, call.number)
  call.name = name or "system call " .. call.number
  call.abi = abi and abi.name or string.format("0x%x", call.audit)
end

function Notify:handle(call)
  name_of(call)
  call.listener = self.fd
  local handler = self.handlers[call.name]
  if not handler then
    return self:complain(call, "no handler")
  end
  local fine, value, detail = xpcall(handler, tostring, setmetatable(call, Call))
  if fine then
    fine, value = pcall(give_answer, call, value, detail)
  end
  if not fine or value then
    self:complain(call, value)
  end
  if call.memory then
    call.memory:close()
  end
  call.listener = nil -- a handler may have kept it
end

--- Answer what waits.
function Notify:serve()
  for _ = 1, AT_ONCE do
    if not self.fd then -- a handler has closed the container
      return
    end
    local call, _, errno = notify.receive(self.fd)
    if call then
      self:handle(call)
    elseif errno == sys.errno.EPIPE then
      return self:close()
    elseif errno ~= sys.errno.ENOENT then -- the caller was killed: the next one, then
      return
    end
  end
end

--- Answer until the init has something to say: its exec is a system call like others.
---@param process luactr.process
function Notify:serve_launch(process)
  while self.fd and process:statusfd() do
    local status, sync = { fd = process:statusfd() }, { fd = process:syncfd() }
    local sources = { status, sync, { fd = self.fd } }
    core.supervise.poll(sources)
    if status.ready or sync.ready then
      return
    elseif sources[3].ready then
      self:serve()
    end
  end
end

--- For the supervisor's loop.
function Notify:add_source(sources)
  if self.fd then
    sources[#sources + 1] = { fd = self.fd, events = "r", act = function() self:serve() end }
  end
end

-- ---- an agent in place of handlers

local function json_string(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    return string.format("\\u%04x", c:byte())
  end) .. '"'
end

--- Pass the listener on to the agent of OCI's listenerPath, with the state that it expects.
---@param fd any
---@param agent { path: string, metadata?: string }
---@param id string
---@param pid integer
---@return boolean? done
---@return string? message
---@return integer? errno
function M.forward(fd, agent, id, pid)
  local state = string.format('{"ociVersion":"1.2.0","id":%s,"status":"creating","pid":%d,'
    .. '"bundle":""}', json_string(id), pid)
  local message = string.format('{"ociVersion":"1.2.0","fds":["seccompFd"],"pid":%d,'
    .. '"metadata":%s,"state":%s}', pid, json_string(agent.metadata or ""), state)
  return notify.forward(fd, agent.path, message)
end

return M
