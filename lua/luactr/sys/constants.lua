--- Names and numbers of the kernel. The constants themselves are fields of `luactr.sys`, made
--- when asked for; `sys.signals`, `sys.errno` and `sys.rlimits` are tables of name to number.

local core <const> = require("luactr.core").sys

---@class luactr.sys
---@field signals table<string, integer> { TERM = 15, ... }, signal(7)
---@field errno table<string, integer> { ENOENT = 2, ... }, errno(3)
---@field rlimits table<string, integer> { NOFILE = 7, ... }, getrlimit(2)
local M = {}

--- The name of an errno: 2 is "ENOENT". nil for a number without a name. errno(3)
---@type fun(errno: integer): string?
M.errname = core.errname

--- The name of a signal: 15 is "TERM". nil for a number without a name. signal(7)
---@type fun(signal: integer): string?
M.signame = core.signame

--- What an errno means, in words. strerror(3)
---@type fun(errno: integer): string
M.strerror = core.strerror

return M
