--- The cgroup of a container of a bundle, from the time it was created until it has stopped.
local list = require "luactr.state.list"

local M = {}

local function refuse(container, what, code, cause)
  return nil, require("luactr.error").new {
    code = code, errno = require("luactr.core").sys.errno[code], op = what, checked = true,
    message = string.format("cannot %s container %q", what, container.id), cause = cause,
  }
end

--- A handle that only lets go of it when it is closed.
---@param container luactr.oci.container
---@param what string the verb, for errors
---@return luactr.cgroup? handle nil, error: code "ESRCH" when it has stopped
---@return table config config.json of its directory
function M.open(container, what)
  local word = list.state(container.host, container.record)
  local config = list.read(container.host, container.id, "config.json")
  if not word or word == "stopped" or word == "exited" or not config then
    return refuse(container, what, "ESRCH", "container not running")
  elseif not config.cgroup then
    return refuse(container, what, "ENOTSUP", "it has no cgroup")
  end
  local compiled = config.cgroup
  local places = table.move(compiled.places, 1, #compiled.places, 1, {})
  places[#places + 1] = compiled.freezer
  local handle, err = require("luactr.cgroup").reopen { id = compiled.id, places = places }
  return handle, handle and config or err
end

return M
