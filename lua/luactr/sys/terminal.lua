--- Terminals.

local core <const> = require("luactr.core").sys

---@class luactr.sys
local M = {}

--- A new pseudo-terminal: the master, the terminal, and its name in /dev/pts. Works also where
--- /dev/pts is another devpts. ENOENT, EACCES: no usable /dev/ptmx; ENOSPC. pty(7)
---@type fun(): luactr.fd?, (luactr.fd|string)?, (string|integer)?
M.openpty = core.openpty

--- Whether a descriptor is a terminal. isatty(3)
---@type fun(fd: luactr.anyfd): boolean
M.isatty = core.isatty

--- Rows and columns of a terminal. ENOTTY. ioctl_tty(2)
---@type fun(fd: luactr.anyfd): integer?, (integer|string)?, integer?
M.window_size = core.window_size

--- Set them; the foreground gets SIGWINCH. ENOTTY. ioctl_tty(2)
---@type fun(fd: luactr.anyfd, rows: integer, columns: integer): true?, string?, integer?
M.set_window_size = core.set_window_size

--- Make a terminal the controlling one; the caller must lead its session. EPERM. ioctl_tty(2)
---@type fun(fd: luactr.anyfd): true?, string?, integer?
M.controlling_tty = core.controlling_tty

--- The process group in the terminal's foreground. ENOTTY. tcgetpgrp(3)
---@type fun(fd: luactr.anyfd): integer?, string?, integer?
M.tcgetpgrp = core.tcgetpgrp

--- Put a process group there. A caller in the background gets SIGTTOU. tcsetpgrp(3)
---@type fun(fd: luactr.anyfd, group: luactr.process_id): true?, string?, integer?
M.tcsetpgrp = core.tcsetpgrp

return M
