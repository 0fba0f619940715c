--- Signals to a container of a bundle: to its program, to the init that waits to become that, or to
--- all of its processes.
local core = require "luactr.core"
local list = require "luactr.state.list"

local sys <const> = core.sys

local M = {}

--- Whether there was anybody: where it had no pid namespace, its processes may outlive the first.
local function kill_all(container, number, has_ended)
  local config = list.read(container.host, container.id, "config.json")
  local cgroup <close> = config and config.cgroup
    and require("luactr.cgroup").reopen(config.cgroup) or nil
  local asks = has_ended or number == 0
  if not cgroup or asks and #(cgroup:processes() or {}) == 0 then
    return false
  end
  return number == 0 or cgroup:kill(number)
end

-- What ends nobody who has no handler for it.
local HARMLESS <const> = { CHLD = true, CONT = true, URG = true, WINCH = true, STOP = true,
  TSTP = true, TTIN = true, TTOU = true }

--- The init that waits for the start has no handlers, and as PID 1 of its namespace it is ended by
--- nothing else than KILL.
local function for_waiting(container, number)
  local gate = string.format("%s/containers/%s/%s", container.host.state_dir, container.id,
    core.gate.SOCKET)
  if number == 0 or HARMLESS[sys.signame(number)] or not sys.stat(gate) then
    return number
  end
  return sys.signals.KILL
end

---@param container luactr.oci.container
---@param number integer 0 only asks
---@param pidfd? luactr.fd of its first process, if that lives
---@param all? boolean
---@return boolean? done false: there is nobody
---@return luactr.error?
function M.send(container, number, pidfd, all)
  number = pidfd and for_waiting(container, number) or number
  if all and kill_all(container, number, not pidfd) then
    return true
  elseif not pidfd then
    return false
  end
  local done, message, errno = sys.pidfd_send_signal(pidfd, number)
  if not done then
    return nil, require("luactr.error").from_sys(message, errno, "kill")
  end
  return true
end

return M
