--- System calls that a recipe answers itself: the handlers of `seccomp = { notify = { ... } }`, fed
--- by the listener of the container's filter.
--
-- The caller sleeps until it has its answer, and so does whoever waits for it. A handler runs in
-- luactr, with luactr's rights, on words of a stranger: what it reads from the caller's memory may
-- change while it looks, so a call that was let go on ("continue") is no decision about security.
local Call = require "luactr.notify.call"
local core = require "luactr.core"

local notify <const> = core.notify
local sys <const> = core.sys

local M = {}

local AT_ONCE <const> = 16 -- calls, before the supervisor looks at its limits again
local MAX_ERRORS <const> = 20 -- kept; a handler that is wrong is wrong a thousand times

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
---@field early? table a call of the command that came before the init's report
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

local function name_of(call)
  local name, abi = require("luactr.spec.seccomp.syscalls").find(call.audit, call.number)
  call.name = name or "system call " .. call.number
  call.abi = abi and abi.name or string.format("0x%x", call.audit)
end

local EXECS <const> = { execve = true, execveat = true }

--- Once the init has come to its exec, every other call is the command's.
local function is_of_command(call, process)
  name_of(call)
  return not EXECS[call.name] and process:at_exec()
end

--- As if nobody listened: the call fails with ENOSYS. What was wrong goes into the result.
function Notify:complain(call, problem)
  notify.answer(call.listener, call.id, -1, sys.errno.ENOSYS)
  if #self.errors < MAX_ERRORS then
    self.errors[#self.errors + 1] = { call = call.name, message = problem }
  end
end

function Notify:handle(call)
  if not call.name then
    name_of(call)
  end
  call.listener = self.fd
  local handler = self.handlers[call.name]
  if not handler then
    return self:complain(call, "no handler")
  end
  local fine, value, detail = xpcall(handler, tostring, setmetatable(call, Call))
  if fine and self.fd then
    fine, value = pcall(give_answer, call, value, detail)
  end
  if self.fd and (not fine or value) then -- else the handler has closed the container
    self:complain(call, value)
  end
  if call.memory then
    call.memory:close()
  end
  call.listener = nil -- a handler may have kept it
end

--- Answer what waits.
---@param process? luactr.process that the init has not reported of: answer no call of the command
function Notify:serve(process)
  for _ = 1, AT_ONCE do
    if not self.fd or self.early then
      return
    end
    local call, _, errno = notify.receive(self.fd)
    if call and process and is_of_command(call, process) then
      self.early = call
    elseif call then
      self:handle(call)
    elseif errno == sys.errno.EPIPE then
      return self:close()
    elseif errno ~= sys.errno.ENOENT then -- the caller was killed: the next one, then
      return
    end
  end
end

--- Answer until the init has something to say: its exec is a system call like others. The command
--- may be quicker than PID 1's report; its call waits, for a handler may rely on a container that
--- has started.
---@param process luactr.process
function Notify:serve_launch(process)
  while self.fd and not self.early and process:statusfd() do
    local status, sync = { fd = process:statusfd() }, { fd = process:syncfd() }
    local sources = { status, sync, { fd = self.fd } }
    core.supervise.poll(sources)
    if status.ready or sync.ready then
      return
    elseif sources[3].ready then
      self:serve(process)
    end
  end
end

--- The command's call that came before the report.
function Notify:serve_early()
  local call = self.early
  if call then
    self.early = nil
    self:handle(call)
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
