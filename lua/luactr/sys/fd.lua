--- Descriptors: open, read, write, pipe, dup, memfd.

local core <const> = require("luactr.core").sys

--- An open descriptor. `close` is idempotent and also runs for `<close>` variables and in
--- collection.
---@class luactr.fd
---@field close fun(self: luactr.fd)
---@field fileno fun(self: luactr.fd): integer the number, borrowed: do not close it
---@field read fun(self: luactr.fd, count?: integer): string?, string?, integer?
---@field write fun(self: luactr.fd, data: string): integer?, string?, integer?

---@alias luactr.anyfd luactr.fd|integer
---@alias luactr.flags integer|string|(integer|string)[]
---@alias luactr.mode integer|string

---@class luactr.open_options
---@field dir? luactr.anyfd where a relative path starts (and the root, with "in_root")
---@field resolve? luactr.flags RESOLVE_*: "in_root", "beneath", "no_magiclinks", ...; Linux 5.6

---@class luactr.sys
local M = {}

--- Open `path`. `flags` are O_* ("rdonly" if none); `mode` ("0666" less the umask) counts for a
--- file that is created. open(2), openat2(2)
---@type fun(path: string, flags?: luactr.flags, mode?: luactr.mode, options?: luactr.open_options): luactr.fd?, string?, integer?
M.open = core.open

--- Take ownership of a descriptor that came as a number, and make it close-on-exec. EBADF if it
--- is not open. fcntl(2)
---@type fun(number: integer): luactr.fd?, string?, integer?
M.adopt = core.adopt

--- Close a handle (again is no error), or a number (EBADF). close(2)
---@type fun(fd: luactr.anyfd): true?, string?, integer?
M.close = core.close

--- Read at most `count` bytes (4096 if not given), in one call. "" at the end of the file. read(2)
---@type fun(fd: luactr.anyfd, count?: integer): string?, string?, integer?
M.read = core.read

--- Write `data` in one call, which is what the files of /proc and cgroups need; returns how many
--- bytes were taken. write(2)
---@type fun(fd: luactr.anyfd, data: string): integer?, string?, integer?
M.write = core.write

--- Move the file offset: `whence` is "set" (the default), "cur", "end", or "data" and "hole" for the
--- next of these; ENXIO when there is none. Returns the new one. lseek(2)
---@type fun(fd: luactr.anyfd, offset: integer, whence?: string|integer): integer?, string?, integer?
M.lseek = core.lseek

--- Make a file `size` bytes long. ftruncate(2)
---@type fun(fd: luactr.anyfd, size: integer): true?, string?, integer?
M.ftruncate = core.ftruncate

--- Copy at most `count` bytes inside the kernel, from the offset of `from` on; returns how many. 0 at
--- the end of the file. sendfile(2)
---@type fun(to: luactr.anyfd, from: luactr.anyfd, count: integer): integer?, string?, integer?
M.sendfile = core.sendfile

--- A pipe: the end to read from, the end to write to. EMFILE, ENFILE. pipe(2)
---@type fun(): luactr.fd?, (luactr.fd|string)?, integer?
M.pipe = core.pipe

--- A second handle for the same open file. dup(2)
---@type fun(fd: luactr.anyfd): luactr.fd?, string?, integer?
M.dup = core.dup

--- Make `number` mean the same open file as `fd`: `sys.dup2(log, 1)` redirects standard output.
--- The copy stays open over exec. dup2(2)
---@type fun(fd: luactr.anyfd, number: integer): integer?, string?, integer?
M.dup2 = core.dup2

--- Say whether exec closes `fd`. All handles start with true. fcntl(2)
---@type fun(fd: luactr.anyfd, on: boolean): true?, string?, integer?
M.set_cloexec = core.set_cloexec

--- A file in memory. Flags are MFD_*: "allow_sealing". The name is for /proc only.
--- memfd_create(2)
---@type fun(name: string, flags?: luactr.flags): luactr.fd?, string?, integer?
M.memfd_create = core.memfd_create

--- Forbid changes of a memfd for good: F_SEAL_* as "write", "grow", "shrink", "seal". fcntl(2)
---@type fun(fd: luactr.anyfd, seals: luactr.flags): true?, string?, integer?
M.add_seals = core.add_seals

--- The seals of a memfd, as bits. EINVAL for other files. fcntl(2)
---@type fun(fd: luactr.anyfd): integer?, string?, integer?
M.get_seals = core.get_seals

return M
