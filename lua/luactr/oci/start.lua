--- How a container of a bundle is started by another luactr than the one that made it: somebody
--- knocks at its gate, says that it may go on, and hears from it only what goes wrong.
local core = require "luactr.core"
local list = require "luactr.state.list"

local sys <const> = core.sys

local M = {}

-- ---- its process, which is luactr's init until it becomes the program

local function name_of(pid)
  local file <close> = sys.open("/proc/" .. pid .. "/comm", sys.O_RDONLY)
  return file and file:read(64)
end

---@class luactr.oci.start.waiting
---@field name? string of the process
---@field root? luactr.fd its root
---@field mounts? luactr.fd its mount namespace, without which there is nothing mounted in the root
local Waiting = {}
Waiting.__index = Waiting

function Waiting:__close()
  for _, name in ipairs { "root", "mounts" } do
    if self[name] then
      self[name]:close()
    end
  end
end

--- What its process takes along when it ends, and tells why it could not start.
local function look_at(pid)
  local directory = "/proc/" .. pid
  return setmetatable({ name = name_of(pid), root = sys.open(directory .. "/root", sys.O_PATH),
    mounts = sys.open(directory .. "/ns/mnt", sys.O_RDONLY) }, Waiting)
end

--- Whether it has become its program, now that it has let go of the gate: it does that as well when
--- it is killed. What ends has no program any more, before it lets go; what has ended keeps its
--- name until somebody has reaped it.
local function has_begun(pid, waiting)
  local _, _, errno = sys.readlink("/proc/" .. pid .. "/exe")
  return errno ~= sys.errno.ENOENT or name_of(pid) ~= waiting.name
end

-- ---- errors

--- The plan of which the last step has failed, as far as it is still known.
local function plan_of(container, waiting)
  local base, command = container:command_base(), container.record.command
  local env = {}
  for name, value in pairs(base.env) do
    env[#env + 1] = value and name .. "=" .. value or nil
  end
  return { spec = base, steps = {
    { op = "setns", root = "/proc/self/fd/" .. waiting.root:fileno() },
    { op = "exec", file = command[1], argv = command, env = env,
      path = base.env.PATH or "" },
  } }
end

--- With users of its own, files belong to others for the host than for the program.
local function can_explain(err, config, waiting)
  local namespaces = config.spec and config.spec.namespaces or {}
  return err.op == "exec" and waiting.root
    and (err.code ~= "EACCES" or namespaces.user == "host")
end

local function explain(container, err, waiting)
  local config = list.read(container.host, container.id, "config.json") or {}
  err.where = config.where
  if can_explain(err, config, waiting) then
    local plan = plan_of(container, waiting)
    err.step = #plan.steps
    require("luactr.cause").explain(err, plan, container.host)
    err.step = nil -- the number of its step in the plan that it had is not known
  end
  return err
end

--- What went wrong between the gate and the program.
local function failure(container, waiting, op, errno, aux)
  local command = container.record.command
  return explain(container, require("luactr.error").new {
    op = op, errno = errno, aux = aux, path = op == "exec" and command[1] or nil,
    message = string.format("cannot start %q", container.id),
    action = require("luactr.explain").sentence { op = op, file = command[1] },
  }, waiting)
end

local function ended(container, errno)
  return require("luactr.error").new {
    errno = errno, op = "start", checked = true,
    message = string.format("cannot start %q", container.id),
    cause = "its process was ended before it became " .. container.record.command[1],
  }
end

--- Let its process go on, who waits at the other end of the connection.
---@param container luactr.oci.container
---@param connection luactr.fd
---@return boolean? done
---@return luactr.error?
function M.open(container, connection)
  local pid = container.record.pid
  local waiting <close> = look_at(pid)
  local event, _, op, errno, aux = core.gate.open(connection)
  if event == "failed" then
    return nil, failure(container, waiting, op, errno, aux)
  elseif event ~= "started" then -- nil, a message, and in their place:
    return nil, ended(container, op)
  elseif not has_begun(pid, waiting) then
    return nil, ended(container, sys.errno.EOWNERDEAD)
  end
  return true
end

return M
