--- Users and groups of this process. credentials(7)

local core <const> = require("luactr.core").sys

---@class luactr.sys
local M = {}

--- The real user id. getuid(2)
---@type fun(): integer
M.getuid = core.getuid

--- The effective user id. geteuid(2)
---@type fun(): integer
M.geteuid = core.geteuid

--- The real group id. getgid(2)
---@type fun(): integer
M.getgid = core.getgid

--- The effective group id. getegid(2)
---@type fun(): integer
M.getegid = core.getegid

--- Real, effective and saved user id. getresuid(2)
---@type fun(): integer?, (integer|string)?, integer?
M.getresuid = core.getresuid

--- Real, effective and saved group id. getresgid(2)
---@type fun(): integer?, (integer|string)?, integer?
M.getresgid = core.getresgid

--- Set the user id: all three with CAP_SETUID, else the effective one. EPERM; EINVAL: not mapped
--- in this user namespace. setuid(2)
---@type fun(uid: integer): true?, string?, integer?
M.setuid = core.setuid

--- The same for the group id. Groups come before users: after setuid there is no right to it.
--- setgid(2)
---@type fun(gid: integer): true?, string?, integer?
M.setgid = core.setgid

--- Set real, effective and saved user id; nil leaves one as it is. setresuid(2)
---@type fun(real?: integer, effective?: integer, saved?: integer): true?, string?, integer?
M.setresuid = core.setresuid

--- Set real, effective and saved group id; nil leaves one as it is. setresgid(2)
---@type fun(real?: integer, effective?: integer, saved?: integer): true?, string?, integer?
M.setresgid = core.setresgid

--- Set the user id that new files get and that access is checked for; returns the one from before.
--- Capabilities over files leave the effective set with root's, and come back with it. EPERM.
--- setfsuid(2)
---@type fun(uid: integer): integer?, string?, integer?
M.setfsuid = core.setfsuid

--- The same for the group id. EPERM. setfsgid(2)
---@type fun(gid: integer): integer?, string?, integer?
M.setfsgid = core.setfsgid

--- Set the supplementary groups. EPERM without CAP_SETGID, or denied in a user namespace.
--- setgroups(2)
---@type fun(groups: integer[]): true?, string?, integer?
M.setgroups = core.setgroups

--- The supplementary groups. getgroups(2)
---@type fun(): integer[]?, string?, integer?
M.getgroups = core.getgroups

return M
