--- Extended attributes of files that are read.
local sys <const> = require("luactr.core").sys

local M = {}

local ACL <const> = "system.posix_acl_"

-- What is a file's own; the rest belongs to the host, as labels and overlays' marks do.
local function is_kept(name)
  return name == "security.capability"
    or name:sub(1, 5) == "user." and name:sub(1, 13) ~= "user.overlay."
end

--- Those that go with a file; nil when there are none.
---@param fd luactr.fd
---@param acls boolean access control lists, too
---@return table<string, string>?
function M.read(fd, acls)
  local found
  for _, name in ipairs(sys.listxattr(fd) or {}) do
    local kept = is_kept(name) or acls and name:sub(1, #ACL) == ACL
    local value = kept and sys.getxattr(fd, name)
    if value then
      found = found or {}
      found[name] = value
    end
  end
  return found
end

return M
