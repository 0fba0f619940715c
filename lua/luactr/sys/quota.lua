--- Project quotas: directories that belong to a project, and what a project may use of the disk.

local core <const> = require("luactr.core").sys

---@class luactr.sys
local M = {}

--- The project of an open file or directory (0 is none), and whether what is made in it gets the
--- same. ENOTTY, EOPNOTSUPP: its file system knows no projects. FS_IOC_FSGETXATTR of ioctl(2)
---@type fun(fd: luactr.anyfd): integer?, (boolean|string)?, integer?
M.project = core.project

--- Set both. EOPNOTSUPP: ext4 was made without the feature "project".
--- FS_IOC_FSSETXATTR of ioctl(2)
---@type fun(fd: luactr.anyfd, id: integer, inherit?: boolean): true?, string?, integer?
M.set_project = core.set_project

--- What a project may use of the file system of an open file, and uses; a limit of 0 is none.
--- ESRCH: project quotas are not on; ENOSYS: the file system has none. quotactl(2) Q_GETQUOTA
---@type fun(fd: luactr.anyfd, id: integer): { size: integer, inodes: integer, used_size: integer, used_inodes: integer }?, string?, integer?
M.project_quota = core.project_quota

--- Set the limits, in bytes and files; 0 is none. EPERM. quotactl(2) Q_SETQUOTA
---@type fun(fd: luactr.anyfd, id: integer, size: integer, inodes: integer): true?, string?, integer?
M.set_project_quota = core.set_project_quota

return M
