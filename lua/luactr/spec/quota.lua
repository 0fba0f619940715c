--- `quota` of a directory: "1G", { size =, inodes = } or "none" -> { size =, inodes = }, 0 for no
--- limit. Pure.
local check = require "luactr.check"

local M = {}

M.type = check.union({
  check.enum({ "none" }, { convert = function() return { size = 0, inodes = 0 } end }),
  check.size { min = 1, convert = function(bytes) return { size = bytes, inodes = 0 } end },
  check.record {
    { name = "size", type = check.size { min = 1 }, default = 0, help = "bytes" },
    { name = "inodes", type = check.integer { min = 1 }, default = 0,
      help = "files and directories" },
  },
}, { what = "size, { size =, inodes = } or \"none\"" })

--- `quota` of a mount.
function M.of_mount(value, path, problems)
  return problems:check(M.type, value, path)
end

local OWN_USERS <const> = "needs users of the container's own: those of the host may take their "
  .. "files out of a quota. Say namespaces = { user = \"new\" }"

--- The quotas of a spec.
---@param spec luactr.spec settled
---@return { path: string|any, size: integer, inodes: integer, from: string }[]
---@return luactr.problem? problem
function M.list(spec)
  local list = {}
  local function add(quota, path, from)
    list[#list + 1] = quota and { path = path, size = quota.size, inodes = quota.inodes,
      from = from }
  end
  add(spec.rootfs.quota, spec.rootfs.path, "rootfs")
  for i, mount in ipairs(spec.mounts) do
    add(mount.quota, mount.source, "mounts[" .. i .. "]")
  end
  local first = list[1]
  if first and spec.namespaces.user == "host" then
    return list, { path = first.from .. ".quota", message = OWN_USERS }
  end
  return list
end

return M
