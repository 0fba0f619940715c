--- A range of ids for one container of root, from the pool of luactr.idmap.facts.
--
-- A range is taken by a lock on its own bytes of the file STATE/ids. The kernel drops the lock with
-- the process that holds it, so a luactr that was killed leaves no range behind, and ranges that
-- overlap (after the pool was configured anew) exclude each other by themselves.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local PRIVATE <const> = 384 -- 0600

---@class luactr.idmap.allocation
---@field first { uid: integer, gid: integer }
local Allocation = {}
Allocation.__index = Allocation

--- What holds it: the lock belongs to the open file.
function Allocation:held()
  return self.file
end

function Allocation:close()
  self.file:close()
end

--- Take a range that nobody has.
---@param host luactr.host
---@param count integer
---@return luactr.idmap.allocation? allocation
---@return table? failure fields of an error
function M.take(host, count)
  local path = host.state_dir .. "/ids"
  local file, message, errno =
    sys.open(path, { "rdwr", "creat", "nofollow" }, PRIVATE)
  if not file then
    return nil, { op = "open", path = path, errno = errno, action = message:match("^(.*): ") }
  end
  for _, first in ipairs(host.ids.pool) do
    if core.supervise.lock_range(file, first.uid, count) then
      return setmetatable({ first = first, file = file }, Allocation)
    end
  end
  file:close()
  return nil, { op = "id_map", path = path, errno = sys.errno.EUSERS, checked = true,
    action = "take a range of ids",
    cause = #host.ids.pool .. " containers have one each, and there are no more",
    remedy = "a larger range for the user luactr in /etc/subuid and /etc/subgid" }
end

return M
