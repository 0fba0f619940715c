--- Who may do what to a file, as path_resolution(7) and capabilities(7) say it.
local M = {}

M.EXECUTE, M.WRITE, M.READ = 1, 2, 4

--- The user that the payload runs as, as the host's files see it.
---@param case luactr.cause.case
---@return { uid: integer, gids: table<integer, boolean>, override: boolean }
function M.payload(case)
  local spec = case.plan.spec
  local own = case.plan.id_maps ~= nil -- one user, who is luactr's own outside
  local who = { uid = own and case.host.uid or spec.user.uid, gids = {}, override = false }
  who.gids[own and case.host.gid or spec.user.gid] = true
  for _, gid in ipairs(spec.groups) do
    who.gids[gid] = true
  end
  for _, name in ipairs(spec.capabilities.effective) do
    who.override = who.override or (name == "CAP_DAC_OVERRIDE" and spec.user.uid == 0 and not own)
  end
  return who
end

--- CAP_DAC_OVERRIDE passes everything but the execution of a file that nobody may execute.
---@param stat table
---@param who table from M.payload
---@param wanted integer
---@return boolean
function M.allowed(stat, who, wanted)
  if who.override then
    return wanted ~= M.EXECUTE or stat.type == "directory" or stat.mode & 73 ~= 0 -- 0111
  elseif stat.uid == who.uid then
    return stat.mode >> 6 & wanted ~= 0
  elseif who.gids[stat.gid] then
    return stat.mode >> 3 & wanted ~= 0
  end
  return stat.mode & wanted ~= 0
end

--- The first directory on a walk that the payload may not pass.
---@param walk luactr.view.walk
---@return { path: string, mode: string, uid: integer, gid: integer, user: integer }?
function M.barrier(walk, case)
  local who = M.payload(case)
  for _, passed in ipairs(walk.passed) do
    local stat = passed.node.stat
    if stat and not M.allowed(stat, who, M.EXECUTE) then
      return { path = passed.path, mode = string.format("%04o", stat.mode), uid = stat.uid,
        gid = stat.gid, user = case.plan.spec.user.uid }
    end
  end
end

return M
