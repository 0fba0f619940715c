--- Paths and directories. A function that takes a path takes a directory descriptor last, from
--- where a relative path starts; without it that is the working directory.

local core <const> = require("luactr.core").sys

---@class luactr.stat
---@field type "file"|"directory"|"symlink"|"char"|"block"|"fifo"|"socket"
---@field mode integer permission bits, with set-user-id, set-group-id and sticky
---@field dev integer the device that holds the file
---@field ino integer
---@field rdev integer the device that the file is, for "char" and "block"
---@field nlink integer
---@field uid integer
---@field gid integer
---@field size integer bytes
---@field blocks integer of 512 bytes
---@field atime number seconds
---@field mtime number seconds
---@field ctime number seconds
---@field mtime_ns integer nanoseconds: all of mtime, which a number cannot hold
---@field mnt_id? integer the mount, as in /proc/self/mountinfo; Linux 5.8
---@field mount_root? boolean whether something is mounted right here; Linux 5.8

---@class luactr.sys
local M = {}

--- Make a directory; `mode` is "0777" less the umask if not given. mkdir(2)
---@type fun(path: string, mode?: luactr.mode, dir?: luactr.anyfd): true?, string?, integer?
M.mkdir = core.mkdir

--- Remove an empty directory. ENOTEMPTY, EBUSY for a mount point. rmdir(2)
---@type fun(path: string, dir?: luactr.anyfd): true?, string?, integer?
M.rmdir = core.rmdir

--- Remove a name that is not a directory. unlink(2)
---@type fun(path: string, dir?: luactr.anyfd): true?, string?, integer?
M.unlink = core.unlink

--- Give a file another name; what had that name is replaced. EXDEV between file systems. Flags are
--- RENAME_*: "noreplace", "exchange". rename(2)
---@type fun(from: string, to: string, dir?: luactr.anyfd, flags?: luactr.flags): true?, string?, integer?
M.rename = core.rename

--- Give a file one more name, which starts at `to_dir` if that is another directory. link(2)
---@type fun(existing: string, path: string, dir?: luactr.anyfd, to_dir?: luactr.anyfd): true?, string?, integer?
M.link = core.link

--- Make `path` a symbolic link with the text `link`. symlink(2)
---@type fun(link: string, path: string, dir?: luactr.anyfd): true?, string?, integer?
M.symlink = core.symlink

--- The text of a symbolic link. EINVAL for other files. readlink(2)
---@type fun(path: string, dir?: luactr.anyfd): string?, string?, integer?
M.readlink = core.readlink

--- Make a node: `mode` has the type ("020666" or `sys.S_IFCHR | bits` is a character device), and
--- `device` comes from `makedev`. EPERM in a user namespace. mknod(2)
---@type fun(path: string, mode: luactr.mode, device?: integer, dir?: luactr.anyfd): true?, string?, integer?
M.mknod = core.mknod

--- The number of a device from major and minor. makedev(3)
---@type fun(major: integer, minor: integer): integer
M.makedev = core.makedev

--- Major and minor of a device number. makedev(3)
---@type fun(device: integer): integer, integer
M.splitdev = core.splitdev

--- Set the mode of a path or descriptor. chmod(2)
---@type fun(file: string|luactr.anyfd, mode: luactr.mode, dir?: luactr.anyfd): true?, string?, integer?
M.chmod = core.chmod

--- Set the owner and group of a path or descriptor; nil leaves one as it is. Flags are AT_*:
--- "symlink_nofollow" for the link itself. chown(2)
---@type fun(file: string|luactr.anyfd, uid?: integer, gid?: integer, flags?: luactr.flags, dir?: luactr.anyfd): true?, string?, integer?
M.chown = core.chown

--- What is known of a path or descriptor. Flags are AT_*: "symlink_nofollow" for a link itself.
--- statx(2)
---@type fun(file: string|luactr.anyfd, flags?: luactr.flags, dir?: luactr.anyfd): luactr.stat?, string?, integer?
M.stat = core.stat

--- The file system that holds a path or descriptor: `type` (magic number), `bsize`, `blocks`,
--- `bfree`, `bavail` (in units of `bsize` bytes), `files`, `ffree`, `flags`. statfs(2)
---@type fun(file: string|luactr.anyfd): table<string, integer>?, string?, integer?
M.statfs = core.statfs

--- The entries of a directory, but "." and "..", in the kernel's order: { name, type, ino }.
--- getdents(2)
---@type fun(directory: string|luactr.anyfd, dir?: luactr.anyfd): { name: string, type: string, ino: integer }[]?, string?, integer?
M.readdir = core.readdir

--- Change the working directory. chdir(2)
---@type fun(path: string): true?, string?, integer?
M.chdir = core.chdir

--- Change the working directory to an open one. fchdir(2)
---@type fun(dir: luactr.anyfd): true?, string?, integer?
M.fchdir = core.fchdir

--- The working directory. It starts with "(unreachable)" outside of the root. getcwd(2)
---@type fun(): string?, string?, integer?
M.getcwd = core.getcwd

--- Make `path` the root directory of this process. The working directory stays, so `chdir "/"`
--- belongs after it; and who is root can leave, so `pivot_root` is the way to shut the door.
--- chroot(2)
---@type fun(path: string): true?, string?, integer?
M.chroot = core.chroot

--- Set which mode bits a new file does not get; returns the mask from before. umask(2)
---@type fun(mask: luactr.mode): integer
M.umask = core.umask

--- Set the times of a path or descriptor, in nanoseconds since the epoch; nil leaves one as it is.
--- Flags are AT_*: "symlink_nofollow" for a link itself. utimensat(2)
---@type fun(file: string|luactr.anyfd, atime?: integer, mtime?: integer, flags?: luactr.flags, dir?: luactr.anyfd): true?, string?, integer?
M.utimens = core.utimens

--- An extended attribute of a path or descriptor. ENODATA, EOPNOTSUPP. getxattr(2)
---@type fun(file: string|luactr.anyfd, name: string): string?, string?, integer?
M.getxattr = core.getxattr

--- Set an extended attribute of a path or descriptor. EOPNOTSUPP, EPERM, ENOSPC. setxattr(2)
---@type fun(file: string|luactr.anyfd, name: string, value: string): true?, string?, integer?
M.setxattr = core.setxattr

--- Remove an extended attribute of a path or descriptor. ENODATA. removexattr(2)
---@type fun(file: string|luactr.anyfd, name: string): true?, string?, integer?
M.removexattr = core.removexattr

--- The names of a path's or descriptor's extended attributes. listxattr(2)
---@type fun(file: string|luactr.anyfd): string[]?, string?, integer?
M.listxattr = core.listxattr

return M
