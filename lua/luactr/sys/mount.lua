--- Mounts: the classic calls, and the calls by descriptor (Linux 5.2, mount_setattr 5.12).

local core <const> = require("luactr.core").sys

---@class luactr.mount_attributes
---@field set? luactr.flags MOUNT_ATTR_*: "rdonly", "nosuid", "nodev", "noexec", ...
---@field clear? luactr.flags the same, to be taken away
---@field propagation? luactr.flags MS_*: "private", "slave", "shared", "unbindable"
---@field userns? luactr.anyfd map the ids of files by this user namespace
---@field recursive? boolean the mounts below, too

---@class luactr.sys
local M = {}

--- Mount. What the arguments mean depends on the flags, MS_*: {} a new `type` from `source`, {
--- "bind" } or { "bind", "rec" } the tree `source` once more, { "remount", "bind", "rdonly" } new
--- options, { "rec", "private" } propagation. `data` is the file system's own options
--- ("size=1m"). mount(2)
---@type fun(source?: string, target: string, type?: string, flags?: luactr.flags, data?: string): true?, string?, integer?
M.mount = core.mount

--- Unmount. Flags are MNT_*: "detach" takes it out of the tree now and ends it when unused;
--- "force", "expire"; and "nofollow". EBUSY, EINVAL (not a mount point). umount2(2)
---@type fun(target: string, flags?: luactr.flags): true?, string?, integer?
M.umount = core.umount

--- Make the mount `new_root` the root of the mount namespace and put the old root at `put_old`, a
--- directory below it. EINVAL: `new_root` is no mount point, or its parent is shared, or the root
--- is the initramfs. pivot_root(2)
---@type fun(new_root: string, put_old: string): true?, string?, integer?
M.pivot_root = core.pivot_root

--- A context to configure a new file system. ENODEV: the kernel has no such type. fsopen(2)
---@type fun(type: string, flags?: luactr.flags): luactr.fd?, string?, integer?
M.fsopen = core.fsopen

--- Configure a context. Commands are FSCONFIG_*: "set_flag" (key), "set_string" and "set_binary"
--- (key, value), "set_path" (key, path, dir), "set_fd" (key, fd), then "cmd_create". fsconfig(2)
---@type fun(context: luactr.anyfd, command: string|integer, key?: string, value?: string|luactr.anyfd, dir?: luactr.anyfd): true?, string?, integer?
M.fsconfig = core.fsconfig

--- A detached mount of a created context, with attributes MOUNT_ATTR_*. fsmount(2)
---@type fun(context: luactr.anyfd, attributes?: luactr.flags): luactr.fd?, string?, integer?
M.fsmount = core.fsmount

--- Open a mount, or with { "clone", "recursive" } a detached copy of the tree there. Flags are
--- OPEN_TREE_* and AT_*. open_tree(2)
---@type fun(path: string, flags?: luactr.flags, dir?: luactr.anyfd): luactr.fd?, string?, integer?
M.open_tree = core.open_tree

--- Attach a detached mount, or move an attached one, from a path or descriptor to a path. Flags
--- are MOVE_MOUNT_*. move_mount(2)
---@type fun(from: string|luactr.anyfd, to: string, flags?: luactr.flags, dir?: luactr.anyfd): true?, string?, integer?
M.move_mount = core.move_mount

--- Change attributes of a mount given by path or descriptor. mount_setattr(2)
---@type fun(target: string|luactr.anyfd, attributes: luactr.mount_attributes): true?, string?, integer?
M.mount_setattr = core.mount_setattr

--- A free loop device becomes the file, read-only: a descriptor of the device and its path. It is
--- free again when that is closed and nothing is mounted from it any more. ENODEV: the kernel has no
--- loop devices. loop(4)
---@type fun(file: luactr.anyfd): luactr.fd?, string, integer?
M.loop_attach = core.loop_attach

return M
