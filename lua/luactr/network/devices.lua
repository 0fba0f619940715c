--- Moving the host's network devices into a container's namespace, while its init waits. When the
--- namespace goes, the kernel gives physical devices back and removes the others.
local core = require "luactr.core"

local M = {}

-- What was done, errno, why.
local CAUSES <const> = {
  { "find", "ENODEV", "this host has no such network device" },
  { "name", "EEXIST", "the container's network has a device of the name {as} already" },
  { "move", "EINVAL", "the kernel binds this device to its network namespace" },
  { "move", "EEXIST", "the container's network has a device of the name {as} already" },
  { "move", "EBUSY", "the device is in use" },
  { "setns", "EPERM", "it takes CAP_SYS_ADMIN in the user namespace that owns the network" },
  { "*", "EPERM", "it takes CAP_NET_ADMIN on the host and in the container's network" },
}

local WORDS <const> = {
  setns = "enter the network", find = "find", read = "read the addresses of", name = "name",
  move = "move", address = "give an address to", up = "bring up",
}

local function failure(name, as, errno, what)
  local code, cause = core.sys.errname(errno), nil
  for _, row in ipairs(CAUSES) do
    if not cause and (row[1] == what or row[1] == "*") and row[2] == code then
      cause = row[3]:gsub("{as}", as)
    end
  end
  return {
    errno = errno, op = what, path = name, from = "net_devices." .. name, cause = cause,
    checked = cause ~= nil,
    action = string.format("cannot %s network device %s", WORDS[what], name),
  }
end

--- What was moved goes back: the container does not start.
local function move_back(moved, namespace)
  for i = #moved, 1, -1 do
    core.netdev.move(moved[i].actual, moved[i].name, namespace, nil)
  end
end

--- Move them all, or none.
---@param devices table<string, string> name on the host to name in the container
---@param pid integer of a process in the container's network namespace
---@return boolean? done
---@return table? fields of an error
function M.move(devices, pid)
  local namespace <close>, _, errno =
    core.sys.open(string.format("/proc/%d/ns/net", pid), { "rdonly" })
  if not namespace then
    return nil, failure("", "", errno, "setns")
  end
  local moved = {}
  for _, name in ipairs(require("luactr.check").sorted_keys(devices)) do
    local actual, _, code, what = core.netdev.move(name, devices[name], nil, namespace)
    if not actual then
      move_back(moved, namespace)
      return nil, failure(name, devices[name], code, what)
    end
    moved[#moved + 1] = { name = name, actual = actual }
  end
  return true
end

return M
