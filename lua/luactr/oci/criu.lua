--- checkpoint and restore, which are CRIU's work.
local M = {}

local function missing(op)
  return nil, require("luactr.error").new { code = "ENOTSUP", op = op, checked = true,
    message = "cannot " .. op .. " a container", cause = "there is no program criu on this host",
    remedy = "install CRIU" }
end

function M.checkpoint()
  return missing "checkpoint"
end

function M.restore()
  return missing "restore"
end

return M
